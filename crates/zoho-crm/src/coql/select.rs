//! A `select` built from parts, so that names and values stay what they are.

use super::condition::{Condition, field};
use crate::{Error, records::is_api_name};

/// Columns of a `select`. Zoho: "COQL limitations", v8.
pub const COLUMNS_MAX: usize = 50;

/// Comparisons in a condition. Zoho: "COQL limitations", v8.
pub const CRITERIA_MAX: usize = 25;

/// Fields to order by. Zoho: "COQL limitations", v8.
pub const ORDER_MAX: usize = 10;

/// Fields to group by. Zoho: "COQL limitations", v8.
pub const GROUP_MAX: usize = 4;

/// Aggregates in one `select`. Zoho: "COQL limitations", v8.
pub const AGGREGATES_MAX: usize = 5;

/// Rows of one call. Zoho: "COQL limitations", v8.
pub const PAGE_MAX: u64 = 2000;

/// Rows of one call without a limit. Zoho: "Query API", v8.
pub(crate) const PAGE_DEFAULT: u64 = 200;

/// Rows that can be reached by offset. Zoho: "COQL limitations", v8.
pub const ROWS_MAX: u64 = 100_000;

/// What a column shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    aggregate: Option<&'static str>,
    alias: Option<String>,
}

impl Column {
    /// `COUNT(field)`.
    pub fn count(name: impl Into<String>) -> Self {
        Self::of("COUNT", name)
    }

    /// `SUM(field)`.
    pub fn sum(name: impl Into<String>) -> Self {
        Self::of("SUM", name)
    }

    /// `AVG(field)`.
    pub fn avg(name: impl Into<String>) -> Self {
        Self::of("AVG", name)
    }

    /// `MIN(field)`.
    pub fn min(name: impl Into<String>) -> Self {
        Self::of("MIN", name)
    }

    /// `MAX(field)`.
    pub fn max(name: impl Into<String>) -> Self {
        Self::of("MAX", name)
    }

    /// The same column under another name.
    #[must_use]
    pub fn alias(self, alias: impl Into<String>) -> Self {
        Self {
            alias: Some(alias.into()),
            ..self
        }
    }

    fn of(aggregate: &'static str, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aggregate: Some(aggregate),
            alias: None,
        }
    }

    fn write(&self, out: &mut String) -> Result<(), Error> {
        name(&self.name)?;
        match self.aggregate {
            Some(aggregate) => {
                out.push_str(aggregate);
                out.push('(');
                out.push_str(&self.name);
                out.push(')');
            }
            None => out.push_str(&self.name),
        }
        if let Some(alias) = &self.alias {
            name(alias)?;
            out.push_str(" as ");
            out.push_str(alias);
        }
        Ok(())
    }
}

impl<T: Into<String>> From<T> for Column {
    fn from(name: T) -> Self {
        Self {
            name: name.into(),
            aggregate: None,
            alias: None,
        }
    }
}

/// Which way rows are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `asc`.
    Ascending,
    /// `desc`.
    Descending,
}

/// A query of one module and what its lookups lead to.
///
/// ```
/// use zoho_crm::coql::{Order, Select, field};
/// let query = Select::new("Deals", ["id", "Deal_Name", "Account_Name.Account_Name"])
///     .filter(field("Stage").eq("Closed Won").and(field("Amount").ge(50_000)))
///     .order_by("Amount", Order::Descending)
///     .limit(100);
/// assert_eq!(
///     query.text()?,
///     "select id, Deal_Name, Account_Name.Account_Name from Deals \
///      where (Stage = 'Closed Won' and Amount >= 50000) order by Amount desc limit 100 offset 0"
/// );
/// # Ok::<(), zoho_crm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    module: String,
    columns: Vec<Column>,
    condition: Option<Condition>,
    group: Vec<String>,
    order: Vec<(String, Order)>,
    limit: Option<u64>,
    offset: u64,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span<'a> {
    pub(crate) offset: u64,
    pub(crate) limit: u64,
    /// Only rows with a greater id.
    pub(crate) after: Option<&'a str>,
}

impl Select {
    /// `select columns from module`, with 1 to [`COLUMNS_MAX`] columns.
    pub fn new<C: Into<Column>>(
        module: impl Into<String>,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        Self {
            module: module.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            condition: None,
            group: vec![],
            order: vec![],
            limit: None,
            offset: 0,
        }
    }

    /// Another column.
    #[must_use]
    pub fn column(mut self, column: impl Into<Column>) -> Self {
        self.columns.push(column.into());
        self
    }

