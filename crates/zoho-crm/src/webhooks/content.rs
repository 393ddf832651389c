//! What a webhook sends: headers, parameters and body, by its method.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::{Client, Error};

/// Parameters that hold merge fields, in one place. Zoho's `OpenAPI` description, v8.
pub const MODULE_PARAMETERS_MAX: usize = 25;

/// Parameters with fixed values, in one place. Same source.
pub const CUSTOM_PARAMETERS_MAX: usize = 10;

/// Characters of a raw body. Same source.
pub const RAW_CHARS_MAX: usize = 500;

/// A field's place in a webhook's text, e.g. `${!Leads.Last_Name}`; both are API names.
pub fn merge_field(module: &str, field: &str) -> String {
    format!("${{!{module}.{field}}}")
}

/// What is sent, by the method that is used.
#[derive(Clone, Copy, Debug)]
pub enum WebhookRequest<'a> {
    /// `POST`.
    Post {
        /// Header names and values; `Host` is Zoho's own.
        headers: Parameters<'a>,
        /// The body.
        body: WebhookBody<'a>,
    },
    /// `PUT`.
    Put {
        /// As for `POST`.
        headers: Parameters<'a>,
        /// As for `POST`.
        body: WebhookBody<'a>,
    },
    /// `GET`.
    Get {
        /// The query.
        parameters: Parameters<'a>,
    },
    /// `DELETE`.
    Delete {
        /// As for `POST`.
        headers: Parameters<'a>,
        /// The query.
        parameters: Parameters<'a>,
    },
}

/// Names and values: a query's, a form's or headers.
#[derive(Clone, Copy, Default)]
pub struct Parameters<'a> {
    /// Values of the record, from [`merge_field`]; [`MODULE_PARAMETERS_MAX`] at most.
    pub module: &'a [(&'a str, &'a str)],
    /// Fixed values; [`CUSTOM_PARAMETERS_MAX`] at most.
    pub custom: &'a [(&'a str, &'a str)],
    /// One whose value is a text with merge fields within.
    pub user_defined: Option<(&'a str, &'a str)>,
}

/// Names and values may be secrets, and are left out.
impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters")
            .field("module", &self.module.len())
            .field("custom", &self.custom.len())
            .finish_non_exhaustive()
    }
}

/// A body.
#[derive(Clone, Copy)]
pub enum WebhookBody<'a> {
    /// None at all.
    None,
    /// Names and values.
    Form(Parameters<'a>),
    /// A text with merge fields, [`RAW_CHARS_MAX`] characters at most. Zoho puts values in as they are: a quote within
    /// one breaks JSON.
    Raw {
        /// What it is.
        format: RawFormat,
        /// The text.
        text: &'a str,
    },
}

/// What it says may hold a secret, and is left out.
impl fmt::Debug for WebhookBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Form(_) => "Form",
            Self::Raw { .. } => "Raw",
        })
    }
}

/// What a raw body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RawFormat {
    Json,
    Xml,
    Text,
    Html,
}

impl RawFormat {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Text => "Text",
            Self::Html => "HTML",
        }
    }
}

impl WebhookRequest<'_> {
    /// Puts method, headers, parameters and body into a webhook.
    pub(super) fn write(&self, webhook: &mut Map<String, Value>) -> Result<(), Error> {
        let (method, headers, parameters, body) = match self {
            Self::Post { headers, body } => ("POST", Some(headers), None, Some(body)),
            Self::Put { headers, body } => ("PUT", Some(headers), None, Some(body)),
            Self::Get { parameters } => ("GET", None, Some(parameters), None),
            Self::Delete {
                headers,
                parameters,
            } => ("DELETE", Some(headers), Some(parameters), None),
        };
        webhook.insert("http_method".to_owned(), json!(method));
        if let Some(headers) = headers {
            headers.check_headers()?;
            webhook.insert("headers".to_owned(), headers.to_json()?);
        }
        if let Some(parameters) = parameters {
            webhook.insert("url_parameters".to_owned(), parameters.to_json()?);
        }
        if let Some(body) = body {
            webhook.insert("body".to_owned(), body.to_json()?);
        }
        Ok(())
    }
}

