//! Finding records by the values of some fields, letter case aside.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::module::Module;

/// The fields that are searched for duplicates, with who has which value.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// Name, and whether no two records may share a value.
    fields: Vec<(String, bool)>,
    /// Ids by place of the field and value in lower case; oldest first.
    ids: HashMap<(usize, String), Vec<u64>>,
}

impl Keys {
    pub(crate) fn of(module: &Module) -> Self {
        let unique = module.fields.iter().filter(|it| it.unique);
        let mut fields: Vec<_> = unique.map(|it| (it.name.clone(), true)).collect();
        let checked = &module.duplicate_check;
        if !checked.is_empty() && !fields.iter().any(|(name, _)| name == checked) {
            fields.push((checked.clone(), false));
        }
        Self {
            fields,
            ids: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, id: u64, values: &Map<String, Value>) {
        for key in self.keys_of(values) {
            let ids = self.ids.entry(key).or_default();
            if let Err(at) = ids.binary_search(&id) {
                ids.insert(at, id);
            }
        }
    }

    pub(crate) fn remove(&mut self, id: u64, values: &Map<String, Value>) {
        for key in self.keys_of(values) {
            if let Some(ids) = self.ids.get_mut(&key) {
                ids.retain(|it| *it != id);
                if ids.is_empty() {
                    self.ids.remove(&key);
                }
            }
        }
    }

    /// Another record that has one of these values in a unique field, with the field's name.
    pub(crate) fn duplicate(
        &self,
        values: &Map<String, Value>,
        except: Option<u64>,
    ) -> Option<(&str, u64)> {
        let mut fields = self.fields.iter().enumerate();
        fields.find_map(|(place, (name, unique))| {
            let value = values.get(name)?.as_str()?.to_lowercase();
            let ids = self.ids.get(&(place, value)).filter(|_| *unique)?;
            let id = ids.iter().find(|it| Some(**it) != except)?;
            Some((name.as_str(), *id))
        })
    }

    /// Whether records can be found by this field.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(it, _)| it == name)
    }

    /// The oldest record with this value of a field that [`Self::has`].
    pub(crate) fn find(&self, name: &str, value: &str) -> Option<u64> {
        let place = self.fields.iter().position(|(it, _)| it == name)?;
        let ids = self.ids.get(&(place, value.to_lowercase()))?;
        ids.first().copied()
    }

    fn keys_of(&self, values: &Map<String, Value>) -> Vec<(usize, String)> {
        let fields = self.fields.iter().enumerate();
        fields
            .filter_map(|(place, (name, _))| {
                let value = values.get(name)?.as_str()?;
                Some((place, value.to_lowercase()))
            })
            .collect()
    }
}
