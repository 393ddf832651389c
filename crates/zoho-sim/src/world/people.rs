//! Who writes records: the users of the org.

use serde_json::{Value, json};

/// A user of the org.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The user who gave the API client its consent: writes that come over the API.
    Integration,
    /// A person at work in the CRM: writes that the program holding the simulator makes.
    Person,
}

impl Who {
    pub(crate) const ALL: [Self; 2] = [Self::Integration, Self::Person];

    pub(crate) fn id(self, org: u64) -> String {
        let number = match self {
            Self::Integration => 1_001,
            Self::Person => 1_002,
        };
        (org + number).to_string()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Integration => "Rosa Lark",
            Self::Person => "Jane Doe",
        }
    }

    pub(crate) fn email(self) -> &'static str {
        match self {
            Self::Integration => "rosa.lark@example.com",
            Self::Person => "jane.doe@example.com",
        }
    }

    /// As in `Owner`, `Created_By` and `Modified_By` of a record that is read.
    pub(crate) fn with_email(self, org: u64) -> Value {
        json!({"name": self.name(), "id": self.id(org), "email": self.email()})
    }

    /// As in the answer to a write.
    pub(crate) fn without_email(self, org: u64) -> Value {
        json!({"name": self.name(), "id": self.id(org)})
    }

    pub(crate) fn to_json(self, org: u64) -> Value {
        let (first, last) = self.name().split_once(' ').unwrap_or((self.name(), ""));
        json!({
            "id": self.id(org),
            "full_name": self.name(),
            "first_name": first,
            "last_name": last,
            "email": self.email(),
            "status": "active",
            "confirm": true,
            "microsoft": false,
            "zuid": (org / 1_000 + u64::from(self == Self::Person)).to_string(),
            "role": {"name": "CEO", "id": (org + 901).to_string()},
            "profile": {"name": "Administrator", "id": (org + 911).to_string()},
            "language": "en_US",
            "locale": "en_US",
            "country_locale": "en_US",
            "time_zone": "Asia/Kolkata",
            "date_format": "MM/dd/yyyy",
            "time_format": "hh:mm a",
            "offset": 19_800_000,
        })
    }
}
