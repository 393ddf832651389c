//! Turns changes of records into callbacks, one per channel that hears of them.

use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    World,
    channel::{Channel, Event},
    condition,
    people::Who,
    webhooks::Fired,
};
use crate::answer::put;

/// A change of one record.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) id: u64,
    /// Fields written (insert) or really changed (edit).
    pub(crate) values: Map<String, Value>,
    /// `server_time` of the last callback about the record.
    pub(crate) notified_ms: i64,
    pub(crate) by: Who,
}

/// A callback to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callback {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Callbacks that begin with the same record keep their order.
    pub(crate) first_id: u64,
    /// Which webhook it calls, if it is no channel's.
    pub(crate) fired: Option<Fired>,
}

impl Callback {
    /// JSON that is posted.
    pub(crate) fn json(url: Url, body: &Value, first_id: u64) -> Self {
        let content_type = "application/json;charset=UTF-8";
        Self {
            method: Method::POST,
            url,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.to_string(),
            first_id,
            fired: None,
        }
    }
}

impl World {
    /// Queues the callbacks for the changes that one call made to one module.
    pub(crate) fn notify(&mut self, module: &str, event: Event, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let now = self.clock.now();
        let last = changes.iter().map(|it| it.notified_ms).max();
        let server_time = now.as_millisecond().max(last.unwrap_or_default() + 1);
        let mut made = vec![];
        for channel in self.channels.values() {
            if !channel.hears(module, event, now) {
                continue;
            }
            let wanted: Vec<&Change> = changes
                .iter()
                .filter(|it| {
                    event != Event::Edit
                        || condition::wants(&channel.conditions, module, &it.values)
                })
                .collect();
            if let Some(first) = wanted.first() {
                let body = self.callback_body(channel, (module, event), &wanted, server_time);
                made.push((wanted.len(), channel.notify_url.clone(), body, first.id));
            }
        }
        for (ids, url, body, first_id) in made {
            self.queue(ids, Callback::json(url, &body, first_id));
        }
        self.remember_notified(module, changes, server_time);
        if event == Event::Edit {
            self.notify_related(module, changes, now);
        }
    }

    /// An edit is also told as an edit of the records that the edited one looks up, unless the
    /// channel says otherwise. What such a callback says has changed is not known: nothing, here.
    fn notify_related(&mut self, module: &str, changes: &[Change], now: Timestamp) {
        let mut related: Vec<(String, u64)> = vec![];
        let Some(table) = self.tables.get(module) else {
            return;
        };
        for field in &table.module.fields {
            let Some(target) = &field.target else {
                continue;
            };
            for change in changes {
                let id = table
                    .get(change.id)
                    .and_then(|it| it.current.values.get(&field.name)?.get("id")?.as_str())
                    .and_then(|it| it.parse().ok());
                if let Some(id) = id
                    && !related.contains(&(target.clone(), id))
                {
                    related.push((target.clone(), id));
                }
            }
        }
        for (target, id) in related {
            let Some(record) = self.tables.get(&target).and_then(|it| it.get(id)) else {
                continue;
            };
            let server_time = now.as_millisecond().max(record.notified_ms + 1);
            let change = Change {
                id,
                values: Map::new(),
                notified_ms: record.notified_ms,
                by: Who::Integration,
            };
            let made: Vec<Callback> = self
                .channels
                .values()
                .filter(|it| it.related && it.hears(&target, Event::Edit, now))
                .map(|channel| {
                    let what = (target.as_str(), Event::Edit);
                    let mut body = self.callback_body(channel, what, &[&change], server_time);
                    put(&mut body, "affected_fields", json!([]));
                    Callback::json(channel.notify_url.clone(), &body, id)
                })
                .collect();
            for callback in made {
                self.queue(1, callback);
            }
            self.remember_notified(&target, &[change], server_time);
        }
    }

    /// The JSON of one callback. Zoho: "Enable notifications", v8, and real ones seen in the field.
    fn callback_body(
        &self,
        channel: &Channel,
        (module, event): (&str, Event),
        changes: &[&Change],
        server_time: i64,
    ) -> Value {
        let mut body = json!({
            "server_time": server_time,
            "query_params": channel.query_params,
            "module": module,
            "resource_uri": format!("{}/crm/v2/{module}", self.base_url),
            "ids": changes.iter().map(|it| it.id.to_string()).collect::<Vec<_>>(),
            "affected_fields": [],
            "operation": event.operation(),
            "channel_id": channel.id,
            "token": if event == Event::Delete { Value::Null } else { json!(channel.token) },
        });
        let values = |change: &Change| match event {
            Event::Delete => json!({
                "Modified_By": change.by.with_email(self.org),
                "Record_Status__s": 0,
            }),
            Event::Create | Event::Edit => Value::Object(change.values.clone()),
        };
        if event != Event::Create {
            let fields = changes
                .iter()
                .map(|change| {
                    let values = values(change);
                    let names: Vec<&String> = values
                        .as_object()
                        .map(|it| it.keys().collect())
                        .unwrap_or_default();
                    json!({ change.id.to_string(): names })
                })
                .collect();
            put(&mut body, "affected_fields", fields);
        }
        if channel.values {
            let all = changes
                .iter()
                .map(|it| json!({"record_id": it.id.to_string(), "values": values(it)}))
                .collect();
            put(&mut body, "affected_values", all);
        }
        body
    }

    pub(crate) fn queue(&mut self, ids: usize, callback: Callback) {
        let counters = &mut self.counters.callbacks;
        counters.made += 1;
        counters.ids += u64::try_from(ids).unwrap_or_default();
        self.outbox.push(callback);
    }

    fn remember_notified(&mut self, module: &str, changes: &[Change], server_time: i64) {
        if let Some(table) = self.tables.get_mut(module) {
            for change in changes {
                if let Some(record) = table.get_mut(change.id) {
                    record.notified_ms = server_time;
                }
            }
        }
    }
}
