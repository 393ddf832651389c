//! Looks the names of a query up, and checks what Zoho checks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    filter::{Filter, unknown_column},
    parse::exceeded,
    query::{Function, Item, Query, Sort, Term},
};
use crate::{
    answer::Refusal,
    world::{World, column::Column, module::Module, table::Table, typed::Class, view::View},
};

/// Zoho: "COQL limitations", v8; so are the ones below.
const COLUMNS_MAX: usize = 500;
const CRITERIA_MAX: usize = 25;
const ORDERS_MAX: usize = 10;
const GROUPS_MAX: usize = 4;
const AGGREGATES_MAX: usize = 5;
const JOINS_MAX: usize = 5;

/// A query that can be carried out.
#[derive(Debug)]
pub(crate) struct Plan<'w> {
    pub(crate) table: &'w Table,
    pub(crate) view: Option<View>,
    pub(crate) selected: Vec<Selected>,
    pub(crate) filter: Filter,
    pub(crate) groups: Vec<Column>,
    pub(crate) sorts: Vec<(Key, bool)>,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
}

/// A column of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    /// Its key in each row.
    pub(crate) key: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Column(Column),
    /// Of the values of a column, or of whole rows.
    Aggregate(Function, Option<Column>),
}

/// What rows are sorted by.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Column(Column),
    /// Of the grouped rows: the place among the selected.
    Selected(usize),
    /// The place among the groups.
    Group(usize),
}

impl<'w> Plan<'w> {
    pub(crate) fn of(world: &'w World, query: &Query) -> Result<Self, Refusal> {
        let (table, view) = source(world, &query.from)?;
        let module = &table.module;
        check_counts(query)?;
        check_names(&query.select)?;
        let groups = query
            .group_by
            .iter()
            .map(|it| find(world, module, it, "group by"));
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let mut plan = Self {
            table,
            view,
            selected: vec![],
            filter: Filter::read(world, module, &query.criteria)?,
            groups,
            sorts: vec![],
            limit: query.limit,
            offset: query.offset,
        };
        for item in &query.select {
            plan.selected.push(Selected {
                key: item.key(),
                what: what(world, module, &item.term)?,
            });
        }
        plan.check_grouping()?;
        for sort in &query.order_by {
            let key = plan.key(world, query, sort)?;
            plan.sorts.push((key, sort.ascending));
        }
        plan.check_joins()?;
        Ok(plan)
    }

    /// Whether its rows are made of several records each.
    pub(crate) fn is_grouped(&self) -> bool {
        let aggregate = |it: &Selected| matches!(it.what, What::Aggregate(..));
        !self.groups.is_empty() || self.selected.iter().any(aggregate)
    }

    /// Converted leads are not among the records, unless asked for.
    pub(crate) fn hides_converted(&self) -> bool {
        let mut columns = self.filter.columns().into_iter();
        !columns.any(|it| it.is("Converted__s"))
    }

    /// The columns selected.
    pub(crate) fn columns(&self) -> Vec<&Column> {
        let selected = self.selected.iter();
        selected
            .filter_map(|it| match &it.what {
                What::Column(column) => Some(column),
                What::Aggregate(_, column) => column.as_ref(),
            })
            .collect()
    }

    fn check_grouping(&self) -> Result<(), Refusal> {
        if !self.is_grouped() {
            return Ok(());
        }
        for selected in &self.selected {
            if let What::Column(column) = &selected.what
                && !self.groups.iter().any(|it| it.name == column.name)
            {
                return Err(Refusal::new(
                    "INVALID_QUERY",
                    "a column that is not grouped by cannot be selected with an aggregate",
                    json!({"column_name": column.name, "clause": "group by"}),
                ));
            }
        }
        Ok(())
    }

    fn key(&self, world: &World, query: &Query, sort: &Sort) -> Result<Key, Refusal> {
        let name = sort.term.key();
        let place = query
            .select
            .iter()
            .position(|it| it.key() == name || it.term == sort.term);
        if !self.is_grouped() {
            return match place.and_then(|it| self.selected.get(it)) {
                Some(Selected {
                    what: What::Column(column),
                    ..
                }) => Ok(Key::Column(column.clone())),
                _ => match &sort.term {
                    Term::Column(name) => {
                        find(world, &self.table.module, name, "order by").map(Key::Column)
                    }
                    Term::Aggregate(..) => Err(unknown_column(&name, "order by")),
                },
            };
        }
        let group = || self.groups.iter().position(|it| it.name == name);
        place
            .map(Key::Selected)
            .or_else(|| group().map(Key::Group))
            .ok_or_else(|| unknown_column(&name, "order by"))
    }

