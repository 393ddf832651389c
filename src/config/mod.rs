//! `routes.yaml`: the only place that reads files and the environment. As written, then as meant, or every problem at once.

mod amqp;
mod connections;
mod cross;
mod destinations;
mod fingerprint;
mod mask;
mod one_connection;
mod problem;
mod proof;
mod reader;
mod routes;
mod sends;
mod service;
mod sources;
mod substitute;
mod typed;
mod value;
mod webhook;
mod yaml;
mod zoho;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
    time::Duration,
};

use crate::{
    deliver,
    enrich::Connection,
    event::{ConnectionName, DestinationName, RouteName, SourceName},
    receive::{Limits, Source},
    route::{Route, RouteTable},
};

use self::{
    reader::{Fields, Reader},
    substitute::Origins,
    yaml::{Node, SyntaxError, Value},
};

pub use self::{
    fingerprint::Fingerprint,
    one_connection::{RefreshToken, load_connection},
    problem::{Problem, Problems, Severity},
};

/// Largest `routes.yaml`, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// For who starts without one.
const NO_SUCH_FILE: &str =
    "there is no such file; serve and crm take its name from --routes or ZOHOOK_ROUTES";

/// The only version there is.
const VERSION: u32 = 1;

/// A checked `routes.yaml`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `service`.
    pub service: Service,
    /// `connections`.
    pub connections: BTreeMap<ConnectionName, Connection>,
    /// `sources`.
    pub sources: BTreeMap<SourceName, Source>,
    /// `destinations`.
    pub destinations: BTreeMap<DestinationName, deliver::Settings>,
    /// `routes`, compiled.
    pub routes: RouteTable,
    /// The routes' names, in the file's order.
    pub route_names: Vec<RouteName>,
    /// What works, but probably not as meant.
    pub warnings: Problems,
}

/// `service`.
#[derive(Clone, Debug)]
pub struct Service {
    /// Where Zoho reaches us.
    pub public_url: Option<url::Url>,
    /// Finished rows are kept so long.
    pub keep_events: Duration,
    /// And to so many bytes.
    pub keep_size_bytes: u64,
    /// Limits of the public port.
    pub limits: Limits,
}

/// The environment of this process, for [`load`]; a value that is not UTF-8 counts as not set.
pub fn environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door to the environment"
    )]
    std::env::var(name).ok()
}

/// Reads, substitutes, checks and compiles a file.
///
/// # Errors
/// All problems at once, each with line and column, warnings included. No message holds a secret.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Problems> {
    let file = path.display().to_string();
    let source = match read_file(path) {
        Ok(source) => source,
        Err(why) => {
            let message = format!("the file cannot be read: {why}");
            return Err(Problems::new(file, vec![without_place(message)]));
        }
    };
    let origins = Origins {
        variable: env,
        folder: folder(path),
    };
    match parse(&source, origins) {
        Ok((mut config, warnings)) => {
            config.warnings = Problems::new(file, warnings);
            Ok(config)
        }
        Err(problems) => Err(Problems::new(file, problems)),
    }
}

/// What the paths in a file are relative to.
fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn read_file(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            NO_SUCH_FILE.to_owned()
        } else {
            error.kind().to_string()
        }
    })?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| error.kind().to_string())?;
    match u64::try_from(text.len()) {
        Ok(length) if length <= FILE_BYTES_MAX => Ok(text),
        _ => Err(format!("it is over {FILE_BYTES_MAX} bytes")),
    }
}

fn without_place(message: String) -> Problem {
    Problem {
        severity: Severity::Error,
        line: 0,
        column: 0,
        path: String::new(),
        message,
        hint: None,
        shown: None,
    }
}

fn parse(source: &str, origins: Origins<'_>) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let mut root = yaml::parse(source).map_err(|error| vec![not_yaml(source, &error)])?;
    let mut reader = Reader::new(source);
    let scalars = mask::scalars(&root);
    substitute::substitute(&mut reader, &mut root, origins);
    let config = sections(&mut reader, &root);
    let refused = reader.errors() > 0;
    let problems = reader.finish(&scalars);
    match config {
        Some(config) if !refused => Ok((config, problems)),
        _ => Err(problems),
    }
}

