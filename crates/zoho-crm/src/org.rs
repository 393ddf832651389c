//! The org: who it is, and what its edition allows.

use serde_json::Value;

use crate::{
    Call, Client, Edition, Error, Limits,
    records::Values,
    request::{ApiRequest, Cost},
};

/// An org.
#[derive(Clone, Debug, PartialEq)]
pub struct Org {
    /// Its id.
    pub id: String,
    /// Its number, which bulk uploads need (`X-CRM-ORG`).
    pub zgid: Option<String>,
    /// Its name.
    pub company_name: Option<String>,
    /// E.g. `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// `production`, `sandbox`, …
    pub kind: Option<String>,
    /// What was paid for.
    pub license: License,
    /// All that Zoho said, these too.
    pub raw: Values,
}

/// What was paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct License {
    /// Whether anything was.
    pub paid: Option<bool>,
    /// `free`, `professional`, `zohooneenterprise`, …
    pub paid_type: Option<String>,
    /// User licences.
    pub users: Option<u64>,
}

impl License {
    /// The edition; `None` where the word is not known.
    pub fn edition(&self) -> Option<Edition> {
        Edition::of_paid_type(self.paid_type.as_deref()?)
    }
}

impl Org {
    /// What this org allows one app: concurrency by edition, credits by edition and users, of which `reserve_percent`
    /// are never touched. `None` where the edition is not known.
    pub fn limits(&self, reserve_percent: u8) -> Option<Limits> {
        let edition = self.license.edition()?;
        Some(Limits {
            credits_daily: Some(edition.credits_daily(self.license.users.unwrap_or(0))),
            credits_reserve_percent: reserve_percent,
            ..Limits::for_edition(edition)
        })
    }

    fn read(entry: Value) -> Result<Self, Error> {
        let Value::Object(raw) = entry else {
            return Err(Error::Malformed {
                problem: "an org that is no object",
            });
        };
        let text = |key: &str| raw.get(key).and_then(text_of);
        let details = raw.get("license_details").unwrap_or(&Value::Null);
        let users = details.get("users_license_purchased");
        Ok(Self {
            id: text("id").ok_or(Error::Malformed {
                problem: "an org without an id",
            })?,
            zgid: text("zgid"),
            company_name: text("company_name"),
            time_zone: text("time_zone"),
            kind: text("type"),
            license: License {
                paid: details.get("paid").and_then(Value::as_bool),
                paid_type: details.get("paid_type").and_then(text_of),
                users: users.and_then(text_of).and_then(|it| it.parse().ok()),
            },
            raw,
        })
    }
}

/// A text, or a number as text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Client {
    /// The org of the token in use.
    ///
    /// Zoho: "Get organization data", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn org(&self) -> Result<Org, Error> {
        let request = ApiRequest::get(&["org"]);
        let answer = self.send(Call::Org, Cost::ONE, &request).await?;
        let mut body = answer.json()?;
        match body.get_mut("org").map(Value::take) {
            Some(Value::Array(list)) => {
                let first = list.into_iter().next();
                Org::read(first.unwrap_or_default())
            }
            Some(org @ Value::Object(_)) => Org::read(org),
            _ => Err(Error::Malformed {
                problem: "no org in the answer",
            }),
        }
    }

    /// Asks for the org and from then on keeps to what its edition allows, with the same reserve as before; an edition
    /// that is not known changes nothing. Calls already in flight are not touched.
    ///
    /// # Errors
    /// As [`Self::org`].
    pub async fn learn_limits(&self) -> Result<Org, Error> {
        let org = self.org().await?;
        let reserve = self.inner.credits.reserve_percent();
        match org.limits(reserve) {
            Some(limits) => self.set_limits(&limits)?,
            None => {
                tracing::warn!("the org's edition is not known: keeping the limits as they are");
            }
        }
        Ok(org)
    }

    /// Keeps to other limits from now on. Calls in flight are not touched.
    ///
    /// # Errors
    /// [`Error::Misuse`] where one of them is zero, which would wait for ever.
    pub fn set_limits(&self, limits: &Limits) -> Result<(), Error> {
        if limits.concurrency == 0 || limits.sub_concurrency == 0 {
            return Err(Self::wrong("a concurrency limit must be at least 1"));
        }
        self.inner.permits.set(limits);
        self.inner
            .credits
            .set(limits.credits_daily, limits.credits_reserve_percent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(paid_type: &str, users: u64) -> Option<(u64, usize, usize)> {
        let org = json!({"id": "554023000000000001", "license_details": {
            "paid": true, "paid_type": paid_type, "users_license_purchased": users,
        }});
        let limits = Org::read(org).unwrap().limits(20)?;
        Some((
            limits.credits_daily.unwrap(),
            limits.concurrency,
            limits.sub_concurrency,
        ))
    }

    #[test]
    fn every_edition_has_its_limits() {
        let cases = [
            ("free", 3, (5_000, 5, 10)),
            ("standard", 10, (52_500, 10, 10)),
            ("standard", 1000, (100_000, 10, 10)),
            ("professional", 10, (55_000, 15, 10)),
            ("professional", 10_000, (3_000_000, 15, 10)),
            ("enterprise", 10, (60_000, 20, 10)),
            ("zohooneenterprise", 10_000, (5_000_000, 20, 10)),
            ("ultimate", 10, (70_000, 25, 10)),
            ("crmplus", 10_000, (20_050_000, 25, 10)),
        ];
        for (paid_type, users, expected) in cases {
            assert_eq!(limits(paid_type, users), Some(expected), "{paid_type}");
        }
        assert_eq!(limits("bigin", 1), None);
    }

    #[test]
    fn an_org_without_a_license_is_still_an_org() {
        let org = Org::read(json!({"id": "1", "zgid": 7})).unwrap();
        assert_eq!(org.zgid.as_deref(), Some("7"));
        assert_eq!(org.limits(20), None);
        assert!(Org::read(json!({})).is_err());
        assert!(Org::read(Value::Null).is_err());
    }
}
