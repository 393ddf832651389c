//! From a query's text to what it asks for.

use serde_json::{Value, json};

use super::{
    cursor::Cursor,
    query::{Comparison, Criteria, Function, Item, Operator, Query, Sort, Term},
    token::{Token, tokens},
};
use crate::answer::Refusal;

/// Rows if the query does not say. Zoho: "COQL limitations", v8; so are the ones below.
const LIMIT_DEFAULT: usize = 200;
/// Rows per query.
pub(crate) const LIMIT_MAX: usize = 2_000;
/// Rows that `offset` reaches.
const ROWS_MAX: usize = 100_000;
/// Values of `in` and `not in`.
const IN_MAX: usize = 100;
/// Brackets within brackets.
const DEPTH_MAX: usize = 60;

/// Words that end a clause, so are no names.
const KEYWORDS: &[&str] = &[
    "select", "from", "where", "and", "or", "not", "in", "like", "between", "is", "null", "group",
    "order", "by", "limit", "offset", "as", "asc", "desc", "having",
];

/// Reads a query.
pub(crate) fn parse(text: &str) -> Result<Query, Refusal> {
    let cursor = Cursor::new(tokens(text)?);
    Parser { cursor }.query()
}

struct Parser {
    cursor: Cursor,
}

impl Parser {
    fn query(&mut self) -> Result<Query, Refusal> {
        if !self.cursor.take("select") {
            return Err(self.cursor.unexpected());
        }
        let mut select = vec![self.item()?];
        while self.cursor.take_symbol(",") {
            select.push(self.item()?);
        }
        if !self.cursor.take("from") {
            return Err(if self.cursor.peek().is_none() {
                missing_clause("from")
            } else {
                self.cursor.unexpected()
            });
        }
        let from = match self.cursor.next() {
            Some(Token::Word(name) | Token::Number(name)) if !is_keyword(&name) => name,
            _ => return Err(self.cursor.unexpected_before()),
        };
        if !self.cursor.take("where") {
            return Err(missing_clause("where"));
        }
        let criteria = self.criteria(DEPTH_MAX)?;
        let group_by = self.group_by()?;
        let order_by = self.order_by()?;
        let (limit, offset) = self.limit()?;
        if self.cursor.peek().is_some() {
            return Err(self.cursor.unexpected());
        }
        Ok(Query {
            select,
            from,
            criteria,
            group_by,
            order_by,
            limit,
            offset,
        })
    }