fn not_yaml(source: &str, error: &SyntaxError) -> Problem {
    let (line, column) = mask::place(source, error.at);
    let text = source.lines().nth(line - 1).unwrap_or_default();
    let hint = if text.contains("{{") {
        Some("put templates into quotes: \"{{ … }}\"")
    } else if text.contains("${") {
        Some("inside [ ] and { } put substitutions into quotes: \"${NAME}\"")
    } else {
        None
    };
    Problem {
        severity: Severity::Error,
        line,
        column,
        path: String::new(),
        message: format!("this is not YAML: {}", error.message),
        hint: hint.map(str::to_owned),
        shown: mask::structure_of_line(source, error.at),
    }
}

/// Sections that are missing read as empty ones.
fn sections(reader: &mut Reader<'_>, root: &Node) -> Option<Config> {
    let known = [
        "version",
        "service",
        "connections",
        "sources",
        "destinations",
        "routes",
    ];
    let elsewhere = [("tests", "is not supported yet by this version")];
    let fields = reader.fields(root, &known, &elsewhere);
    version(reader, &fields);
    let empty = Node {
        value: Value::Map(vec![]),
        span: 0..0,
        at: 0..0,
        path: String::new(),
    };
    let section = |key: &str| fields.get(key).unwrap_or(&empty);
    let service = match fields.get("service") {
        Some(node) => service::read(reader, node),
        None => service::defaults(),
    };
    let connections = connections::read(reader, section("connections"));
    let connection_names = names(section("connections"));
    let context = sources::Context {
        connections: &connection_names,
        keep_events: service.keep_events,
    };
    let sources = sources::read(reader, section("sources"), &context);
    let destinations = destinations::read(reader, section("destinations"), &connection_names);
    let context = routes::Context {
        sources: &names(section("sources")),
        destinations: &destinations::kinds(section("destinations")),
        settings: &destinations,
    };
    let routes = routes::read(reader, section("routes"), &context);
    cross::deletes_are_proven(reader, section("sources"), &sources, &routes);
    if reader.errors() > 0 {
        return None;
    }
    cross::routes_do_not_trigger_themselves(reader, section("routes"), &routes);
    cross::everything_is_used(
        reader,
        (section("sources"), &sources),
        (section("destinations"), &destinations),
        &routes,
    );
    nothing_is_empty(reader, root, &sources, &routes);
    if connections
        .values()
        .any(|it| !typed::is_loopback(&it.api_url))
    {
        // Against a simulator they are what makes the file work as it stands.
        cross::secrets_are_not_in_the_file(reader);
    }
    Some(Config {
        service,
        connections,
        sources,
        destinations,
        route_names: routes.iter().map(|it| it.name.clone()).collect(),
        routes: RouteTable::new(routes),
        warnings: Problems::default(),
    })
}

fn version(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    let hint = "begin the file with `version: 1`";
    if let Some(node) = reader.required(fields, "version", hint)
        && reader.number(node, &(0..=u32::MAX)) != Some(VERSION)
    {
        reader.error(node, "this zohook reads files of version 1");
    }
}

fn names(node: &Node) -> Vec<&str> {
    match &node.value {
        Value::Map(entries) => entries.iter().map(|it| it.key.as_str()).collect(),
        Value::Null | Value::Scalar(_) | Value::List(_) | Value::Broken => vec![],
    }
}

fn nothing_is_empty(
    reader: &mut Reader<'_>,
    root: &Node,
    sources: &BTreeMap<SourceName, Source>,
    routes: &[Route],
) {
    if sources.is_empty() {
        let hint = "add one under `sources`";
        reader.warning(root, "no source: every callback will be answered 404", hint);
    }
    if routes.is_empty() {
        let hint = "add one under `routes`";
        reader.warning(root, "no route: what comes in goes nowhere", hint);
    }
}
