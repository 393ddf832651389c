//! A place in a query's tokens.

use serde_json::json;

use super::token::{Spot, Token, unexpected};
use crate::answer::Refusal;

/// Reads tokens one after the other.
pub(crate) struct Cursor {
    spots: Vec<Spot>,
    at: usize,
}

impl Cursor {
    pub(crate) fn new(spots: Vec<Spot>) -> Self {
        Self { spots, at: 0 }
    }

    pub(crate) fn skip(&mut self) {
        self.at += 1;
    }

    pub(crate) fn peek(&self) -> Option<&Token> {
        self.spots.get(self.at).map(|it| &it.token)
    }

    pub(crate) fn next(&mut self) -> Option<Token> {
        let next = self.peek().cloned();
        self.at += 1;
        next
    }

    pub(crate) fn take(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|it| it.is(keyword));
        self.at += usize::from(found);
        found
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|it| it.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect_symbol(&mut self, symbol: &str) -> Result<(), Refusal> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The token just taken is wrong.
    pub(crate) fn unexpected_before(&mut self) -> Refusal {
        self.at = self.at.saturating_sub(1);
        self.unexpected()
    }

    /// The next token is wrong.
    pub(crate) fn unexpected(&self) -> Refusal {
        if let Some(spot) = self.spots.get(self.at) {
            return unexpected(spot.line, spot.column, spot.token.text());
        }
        let last = self.spots.last().map_or("", |it| it.token.text());
        Refusal::new(
            "SYNTAX_ERROR",
            "error occurred while parsing the query",
            json!({"near": last}),
        )
    }
}