    /// `where`; both when there was a condition already.
    #[must_use]
    pub fn filter(mut self, condition: Condition) -> Self {
        self.condition = Some(match self.condition {
            Some(before) => before.and(condition),
            None => condition,
        });
        self
    }

    /// `group by`, once for each of up to [`GROUP_MAX`] fields.
    #[must_use]
    pub fn group_by(mut self, name: impl Into<String>) -> Self {
        self.group.push(name.into());
        self
    }

    /// `order by`, once for each of up to [`ORDER_MAX`] fields.
    #[must_use]
    pub fn order_by(mut self, name: impl Into<String>, order: Order) -> Self {
        self.order.push((name.into(), order));
        self
    }

    /// `limit`: rows of the one page, or rows in all of a stream. One page has 200 without, and 2000 at most.
    #[must_use]
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }

    /// `offset`.
    #[must_use]
    pub fn offset(mut self, rows: u64) -> Self {
        self.offset = rows;
        self
    }

    /// As COQL text, for one page.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it breaks one of COQL's limits or a name cannot be one.
    pub fn text(&self) -> Result<String, Error> {
        self.page(&Span {
            offset: self.offset,
            limit: self.limit.unwrap_or(PAGE_DEFAULT),
            after: None,
        })
    }

    pub(crate) fn page(&self, from: &Span<'_>) -> Result<String, Error> {
        self.check(from)?;
        let mut out = String::from("select ");
        for (index, column) in self.columns.iter().enumerate() {
            comma(index, &mut out);
            column.write(&mut out)?;
        }
        out.push_str(" from ");
        out.push_str(&self.module);
        out.push_str(" where ");
        self.condition(from.after).write(&mut out)?;
        for (index, group) in self.group.iter().enumerate() {
            out.push_str(if index == 0 { " group by " } else { ", " });
            out.push_str(group);
        }
        for (index, (by, order)) in self.order.iter().enumerate() {
            out.push_str(if index == 0 { " order by " } else { ", " });
            out.push_str(by);
            out.push_str(match order {
                Order::Ascending => " asc",
                Order::Descending => " desc",
            });
        }
        out.push_str(" limit ");
        out.push_str(&from.limit.to_string());
        out.push_str(" offset ");
        out.push_str(&from.offset.to_string());
        Ok(out)
    }

    /// Whether rows past [`ROWS_MAX`] can be reached by their id: each row is a record, ordered by id alone.
    pub(crate) fn is_keyed(&self) -> bool {
        let by_id = match self.order.as_slice() {
            [] => true,
            [(name, order)] => name == "id" && *order == Order::Ascending,
            _ => false,
        };
        let plain = self.columns.iter().all(|it| it.aggregate.is_none());
        let criteria = self
            .condition
            .as_ref()
            .map_or(0, |it| it.count(CRITERIA_MAX));
        by_id && plain && self.group.is_empty() && criteria < CRITERIA_MAX && self.offset == 0
    }

    /// The same, with the id in each row and in its order, so that a stream can go on after a row.
    pub(crate) fn keyed(mut self) -> Self {
        let id = |it: &Column| it.name == "id" && it.alias.is_none();
        if !self.columns.iter().any(id) {
            self.columns.push("id".into());
        }
        if self.order.is_empty() {
            self.order.push(("id".to_owned(), Order::Ascending));
        }
        self
    }

    pub(crate) fn wanted(&self) -> (u64, u64) {
        (self.offset, self.limit.unwrap_or(u64::MAX))
    }

    /// Zoho wants a condition: every record has an id.
    fn condition(&self, after: Option<&str>) -> Condition {
        let given = self.condition.clone();
        match (given, after) {
            (Some(given), Some(after)) => given.and(field("id").gt(after)),
            (Some(given), None) => given,
            (None, Some(after)) => field("id").gt(after),
            (None, None) => field("id").is_not_null(),
        }
    }

    fn check(&self, from: &Span<'_>) -> Result<(), Error> {
        let aggregates = self.columns.iter().filter(|it| it.aggregate.is_some());
        let criteria = self
            .condition
            .as_ref()
            .map_or(0, |it| it.count(CRITERIA_MAX));
        let problem = if !is_api_name(&self.module) {
            "not a module's name"
        } else if !(1..=COLUMNS_MAX).contains(&self.columns.len()) {
            "a coql query takes 1 to 50 columns"
        } else if aggregates.count() > AGGREGATES_MAX {
            "a coql query takes up to 5 aggregates"
        } else if self.group.len() > GROUP_MAX {
            "a coql query groups by up to 4 fields"
        } else if self.order.len() > ORDER_MAX {
            "a coql query orders by up to 10 fields"
        } else if criteria > CRITERIA_MAX {
            "a coql query takes up to 25 criteria"
        } else if !(1..=PAGE_MAX).contains(&from.limit) {
            "one coql call gives 1 to 2000 rows"
        } else if from.offset.saturating_add(from.limit) > ROWS_MAX {
            "a coql query reaches 100000 rows by offset"
        } else {
            let orders = self.order.iter().map(|(by, _)| by);
            return self.group.iter().chain(orders).try_for_each(|it| name(it));
        };
        Err(Error::Misuse { problem })
    }
}