    fn check_joins(&self) -> Result<(), Refusal> {
        let selected = self.columns().into_iter();
        let sorts = self.sorts.iter().filter_map(|(key, _)| match key {
            Key::Column(column) => Some(column),
            Key::Selected(_) | Key::Group(_) => None,
        });
        let compared = self.filter.columns().into_iter();
        let all = selected.chain(sorts).chain(compared).chain(&self.groups);
        let joins: BTreeSet<String> = all.flat_map(Column::joins).collect();
        if joins.len() > JOINS_MAX {
            return Err(exceeded("join", JOINS_MAX));
        }
        Ok(())
    }
}

/// The table that a query's `from` names, with the view if it is one.
fn source<'w>(world: &'w World, from: &str) -> Result<(&'w Table, Option<View>), Refusal> {
    if let Some(table) = world.tables.get(from) {
        return Ok((table, None));
    }
    let views = world.tables.values().find_map(|table| {
        let view = View::of_id(from, world.org, &table.module)?;
        Some((table, Some(view)))
    });
    views.ok_or_else(|| {
        Refusal::new(
            "INVALID_MODULE",
            "the given module is not supported in api",
            json!({"module": from}),
        )
    })
}

fn find(world: &World, module: &Module, name: &str, clause: &str) -> Result<Column, Refusal> {
    let column = Column::find(world, module, name);
    let column = column.ok_or_else(|| unknown_column(name, clause))?;
    if column.field().in_lists() {
        Ok(column)
    } else {
        Err(Refusal::new(
            "INVALID_QUERY",
            "unsupported column",
            json!({"column_name": name}),
        ))
    }
}

fn what(world: &World, module: &Module, term: &Term) -> Result<What, Refusal> {
    let (function, name) = match term {
        Term::Column(name) => return find(world, module, name, "select").map(What::Column),
        Term::Aggregate(function, name) => (*function, name),
    };
    if name == "*" && function == Function::Count {
        return Ok(What::Aggregate(function, None));
    }
    let column = find(world, module, name, "select")?;
    let class = Class::of(column.data_type());
    let supported = match function {
        Function::Count => true,
        Function::Sum | Function::Avg => class == Class::Number,
        Function::Min | Function::Max => class.is_ordered(),
    };
    if supported {
        Ok(What::Aggregate(function, Some(column)))
    } else {
        Err(Refusal::invalid_data(json!({
            "reason": "unsupported aggregate function",
            "column": term.key(),
        })))
    }
}

fn check_counts(query: &Query) -> Result<(), Refusal> {
    let is_aggregate = |it: &&Item| matches!(it.term, Term::Aggregate(..));
    let aggregates = query.select.iter().filter(is_aggregate).count();
    for (clause, count, max) in [
        ("select", query.select.len(), COLUMNS_MAX),
        ("where", query.criteria.comparisons().len(), CRITERIA_MAX),
        ("group by", query.group_by.len(), GROUPS_MAX),
        ("order by", query.order_by.len(), ORDERS_MAX),
        ("aggregate", aggregates, AGGREGATES_MAX),
    ] {
        if count > max {
            return Err(exceeded(clause, max));
        }
    }
    Ok(())
}

/// No column twice, no alias twice, and none that is also a column.
fn check_names(select: &[Item]) -> Result<(), Refusal> {
    let mut terms = BTreeSet::new();
    let mut aliases: BTreeMap<&String, &Item> = BTreeMap::new();
    for item in select {
        let name = item.term.key();
        if !terms.insert(name.clone()) {
            return Err(match &item.term {
                Term::Column(column) => Refusal::new(
                    "DUPLICATE_DATA",
                    "duplicate select column",
                    json!({"column_name": column}),
                ),
                Term::Aggregate(function, column) => Refusal::new(
                    "DUPLICATE_DATA",
                    "duplicate aggregate function",
                    json!({"column_name": column, "aggregate": function.name()}),
                ),
            });
        }
        if let Some(alias) = &item.alias
            && let Some(other) = aliases.insert(alias, item)
        {
            return Err(Refusal::new(
                "DUPLICATE_ALIAS",
                "same alias cannot refer more than one column",
                json!({"alias": alias, "referred_columns": [other.term.key(), name]}),
            ));
        }
    }
    let plain = select.iter().filter(|it| it.alias.is_none());
    for item in plain {
        if let Some(other) = aliases.get(&item.term.key()) {
            return Err(Refusal::new(
                "INVALID_QUERY",
                "the name of a selected column cannot be an alias of another",
                json!({"column_name": other.term.key(), "alias": item.term.key()}),
            ));
        }
    }
    Ok(())
}