impl Parameters<'_> {
    fn to_json(self) -> Result<Value, Error> {
        let problem = if self.module.len() > MODULE_PARAMETERS_MAX {
            "a webhook takes 25 module parameters in one place"
        } else if self.custom.len() > CUSTOM_PARAMETERS_MAX {
            "a webhook takes 10 custom parameters in one place"
        } else if self.names().any(str::is_empty) {
            "a parameter without a name"
        } else {
            let list = |pairs: &[(&str, &str)]| -> Value { pairs.iter().map(pair).collect() };
            let mut object = json!({
                "module_parameters": list(self.module),
                "custom_parameters": list(self.custom),
            });
            if let (Some(object), Some(own)) = (object.as_object_mut(), &self.user_defined) {
                object.insert("user_defined_parameter".to_owned(), pair(own));
            }
            return Ok(object);
        };
        Err(Client::wrong(problem))
    }

    fn check_headers(&self) -> Result<(), Error> {
        if self.names().any(|it| it.eq_ignore_ascii_case("host")) {
            return Err(Client::wrong("a webhook cannot set the header host"));
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let all = self.module.iter().chain(self.custom);
        all.chain(&self.user_defined).map(|(name, _)| *name)
    }
}

fn pair((name, value): &(&str, &str)) -> Value {
    json!({"name": name, "value": value})
}

impl WebhookBody<'_> {
    fn to_json(self) -> Result<Value, Error> {
        Ok(match self {
            Self::None => json!({"type": "none", "format": null}),
            Self::Form(parameters) => json!({
                "type": "form_data",
                "format": null,
                "form_data_content": parameters.to_json()?,
            }),
            Self::Raw { format, text } => {
                if text.chars().count() > RAW_CHARS_MAX {
                    return Err(Client::wrong("a raw body has at most 500 characters"));
                }
                json!({"type": "raw", "format": format.as_str(), "raw_data_content": text})
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: &WebhookRequest<'_>) -> Value {
        let mut webhook = Map::new();
        request.write(&mut webhook).unwrap();
        Value::Object(webhook)
    }

    fn refused(request: &WebhookRequest<'_>) -> bool {
        request.write(&mut Map::new()).is_err()
    }

    #[test]
    fn each_method_has_its_own_places() {
        let id = merge_field("Leads", "Id");
        assert_eq!(id, "${!Leads.Id}");
        let module = [("lead_id", id.as_str())];
        let parameters = Parameters {
            module: &module,
            ..Parameters::default()
        };
        let headers = Parameters {
            custom: &[("X-Secret", "s")],
            ..Parameters::default()
        };
        let list = json!({
            "module_parameters": [{"name": "lead_id", "value": "${!Leads.Id}"}],
            "custom_parameters": [],
        });
        let secret = json!({
            "module_parameters": [],
            "custom_parameters": [{"name": "X-Secret", "value": "s"}],
        });
        assert_eq!(
            written(&WebhookRequest::Get { parameters }),
            json!({"http_method": "GET", "url_parameters": list})
        );
        assert_eq!(
            written(&WebhookRequest::Delete {
                headers,
                parameters
            }),
            json!({"http_method": "DELETE", "headers": secret, "url_parameters": list})
        );
        let raw = WebhookBody::Raw {
            format: RawFormat::Json,
            text: r#"{"id":"${!Leads.Id}"}"#,
        };
        assert_eq!(
            written(&WebhookRequest::Post { headers, body: raw }),
            json!({"http_method": "POST", "headers": secret, "body": {
                "type": "raw", "format": "JSON", "raw_data_content": r#"{"id":"${!Leads.Id}"}"#,
            }})
        );
        let form = WebhookBody::Form(parameters);
        assert_eq!(
            written(&WebhookRequest::Put {
                headers,
                body: form
            })["body"],
            json!({"type": "form_data", "format": null, "form_data_content": list})
        );
        let none = WebhookBody::None;
        assert_eq!(
            written(&WebhookRequest::Post {
                headers,
                body: none
            })["body"],
            json!({"type": "none", "format": null})
        );
    }

    #[test]
    fn limits_are_checked_before_anything_is_sent() {
        let module = vec![("a", "b"); 26];
        let custom = vec![("a", "b"); 11];
        let get = |parameters| WebhookRequest::Get { parameters };
        let none = Parameters::default();
        assert!(refused(&get(Parameters {
            module: &module,
            ..none
        })));
        assert!(!refused(&get(Parameters {
            module: &module[1..],
            ..none
        })));
        assert!(refused(&get(Parameters {
            custom: &custom,
            ..none
        })));
        assert!(!refused(&get(Parameters {
            custom: &custom[1..],
            ..none
        })));
        assert!(refused(&get(Parameters {
            user_defined: Some(("", "x")),
            ..none
        })));
        let host = Parameters {
            custom: &[("HOST", "x")],
            ..none
        };
        assert!(refused(&WebhookRequest::Post {
            headers: host,
            body: WebhookBody::None
        }));
        assert!(!refused(&get(host)));
        for (length, expected) in [(501, true), (500, false)] {
            let text = "x".repeat(length);
            let body = WebhookBody::Raw {
                format: RawFormat::Text,
                text: &text,
            };
            let post = WebhookRequest::Post {
                headers: none,
                body,
            };
            assert_eq!(refused(&post), expected);
        }
    }
}
