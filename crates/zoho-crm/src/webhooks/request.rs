//! A webhook as it shall be, checked before it is sent.

use std::fmt;

use serde_json::{Map, Value, json};
use url::Url;

use super::content::WebhookRequest;
use crate::{
    Client, Error,
    records::{is_api_name, is_record_id},
};

/// Characters of a name; Zoho's own form takes 100. Zoho's `OpenAPI` description, v8.
pub const WEBHOOK_NAME_CHARS_MAX: usize = 250;

/// Characters of a URL; Zoho's own form takes 300. Same source.
pub const WEBHOOK_URL_CHARS_MAX: usize = 2000;

/// What may use a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Zoho's")]
pub enum FeatureType {
    Workflow,
    ApprovalProcess,
    BlueprintTransition,
    BlueprintState,
    AssignmentRules,
    Kiosk,
    CommandcenterService,
}

impl FeatureType {
    /// As Zoho writes it, e.g. `approval_process`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workflow => "workflow",
            Self::ApprovalProcess => "approval_process",
            Self::BlueprintTransition => "blueprint_transition",
            Self::BlueprintState => "blueprint_state",
            Self::AssignmentRules => "assignment_rules",
            Self::Kiosk => "kiosk",
            Self::CommandcenterService => "commandcenter_service",
        }
    }
}

/// How a webhook proves itself to who receives it. Zoho signs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Not at all; a secret can be a header or a parameter.
    General,
    /// By a connection of that name, made in Zoho CRM.
    Connection(&'a str),
}

/// A module by API name and, where known, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleRef<'a> {
    /// Its API name. Notes and call logs have no webhooks.
    pub api_name: &'a str,
    /// Its id, from the modules' metadata.
    pub id: Option<&'a str>,
}

/// How dates are written; without it, as the org does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTimeFormat<'a> {
    /// E.g. `yyyy-MM-dd`.
    pub date: &'a str,
    /// E.g. `yyyy-MM-dd'T'HH:mm:ss`.
    pub datetime: &'a str,
    /// E.g. `Europe/Berlin`.
    pub time_zone: &'a str,
}

/// A webhook to make.
#[derive(Clone, Copy)]
pub struct NewWebhook<'a> {
    /// [`WEBHOOK_NAME_CHARS_MAX`] characters at most, none of them `~`, `#` or `%`.
    pub name: &'a str,
    /// Whose records it is about; cannot be changed later.
    pub module: ModuleRef<'a>,
    /// What may use it.
    pub feature: FeatureType,
    /// [`WEBHOOK_URL_CHARS_MAX`] characters at most; may hold merge fields. Zoho refuses private hosts.
    pub url: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// How it proves itself.
    pub authentication: Authentication<'a>,
    /// Method, headers, parameters and body.
    pub request: WebhookRequest<'a>,
    /// How dates are written.
    pub date_time_format: Option<DateTimeFormat<'a>>,
}

/// The URL may hold a secret, and is left out.
impl fmt::Debug for NewWebhook<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewWebhook")
            .field("name", &self.name)
            .field("module", &self.module)
            .field("feature", &self.feature)
            .finish_non_exhaustive()
    }
}

/// What shall change of a webhook; `None` is not sent.
#[derive(Clone, Copy, Default)]
#[expect(missing_docs, reason = "the fields are those of `NewWebhook`")]
pub struct WebhookPatch<'a> {
    pub name: Option<&'a str>,
    pub feature: Option<FeatureType>,
    pub url: Option<&'a str>,
    pub description: Option<&'a str>,
    pub authentication: Option<Authentication<'a>>,
    pub request: Option<WebhookRequest<'a>>,
    pub date_time_format: Option<DateTimeFormat<'a>>,
}

/// The URL may hold a secret, and is left out.
impl fmt::Debug for WebhookPatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookPatch")
            .field("name", &self.name)
            .field("feature", &self.feature)
            .finish_non_exhaustive()
    }
}

impl NewWebhook<'_> {
    pub(super) fn to_json(self) -> Result<Value, Error> {
        let mut webhook = WebhookPatch {
            name: Some(self.name),
            feature: Some(self.feature),
            url: Some(self.url),
            description: self.description,
            authentication: Some(self.authentication),
            request: Some(self.request),
            date_time_format: self.date_time_format,
        }
        .to_map()?;
        webhook.insert("module".to_owned(), module(self.module)?);
        Ok(Value::Object(webhook))
    }
}

impl WebhookPatch<'_> {
    pub(super) fn to_json(self) -> Result<Value, Error> {
        let webhook = self.to_map()?;
        if webhook.is_empty() {
            return Err(Client::wrong("nothing to change"));
        }
        Ok(Value::Object(webhook))
    }

    fn to_map(self) -> Result<Map<String, Value>, Error> {
        let mut webhook = Map::new();
        let mut put = |key: &str, value: Value| {
            webhook.insert(key.to_owned(), value);
        };
        if let Some(text) = self.name {
            put("name", json!(name(text)?));
        }
        if let Some(feature) = self.feature {
            put("feature_type", json!(feature.as_str()));
        }
        if let Some(text) = self.url {
            put("url", json!(url(text)?));
        }
        if let Some(text) = self.description {
            put("description", json!(text));
        }
        if let Some(authentication) = self.authentication {
            put(
                "authentication",
                match authentication {
                    Authentication::General => json!({"type": "general"}),
                    Authentication::Connection(name) => {
                        json!({"type": "connection", "connection_name": name})
                    }
                },
            );
        }
        if let Some(format) = self.date_time_format {
            put(
                "date_time_format",
                json!({
                    "date_format": format.date,
                    "datetime_format": format.datetime,
                    "time_zone": format.time_zone,
                }),
            );
        }
        if let Some(request) = self.request {
            request.write(&mut webhook)?;
        }
        Ok(webhook)
    }
}

