//! A query as it is written, before any name in it is looked up.

/// `select … from … where … group by … order by … limit …`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Vec<Item>,
    /// A module's name, or the id of a custom view.
    pub(crate) from: String,
    pub(crate) criteria: Criteria,
    pub(crate) group_by: Vec<String>,
    pub(crate) order_by: Vec<Sort>,
    pub(crate) limit: usize,
    pub(crate) offset: usize,
}

/// Something selected.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) term: Term,
    pub(crate) alias: Option<String>,
}

/// A column, or what is made of the values of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    Column(String),
    /// Of a column, or `*`.
    Aggregate(Function, String),
}

/// What can be made of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// A key of the order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sort {
    /// A column may be an alias.
    pub(crate) term: Term,
    pub(crate) ascending: bool,
}

/// Conditions, in pairs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Criteria {
    And(Box<(Self, Self)>),
    Or(Box<(Self, Self)>),
    Compare(Comparison),
}

/// A column against literals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) column: String,
    pub(crate) operator: Operator,
    pub(crate) values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Like,
    NotLike,
    In,
    NotIn,
    Between,
    NotBetween,
    IsNull,
    IsNotNull,
}

impl Function {
    const ALL: [Self; 5] = [Self::Count, Self::Sum, Self::Avg, Self::Min, Self::Max];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::Sum => "SUM",
            Self::Avg => "AVG",
            Self::Min => "MIN",
            Self::Max => "MAX",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

impl Operator {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Like => "like",
            Self::NotLike => "not like",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Between => "between",
            Self::NotBetween => "not between",
            Self::IsNull => "is null",
            Self::IsNotNull => "is not null",
        }
    }
}

impl Term {
    /// Its key in an answer's rows, without an alias.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Column(name) => name.clone(),
            Self::Aggregate(function, column) => format!("{}({column})", function.name()),
        }
    }
}

impl Item {
    pub(crate) fn key(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.term.key())
    }
}

impl Criteria {
    /// All comparisons, from left to right.
    pub(crate) fn comparisons(&self) -> Vec<&Comparison> {
        match self {
            Self::And(pair) | Self::Or(pair) => {
                let mut all = pair.0.comparisons();
                all.extend(pair.1.comparisons());
                all
            }
            Self::Compare(comparison) => vec![comparison],
        }
    }
}