    fn item(&mut self) -> Result<Item, Refusal> {
        let term = self.term()?;
        let named = self.cursor.take("as");
        let alias = match self.cursor.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => Some(word.clone()),
            Some(Token::Text(text)) => Some(text.clone()),
            _ => None,
        };
        if alias.is_some() {
            self.cursor.skip();
        } else if named {
            return Err(self.cursor.unexpected());
        }
        if alias.as_deref() == Some("") {
            return Err(Refusal::new(
                "INVALID_ALIAS",
                "alias name cannot be an empty string",
                json!({"column_name": term.key(), "alias": ""}),
            ));
        }
        Ok(Item { term, alias })
    }

    /// A column, or a function of one.
    fn term(&mut self) -> Result<Term, Refusal> {
        let name = self.name()?;
        if !self.cursor.take_symbol("(") {
            return Ok(Term::Column(name));
        }
        let column = if self.cursor.take_symbol("*") {
            "*".to_owned()
        } else {
            self.name()?
        };
        self.cursor.expect_symbol(")")?;
        match Function::named(&name) {
            Some(function) => Ok(Term::Aggregate(function, column)),
            None => Err(Refusal::invalid_data(json!({
                "reason": "unsupported aggregate function",
                "column": format!("{name}({column})"),
            }))),
        }
    }

    /// A name; in quotes it may be a keyword.
    fn name(&mut self) -> Result<String, Refusal> {
        match self.cursor.next() {
            Some(Token::Word(name)) if !is_keyword(&name) => Ok(name),
            Some(Token::Text(name)) if !name.is_empty() => Ok(name),
            _ => Err(self.cursor.unexpected_before()),
        }
    }

    /// A comparison, or two criteria: more than two need brackets around pairs of them.
    fn criteria(&mut self, depth: usize) -> Result<Criteria, Refusal> {
        let first = self.criterion(depth)?;
        let and = match self.cursor.peek() {
            Some(token) if token.is("and") => true,
            Some(token) if token.is("or") => false,
            _ => return Ok(first),
        };
        self.cursor.skip();
        let pair = Box::new((first, self.criterion(depth)?));
        if let Some(token) = self.cursor.peek()
            && (token.is("and") || token.is("or"))
        {
            return Err(Refusal::new(
                "SYNTAX_ERROR",
                "more than two criteria must be grouped in pairs",
                json!({"near": token.text()}),
            ));
        }
        Ok(if and {
            Criteria::And(pair)
        } else {
            Criteria::Or(pair)
        })
    }

    fn criterion(&mut self, depth: usize) -> Result<Criteria, Refusal> {
        if self.cursor.peek().is_some_and(|it| it.is("not")) {
            return Err(Refusal::new(
                "SYNTAX_ERROR",
                "operator not supported",
                json!({"operator": "not"}),
            ));
        }
        if !self.cursor.take_symbol("(") {
            return self.comparison().map(Criteria::Compare);
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.cursor.unexpected_before());
        };
        let criteria = self.criteria(depth)?;
        self.cursor.expect_symbol(")")?;
        Ok(criteria)
    }

    fn comparison(&mut self) -> Result<Comparison, Refusal> {
        let column = self.name()?;
        let operator = self.operator()?;
        let values = match operator {
            Operator::IsNull | Operator::IsNotNull => vec![],
            Operator::In | Operator::NotIn => self.values()?,
            Operator::Between | Operator::NotBetween => {
                let low = self.value()?;
                if !self.cursor.take("and") {
                    return Err(self.cursor.unexpected());
                }
                vec![low, self.value()?]
            }
            Operator::Equal
            | Operator::NotEqual
            | Operator::Less
            | Operator::LessEqual
            | Operator::Greater
            | Operator::GreaterEqual
            | Operator::Like
            | Operator::NotLike => vec![self.value()?],
        };
        Ok(Comparison {
            column,
            operator,
            values,
        })
    }

    fn operator(&mut self) -> Result<Operator, Refusal> {
        let Some(token) = self.cursor.next() else {
            return Err(self.cursor.unexpected_before());
        };
        if let Token::Symbol(symbol) = &token {
            return match *symbol {
                "=" => Ok(Operator::Equal),
                "!=" | "<>" => Ok(Operator::NotEqual),
                "<" => Ok(Operator::Less),
                "<=" => Ok(Operator::LessEqual),
                ">" => Ok(Operator::Greater),
                ">=" => Ok(Operator::GreaterEqual),
                _ => Err(self.cursor.unexpected_before()),
            };
        }
        if token.is("is") {
            let not = self.cursor.take("not");
            return match (self.cursor.take("null"), not) {
                (true, false) => Ok(Operator::IsNull),
                (true, true) => Ok(Operator::IsNotNull),
                (false, _) => Err(self.cursor.unexpected()),
            };
        }
        let not = token.is("not");
        let token = if not { self.cursor.next() } else { Some(token) };
        let token = token.ok_or_else(|| self.cursor.unexpected_before())?;
        match token.text().to_ascii_lowercase().as_str() {
            "like" => Ok(if not {
                Operator::NotLike
            } else {
                Operator::Like
            }),
            "in" => Ok(if not { Operator::NotIn } else { Operator::In }),
            "between" => Ok(if not {
                Operator::NotBetween
            } else {
                Operator::Between
            }),
            other => Err(Refusal::new(
                "SYNTAX_ERROR",
                "operator not supported",
                json!({"operator": other}),
            )),
        }
    }

    fn values(&mut self) -> Result<Vec<String>, Refusal> {
        self.cursor.expect_symbol("(")?;
        if self.cursor.peek().is_some_and(|it| it.is("select")) {
            return Err(Refusal::new(
                "SYNTAX_ERROR",
                "given coql query not supported",
                json!({}),
            ));
        }
        let mut values = vec![self.value()?];
        while self.cursor.take_symbol(",") {
            values.push(self.value()?);
        }
        self.cursor.expect_symbol(")")?;
        if values.len() > IN_MAX {
            return Err(exceeded("values", IN_MAX));
        }
        Ok(values)
    }

    fn value(&mut self) -> Result<String, Refusal> {
        match self.cursor.next() {
            Some(Token::Text(text) | Token::Number(text)) => Ok(text),
            Some(Token::Word(word))
                if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") =>
            {
                Ok(word)
            }
            _ => Err(self.cursor.unexpected_before()),
        }
    }

    fn group_by(&mut self) -> Result<Vec<String>, Refusal> {
        if !self.cursor.take("group") {
            return Ok(vec![]);
        }
        if !self.cursor.take("by") {
            return Err(self.cursor.unexpected());
        }
        let mut columns = vec![self.name()?];
        while self.cursor.take_symbol(",") {
            columns.push(self.name()?);
        }
        Ok(columns)
    }

    fn order_by(&mut self) -> Result<Vec<Sort>, Refusal> {
        if !self.cursor.take("order") {
            return Ok(vec![]);
        }
        if !self.cursor.take("by") {
            return Err(self.cursor.unexpected());
        }
        let mut sorts = vec![];
        loop {
            let term = self.term()?;
            let ascending = !self.cursor.take("desc");
            if ascending {
                self.cursor.take("asc");
            }
            sorts.push(Sort { term, ascending });
            if !self.cursor.take_symbol(",") {
                return Ok(sorts);
            }
        }
    }

    /// `limit rows`, `limit offset, rows`, `limit rows offset offset`, `offset offset`.
    fn limit(&mut self) -> Result<(usize, usize), Refusal> {
        let (mut limit, mut offset) = (LIMIT_DEFAULT, 0);
        if self.cursor.take("limit") {
            limit = self.count("limit")?;
            if self.cursor.take_symbol(",") {
                offset = limit;
                limit = self.count("limit")?;
            }
        }
        if self.cursor.take("offset") {
            offset = self.count("offset")?;
        }
        if limit == 0 {
            return Err(Refusal::new(
                "INVALID_DATA",
                "limit should be greater than 0",
                json!({}),
            ));
        }
        if limit > LIMIT_MAX {
            return Err(exceeded("limit", LIMIT_MAX));
        }
        if offset.saturating_add(limit) > ROWS_MAX {
            return Err(exceeded("offset", ROWS_MAX));
        }
        Ok((limit, offset))
    }

    fn count(&mut self, clause: &str) -> Result<usize, Refusal> {
        let text = self.cursor.next().map(|it| it.text().to_owned());
        let text = text.unwrap_or_default();
        text.parse().map_err(|_no_count| {
            let message = if clause == "limit" {
                "limit given seems to be invalid"
            } else {
                "offset given seems to be invalid"
            };
            let details: Value = [(clause.to_owned(), json!(text))].into_iter().collect();
            Refusal::new("INVALID_QUERY", message, details)
        })
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|it| it.eq_ignore_ascii_case(word))
}

fn missing_clause(clause: &str) -> Refusal {
    Refusal::new("SYNTAX_ERROR", "missing clause", json!({"clause": clause}))
}

pub(crate) fn exceeded(what: &str, limit: usize) -> Refusal {
    Refusal::new(
        "LIMIT_EXCEEDED",
        "the limit of the query is exceeded",
        json!({"clause": what, "limit": limit}),
    )
}
