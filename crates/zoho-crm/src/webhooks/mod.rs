//! Workflow webhooks: actions that workflow rules, blueprints and the like carry out.

mod content;
mod failures;
mod request;
mod usage;
mod webhook;

pub use self::{
    content::{
        CUSTOM_PARAMETERS_MAX, MODULE_PARAMETERS_MAX, Parameters, RAW_CHARS_MAX, RawFormat,
        WebhookBody, WebhookRequest, merge_field,
    },
    failures::{FAILURES_DAYS_MAX, FailureQuery, WebhookFailure},
    request::{
        Authentication, DateTimeFormat, FeatureType, ModuleRef, NewWebhook, WEBHOOK_NAME_CHARS_MAX,
        WEBHOOK_URL_CHARS_MAX, WebhookPatch,
    },
    usage::{UsageGroup, WebhookUsage},
    webhook::{Named, Webhook},
};

use serde_json::{Value, json};

use self::webhook::id_of;
use crate::{
    Batch, Call, Client, Error, Listing,
    page::{page, pages},
    records::{Values, is_record_id},
    request::{ApiRequest, Cost},
};

/// Webhooks deleted in one call. Zoho: "Delete webhooks", v8.
pub const WEBHOOKS_DELETE_MAX: usize = 10;

/// Entries of a page.
const PER_PAGE: &str = "200";

const PATH: [&str; 3] = ["settings", "automation", "webhooks"];
const FAILURES: [&str; 3] = ["settings", "automation", "webhook_failures"];

impl Client {
    /// Makes a webhook and gives its id. It does nothing until a workflow rule or the like uses it. The user needs the
    /// permission "Manage Workflow", else [`Error::Forbidden`].
    ///
    /// Zoho: "Create webhook", v8. Not repeated where nobody knows whether it was carried out.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when it breaks a limit; else as the variants say.
    pub async fn create_webhook(&self, webhook: &NewWebhook<'_>) -> Result<String, Error> {
        let body = json!({ "webhooks": [webhook.to_json()?] });
        let request = ApiRequest::post(&PATH).json(&body);
        self.one_webhook(Call::WebhooksCreate, request).await
    }

    /// Changes what is given of a webhook; its module stays.
    ///
    /// Zoho: "Update webhook", v8 (PUT).
    ///
    /// # Errors
    /// As [`Self::create_webhook`].
    pub async fn update_webhook(&self, id: &str, changes: &WebhookPatch<'_>) -> Result<(), Error> {
        let path = under(id)?;
        let body = json!({ "webhooks": [changes.to_json()?] });
        let request = ApiRequest::put(&path).json(&body);
        self.one_webhook(Call::WebhooksUpdate, request).await?;
        Ok(())
    }

    /// One webhook; `None` when it is not there.
    ///
    /// Zoho: "Get webhook", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn webhook(&self, id: &str) -> Result<Option<Webhook>, Error> {
        let path = under(id)?;
        let request = ApiRequest::get(&path);
        let answer = match self.send(Call::WebhooksOne, Cost::ONE, &request).await {
            Ok(answer) => answer,
            Err(error) if error.is_gone() => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = page(&answer, "webhooks")?.try_map(Webhook::read)?;
        Ok(found.items.into_iter().next())
    }

