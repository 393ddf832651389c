//! A query's text in tokens.

use serde_json::json;

use crate::answer::Refusal;

/// Longer queries are not read, in bytes.
const QUERY_MAX: usize = 100_000;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name, with dots, or a keyword.
    Word(String),
    /// What stands in quotes, without them.
    Text(String),
    Number(String),
    Symbol(&'static str),
}

/// A token and where it begins, from 1 on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) token: Token,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The longer ones first.
const SYMBOLS: &[&str] = &["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];

impl Token {
    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self, Self::Symbol(it) if *it == symbol)
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::Text(text) | Self::Number(text) => text,
            Self::Symbol(symbol) => symbol,
        }
    }
}

/// Takes a query apart.
pub(crate) fn tokens(text: &str) -> Result<Vec<Spot>, Refusal> {
    if text.len() > QUERY_MAX {
        return Err(Refusal::new(
            "LIMIT_EXCEEDED",
            "the query is too long",
            json!({"limit": QUERY_MAX}),
        ));
    }
    let mut reader = Reader {
        rest: text.chars().collect::<Vec<_>>(),
        at: 0,
        line: 1,
        column: 1,
    };
    let mut spots = vec![];
    loop {
        while reader.peek(0).is_some_and(char::is_whitespace) {
            reader.next();
        }
        let (line, column) = (reader.line, reader.column);
        let Some(first) = reader.peek(0) else {
            return Ok(spots);
        };
        let token = reader
            .token(first)
            .ok_or_else(|| unexpected(line, column, &first.to_string()))?;
        spots.push(Spot {
            token,
            line,
            column,
        });
    }
}

pub(crate) fn unexpected(line: usize, column: usize, near: &str) -> Refusal {
    Refusal::new(
        "SYNTAX_ERROR",
        "unexpected token",
        json!({"line": line, "column": column, "near": near}),
    )
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    line: usize,
    column: usize,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        if next == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(next)
    }

    fn token(&mut self, first: char) -> Option<Token> {
        if matches!(first, '\'' | '"' | '`') {
            return self.quoted(first).map(Token::Text);
        }
        let digit_next = self.peek(1).is_some_and(|it| it.is_ascii_digit());
        if first.is_ascii_digit() || (matches!(first, '-' | '+' | '.') && digit_next) {
            return Some(Token::Number(self.number()));
        }
        if first.is_alphabetic() || matches!(first, '_' | '$') {
            let mut word = String::new();
            while let Some(next) = self.peek(0)
                && (next.is_alphanumeric() || matches!(next, '_' | '.' | '$'))
            {
                word.push(next);
                self.next();
            }
            return Some(Token::Word(word));
        }
        let symbol = SYMBOLS.iter().find(|symbol| {
            let mut letters = symbol.chars().enumerate();
            letters.all(|(ahead, letter)| self.peek(ahead) == Some(letter))
        })?;
        for _ in symbol.chars() {
            self.next();
        }
        Some(Token::Symbol(symbol))
    }

    /// A quote in the text is doubled, or has a backslash before it.
    fn quoted(&mut self, quote: char) -> Option<String> {
        self.next();
        let mut text = String::new();
        loop {
            let next = self.next()?;
            if next == '\\' && matches!(self.peek(0), Some('\'' | '"' | '\\')) {
                text.extend(self.next());
            } else if next != quote {
                text.push(next);
            } else if self.peek(0) == Some(quote) {
                text.extend(self.next());
            } else {
                return Some(text);
            }
        }
    }

    fn number(&mut self) -> String {
        let mut number = String::new();
        while let Some(next) = self.peek(0)
            && (next.is_ascii_digit()
                || next == '.'
                || (number.is_empty() && matches!(next, '-' | '+')))
        {
            number.push(next);
            self.next();
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_texts_are_doubled_or_escaped() {
        let text = |query: &str| tokens(query).unwrap()[0].token.clone();
        assert_eq!(text("'1'' 2'"), Token::Text("1' 2".into()));
        assert_eq!(text(r"'O\'Hara'"), Token::Text("O'Hara".into()));
        assert_eq!(text(r#""say ""x""""#), Token::Text(r#"say "x""#.into()));
    }

    #[test]
    fn tokens_know_their_place() {
        let spots = tokens("select a.b\nfrom X where c >= -1.5").unwrap();
        let last = spots.last().unwrap();
        assert_eq!(last.token, Token::Number("-1.5".into()));
        assert_eq!((last.line, last.column), (2, 19));
        assert_eq!(spots[1].token, Token::Word("a.b".into()));
    }

    #[test]
    fn what_is_no_token_is_told_with_its_place() {
        for (query, column) in [("select ;", 8), ("where a = 'open", 11)] {
            let refusal = tokens(query).unwrap_err();
            assert_eq!(refusal.code, "SYNTAX_ERROR");
            assert_eq!(refusal.details["column"], column);
        }
    }
}
