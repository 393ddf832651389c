//! Mails to records: now or later, from a template, as a reply; and the addresses they can come from.

mod message;

use serde::Deserialize;
use serde_json::json;

use crate::{
    Call, Client, Error,
    parts::{only, record_fits, text_at},
    request::{ApiRequest, Cost},
};

pub use self::message::{
    ATTACHMENTS_MAX, Address, Content, InventoryDetails, Mail, PaperType, ReplyTo, ViewType,
};

/// Credits of one mail. Zoho: "API limits", v8.
const CREDITS: u64 = 20;

/// A mail that Zoho took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id, to reply to it.
    pub message_id: Option<String>,
}

/// An address that mails can come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FromAddress {
    /// The address.
    pub email: String,
    /// Whose it is.
    #[serde(default)]
    pub user_name: Option<String>,
    /// `primary`, `org_email`, …
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Id of its user or of the org's address.
    #[serde(default)]
    pub id: Option<String>,
    /// Whether it is used where none is named.
    #[serde(default)]
    pub default: bool,
}

impl Client {
    /// Sends a mail to a record, or has it sent later. Heavy; 20 credits. Never sent again unless it was certainly not
    /// carried out: after an error of which [`Error::may_be_done`] is true, the mail may be on its way.
    ///
    /// Zoho: "Send mail", v8. The sender must be one of [`Self::from_addresses`].
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the mail breaks a limit; else as the variants say.
    pub async fn send_mail(&self, module: &str, id: &str, mail: &Mail) -> Result<Sent, Error> {
        record_fits(module, id)?;
        let body = json!({ "data": [mail.to_json()?] });
        let path = [module, id, "actions", "send_mail"];
        let request = ApiRequest::post(&path).json(&body).items("data");
        let results = self
            .send_items(Call::SendMail, Cost::heavy(CREDITS), &request, Some(1))
            .await?;
        Ok(Sent {
            message_id: text_at(&only(results)?, "/details/message_id"),
        })
    }

    /// The addresses that mails can come from.
    ///
    /// Zoho: "Get from addresses", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn from_addresses(&self) -> Result<Vec<FromAddress>, Error> {
        let path = ["settings", "emails", "actions", "from_addresses"];
        let request = ApiRequest::get(&path);
        let answer = self.send(Call::FromAddresses, Cost::ONE, &request).await?;
        if answer.is_empty() {
            return Ok(vec![]);
        }
        let mut body = answer.json()?;
        let list = body.get_mut("from_addresses").map(serde_json::Value::take);
        let read = list.and_then(|it| serde_json::from_value(it).ok());
        read.ok_or(Error::Malformed {
            problem: "no addresses under the expected key",
        })
    }
}
