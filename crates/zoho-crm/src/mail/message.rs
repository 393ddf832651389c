//! What a mail is made of, and how Zoho takes it.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Client, Error, parts::ids_fit, time};

/// Attachments of one mail. Zoho: "Send mail", v8.
pub const ATTACHMENTS_MAX: usize = 10;

/// Someone a mail comes from or goes to.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub email: String,
    /// The name shown beside it.
    pub name: Option<String>,
}

impl Address {
    /// An address without a name.
    pub fn of(email: &str) -> Self {
        Self {
            email: email.to_owned(),
            name: None,
        }
    }

    fn to_json(&self) -> Value {
        match &self.name {
            Some(name) => json!({ "user_name": name, "email": self.email }),
            None => json!({ "email": self.email }),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").finish_non_exhaustive()
    }
}

/// The text of a mail.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// HTML.
    Html(String),
    /// Plain text.
    Text(String),
}

/// The mail that is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Its id.
    pub message_id: String,
    /// Id of the user whose mail it is.
    pub owner: Option<String>,
}

/// On what an inventory template is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaperType {
    /// As the template says.
    Default,
    /// A4.
    A4,
    /// US letter.
    UsLetter,
}

/// How an inventory template is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewType {
    /// Upright.
    Portrait,
    /// Across.
    Landscape,
}

/// A quote, order or invoice that goes along, printed by a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryDetails {
    /// Id of the inventory template.
    pub template: String,
    /// Id of the record that is printed, if not the one the mail goes to.
    pub record: Option<String>,
    /// On what.
    pub paper_type: Option<PaperType>,
    /// How.
    pub view_type: Option<ViewType>,
}

/// A mail to a record. Zoho: "Send mail", v8.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who it comes from.
    pub from: Address,
    /// Who it goes to; at least one.
    pub to: Vec<Address>,
    /// Who gets a copy.
    pub cc: Vec<Address>,
    /// Who gets a copy unseen.
    pub bcc: Vec<Address>,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Address>,
    /// The subject; a template may bring its own.
    pub subject: Option<String>,
    /// The text; a template may bring its own.
    pub content: Option<Content>,
    /// Id of an email template.
    pub template: Option<String>,
    /// A printed quote, order or invoice.
    pub inventory: Option<InventoryDetails>,
    /// Ids of up to [`ATTACHMENTS_MAX`] files, from [`Client::upload_files`].
    pub attachments: Vec<String>,
    /// When it is sent, if not now.
    pub scheduled_at: Option<Timestamp>,
    /// The mail it answers.
    pub in_reply_to: Option<ReplyTo>,
    /// Whether it asks for consent to process data.
    pub consent_email: bool,
    /// Whether it comes from an address of the org.
    pub org_email: bool,
}

impl Mail {
    /// A mail that is sent now. Fill in the rest.
    pub fn new(from: Address, to: Vec<Address>) -> Self {
        Self {
            from,
            to,
            cc: vec![],
            bcc: vec![],
            reply_to: None,
            subject: None,
            content: None,
            template: None,
            inventory: None,
            attachments: vec![],
            scheduled_at: None,
            in_reply_to: None,
            consent_email: false,
            org_email: false,
        }
    }

    pub(super) fn to_json(&self) -> Result<Value, Error> {
        self.check()?;
        let people = |list: &[Address]| list.iter().map(Address::to_json).collect::<Value>();
        let mut mail = Map::new();
        let mut put = |name: &str, value: Value| {
            mail.insert(name.to_owned(), value);
        };
        put("from", self.from.to_json());
        put("to", people(&self.to));
        for (name, list) in [("cc", &self.cc), ("bcc", &self.bcc)] {
            if !list.is_empty() {
                put(name, people(list));
            }
        }
        if let Some(address) = &self.reply_to {
            put("reply_to", address.to_json());
        }
        if let Some(subject) = &self.subject {
            put("subject", subject.clone().into());
        }
        if let Some(content) = &self.content {
            let (format, text) = match content {
                Content::Html(text) => ("html", text),
                Content::Text(text) => ("text", text),
            };
            put("content", text.clone().into());
            put("mail_format", format.into());
        }
        if let Some(id) = &self.template {
            put("template", json!({ "id": id }));
        }
        if let Some(inventory) = &self.inventory {
            put("inventory_details", inventory.to_json());
        }
        if !self.attachments.is_empty() {
            let ids = self.attachments.iter().map(|id| json!({ "id": id }));
            put("attachments", ids.collect());
        }
        if let Some(at) = self.scheduled_at {
            put("scheduled_time", time::zoho(at).into());
        }
        if let Some(mail) = &self.in_reply_to {
            put("in_reply_to", mail.to_json());
        }
        for (name, flag) in [
            ("consent_email", self.consent_email),
            ("org_email", self.org_email),
        ] {
            if flag {
                put(name, true.into());
            }
        }
        Ok(Value::Object(mail))
    }

    fn check(&self) -> Result<(), Error> {
        if self.to.is_empty() {
            return Err(Client::wrong("a mail goes to someone"));
        }
        if self.attachments.len() > ATTACHMENTS_MAX {
            return Err(Client::wrong("a mail has at most 10 attachments"));
        }
        if self.subject.is_none() && self.template.is_none() && self.inventory.is_none() {
            return Err(Client::wrong("a mail has a subject or a template"));
        }
        let template = self.template.as_deref();
        let inventory = self.inventory.iter();
        let inventory = inventory.flat_map(|it| [Some(it.template.as_str()), it.record.as_deref()]);
        let owner = self.in_reply_to.as_ref().and_then(|it| it.owner.as_deref());
        let ids = inventory.chain([template, owner]).flatten();
        ids_fit(&ids.collect::<Vec<_>>())
    }
}

/// Who it goes to and what it says stays out.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("template", &self.template)
            .field("scheduled_at", &self.scheduled_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Html(_) => "Html",
            Self::Text(_) => "Text",
        })
    }
}

impl ReplyTo {
    fn to_json(&self) -> Value {
        match &self.owner {
            Some(owner) => json!({ "message_id": self.message_id, "owner": { "id": owner } }),
            None => json!({ "message_id": self.message_id }),
        }
    }
}

impl InventoryDetails {
    fn to_json(&self) -> Value {
        let mut details = Map::new();
        let mut put = |name: &str, value: Value| {
            details.insert(name.to_owned(), value);
        };
        put("inventory_template", json!({ "id": self.template }));
        if let Some(id) = &self.record {
            put("record", json!({ "id": id }));
        }
        if let Some(paper) = self.paper_type {
            let word = match paper {
                PaperType::Default => "default",
                PaperType::A4 => "A4",
                PaperType::UsLetter => "us_letter",
            };
            put("paper_type", word.into());
        }
        if let Some(view) = self.view_type {
            let word = match view {
                ViewType::Portrait => "portrait",
                ViewType::Landscape => "landscape",
            };
            put("view_type", word.into());
        }
        Value::Object(details)
    }
}
