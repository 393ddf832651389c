//! What routes need of a change before they can decide: found once, when the table is made.

use std::collections::BTreeSet;

use super::table::{BodyTemplate, EnrichWish, Listen, Prepared, Route, Wants};
use crate::{
    event::{Change, Operation, Record},
    template::Reads,
};

/// Always sent with a record, listed or not.
pub(super) const ALWAYS: [&str; 2] = ["id", "Modified_Time"];

/// Who changed a record last.
pub(super) const MODIFIED_BY: &str = "Modified_By";

/// What one route reads and sends.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    /// What `when` and keys read.
    decide: Reads,
    /// What bodies read.
    send: Reads,
    /// The fields its messages carry; `None` for all.
    listed: Option<BTreeSet<String>>,
    /// Whether some message is the default one.
    default_body: bool,
    enrich: EnrichWish,
}

impl Needs {
    pub(super) fn of(route: &Route) -> Self {
        let mut decide = Reads::default();
        if let Some(when) = &route.when {
            decide.add(when.reads());
        }
        if !route.ignore_changes_by.is_empty() {
            decide.record_fields.insert(MODIFIED_BY.to_owned());
        }
        let mut send = Reads::default();
        for it in &route.sends {
            let id = it.write.as_ref().and_then(|it| it.id.as_ref());
            for template in [it.key.as_ref(), id].into_iter().flatten() {
                decide.add(template.reads());
            }
            if let Some(body) = &it.body {
                add_body(&mut send, body);
            }
        }
        Self {
            decide,
            send,
            listed: match &route.enrich {
                EnrichWish::Fields(fields) => Some(fields.iter().cloned().collect()),
                EnrichWish::All | EnrichWish::None => None,
            },
            default_body: route
                .sends
                .iter()
                .any(|it| it.body.is_none() && it.write.is_none()),
            enrich: route.enrich.clone(),
        }
    }

    fn reads(&self) -> [&Reads; 2] {
        [&self.decide, &self.send]
    }

    /// Whether all fields of the module must be read.
    fn all(&self) -> bool {
        let whole = || {
            self.reads()
                .iter()
                .any(|it| it.whole_record || it.whole_before)
        };
        match self.enrich {
            EnrichWish::Fields(_) => false,
            EnrichWish::All => self.default_body || whole(),
            EnrichWish::None => whole(),
        }
    }

    /// Fields that must be read. What is read of `before` is asked for too: that is how it comes to be known.
    fn fields(&self) -> BTreeSet<String> {
        let mut fields = self.listed.clone().unwrap_or_default();
        for reads in self.reads() {
            fields.extend(reads.record_fields.iter().cloned());
            fields.extend(reads.before_fields.iter().cloned());
        }
        fields
    }

    /// Whether the record must be read at all.
    pub(super) fn record(&self) -> bool {
        self.listed.is_some() || self.all() || !self.fields().is_empty()
    }

    fn before(&self) -> bool {
        let message = self.default_body && self.sends_record();
        message || self.reads().iter().any(|it| it.before)
    }

    /// On a delete the record as last seen stands in for the record.
    fn last_known(&self) -> bool {
        self.decide.whole_record || !self.decide.record_fields.is_empty()
    }

    fn body(&self) -> bool {
        self.reads().iter().any(|it| it.body)
    }

    /// Whether its default message carries the record.
    pub(super) const fn sends_record(&self) -> bool {
        !matches!(self.enrich, EnrichWish::None)
    }

    /// Whether its messages say when and how the record was read.
    pub(super) fn tells_state(&self) -> bool {
        self.sends_record() || self.record()
    }

    /// The record as `when` and keys see it: a copy only where they could see what other routes asked for.
    pub(super) fn seen(&self, record: &Record) -> Option<Record> {
        let whole = self.decide.whole_record || self.decide.whole_before;
        let listed = self.listed.as_ref().filter(|_| whole)?;
        let read = [&self.decide, &self.send];
        Some(only(record, listed, &read))
    }

    /// The record as bodies see it; likewise.
    pub(super) fn sent(&self, record: &Record) -> Option<Record> {
        let whole = self.send.whole_record || self.send.whole_before;
        let listed = self.listed.as_ref().filter(|_| whole)?;
        Some(only(record, listed, &[&self.send]))
    }

    /// The record as the default message carries it.
    pub(super) fn message(&self, record: &Record) -> Option<Record> {
        if !self.sends_record() {
            return None;
        }
        let own = self.listed.as_ref();
        let mut record = own.map_or_else(|| record.clone(), |listed| only(record, listed, &[]));
        for field in &record.fields {
            if !record.values.contains_key(field) {
                record.values.insert(field.clone(), serde_json::Value::Null);
            }
        }
        Some(record)
    }
}

fn add_body(reads: &mut Reads, body: &BodyTemplate) {
    match body {
        BodyTemplate::Literal(_) => {}
        BodyTemplate::Template(template) => reads.add(template.reads()),
        BodyTemplate::List(items) => items.iter().for_each(|it| add_body(reads, it)),
        BodyTemplate::Map(entries) => entries.iter().for_each(|(_, it)| add_body(reads, it)),
    }
}

/// The listed fields and those read by name, plus `id` and `Modified_Time`. A field that was not asked for stays
/// unknown, which is not null.
fn only(record: &Record, listed: &BTreeSet<String>, read: &[&Reads]) -> Record {
    let read = read
        .iter()
        .flat_map(|it| it.record_fields.iter().chain(&it.before_fields));
    let wanted = || {
        let named = listed.iter().chain(read.clone()).map(String::as_str);
        named.chain(ALWAYS)
    };
    Record {
        values: wanted()
            .filter_map(|field| Some((field.to_owned(), record.values.get(field)?.clone())))
            .collect(),
        fields: wanted()
            .filter(|field| record.fields.contains(*field))
            .map(str::to_owned)
            .collect(),
    }
}

/// What all listening routes need together.
pub(super) fn wants(change: &Change, listening: &[&Prepared]) -> Wants {
    let deleted = change.operation == Operation::Delete;
    let needs = || listening.iter().map(|it| &it.needs);
    let listen = if deleted || !needs().any(Needs::record) {
        Listen::NoRecord
    } else if needs().any(Needs::all) {
        Listen::All
    } else {
        Listen::Fields(needs().flat_map(Needs::fields).collect())
    };
    let reads = listen != Listen::NoRecord;
    let generic = change.connection.is_none();
    Wants {
        full: reads && listening.iter().any(|it| it.route.full),
        before: needs().any(|it| it.before() || (deleted && it.last_known())),
        body: needs().any(|it| it.body() || (generic && it.default_body)),
        sends: listening.iter().map(|it| it.route.sends.len()).sum(),
        listen,
    }
}
