//! Calls of webhooks for changes of records, with the records' values merged in.

use http::Method;
use serde_json::{Map, Value};
use url::Url;

use super::{
    super::{
        World,
        channel::Event,
        export::text,
        notify::{Callback, Change},
    },
    Fired, Webhook,
};
use crate::time;

/// Values a merge field can name, besides the record's.
#[derive(Debug)]
struct Merge<'a> {
    module: &'a str,
    values: Map<String, Value>,
}

impl World {
    /// Queues a call for each change and each rule that hears of such changes.
    pub(crate) fn run_workflows(&mut self, module: &str, event: Event, changes: &[Change]) {
        let hears = |it: &&super::Rule| it.module == module && it.event == event;
        let rules: Vec<super::Rule> = self
            .automation
            .rules
            .iter()
            .filter(hears)
            .cloned()
            .collect();
        for rule in rules {
            let Some(webhook) = self.automation.webhooks.get(&rule.webhook).cloned() else {
                continue;
            };
            for change in changes {
                let merge = self.merge(module, change);
                let record = self.tables.get(module).and_then(|it| {
                    let name = it.get(change.id)?.name(&it.module);
                    Some(name)
                });
                let fired = Fired {
                    webhook: webhook.id,
                    rule: rule.id,
                    module: module.to_owned(),
                    record: change.id,
                    name: record.flatten(),
                };
                let day = time::zoho(self.clock.now());
                let day = day.split('T').next().unwrap_or_default().to_owned();
                *self.automation.usage.entry((day, webhook.id)).or_default() += 1;
                if let Some(callback) = webhook.call(&merge, fired) {
                    self.queue(1, callback);
                }
            }
        }
    }

    fn merge<'a>(&self, module: &'a str, change: &Change) -> Merge<'a> {
        let reading = super::super::record::Reading {
            org: self.org,
            now: self.clock.monotonic(),
            stale: None,
        };
        let table = self.tables.get(module);
        let shown = table.and_then(|it| Some(it.get(change.id)?.alone(&it.module, None, reading)));
        let mut values = match shown {
            Some(Value::Object(values)) => values,
            // A deleted record has only its id.
            _ => Map::new(),
        };
        values.insert("Id".to_owned(), Value::String(change.id.to_string()));
        Merge { module, values }
    }
}

impl Webhook {
    fn call(&self, merge: &Merge<'_>, fired: Fired) -> Option<Callback> {
        let text = |name: &str| self.shape.get(name).and_then(Value::as_str);
        let mut url = Url::parse(&merge.fill(text("url")?)).ok()?;
        let method = Method::from_bytes(text("http_method")?.as_bytes()).ok()?;
        let in_url = self.parameters("/url_parameters", merge);
        if !in_url.is_empty() {
            url.query_pairs_mut().extend_pairs(in_url);
        }
        let mut headers = self.parameters("/headers", merge);
        let body = self.shape.pointer("/body/type").and_then(Value::as_str);
        let body = match body {
            Some("raw") => {
                let format = self.shape.pointer("/body/format").and_then(Value::as_str);
                let content_type = match format {
                    Some("JSON") => "application/json",
                    Some("XML") => "application/xml",
                    Some("HTML") => "text/html",
                    _ => "text/plain",
                };
                headers.push(("content-type".to_owned(), content_type.to_owned()));
                let content = self.shape.pointer("/body/raw_data_content");
                merge.fill(content.and_then(Value::as_str).unwrap_or_default())
            }
            Some("form_data") => {
                // Which of the two encodings of forms Zoho takes is not known.
                let content_type = "application/x-www-form-urlencoded";
                headers.push(("content-type".to_owned(), content_type.to_owned()));
                let pairs = self.parameters("/body/form_data_content", merge);
                form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish()
            }
            _ => String::new(),
        };
        Some(Callback {
            method,
            url,
            headers,
            body,
            first_id: fired.record,
            fired: Some(fired),
        })
    }

    fn parameters(&self, pointer: &str, merge: &Merge<'_>) -> Vec<(String, String)> {
        let Some(part) = self.shape.pointer(pointer) else {
            return vec![];
        };
        let lists = ["module_parameters", "custom_parameters"];
        let listed = lists
            .iter()
            .filter_map(|it| part.get(it)?.as_array())
            .flatten();
        let own = part.get("user_defined_parameter").into_iter();
        listed
            .chain(own)
            .filter_map(|it| {
                let name = it.get("name")?.as_str()?.to_owned();
                Some((name, merge.fill(it.get("value")?.as_str()?)))
            })
            .collect()
    }
}

impl Merge<'_> {
    /// Puts values where `${!Leads.Last_Name}` stands: plain text, whatever stands around it.
    fn fill(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, field)) = rest.split_once("${!") {
            filled.push_str(before);
            let Some((name, after)) = field.split_once('}') else {
                filled.push_str("${!");
                rest = field;
                continue;
            };
            let name = name
                .split_once('.')
                .filter(|(module, _)| *module == self.module);
            let value = name.and_then(|(_, name)| self.values.get(name));
            filled.push_str(&value.map(shown).unwrap_or_default());
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

/// A lookup is shown by its name, not its id.
fn shown(value: &Value) -> String {
    match value.get("name").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => text(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_fields_are_filled_as_plain_text() {
        let values =
            json!({"Id": "7", "Last_Name": "O\"Hara", "Owner": {"name": "Jane", "id": "1"}});
        let merge = Merge {
            module: "Leads",
            values: values.as_object().unwrap().clone(),
        };
        for (template, filled) in [
            ("${!Leads.Id}", "7"),
            (r#"{"n":"${!Leads.Last_Name}"}"#, r#"{"n":"O"Hara"}"#),
            ("${!Leads.Owner} and ${!Leads.Nothing}.", "Jane and ."),
            ("${!Deals.Id}${Leads.Id}", "${Leads.Id}"),
            ("open ${!Leads.Id", "open ${!Leads.Id"),
        ] {
            assert_eq!(merge.fill(template), filled, "{template}");
        }
    }
}
