//! `zohook crm coql`.

use std::process::ExitCode;

use clap::Args;
use zoho_crm::coql::{PAGE_MAX, ROWS_MAX};

use crate::cli::{complain, output::Rows};

use super::{Session, input, wrong};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The query, or `-` to read it from stdin: `select Last_Name, Email from Leads where Company = 'Example' limit 200`.
    query: String,
    /// All rows, by pages of 2000 (up to 100,000); the query has no limit of its own then.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let query = input::text(&arguments.query)?;
    let query = query.trim().trim_end_matches(';');
    let mut rows = Rows::new(session.format, None);
    if !arguments.all {
        let page = session.client.coql(query).await?;
        for row in page.items {
            rows.add(row)?;
        }
        rows.finish()?;
        if page.more {
            complain("there is more: --all, or a limit of up to 2000 and an offset");
        }
        return Ok(ExitCode::SUCCESS);
    }
    if has_limit(query) {
        return Err(wrong("with --all the query has no limit of its own"));
    }
    let mut offset = 0;
    loop {
        let paged = format!("{query} limit {PAGE_MAX} offset {offset}");
        let page = match session.client.coql(&paged).await {
            Ok(page) => page,
            Err(error) => {
                // What has come is worth having, and is visibly not all.
                rows.finish()?;
                return Err(error.into());
            }
        };
        for row in page.items {
            rows.add(row)?;
        }
        offset += PAGE_MAX;
        if !page.more {
            rows.finish()?;
            return Ok(ExitCode::SUCCESS);
        }
        if offset >= ROWS_MAX {
            rows.finish()?;
            anyhow::bail!(
                "COQL reaches {ROWS_MAX} rows and there are more: narrow the query, or use `zohook crm bulk read`"
            );
        }
    }
}

/// Whether the word stands outside of quotes.
fn has_limit(query: &str) -> bool {
    let outside: String = query.split(['\'', '"']).step_by(2).collect();
    outside
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|it| it.eq_ignore_ascii_case("limit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_within_quotes_is_none() {
        assert!(has_limit(
            "select id from Leads where id is not null LIMIT 5"
        ));
        assert!(!has_limit(
            "select Credit_Limit from Leads where City = 'limit 5'"
        ));
    }
}
