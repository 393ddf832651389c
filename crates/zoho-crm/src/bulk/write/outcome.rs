//! What became of each row of a bulk write.

use crate::{Code, bulk::Row};

/// A row of a bulk write, and what became of it.
#[derive(Clone, Debug)]
pub struct WriteRow {
    /// What became of it.
    pub state: RowState,
    /// The record it became.
    pub record_id: Option<String>,
    /// Why it was not written.
    pub errors: Vec<RowError>,
    /// The first three columns that were mapped, and these.
    pub row: Row,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// A new record.
    Added,
    /// A changed record.
    Updated,
    /// Not written.
    Skipped,
    /// Not looked at.
    Unprocessed,
    /// A word that is not known here.
    Other,
}

/// Why a row was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// `MANDATORY_NOT_FOUND`, `DUPLICATE_DATA`, …
    pub code: Code,
    /// The column, where Zoho names one.
    pub column: Option<String>,
}

impl WriteRow {
    /// Zoho: "Download bulk write result", v8: `STATUS`, `RECORD_ID`, `ERRORS`.
    pub(super) fn of(row: Row) -> Self {
        let cell = |name| row.get(name).map(str::trim).filter(|it| !it.is_empty());
        Self {
            state: RowState::parse(cell("STATUS").unwrap_or_default()),
            record_id: cell("RECORD_ID").map(ToOwned::to_owned),
            errors: errors(cell("ERRORS").unwrap_or_default()),
            row,
        }
    }
}

impl RowState {
    fn parse(word: &str) -> Self {
        match word.to_ascii_uppercase().as_str() {
            "ADDED" => Self::Added,
            "UPDATED" => Self::Updated,
            "SKIPPED" => Self::Skipped,
            "UNPROCESSED" => Self::Unprocessed,
            _ => Self::Other,
        }
    }
}

/// `CODE-column:CODE-column`.
fn errors(text: &str) -> Vec<RowError> {
    let each = text.split(':').filter(|it| !it.trim().is_empty());
    each.map(|it| {
        let (code, column) = it.split_once('-').map_or((it, None), |(code, column)| {
            (code, Some(column.trim().to_owned()))
        });
        RowError {
            code: Code::new(code.trim()),
            column: column.filter(|it| !it.is_empty()),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_column() {
        let read = |text: &str| {
            let found = errors(text).into_iter();
            found
                .map(|it| (it.code.as_str().to_owned(), it.column))
                .collect::<Vec<_>>()
        };
        assert_eq!(read(""), []);
        assert_eq!(
            read("MANDATORY_NOT_FOUND-Last_Name:INVALID_DATA-Email"),
            [
                (
                    "MANDATORY_NOT_FOUND".to_owned(),
                    Some("Last_Name".to_owned())
                ),
                ("INVALID_DATA".to_owned(), Some("Email".to_owned())),
            ]
        );
        assert_eq!(
            read("DUPLICATE_DATA"),
            [("DUPLICATE_DATA".to_owned(), None)]
        );
    }
}