fn name(text: &str) -> Result<(), Error> {
    if is_api_name(text) {
        return Ok(());
    }
    Err(Error::Misuse {
        problem: "not a field's name",
    })
}

fn comma(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// The `limit` of a query written by hand, outside of its literals. Zoho: 200 without one.
pub(crate) fn limit_of(text: &str) -> u64 {
    let all = words(text);
    let at = all.iter().rposition(|it| it.eq_ignore_ascii_case("limit"));
    let after = at.and_then(|at| all.get(at + 1..)).unwrap_or_default();
    // `limit 10, 20` skips 10 rows and gives 20.
    let number = match after {
        [_, comma, rows, ..] if *comma == "," => rows,
        [rows, ..] => rows,
        [] => return PAGE_DEFAULT,
    };
    number.parse().unwrap_or(PAGE_DEFAULT)
}

/// Words, numbers and commas outside of literals.
fn words(text: &str) -> Vec<&str> {
    let mut quote = None;
    text.split(move |c: char| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            true
        }
        None if matches!(c, '\'' | '"') => {
            quote = Some(c);
            true
        }
        None => c.is_whitespace(),
    })
    .flat_map(|it| it.split_inclusive(','))
    .flat_map(|it| match it.strip_suffix(',') {
        Some(word) => [word, ","],
        None => [it, ""],
    })
    .filter(|it| !it.is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_its_clauses_in_order() {
        let query = Select::new("Deals", ["Stage"])
            .column(Column::sum("Amount").alias("Total"))
            .column(Column::count("id"))
            .filter(field("Amount").gt(0))
            .group_by("Stage")
            .order_by("Stage", Order::Ascending)
            .offset(10);
        assert_eq!(
            query.text().unwrap(),
            "select Stage, SUM(Amount) as Total, COUNT(id) from Deals where Amount > 0 group by Stage order by Stage asc limit 200 offset 10"
        );
        assert!(!query.is_keyed());
    }

    #[test]
    fn a_query_without_a_condition_has_one_that_always_holds() {
        let query = Select::new("Leads", ["Last_Name"]);
        assert!(query.is_keyed());
        let from = Span {
            offset: 0,
            limit: 2000,
            after: Some("42"),
        };
        assert_eq!(
            query.clone().keyed().page(&from).unwrap(),
            "select Last_Name, id from Leads where id > '42' order by id asc limit 2000 offset 0"
        );
        assert_eq!(
            query.text().unwrap(),
            "select Last_Name from Leads where id is not null limit 200 offset 0"
        );
    }

    #[test]
    fn what_breaks_a_limit_or_cannot_be_a_name_is_refused() {
        let id = || Select::new("Leads", ["id"]);
        let many = (0..26).fold(field("a").eq(0), |all, _| all.or(field("a").eq(0)));
        let none: [&str; 0] = [];
        for bad in [
            Select::new("Leads where", ["id"]),
            Select::new("Leads", none),
            Select::new("Leads", ["id, Email"]),
            id().column(Column::max("id").alias("a b")),
            id().filter(many),
            id().order_by("id desc --", Order::Ascending),
            id().group_by("a;b"),
            id().limit(2001),
            id().limit(0),
            id().offset(99_801),
        ] {
            assert!(matches!(bad.text(), Err(Error::Misuse { .. })), "{bad:?}");
        }
    }

    #[test]
    fn the_limit_of_a_query_written_by_hand_is_found() {
        for (text, limit) in [
            ("select id from Leads where id is not null", 200),
            ("select id from Leads where a = 'limit 5'", 200),
            (
                "select id from Leads where a = 'it''s limit 5' LIMIT 1000",
                1000,
            ),
            ("select id from Leads where a = 1 limit 10,2000", 2000),
            ("select id from Leads where a = 1 limit 10 , 7", 7),
            ("select id from Leads where a = 1\nlimit 300 offset 5", 300),
        ] {
            assert_eq!(limit_of(text), limit, "{text}");
        }
    }
}
