//! Carries a query out over the records.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::{Map, Value, json};

use super::{
    aggregate::Sum,
    filter::Test,
    plan::{Key, Plan, What},
    query::Operator,
};
use crate::world::{
    World,
    order::{Order, Position, SortBy},
    record::{Reading, Record},
    typed::Typed,
};

/// Records that are looked at one by one rather than all there are.
const FEW: usize = 5_000;

/// The rows of an answer.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) data: Vec<Value>,
    pub(crate) more: bool,
}

/// Carries a query out.
pub(crate) fn run(world: &World, plan: &Plan<'_>, reading: Reading) -> Rows {
    let source = Source {
        world,
        plan,
        reading,
    };
    let few = source.few();
    if plan.is_grouped() {
        return match few {
            Some(few) => source.grouped(few.into_iter()),
            None => source.grouped(plan.table.rows()),
        };
    }
    match (few, source.natural_order()) {
        (Some(few), _) => source.sorted(few.into_iter()),
        (None, Some(order)) => source.in_order(order),
        (None, None) => source.sorted(plan.table.rows()),
    }
}

#[derive(Clone, Copy)]
struct Source<'q, 'w> {
    world: &'w World,
    plan: &'q Plan<'w>,
    reading: Reading,
}

/// The records of one group, or what is made of them.
struct Group<'w> {
    first: Option<&'w Record>,
    sums: Vec<Option<Sum>>,
}

