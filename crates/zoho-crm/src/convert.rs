//! Converting leads into accounts, contacts and deals.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Call, Client, Error, Values,
    parts::{ids_fit, only, text_at},
    request::{ApiRequest, Cost},
};

/// Credits of one conversion. Zoho: "API limits", v8.
const CREDITS: u64 = 5;

/// Leads that one call converts in the background. Zoho: "Mass convert leads", v8.
pub const LEADS_MAX: usize = 50;

/// What a lead's account or contact becomes.
#[derive(Clone, PartialEq)]
pub enum Target {
    /// A new record, with these values beside those of the lead.
    New(Values),
    /// A record that is there.
    Existing(String),
}

/// The values are left out.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(_) => f.write_str("New"),
            Self::Existing(id) => f.debug_tuple("Existing").field(id).finish(),
        }
    }
}

/// A module that a lead can become a record of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadTarget {
    /// `Accounts`.
    Account,
    /// `Contacts`.
    Contact,
    /// `Deals`.
    Deal,
}

impl LeadTarget {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "Accounts",
            Self::Contact => "Contacts",
            Self::Deal => "Deals",
        }
    }
}

/// How a lead is converted. By default into a new contact, and a new account if the lead has a company.
#[derive(Clone, Default, PartialEq)]
pub struct Conversion {
    /// The account.
    pub account: Option<Target>,
    /// The contact.
    pub contact: Option<Target>,
    /// Values of a new deal; none is made without.
    pub deal: Option<Values>,
    /// Whether the lead's values replace those of existing records.
    pub overwrite: Option<bool>,
    /// Whether the lead's owner is told.
    pub notify_lead_owner: Option<bool>,
    /// Whether the owners of the new records are told.
    pub notify_new_entity_owner: Option<bool>,
    /// Id of the user who gets the new records.
    pub assign_to: Option<String>,
    /// Where the lead's attachments go.
    pub move_attachments_to: Option<LeadTarget>,
    /// Names of the lead's tags that each record gets.
    pub carry_over_tags: Vec<(LeadTarget, Vec<String>)>,
}

/// The values are left out.
impl fmt::Debug for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversion")
            .field("account", &self.account)
            .field("contact", &self.contact)
            .field("deal", &self.deal.is_some())
            .field("assign_to", &self.assign_to)
            .field("move_attachments_to", &self.move_attachments_to)
            .finish_non_exhaustive()
    }
}

/// A record that a lead became.
#[derive(Clone, PartialEq, Eq)]
pub struct Became {
    /// Its id.
    pub id: String,
    /// Its name, if Zoho gave it.
    pub name: Option<String>,
}

/// The record's name is left out.
impl fmt::Debug for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Became")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What became of a call to convert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Converted {
    /// The lead is converted.
    Done {
        /// The contact.
        contact: Option<Became>,
        /// The account.
        account: Option<Became>,
        /// The deal.
        deal: Option<Became>,
    },
    /// It will be, in the background; see [`Client::conversion_status`].
    Scheduled {
        /// Of the job.
        job_id: String,
    },
}

/// How far a conversion in the background is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ConversionJob {
    /// `scheduled`, `in progress`, `completed` or `failed`.
    #[serde(rename = "Status")]
    pub status: String,
    /// Leads in it.
    #[serde(rename = "Total_Count", default)]
    pub total: u64,
    /// Leads converted.
    #[serde(rename = "Converted_Count", default)]
    pub converted: u64,
    /// Leads not yet converted.
    #[serde(rename = "Not_Converted_Count", default)]
    pub waiting: u64,
    /// Leads that could not be converted.
    #[serde(rename = "Failed_Count", default)]
    pub failed: u64,
}

