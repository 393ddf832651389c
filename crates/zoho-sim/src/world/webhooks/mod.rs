//! Workflow webhooks: what they are, the rules that fire them, and what became of their calls.

mod check;
mod fire;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::check::check;
use super::{World, channel::Event, people::Who};
use crate::{answer::put, time};

/// Failures kept; the oldest go first.
const FAILURES_MAX: usize = 10_000;

/// Webhooks, and what became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Automation {
    pub(crate) webhooks: BTreeMap<u64, Webhook>,
    pub(crate) rules: Vec<Rule>,
    /// Oldest first.
    pub(crate) failures: VecDeque<Failure>,
    /// Calls by day and webhook.
    pub(crate) usage: BTreeMap<(String, u64), u64>,
    /// Take webhooks to loopback and private hosts, which Zoho refuses.
    pub(crate) private_hosts: bool,
}

/// A webhook.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) id: u64,
    /// As it was sent, checked.
    pub(crate) shape: Value,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) by: Who,
}

/// A workflow rule: changes of this kind call the webhook.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: u64,
    pub(crate) module: String,
    pub(crate) event: Event,
    pub(crate) webhook: u64,
}

/// A call that was not answered with 2xx.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) id: u64,
    pub(crate) at: Timestamp,
    pub(crate) webhook: u64,
    pub(crate) rule: u64,
    pub(crate) module: String,
    pub(crate) record: u64,
    pub(crate) name: Option<String>,
    pub(crate) reason: &'static str,
}

/// Which call of which webhook a callback is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) webhook: u64,
    pub(crate) rule: u64,
    pub(crate) module: String,
    pub(crate) record: u64,
    pub(crate) name: Option<String>,
}

impl Automation {
    /// A webhook as others name it.
    pub(crate) fn named(&self, id: u64) -> Value {
        let webhook = self.webhooks.get(&id);
        json!({"name": webhook.map(Webhook::name), "id": id.to_string()})
    }
}

impl Webhook {
    pub(crate) fn module(&self) -> &str {
        let name = self.shape.pointer("/module/api_name");
        name.and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        let name = self.shape.get("name");
        name.and_then(Value::as_str).unwrap_or_default()
    }

    /// Zoho: "Get webhooks", v8.
    pub(crate) fn to_json(&self, world: &World) -> Value {
        let mut shown = json!({
            "id": self.id.to_string(),
            "description": null,
            "headers": null,
            "url_parameters": null,
            "body": null,
            "date_time_format": null,
            "related_module": null,
            "created_time": time::zoho(self.created),
            "created_by": self.by.without_email(world.org),
            "modified_time": time::zoho(self.modified),
            "modified_by": self.by.without_email(world.org),
            "lock_status": {"locked": false, "message": null},
            "editable": true,
            "deletable": true,
            "source": "user",
            "associated": world.automation.rules.iter().any(|it| it.webhook == self.id),
        });
        for (name, value) in self.shape.as_object().into_iter().flatten() {
            put(&mut shown, name, value.clone());
        }
        shown
    }
}

impl Failure {
    /// Zoho: "Get action failures - webhooks", v8.
    pub(crate) fn to_json(&self, world: &World) -> Value {
        json!({
            "id": self.id.to_string(),
            "webhook": world.automation.named(self.webhook),
            "entity_details": {
                "module": {"api_name": self.module, "id": world.module_id(&self.module)},
                "name": self.name,
                "id": self.record.to_string(),
            },
            "failure_time": time::zoho(self.at),
            "failure_reason": self.reason,
            "workflow_rule": {"name": format!("Rule {}", self.rule), "id": self.rule.to_string()},
        })
    }
}

impl World {
    /// Makes a rule; nothing if there is no such webhook, or it is of another module.
    pub(crate) fn add_rule(&mut self, module: &str, event: Event, webhook: u64) -> Option<u64> {
        let found = self.automation.webhooks.get(&webhook)?;
        if found.module() != module {
            return None;
        }
        let id = self.next_id();
        self.automation.rules.push(Rule {
            id,
            module: module.to_owned(),
            event,
            webhook,
        });
        Some(id)
    }

    /// Keeps that a webhook's call failed; it is not tried again.
    pub(crate) fn webhook_failed(&mut self, fired: Fired, status: Option<u16>) {
        let id = self.next_id();
        let at = self.clock.now();
        if self.automation.failures.len() >= FAILURES_MAX {
            self.automation.failures.pop_front();
        }
        self.automation.failures.push_back(Failure {
            id,
            at,
            webhook: fired.webhook,
            rule: fired.rule,
            module: fired.module,
            record: fired.record,
            name: fired.name,
            // Only the first is known from Zoho.
            reason: match status {
                Some(404) => "page_notfound",
                Some(500..) => "server_error",
                Some(_) => "request_refused",
                None => "connection_failed",
            },
        });
    }
}
