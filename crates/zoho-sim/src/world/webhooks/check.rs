//! Whether a webhook is as Zoho wants it.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::{super::World, Webhook};
use crate::answer::{Refusal, put};

const FEATURES: &[&str] = &[
    "workflow",
    "approval_process",
    "blueprint_transition",
    "blueprint_state",
    "assignment_rules",
    "kiosk",
    "commandcenter_service",
];
const METHODS: &[&str] = &["POST", "GET", "PUT", "DELETE"];
const BODY_TYPES: &[&str] = &["form_data", "raw", "none"];
const FORMATS: &[&str] = &["JSON", "XML", "Text", "HTML"];
/// Modules without webhooks. Zoho: "Create webhook", v8.
const WITHOUT: &[&str] = &["Notes", "Calls"];
/// Characters and numbers of things. Zoho's `OpenAPI` description.
const URL_MAX: usize = 2_000;
const NAME_MAX: usize = 250;
const RAW_MAX: usize = 500;
const MODULE_PARAMETERS_MAX: usize = 25;
const CUSTOM_PARAMETERS_MAX: usize = 10;
/// Bytes of a whole webhook, and webhooks of an org: not Zoho's, which are not known.
const SHAPE_BYTES_MAX: usize = 64 * 1024;
const WEBHOOKS_MAX: usize = 1_000;
/// What a webhook is made of.
const KEYS: &[&str] = &[
    "module",
    "name",
    "url",
    "http_method",
    "feature_type",
    "description",
    "authentication",
    "headers",
    "body",
    "url_parameters",
    "date_time_format",
    "related_module",
];

/// The whole webhook, checked: what was sent, over what was there before.
pub(crate) fn check(
    world: &World,
    sent: &Value,
    before: Option<&Webhook>,
) -> Result<Value, Refusal> {
    let mut shape = before.map_or_else(|| json!({}), |it| it.shape.clone());
    for key in KEYS {
        if let Some(value) = sent.get(*key) {
            if *key == "module" && before.is_some() && !same_module(&shape, value) {
                return Err(invalid("module"));
            }
            if !(*key == "module" && before.is_some()) {
                put(&mut shape, key, value.clone());
            }
        }
    }
    if before.is_none() {
        let module = module(world, &shape)?;
        put(&mut shape, "module", module);
    }
    check_name(world, &shape, before.map(|it| it.id))?;
    check_url(world, &shape)?;
    one_of(&shape, "http_method", METHODS)?;
    one_of(&shape, "feature_type", FEATURES)?;
    let kind = shape
        .pointer("/authentication/type")
        .and_then(Value::as_str);
    match kind {
        None => return Err(missing("authentication.type")),
        Some("general" | "connection") => {}
        Some(_) => return Err(supported("authentication.type", &["general", "connection"])),
    }
    check_parts(&shape)?;
    let full = before.is_none() && world.automation.webhooks.len() >= WEBHOOKS_MAX;
    if full || shape.to_string().len() > SHAPE_BYTES_MAX {
        let message = "the limit of webhooks, or of what one holds, is exceeded";
        return Err(Refusal::new("LIMIT_EXCEEDED", message, json!({})));
    }
    Ok(shape)
}

fn same_module(shape: &Value, sent: &Value) -> bool {
    sent.get("api_name")
        .is_none_or(|it| shape.pointer("/module/api_name") == Some(it))
}

/// The module's object; a bare name, as an older guide shows, is refused.
fn module(world: &World, shape: &Value) -> Result<Value, Refusal> {
    let sent = shape.get("module").filter(|it| !it.is_null());
    let sent = sent.ok_or_else(|| missing("module"))?;
    if !sent.is_object() {
        let mut refusal = invalid("module");
        put(
            &mut refusal.details,
            "expected_data_type",
            json!("jsonobject"),
        );
        return Err(refusal);
    }
    let name = sent.get("api_name").and_then(Value::as_str);
    let name = name.ok_or_else(|| missing("module.api_name"))?;
    if !world.tables.contains_key(name) || WITHOUT.contains(&name) {
        return Err(invalid("module.api_name"));
    }
    Ok(json!({"api_name": name, "id": world.module_id(name)}))
}

fn check_name(world: &World, shape: &Value, own: Option<u64>) -> Result<(), Refusal> {
    let name = shape
        .get("name")
        .and_then(Value::as_str)
        .filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| missing("name"))?;
    if name.chars().count() > NAME_MAX || name.contains(['~', '#', '%']) {
        return Err(invalid("name"));
    }
    let others = world
        .automation
        .webhooks
        .values()
        .filter(|it| Some(it.id) != own);
    if others.into_iter().any(|it| it.name() == name) {
        return Err(Refusal::new(
            "DUPLICATE_DATA",
            "duplicate data",
            details("name"),
        ));
    }
    Ok(())
}

