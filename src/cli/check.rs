//! `zohook check`: everything that is wrong with a file, at once.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use url::Url;

use crate::{
    config::{self, Config, Problems},
    event::DestinationName,
};

use super::{BAD_CONFIGURATION, complain, running};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The route table.
    #[arg(default_value = "routes.yaml")]
    file: PathBuf,
    /// A list of `{severity, line, column, path, message, hint}` instead of text.
    #[arg(long)]
    json: bool,
    /// Admin port of the router that is to take the file (`http://127.0.0.1:9180`): says what would be set aside. With
    /// `ZOHOOK_ADMIN_TOKEN` where it asks for one.
    #[arg(long, value_name = "URL")]
    admin: Option<Url>,
}

/// How the result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people.
    Plain,
    /// For people at a terminal.
    Coloured,
    /// For machines.
    Json,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut loaded = config::load(&arguments.file, &config::environment);
    if let (Some(admin), Ok(config)) = (&arguments.admin, &mut loaded) {
        warn_of_waiting(config, running::backlogs(admin).await?);
    }
    let out = io::stdout();
    let format = if arguments.json {
        Format::Json
    } else if out.is_terminal() {
        Format::Coloured
    } else {
        Format::Plain
    };
    let code = report(&arguments.file, &loaded, format, &mut out.lock())?;
    Ok(ExitCode::from(code))
}

/// What waits for destinations that the file lacks.
fn warn_of_waiting(config: &mut Config, backlogs: BTreeMap<DestinationName, u64>) {
    for (name, waiting) in backlogs {
        if waiting > 0 && !config.destinations.contains_key(&name) {
            let waiting = counted(waiting, "delivery waits", "deliveries wait");
            config.warnings.warn(
                format!("{waiting} for `{name}`, which this file lacks"),
                "the router would set them aside (`destination_removed`): keep it until they are delivered".to_owned(),
            );
        }
    }
}

/// Says on standard error why a file is refused.
pub(super) fn complain_about(problems: &Problems) {
    let text = problems.render_for_terminal();
    complain(&format!("{text}{}", problems.summary()));
}

/// 64 when any problem is an error, 0 when all are warnings or there is none.
fn report(
    path: &Path,
    loaded: &Result<Config, Problems>,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let (code, problems) = match loaded {
        Ok(config) => (0, &config.warnings),
        Err(problems) => (BAD_CONFIGURATION, problems),
    };
    match format {
        Format::Json => writeln!(out, "{:#}", problems.to_json())?,
        Format::Plain => write!(out, "{problems}")?,
        Format::Coloured => write!(out, "{}", problems.render_coloured())?,
    }
    if format != Format::Json {
        let summary = summary(path, loaded.as_ref().ok(), problems);
        writeln!(out, "{summary}")?;
    }
    Ok(code)
}

fn summary(path: &Path, config: Option<&Config>, problems: &Problems) -> String {
    let file = path.display();
    let Some(config) = config else {
        return format!("{file} is refused: {}", problems.summary());
    };
    let counted = |count: usize, word: &str| {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        counted(count, word, &format!("{word}s"))
    };
    let parts = [
        counted(config.connections.len(), "connection"),
        counted(config.sources.len(), "source"),
        counted(config.destinations.len(), "destination"),
        counted(config.route_names.len(), "route"),
    ];
    let parts = parts.join(", ");
    if problems.is_empty() {
        format!("{file} is fine: {parts}")
    } else {
        format!("{file} can be used: {parts}; {}", problems.summary())
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exit code and the last line for a file with this text.
    fn checked(text: &str, format: Format) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        std::fs::write(&path, text).unwrap();
        let mut out = vec![];
        let loaded = config::load(&path, &|_| None);
        let code = report(&path, &loaded, format, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let place = format!("{}/", folder.path().display());
        (code, out.replace(&place, ""))
    }

    const WITH_WARNINGS: &str = "version: 1\ndestinations: { console: { kind: stdout } }\n";

    #[test]
    fn an_error_exits_with_64_and_the_last_line_counts() {
        let (code, out) = checked("version: 1\nx: 1\ny: 2\n", Format::Plain);
        assert_eq!(code, 64);
        assert!(
            out.starts_with("routes.yaml:2:1\nerror: unknown key `x`"),
            "{out}"
        );
        assert!(
            out.ends_with("\nroutes.yaml is refused: 2 errors\n"),
            "{out}"
        );
    }

    #[test]
    fn warnings_alone_exit_with_0() {
        let (code, out) = checked(WITH_WARNINGS, Format::Plain);
        assert_eq!(code, 0);
        let last = "routes.yaml can be used: 0 connections, 0 sources, 1 destination, 0 routes; 3 warnings\n";
        assert!(out.ends_with(last), "{out}");
    }

    #[test]
    fn a_file_without_problems_is_fine() {
        let mut out = vec![];
        let path = Path::new("routes.yaml");
        let loaded = config::load(path, &|_| None);
        let code = report(path, &loaded, Format::Plain, &mut out).unwrap();
        assert_eq!(code, 0);
        let expected = "routes.yaml is fine: 1 connection, 2 sources, 2 destinations, 2 routes\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn machines_get_json_and_nothing_else() {
        let (code, out) = checked("version: 1\nx: 1\n", Format::Json);
        let list: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 64);
        assert_eq!(list[0]["line"], 2);
        assert_eq!(list[0]["severity"], "error");
    }

    #[test]
    fn colours_are_for_terminals_only() {
        let (_, plain) = checked("version: 2\n", Format::Plain);
        let (_, coloured) = checked("version: 2\n", Format::Coloured);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(coloured.contains('\u{1b}'), "{coloured}");
    }
}
