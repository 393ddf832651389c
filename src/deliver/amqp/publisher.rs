//! One window on one channel: persistent, mandatory, confirmed; settled only as a whole.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;
use lapin::{
    BasicProperties, Channel, Confirmation, ErrorKind, options::BasicPublishOptions,
    types::ShortString,
};

use super::{message, window::Group};
use crate::{
    deliver::{DeliverError, error::put},
    event::Delivery,
};

/// A delivery that AMQP can carry.
pub(super) struct Prepared<'a> {
    /// Its place in the window.
    pub(super) index: usize,
    pub(super) delivery: &'a Delivery,
    pub(super) routing_key: ShortString,
    pub(super) properties: BasicProperties,
}

/// What the broker says of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A queue has it.
    Confirmed,
    /// No queue is bound for it.
    Returned,
    /// A queue would not take it.
    Refused,
}

/// A window of which nothing is known: all of it must be sent again, on another channel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The broker closed the channel, which it does over one message.
    Closed(String),
    /// The channel or its connection failed.
    Failed(String),
    /// The confirms did not come in time.
    TimedOut,
}

/// What AMQP can carry; the others have their result.
pub(super) fn prepare<'a>(
    window: &'a [Delivery],
    group: &Group,
    frame_bytes_max: u32,
    results: &mut [Result<(), DeliverError>],
) -> Vec<Prepared<'a>> {
    let mut prepared = Vec::with_capacity(group.places.len());
    for &index in &group.places {
        let Some(delivery) = window.get(index) else {
            continue;
        };
        let message = &delivery.planned.message;
        let made = message::properties(message, frame_bytes_max)
            .and_then(|properties| Ok((properties, message::routing_key(message)?)));
        match made {
            Ok((properties, routing_key)) => prepared.push(Prepared {
                index,
                delivery,
                routing_key,
                properties,
            }),
            Err(error) => put(results, index, Err(error)),
        }
    }
    prepared
}

/// Publishes all, then waits for all confirms under one deadline.
pub(super) async fn publish(
    channel: &Channel,
    exchange: &ShortString,
    window: &[Prepared<'_>],
    timeout: Duration,
) -> Result<Vec<Verdict>, Lost> {
    match tokio::time::timeout(timeout, confirmations(channel, exchange, window)).await {
        Ok(Ok(confirmations)) => settle(window, confirmations),
        Ok(Err(error)) => Err(lost(&error)),
        Err(_elapsed) => Err(Lost::TimedOut),
    }
}

/// The broker's own words are left out: they may quote the routing key, which may be record content.
fn lost(error: &lapin::Error) -> Lost {
    if let ErrorKind::ProtocolError(protocol) = error.kind() {
        let problem = protocol.kind().to_string();
        return if error.is_amqp_soft_error() {
            Lost::Closed(problem)
        } else {
            Lost::Failed(problem)
        };
    }
    if matches!(error.kind(), ErrorKind::InvalidChannelState(..)) {
        return Lost::Closed("the channel was closed".to_owned());
    }
    Lost::Failed(error.to_string())
}

async fn confirmations(
    channel: &Channel,
    exchange: &ShortString,
    window: &[Prepared<'_>],
) -> lapin::Result<Vec<Confirmation>> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    // Each waits for its frames to be written: all at once, or it is one message per wake-up of the writer.
    let published = join_all(window.iter().map(|it| {
        channel.basic_publish(
            exchange.clone(),
            it.routing_key.clone(),
            options,
            &it.delivery.planned.message.data,
            it.properties.clone(),
        )
    }))
    .await;
    let mut pending = Vec::with_capacity(window.len());
    for confirm in published {
        pending.push(confirm?);
    }
    let mut confirmations = Vec::with_capacity(window.len());
    for confirm in pending {
        confirmations.push(confirm.await?);
    }
    Ok(confirmations)
}

/// A confirmation that carries a message says that *some* message of this channel was returned, not its own (tried with
/// lapin 4.12). Once all have come, every returned message is in one of them, and its id says which it is.
fn settle(window: &[Prepared<'_>], confirmations: Vec<Confirmation>) -> Result<Vec<Verdict>, Lost> {
    let mut verdicts = Vec::with_capacity(window.len());
    let mut returned = HashSet::new();
    for confirmation in confirmations {
        verdicts.push(match &confirmation {
            Confirmation::Ack(_) => Verdict::Confirmed,
            Confirmation::Nack(_) => Verdict::Refused,
            Confirmation::NotRequested => {
                return Err(Lost::Failed("the channel does not confirm".to_owned()));
            }
        });
        if let Some(message) = confirmation.take_message() {
            match message.properties.message_id() {
                Some(id) => returned.insert(id.as_str().to_owned()),
                None => {
                    return Err(Lost::Failed(
                        "a message came back without its id".to_owned(),
                    ));
                }
            };
        }
    }
    let mut found = 0;
    for (verdict, prepared) in verdicts.iter_mut().zip(window) {
        if returned.contains(&prepared.delivery.planned.message.attributes.id) {
            *verdict = Verdict::Returned;
            found += 1;
        }
    }
    if found < returned.len() {
        return Err(Lost::Failed(
            "a message of another window came back".to_owned(),
        ));
    }
    Ok(verdicts)
}