fn check_url(world: &World, shape: &Value) -> Result<(), Refusal> {
    let url = shape
        .get("url")
        .and_then(Value::as_str)
        .filter(|it| !it.is_empty());
    let text = url.ok_or_else(|| missing("url"))?;
    let url = Url::parse(text).ok();
    let url = url.filter(|it| text.len() <= URL_MAX && matches!(it.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| invalid("url"))?;
    let private = match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.to_ascii_lowercase();
            !name.contains('.') || name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => is_private(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_private(IpAddr::V6(ip)),
    };
    if private && !world.automation.private_hosts {
        return Err(invalid("url"));
    }
    Ok(())
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
    }
}

/// Parameters by method: the body and headers of POST and PUT, the URL of GET and DELETE.
fn check_parts(shape: &Value) -> Result<(), Refusal> {
    let method = shape.get("http_method").and_then(Value::as_str);
    let in_url = matches!(method, Some("GET" | "DELETE"));
    let part = |name: &str| shape.get(name).filter(|it| !it.is_null());
    if in_url && part("body").is_some_and(|it| it.get("type") != Some(&json!("none"))) {
        return Err(mismatch("body"));
    }
    if !in_url && part("url_parameters").is_some() {
        return Err(mismatch("url_parameters"));
    }
    for name in ["headers", "url_parameters"] {
        if let Some(part) = part(name) {
            check_parameters(part, name)?;
        }
    }
    let custom = shape
        .pointer("/headers/custom_parameters")
        .and_then(Value::as_array);
    let is_host = |it: &Value| {
        let name = it.get("name").and_then(Value::as_str);
        name.is_some_and(|it| it.eq_ignore_ascii_case("host"))
    };
    if custom.into_iter().flatten().any(is_host) {
        return Err(invalid("headers.custom_parameters"));
    }
    match part("body") {
        None => Ok(()),
        Some(body) => check_body(body),
    }
}

fn check_body(body: &Value) -> Result<(), Refusal> {
    let kind = body.get("type").and_then(Value::as_str);
    match kind {
        None => Err(missing("body.type")),
        Some("raw") => {
            let content = body.get("raw_data_content").and_then(Value::as_str);
            let content = content.ok_or_else(|| missing("body.raw_data_content"))?;
            let format = body.get("format").and_then(Value::as_str);
            if !format.is_some_and(|it| FORMATS.contains(&it)) {
                return Err(supported("body.format", FORMATS));
            }
            if content.chars().count() > RAW_MAX {
                return Err(invalid("body.raw_data_content"));
            }
            Ok(())
        }
        Some("form_data") => match body.get("form_data_content").filter(|it| it.is_object()) {
            Some(content) => check_parameters(content, "body.form_data_content"),
            None => Err(missing("body.form_data_content")),
        },
        Some("none") => Ok(()),
        Some(_) => Err(supported("body.type", BODY_TYPES)),
    }
}

fn check_parameters(part: &Value, path: &str) -> Result<(), Refusal> {
    for (name, max) in [
        ("module_parameters", MODULE_PARAMETERS_MAX),
        ("custom_parameters", CUSTOM_PARAMETERS_MAX),
    ] {
        let Some(list) = part.get(name).filter(|it| !it.is_null()) else {
            continue;
        };
        let path = format!("{path}.{name}");
        let list = list.as_array().ok_or_else(|| invalid(&path))?;
        let named = |it: &Value| {
            let text = |key: &str| it.get(key).and_then(Value::as_str);
            text("name").is_some_and(|it| !it.is_empty()) && text("value").is_some()
        };
        if list.len() > max || !list.iter().all(named) {
            return Err(invalid(&path));
        }
    }
    Ok(())
}

fn one_of(shape: &Value, name: &str, values: &[&str]) -> Result<(), Refusal> {
    match shape.get(name).and_then(Value::as_str) {
        None => Err(missing(name)),
        Some(value) if values.contains(&value) => Ok(()),
        Some(_) => Err(supported(name, values)),
    }
}

fn details(path: &str) -> Value {
    let name = path.rsplit('.').next().unwrap_or(path);
    let details: Map<String, Value> = Map::from_iter([
        ("api_name".to_owned(), json!(name)),
        (
            "json_path".to_owned(),
            json!(format!("$.webhooks[0].{path}")),
        ),
    ]);
    Value::Object(details)
}

fn missing(path: &str) -> Refusal {
    Refusal::new(
        "MANDATORY_NOT_FOUND",
        "required field not found",
        details(path),
    )
}

fn invalid(path: &str) -> Refusal {
    Refusal::invalid_data(details(path))
}

fn mismatch(path: &str) -> Refusal {
    Refusal::new(
        "DEPENDENT_MISMATCH",
        "the field does not go with the http method",
        details(path),
    )
}

fn supported(path: &str, values: &[&str]) -> Refusal {
    let mut refusal = invalid(path);
    put(&mut refusal.details, "supported_values", json!(values));
    refusal
}