    /// All webhooks, page by page.
    ///
    /// Zoho: "Get webhooks", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn webhooks(&self) -> Listing<Webhook> {
        let client = self.clone();
        pages(1_u64, move |number| {
            let client = client.clone();
            async move {
                let number_text = number.to_string();
                let query = [("page", number_text.as_str()), ("per_page", PER_PAGE)];
                let request = ApiRequest::get(&PATH).query(&query);
                let answer = client.send(Call::WebhooksList, Cost::ONE, &request).await?;
                let found = page(&answer, "webhooks")?.try_map(Webhook::read)?;
                Ok((found.items, found.more.then_some(number + 1)))
            }
        })
    }

    /// Deletes up to [`WEBHOOKS_DELETE_MAX`] webhooks; those that a rule uses stay. One result an id.
    ///
    /// Zoho: "Delete webhooks", v8.
    ///
    /// # Errors
    /// As [`Self::create_webhook`].
    pub async fn delete_webhooks(&self, ids: &[&str]) -> Result<Batch<()>, Error> {
        if !(1..=WEBHOOKS_DELETE_MAX).contains(&ids.len()) {
            return Err(Self::wrong("a call deletes 1 to 10 webhooks"));
        }
        if !ids.iter().all(|it| is_record_id(it)) {
            return Err(Self::wrong("not a webhook's id"));
        }
        let joined = ids.join(",");
        let query = [("ids", joined.as_str())];
        let request = ApiRequest::delete(&PATH).query(&query).items("webhooks");
        let results = self
            .send_items(Call::WebhooksDelete, Cost::ONE, &request, Some(ids.len()))
            .await?;
        Ok(results.into_iter().map(|it| it.map(drop)).collect())
    }

    /// Deletes one webhook.
    ///
    /// Zoho: "Delete webhook", v8.
    ///
    /// # Errors
    /// As [`Self::create_webhook`].
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Error> {
        let path = under(id)?;
        let request = ApiRequest::delete(&path);
        self.one_webhook(Call::WebhooksDelete, request).await?;
        Ok(())
    }

    /// The modules that have webhooks, as Zoho gives them.
    ///
    /// Zoho: "Get associated modules of webhooks", v8. The shape of an entry is not published: it is given as it is.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn webhook_modules(&self) -> Result<Vec<Values>, Error> {
        let [settings, automation, webhooks] = PATH;
        let path = [
            settings,
            automation,
            webhooks,
            "actions",
            "associated_modules",
        ];
        let request = ApiRequest::get(&path);
        let answer = self.send(Call::WebhookModules, Cost::ONE, &request).await?;
        if answer.is_empty() {
            return Ok(vec![]);
        }
        usage::first_list(answer.json()?)
    }

    /// How many calls webhooks made lately, and how many they may make a day.
    ///
    /// Zoho: "Get usage reports of webhooks", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn webhook_usage(&self, group: UsageGroup) -> Result<WebhookUsage, Error> {
        let [settings, automation, webhooks] = PATH;
        let path = [settings, automation, webhooks, "actions", "usage_reports"];
        let query = [("group_by", group.as_str())];
        let request = ApiRequest::get(&path).query(&query);
        let answer = self.send(Call::WebhookUsage, Cost::ONE, &request).await?;
        if answer.is_empty() {
            return Ok(WebhookUsage::default());
        }
        WebhookUsage::read(answer.json()?)
    }

    /// Deliveries that failed, page by page: each names the record whose event was lost. Nothing says that Zoho
    /// repeats them.
    ///
    /// Zoho: "Get webhook failures", v8.
    ///
    /// # Errors
    /// [`Error::Misuse`] where the query breaks a limit; else as the variants say.
    pub fn webhook_failures(
        &self,
        query: &FailureQuery<'_>,
    ) -> Result<Listing<WebhookFailure>, Error> {
        let filter = query.checked()?;
        let client = self.clone();
        Ok(pages(1_u64, move |number| {
            let (client, filter) = (client.clone(), filter.clone());
            async move {
                let number_text = number.to_string();
                let mut query = vec![("page", number_text.as_str()), ("per_page", PER_PAGE)];
                query.extend(filter.iter().map(|(key, value)| (*key, value.as_str())));
                let request = ApiRequest::get(&FAILURES).query(&query);
                let answer = client
                    .send(Call::WebhookFailures, Cost::ONE, &request)
                    .await?;
                let found =
                    page(&answer, "webhook_failures")?.try_map(|it| WebhookFailure::read(&it))?;
                Ok((found.items, found.more.then_some(number + 1)))
            }
        }))
    }

    /// Sends what is answered for one webhook, and gives its id.
    async fn one_webhook(&self, call: Call, request: ApiRequest<'_>) -> Result<String, Error> {
        let request = request.items("webhooks");
        let mut results = self.send_items(call, Cost::ONE, &request, Some(1)).await?;
        let entry: Value = match results.pop() {
            Some(result) => result?,
            None => Value::Null,
        };
        let details = entry.get("details").unwrap_or(&Value::Null);
        id_of(details).ok_or(Error::Malformed {
            problem: "a webhook without its id",
        })
    }
}

fn under(id: &str) -> Result<[&str; 4], Error> {
    if !is_record_id(id) {
        return Err(Client::wrong("not a webhook's id"));
    }
    let [settings, automation, webhooks] = PATH;
    Ok([settings, automation, webhooks, id])
}