impl<'w> Source<'_, 'w> {
    fn takes(&self, record: &Record) -> bool {
        let plan = self.plan;
        let now = || self.world.clock.now();
        !(record.converted && plan.hides_converted())
            && plan
                .view
                .is_none_or(|it| it.takes(record, self.reading, now()))
            && plan.filter.holds(self.world, record, self.reading)
    }

    /// All records that can hold, oldest id first, if the conditions leave only a few.
    fn few(&self) -> Option<Vec<&'w Record>> {
        let table = self.plan.table;
        let musts = self.plan.filter.musts();
        let mut few: Vec<&Record> = match ids(&musts) {
            Some(ids) => ids.into_iter().filter_map(|id| table.get(id)).collect(),
            // A stale read is not in the order of the times.
            None if self.reading.stale.is_some() => return None,
            None => [SortBy::ModifiedTime, SortBy::CreatedTime]
                .into_iter()
                .find_map(|by| {
                    let (low, high) = bounds(&musts, by);
                    low.or(high)?;
                    let ascending = Order {
                        by,
                        ascending: true,
                    };
                    let within = |it: &&Record| high.is_none_or(|high| by.position(it) <= high);
                    let walk = table.walk(ascending, low).take_while(within);
                    let few: Vec<_> = walk.take(FEW + 1).collect();
                    (few.len() <= FEW).then_some(few)
                })?,
        };
        few.sort_by_key(|it| it.id);
        few.dedup_by_key(|it| it.id);
        Some(few)
    }

    /// The order that the table keeps anyway, if it is the one asked for.
    fn natural_order(&self) -> Option<Order> {
        let (by, ascending) = match self.plan.sorts.as_slice() {
            [] => (SortBy::Id, true),
            [(Key::Column(column), ascending)] => {
                let by = SortBy::ALL.into_iter().find(|it| column.is(it.name()))?;
                (by, *ascending)
            }
            _ => return None,
        };
        // A stale read is not in that order.
        (by != SortBy::ModifiedTime || self.reading.stale.is_none())
            .then_some(Order { by, ascending })
    }

    /// Walks along the order, from where the conditions let it begin to where they let it end.
    fn in_order(&self, order: Order) -> Rows {
        let plan = self.plan;
        let (low, high) = bounds(&plan.filter.musts(), order.by);
        let (behind, end) = if order.ascending {
            (low, high)
        } else {
            (high, low)
        };
        let past = |record: &Record| {
            end.is_some_and(|end| {
                let position = order.by.position(record);
                if order.ascending {
                    position > end
                } else {
                    position < end
                }
            })
        };
        let walk = plan.table.walk(order, behind);
        let mut found = walk
            .take_while(|it| !past(it))
            .filter(|it| self.takes(it))
            .skip(plan.offset);
        let data = found.by_ref().take(plan.limit).map(|it| self.row(it));
        Rows {
            data: data.collect(),
            more: found.next().is_some(),
        }
    }

    fn sorted(&self, records: impl Iterator<Item = &'w Record>) -> Rows {
        let plan = self.plan;
        let found = records.filter(|it| self.takes(it));
        let mut keyed: Vec<(Vec<Typed>, &Record)> = found
            .map(|record| {
                let keys = plan.sorts.iter().map(|(key, _)| match key {
                    Key::Column(column) => column.typed(self.world, record, self.reading),
                    Key::Selected(_) | Key::Group(_) => Typed::Null,
                });
                (keys.collect(), record)
            })
            .collect();
        keyed.sort_by(|one, other| self.compare(&one.0, &other.0));
        let more = keyed.len() > plan.offset + plan.limit;
        let page = keyed.into_iter().skip(plan.offset).take(plan.limit);
        Rows {
            data: page.map(|(_, record)| self.row(record)).collect(),
            more,
        }
    }

    fn compare(&self, one: &[Typed], other: &[Typed]) -> Ordering {
        let pairs = one.iter().zip(other).zip(&self.plan.sorts);
        pairs.fold(Ordering::Equal, |order, ((one, other), (_, ascending))| {
            order.then_with(|| {
                let order = one.rank(other);
                if *ascending { order } else { order.reverse() }
            })
        })
    }

    fn row(&self, record: &Record) -> Value {
        let mut row = Map::new();
        for selected in &self.plan.selected {
            if let What::Column(column) = &selected.what {
                let value = column.shown(self.world, record, self.reading);
                row.insert(selected.key.clone(), value);
            }
        }
        row.insert("id".to_owned(), json!(record.id.to_string()));
        Value::Object(row)
    }

    fn grouped(&self, records: impl Iterator<Item = &'w Record>) -> Rows {
        let plan = self.plan;
        // In the order in which the groups were met.
        let mut places: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        let mut groups: Vec<Group<'w>> = vec![];
        if plan.groups.is_empty() {
            places.insert(vec![], 0);
            groups.push(self.group(None));
        }
        for record in records.filter(|it| self.takes(it)) {
            let place = *places.entry(self.group_key(record)).or_insert_with(|| {
                groups.push(self.group(Some(record)));
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                self.add(group, record);
            }
        }
        let mut rows: Vec<(Vec<Typed>, Value)> = groups
            .iter()
            .map(|group| (self.group_sort_keys(group), self.group_row(group)))
            .collect();
        rows.sort_by(|one, other| self.compare(&one.0, &other.0));
        let more = rows.len() > plan.offset + plan.limit;
        let page = rows.into_iter().skip(plan.offset).take(plan.limit);
        Rows {
            data: page.map(|(_, row)| row).collect(),
            more,
        }
    }

    fn group_key(&self, record: &Record) -> Vec<String> {
        let columns = self.plan.groups.iter();
        let values = columns.map(|it| it.typed(self.world, record, self.reading));
        values.map(|it| format!("{it:?}")).collect()
    }

    fn group(&self, first: Option<&'w Record>) -> Group<'w> {
        let sums = self.plan.selected.iter().map(|it| match &it.what {
            What::Column(_) => None,
            What::Aggregate(function, _) => Some(Sum::new(*function)),
        });
        Group {
            first,
            sums: sums.collect(),
        }
    }

    fn add(&self, group: &mut Group<'_>, record: &Record) {
        for (selected, sum) in self.plan.selected.iter().zip(&mut group.sums) {
            match (&selected.what, sum) {
                (What::Aggregate(_, Some(column)), Some(sum)) => {
                    let value = column.typed(self.world, record, self.reading);
                    sum.take(value, || column.shown(self.world, record, self.reading));
                }
                (What::Aggregate(_, None), Some(sum)) => sum.take_row(),
                _ => {}
            }
        }
    }

    fn group_row(&self, group: &Group<'_>) -> Value {
        let selected = self.plan.selected.iter().zip(&group.sums);
        let cells = selected.map(|(selected, sum)| {
            let value = match (&selected.what, sum, group.first) {
                (_, Some(sum), _) => sum.result(),
                (What::Column(column), None, Some(first)) => {
                    column.shown(self.world, first, self.reading)
                }
                _ => Value::Null,
            };
            (selected.key.clone(), value)
        });
        Value::Object(cells.collect())
    }

    fn group_sort_keys(&self, group: &Group<'_>) -> Vec<Typed> {
        let column = |column: &crate::world::column::Column| match group.first {
            Some(first) => column.typed(self.world, first, self.reading),
            None => Typed::Null,
        };
        let keys = self.plan.sorts.iter().map(|(key, _)| match key {
            Key::Column(it) => column(it),
            Key::Group(place) => self.plan.groups.get(*place).map_or(Typed::Null, column),
            Key::Selected(place) => {
                let sum = group.sums.get(*place).and_then(Option::as_ref);
                match (sum, self.plan.selected.get(*place).map(|it| &it.what)) {
                    (Some(sum), _) => number_or_text(&sum.result()),
                    (None, Some(What::Column(it))) => column(it),
                    _ => Typed::Null,
                }
            }
        });
        keys.collect()
    }
}

fn number_or_text(value: &Value) -> Typed {
    match (value.as_f64(), value.as_str()) {
        (Some(number), _) => Typed::Number(number),
        (None, Some(text)) => match crate::time::parse(text) {
            Some(at) => Typed::Time(at),
            None => Typed::Text(text.to_owned()),
        },
        (None, None) => Typed::Null,
    }
}

/// The ids that one of the conditions names.
fn ids(musts: &[&Test]) -> Option<Vec<u64>> {
    let mut tests = musts.iter().filter(|it| it.column.is("id"));
    let test = tests.find(|it| matches!(it.operator, Operator::In | Operator::Equal))?;
    let number = |it: &Typed| match it {
        Typed::Int(id) => u64::try_from(*id).ok(),
        Typed::Null
        | Typed::Bool(_)
        | Typed::Number(_)
        | Typed::Time(_)
        | Typed::Date(_)
        | Typed::Text(_)
        | Typed::Several(_) => None,
    };
    Some(test.values.iter().filter_map(number).collect())
}

/// Places just before the first and just behind the last record that can hold, in an ascending
/// order.
fn bounds(musts: &[&Test], by: SortBy) -> (Option<Position>, Option<Position>) {
    let (mut low, mut high): (Option<Position>, Option<Position>) = (None, None);
    for test in musts.iter().filter(|it| it.column.is(by.name())) {
        let at = |place: usize, end| test.values.get(place).and_then(|it| position(it, end));
        let (from, to) = match test.operator {
            Operator::Equal => (at(0, End::Low), at(0, End::High)),
            Operator::Greater | Operator::GreaterEqual => (at(0, End::Low), None),
            Operator::Less | Operator::LessEqual => (None, at(0, End::High)),
            Operator::Between => (at(0, End::Low), at(1, End::High)),
            Operator::NotEqual
            | Operator::Like
            | Operator::NotLike
            | Operator::In
            | Operator::NotIn
            | Operator::NotBetween
            | Operator::IsNull
            | Operator::IsNotNull => (None, None),
        };
        low = low.max(from);
        high = match (high, to) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    (low, high)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Low,
    High,
}

/// A place just before, or just behind, the records with this value.
fn position(value: &Typed, end: End) -> Option<Position> {
    match value {
        Typed::Int(id) => {
            let id = u64::try_from(*id).ok()?;
            let id = if end == End::Low {
                id.saturating_sub(1)
            } else {
                id.saturating_add(1)
            };
            let at = jiff::Timestamp::UNIX_EPOCH;
            Some(Position { at, id })
        }
        // Records have whole seconds.
        Typed::Time(at) => Some(Position {
            at: *at,
            id: if end == End::Low { 0 } else { u64::MAX },
        }),
        Typed::Null
        | Typed::Bool(_)
        | Typed::Number(_)
        | Typed::Date(_)
        | Typed::Text(_)
        | Typed::Several(_) => None,
    }
}