fn module(module: ModuleRef<'_>) -> Result<Value, Error> {
    if !is_api_name(module.api_name) {
        return Err(Client::wrong("not a module's name"));
    }
    if module.api_name == "Notes" {
        return Err(Client::wrong("notes have no webhooks"));
    }
    match module.id {
        Some(id) if !is_record_id(id) => Err(Client::wrong("not a module's id")),
        Some(id) => Ok(json!({"api_name": module.api_name, "id": id})),
        None => Ok(json!({"api_name": module.api_name})),
    }
}

fn name(text: &str) -> Result<&str, Error> {
    let fits = (1..=WEBHOOK_NAME_CHARS_MAX).contains(&text.chars().count());
    if fits && !text.contains(['~', '#', '%']) {
        return Ok(text);
    }
    Err(Client::wrong(
        "a webhook's name has 1 to 250 characters, none of them ~, # or %",
    ))
}

/// A URL, also one that a merge field begins.
fn url(text: &str) -> Result<&str, Error> {
    if text.chars().count() > WEBHOOK_URL_CHARS_MAX {
        return Err(Client::wrong("a webhook's url has at most 2000 characters"));
    }
    let web = |text: &str| {
        Url::parse(text).is_ok_and(|it| matches!(it.scheme(), "http" | "https") && it.has_host())
    };
    // Merge fields may stand anywhere, also where a URL takes no such characters.
    let plain = text.split("${!").next().unwrap_or_default();
    let open = plain.len() < text.len();
    if web(text)
        || text.starts_with("www.")
        || (open && (plain.is_empty() || plain.starts_with("http")))
    {
        return Ok(text);
    }
    Err(Client::wrong("a webhook's url is an http or https url"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Parameters, WebhookBody};

    fn webhook<'a>() -> NewWebhook<'a> {
        NewWebhook {
            name: "New lead",
            module: ModuleRef {
                api_name: "Leads",
                id: Some("554023000000000131"),
            },
            feature: FeatureType::Workflow,
            url: "https://hooks.example.com/in/new-lead",
            description: None,
            authentication: Authentication::General,
            request: WebhookRequest::Post {
                headers: Parameters::default(),
                body: WebhookBody::None,
            },
            date_time_format: None,
        }
    }

    #[test]
    fn a_webhook_is_written_as_the_contract_says() {
        let full = NewWebhook {
            description: Some("Tells the router"),
            authentication: Authentication::Connection("router"),
            date_time_format: Some(DateTimeFormat {
                date: "yyyy-MM-dd",
                datetime: "yyyy-MM-dd'T'HH:mm:ss",
                time_zone: "Europe/Berlin",
            }),
            ..webhook()
        };
        assert_eq!(
            full.to_json().unwrap(),
            json!({
                "name": "New lead",
                "module": {"api_name": "Leads", "id": "554023000000000131"},
                "feature_type": "workflow",
                "url": "https://hooks.example.com/in/new-lead",
                "description": "Tells the router",
                "authentication": {"type": "connection", "connection_name": "router"},
                "http_method": "POST",
                "headers": {"module_parameters": [], "custom_parameters": []},
                "body": {"type": "none", "format": null},
                "date_time_format": {
                    "date_format": "yyyy-MM-dd",
                    "datetime_format": "yyyy-MM-dd'T'HH:mm:ss",
                    "time_zone": "Europe/Berlin",
                },
            })
        );
        let patch = WebhookPatch {
            url: Some("https://hooks.example.com/in/lead"),
            ..WebhookPatch::default()
        };
        assert_eq!(
            patch.to_json().unwrap(),
            json!({"url": "https://hooks.example.com/in/lead"})
        );
        assert!(WebhookPatch::default().to_json().is_err());
    }

    #[test]
    fn what_zoho_would_refuse_is_refused_here() {
        let long = "n".repeat(251);
        let far = format!("https://hooks.example.com/{}", "a".repeat(2000));
        let module = |api_name| ModuleRef { api_name, id: None };
        for wrong in [
            NewWebhook {
                name: "",
                ..webhook()
            },
            NewWebhook {
                name: &long,
                ..webhook()
            },
            NewWebhook {
                name: "100 %",
                ..webhook()
            },
            NewWebhook {
                module: module("Notes"),
                ..webhook()
            },
            NewWebhook {
                module: module("a b"),
                ..webhook()
            },
            NewWebhook {
                url: &far,
                ..webhook()
            },
            NewWebhook {
                url: "ftp://hooks.example.com",
                ..webhook()
            },
            NewWebhook {
                url: "hooks",
                ..webhook()
            },
        ] {
            assert_eq!(wrong.to_json().unwrap_err().class(), "misuse", "{wrong:?}");
        }
        for url in [
            "https://hooks.example.com/${!Leads.Id}",
            "${!Leads.Website}",
            "https://${!Leads.Host}/x",
            "www.example.com",
        ] {
            assert!(NewWebhook { url, ..webhook() }.to_json().is_ok(), "{url}");
        }
    }
}
