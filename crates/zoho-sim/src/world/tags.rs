//! Tags: labels of a module's records.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{World, people::Who, table::Table};
use crate::time;

/// The longest name, in characters, and the longest colour. Zoho: "Create tags", v8.
pub(crate) const NAME_MAX: usize = 25;
pub(crate) const COLOR_MAX: usize = 7;
/// Tags per module.
pub(crate) const TAGS_MAX: usize = 500;

/// A tag.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: Who,
    pub(crate) modified: Timestamp,
    pub(crate) modified_by: Who,
}

/// The tags of all modules, by module, oldest first.
pub(crate) type Tags = BTreeMap<String, Vec<Tag>>;

impl Tag {
    /// As `/settings/tags` shows it.
    pub(crate) fn to_json(&self, org: u64) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "color_code": self.color,
            "created_time": time::zoho(self.created),
            "created_by": self.created_by.without_email(org),
            "modified_time": time::zoho(self.modified),
            "modified_by": self.modified_by.without_email(org),
        })
    }

    /// As a record shows it.
    pub(crate) fn on_record(&self) -> Value {
        json!({"name": self.name, "id": self.id.to_string(), "color_code": self.color})
    }
}

impl World {
    pub(crate) fn tag_named(&self, module: &str, name: &str) -> Option<&Tag> {
        let wanted = name.to_lowercase();
        let tags = self.tags.get(module)?;
        tags.iter().find(|it| it.name.to_lowercase() == wanted)
    }

    /// The module of a tag, and the tag.
    pub(crate) fn tag(&self, id: u64) -> Option<(&String, &Tag)> {
        let mut modules = self.tags.iter();
        modules.find_map(|(module, tags)| Some((module, tags.iter().find(|it| it.id == id)?)))
    }

    /// Adds a tag whose name is not taken; nothing if there are too many.
    pub(crate) fn add_tag(
        &mut self,
        module: &str,
        name: &str,
        color: Option<String>,
        by: Who,
    ) -> Option<Tag> {
        let at = time::whole_seconds(self.clock.now());
        if self.tags.get(module).is_some_and(|it| it.len() >= TAGS_MAX) {
            return None;
        }
        let tag = Tag {
            id: self.next_id(),
            name: name.to_owned(),
            color,
            created: at,
            created_by: by,
            modified: at,
            modified_by: by,
        };
        let tags = self.tags.entry(module.to_owned()).or_default();
        tags.push(tag.clone());
        Some(tag)
    }

    /// Renames and recolours a tag, on its records too.
    pub(crate) fn change_tag(&mut self, changed: Tag) {
        let module = self.tag(changed.id).map(|it| it.0.clone());
        let Some(module) = module else { return };
        let shown = changed.on_record();
        if let Some(table) = self.tables.get_mut(&module) {
            retag(table, changed.id, Some(&shown));
        }
        let tags = self.tags.entry(module).or_default();
        if let Some(tag) = tags.iter_mut().find(|it| it.id == changed.id) {
            *tag = changed;
        }
    }

    /// Takes a tag away, from its records too; false if there is none.
    pub(crate) fn remove_tag(&mut self, id: u64) -> bool {
        let module = self.tag(id).map(|it| it.0.clone());
        let Some(module) = module else { return false };
        if let Some(table) = self.tables.get_mut(&module) {
            retag(table, id, None);
        }
        if let Some(tags) = self.tags.get_mut(&module) {
            tags.retain(|it| it.id != id);
        }
        true
    }

    /// The tags in a record's values become tags of the module, which are made if need be.
    pub(crate) fn adopt_tags(&mut self, module: &str, values: &mut Map<String, Value>, by: Who) {
        let Some(Value::Array(sent)) = values.get("Tag") else {
            return;
        };
        let mut adopted: Vec<Value> = vec![];
        for item in sent.clone() {
            let text = |key| item.get(key).and_then(Value::as_str);
            let by_id = text("id").and_then(|it| self.tag(it.parse().ok()?));
            let found = match (by_id, text("name").or_else(|| item.as_str())) {
                (Some((_, tag)), _) => Some(tag.clone()),
                (None, Some(name)) => self.tag_named(module, name).cloned().or_else(|| {
                    let color = text("color_code").map(ToOwned::to_owned);
                    self.add_tag(module, name, color, by)
                }),
                (None, None) => None,
            };
            let shown = found.map(|it| it.on_record());
            adopted.extend(shown.filter(|it| !adopted.contains(it)));
        }
        values.insert("Tag".to_owned(), Value::Array(adopted));
    }
}

/// Whether one of a record's tags has this id.
pub(crate) fn is_tagged(values: &Map<String, Value>, id: u64) -> bool {
    let id = id.to_string();
    let tags = values.get("Tag").and_then(Value::as_array);
    tags.is_some_and(|tags| {
        tags.iter()
            .any(|it| it.get("id").is_some_and(|it| it == &id))
    })
}

fn retag(table: &mut Table, id: u64, shown: Option<&Value>) {
    let tagged = table.rows().filter(|it| is_tagged(&it.current.values, id));
    let tagged: Vec<u64> = tagged.map(|it| it.id).collect();
    let id = id.to_string();
    for record in tagged {
        let values = table.get_mut(record).map(|it| &mut it.current.values);
        let tags = values.and_then(|it| it.get_mut("Tag")?.as_array_mut());
        if let Some(tags) = tags {
            let place = tags
                .iter()
                .position(|it| it.get("id").is_some_and(|it| it == &id));
            match (place, shown) {
                (Some(place), Some(shown)) => {
                    tags.splice(place..=place, [shown.clone()]);
                }
                (Some(place), None) => {
                    tags.remove(place);
                }
                (None, _) => {}
            }
        }
    }
}
