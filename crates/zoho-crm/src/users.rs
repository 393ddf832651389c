//! The users of the org.

use serde_json::Value;

use crate::{
    Call, Client, Error, Listing,
    page::{Page, page, pages},
    records::{Values, is_record_id},
    request::{ApiRequest, Cost},
};

/// Users of a page. Zoho: "Get users", v8.
const PER_PAGE: &str = "200";

/// Which users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Zoho's")]
pub enum UserType {
    AllUsers,
    ActiveUsers,
    DeactiveUsers,
    ConfirmedUsers,
    NotConfirmedUsers,
    ActiveConfirmedUsers,
    AdminUsers,
    CurrentUser,
}

impl UserType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AllUsers,
        Self::ActiveUsers,
        Self::DeactiveUsers,
        Self::ConfirmedUsers,
        Self::NotConfirmedUsers,
        Self::ActiveConfirmedUsers,
        Self::AdminUsers,
        Self::CurrentUser,
    ];

    /// As Zoho writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllUsers => "AllUsers",
            Self::ActiveUsers => "ActiveUsers",
            Self::DeactiveUsers => "DeactiveUsers",
            Self::ConfirmedUsers => "ConfirmedUsers",
            Self::NotConfirmedUsers => "NotConfirmedUsers",
            Self::ActiveConfirmedUsers => "ActiveConfirmedUsers",
            Self::AdminUsers => "AdminUsers",
            Self::CurrentUser => "CurrentUser",
        }
    }

    /// The type with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their name.
    pub full_name: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// `active`, `disabled`, `deleted`, …
    pub status: Option<String>,
    /// Whether they took the invitation.
    pub confirmed: Option<bool>,
    /// Name of their role.
    pub role: Option<String>,
    /// Name of their profile.
    pub profile: Option<String>,
    /// E.g. `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// All that Zoho said, these too.
    pub raw: Values,
}

impl User {
    fn read(entry: Value) -> Result<Self, Error> {
        let Value::Object(raw) = entry else {
            return Err(Error::Malformed {
                problem: "a user who is no object",
            });
        };
        let text = |key: &str| raw.get(key)?.as_str().map(str::to_owned);
        let name = |key: &str| raw.get(key)?.get("name")?.as_str().map(str::to_owned);
        Ok(Self {
            id: text("id").ok_or(Error::Malformed {
                problem: "a user without an id",
            })?,
            full_name: text("full_name"),
            email: text("email"),
            status: text("status"),
            confirmed: raw.get("confirm").and_then(Value::as_bool),
            role: name("role"),
            profile: name("profile"),
            time_zone: text("time_zone"),
            raw,
        })
    }
}

impl Client {
    /// The users of one type, page by page.
    ///
    /// Zoho: "Get users", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn users(&self, users: UserType) -> Listing<User> {
        let client = self.clone();
        pages(1_u64, move |number| {
            let client = client.clone();
            async move {
                let number_text = number.to_string();
                let query = [
                    ("type", users.as_str()),
                    ("page", number_text.as_str()),
                    ("per_page", PER_PAGE),
                ];
                let found = client.users_page(&["users"], &query).await?;
                Ok((found.items, found.more.then_some(number + 1)))
            }
        })
    }

    /// One user; `None` when there is none with that id.
    ///
    /// Zoho: "Get users", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when the id cannot be one; else as the variants say.
    pub async fn user(&self, id: &str) -> Result<Option<User>, Error> {
        if !is_record_id(id) {
            return Err(Self::wrong("not a user's id"));
        }
        match self.users_page(&["users", id], &[]).await {
            Ok(found) => Ok(found.items.into_iter().next()),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The user whose consent the token stands for.
    ///
    /// Zoho: "Get users", v8 (`type=CurrentUser`).
    ///
    /// # Errors
    /// As the variants say.
    pub async fn current_user(&self) -> Result<User, Error> {
        let query = [("type", UserType::CurrentUser.as_str())];
        let found = self.users_page(&["users"], &query).await?;
        found.items.into_iter().next().ok_or(Error::Malformed {
            problem: "no current user",
        })
    }

    async fn users_page(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Page<User>, Error> {
        let request = ApiRequest::get(path).query(query);
        let answer = self.send(Call::Users, Cost::ONE, &request).await?;
        page(&answer, "users")?.try_map(User::read)
    }
}
