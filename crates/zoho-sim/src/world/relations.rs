//! Relations between records that are no lookups: members of campaigns, products of records.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::World;

/// Relations of an org, at most; further ones are refused.
const RELATIONS_MAX: usize = 100_000;
/// Modules whose records can be related. Zoho: "Update related records", v8.
const PAIRS: &[(&str, &str)] = &[
    ("Campaigns", "Leads"),
    ("Campaigns", "Contacts"),
    ("Products", "Leads"),
    ("Products", "Accounts"),
    ("Products", "Contacts"),
    ("Products", "Deals"),
    ("Products", "Price_Books"),
];

/// A record by the ids of its module and its own.
pub(crate) type Member = (u64, u64);

/// The relations of an org.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relations {
    /// Each relation twice: both records have it.
    of: BTreeMap<Member, BTreeMap<Member, Map<String, Value>>>,
    count: usize,
}

/// The modules whose records can be related to those of a module.
pub(crate) fn partners(module: &str) -> impl Iterator<Item = &'static str> {
    PAIRS.iter().filter_map(move |(one, other)| {
        if *one == module {
            Some(*other)
        } else {
            (*other == module).then_some(*one)
        }
    })
}

impl Relations {
    /// Relates two records, or changes values of their relation; false when there is no room.
    pub(crate) fn relate(
        &mut self,
        one: Member,
        other: Member,
        values: &Map<String, Value>,
    ) -> bool {
        if self.between(one, other).is_none() {
            if self.count >= RELATIONS_MAX {
                return false;
            }
            self.count += 1;
        }
        for (one, other) in [(one, other), (other, one)] {
            let relation = self.of.entry(one).or_default().entry(other).or_default();
            relation.extend(values.clone());
        }
        true
    }

    /// Ends a relation; false when there is none.
    pub(crate) fn unrelate(&mut self, one: Member, other: Member) -> bool {
        let ended = self.end(one, other);
        self.end(other, one);
        self.count -= usize::from(ended);
        ended
    }

    /// Ends all relations of a record.
    pub(crate) fn forget(&mut self, gone: Member) {
        for other in self.of.remove(&gone).unwrap_or_default().into_keys() {
            self.end(other, gone);
            self.count = self.count.saturating_sub(1);
        }
    }

    /// The values of a relation.
    pub(crate) fn between(&self, one: Member, other: Member) -> Option<&Map<String, Value>> {
        self.of.get(&one)?.get(&other)
    }

    /// Ids of the records of a module that are related to a record, the newest first.
    pub(crate) fn with(&self, one: Member, module: u64) -> impl Iterator<Item = u64> {
        let all = self.of.get(&one).into_iter();
        let of_module = move |it: &BTreeMap<Member, _>| {
            let ids: Vec<u64> = it
                .range((module, 0)..=(module, u64::MAX))
                .map(|it| it.0.1)
                .collect();
            ids
        };
        all.flat_map(of_module).rev()
    }

    fn end(&mut self, one: Member, other: Member) -> bool {
        let Some(relations) = self.of.get_mut(&one) else {
            return false;
        };
        let ended = relations.remove(&other).is_some();
        if relations.is_empty() {
            self.of.remove(&one);
        }
        ended
    }
}

impl World {
    /// A record as relations name it; nothing for an unknown module.
    pub(crate) fn member(&self, module: &str, id: u64) -> Option<Member> {
        Some((self.tables.get(module)?.module.id, id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_records_have_a_relation_until_one_of_them_is_gone() {
        let mut relations = Relations::default();
        let values = Map::from_iter([("Member_Status".to_owned(), json!("Planned"))]);
        assert!(relations.relate((1, 10), (2, 20), &values));
        assert!(relations.relate((1, 10), (2, 21), &Map::new()));
        assert!(relations.relate((2, 20), (1, 10), &Map::new()));
        assert_eq!(relations.with((1, 10), 2).collect::<Vec<_>>(), [21, 20]);
        assert_eq!(relations.with((2, 20), 1).collect::<Vec<_>>(), [10]);
        assert_eq!(relations.between((2, 20), (1, 10)), Some(&values));
        assert!(relations.unrelate((2, 21), (1, 10)));
        assert!(!relations.unrelate((1, 10), (2, 21)));
        relations.forget((2, 20));
        assert_eq!(relations.with((1, 10), 2).count(), 0);
        assert_eq!((relations.count, relations.of.len()), (0, 0));
    }
}