impl Client {
    /// Converts a lead. Heavy; 5 credits. Never sent again unless it was certainly not carried out.
    ///
    /// Zoho: "Convert lead", v8.
    ///
    /// # Errors
    /// [`Error::Invalid`] with `ID_ALREADY_CONVERTED` or `MAPPING_MISMATCH`; else as the variants say.
    pub async fn convert_lead(&self, id: &str, how: &Conversion) -> Result<Converted, Error> {
        ids_fit(&[id])?;
        let body = json!({ "data": [how.to_json()?] });
        let path = ["Leads", id, "actions", "convert"];
        let request = ApiRequest::post(&path).json(&body).items("data");
        let results = self
            .send_items(Call::Convert, Cost::heavy(CREDITS), &request, Some(1))
            .await?;
        let entry = only(results)?;
        if let Some(job_id) = text_at(&entry, "/details/job_id") {
            return Ok(Converted::Scheduled { job_id });
        }
        // The service says it in `details`; the general guide shows it beside `code`.
        let became = |module: LeadTarget| {
            let at = |place: &str| {
                let found = entry.pointer(&format!("{place}/{}", module.as_str()))?;
                Some(Became {
                    id: text_at(found, "/id").or_else(|| found.as_str().map(ToOwned::to_owned))?,
                    name: text_at(found, "/name"),
                })
            };
            at("/details").or_else(|| at(""))
        };
        Ok(Converted::Done {
            contact: became(LeadTarget::Contact),
            account: became(LeadTarget::Account),
            deal: became(LeadTarget::Deal),
        })
    }

    /// Converts up to [`LEADS_MAX`] leads in the background and gives the job's id.
    ///
    /// Zoho: "Mass convert leads", v8. Never sent again unless it was certainly not carried out.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn convert_leads(
        &self,
        ids: &[&str],
        deal: Option<&Values>,
    ) -> Result<String, Error> {
        ids_fit(ids)?;
        if !(1..=LEADS_MAX).contains(&ids.len()) {
            return Err(Self::wrong("a call converts 1 to 50 leads"));
        }
        let mut body = json!({ "ids": ids });
        if let (Some(members), Some(deal)) = (body.as_object_mut(), deal) {
            members.insert("Deals".to_owned(), Value::Object(deal.clone()));
        }
        let request = ApiRequest::post(&["Leads", "actions", "mass_convert"])
            .json(&body)
            .items("data");
        let results = self
            .send_items(Call::MassConvert, Cost::heavy(CREDITS), &request, Some(1))
            .await?;
        text_at(&only(results)?, "/details/job_id").ok_or(Error::Malformed {
            problem: "no id of the job",
        })
    }

    /// How far a conversion in the background is.
    ///
    /// Zoho: "Get mass convert status", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn conversion_status(&self, job_id: &str) -> Result<ConversionJob, Error> {
        ids_fit(&[job_id])?;
        let query = [("job_id", job_id)];
        let request = ApiRequest::get(&["Leads", "actions", "mass_convert"]).query(&query);
        let answer = self.send(Call::ConvertStatus, Cost::ONE, &request).await?;
        let mut body = answer.json()?;
        let entry = body.pointer_mut("/data/0").map(Value::take);
        let job = entry.and_then(|it| serde_json::from_value(it).ok());
        job.ok_or(Error::Malformed {
            problem: "no status of the job",
        })
    }
}

impl Conversion {
    fn to_json(&self) -> Result<Value, Error> {
        let mut body = Map::new();
        let flags = [
            ("overwrite", self.overwrite),
            ("notify_lead_owner", self.notify_lead_owner),
            ("notify_new_entity_owner", self.notify_new_entity_owner),
        ];
        for (name, flag) in flags {
            if let Some(flag) = flag {
                body.insert(name.to_owned(), flag.into());
            }
        }
        let targets = [
            (LeadTarget::Account, &self.account),
            (LeadTarget::Contact, &self.contact),
        ];
        for (module, target) in targets {
            let value = match target {
                None => continue,
                Some(Target::New(values)) => Value::Object(values.clone()),
                Some(Target::Existing(id)) => {
                    ids_fit(&[id])?;
                    json!({ "id": id })
                }
            };
            body.insert(module.as_str().to_owned(), value);
        }
        if let Some(deal) = &self.deal {
            body.insert("Deals".to_owned(), Value::Object(deal.clone()));
        }
        if let Some(user) = &self.assign_to {
            ids_fit(&[user])?;
            body.insert("assign_to".to_owned(), json!({ "id": user }));
        }
        if let Some(module) = self.move_attachments_to {
            let to = json!({ "api_name": module.as_str() });
            body.insert("move_attachments_to".to_owned(), to);
        }
        if !self.carry_over_tags.is_empty() {
            let mut tags = Map::new();
            for (module, names) in &self.carry_over_tags {
                let names: Vec<Value> = names.iter().map(|it| json!({ "name": it })).collect();
                tags.insert(module.as_str().to_owned(), names.into());
            }
            body.insert("carry_over_tags".to_owned(), tags.into());
        }
        Ok(Value::Object(body))
    }
}
