//! Related lists, timelines and locks of a record.

use serde_json::{Value, json};

use crate::{
    Call, Client, Error, Listing, Page, Values, page,
    parts::{PER_PAGE_MAX, fields_joined, ids_fit, module_fits, only, record_fits, values},
    request::{ApiRequest, Cost},
};

/// What of a timeline is asked for; all of it when empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineFilter {
    /// Zoho's `filters` parameter, as JSON.
    pub filters: Option<String>,
    /// Whether the oldest comes first.
    pub oldest_first: bool,
}

#[derive(Clone)]
enum Place {
    Number(u32),
    Token(String),
}

impl Client {
    /// All entries of a record's related list, such as the `Contacts` of an account, with 1 to 50 fields.
    ///
    /// Zoho: "Get related records", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn related(&self, module: &str, id: &str, list: &str, fields: &[&str]) -> Listing<Values> {
        self.related_all(Call::Related, [module, id, list], fields)
    }

    /// Relates a record to another one, with values of the relation.
    ///
    /// Zoho: "Update related records", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn relate(
        &self,
        [module, id, list, related]: [&str; 4],
        relation: Values,
    ) -> Result<(), Error> {
        record_fits(module, id)?;
        record_fits(list, related)?;
        let (path, body) = ([module, id, list, related], json!({ "data": [relation] }));
        let request = ApiRequest::put(&path).json(&body).items("data");
        let results = self
            .send_items(Call::RelatedUpdate, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// Takes a relation away; both records stay.
    ///
    /// Zoho: "Delink related records", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn unrelate(&self, [module, id, list, related]: [&str; 4]) -> Result<(), Error> {
        record_fits(module, id)?;
        record_fits(list, related)?;
        let path = [module, id, list, related];
        let request = ApiRequest::delete(&path).items("data");
        let results = self
            .send_items(Call::RelatedRemove, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// What happened to a record: who changed what, from which value to which, and what caused it.
    ///
    /// Zoho: "Timelines", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn timeline(&self, module: &str, id: &str, filter: TimelineFilter) -> Listing<Values> {
        let (client, module, id) = (self.clone(), module.to_owned(), id.to_owned());
        page::pages(Place::Number(1), move |place| {
            let (client, module, id) = (client.clone(), module.clone(), id.clone());
            let filter = filter.clone();
            async move {
                record_fits(&module, &id)?;
                let path = [module.as_str(), id.as_str(), "__timeline"];
                let order = if filter.oldest_first { "asc" } else { "desc" };
                let mut more = vec![("sort_by", "audited_time"), ("sort_order", order)];
                if let Some(filters) = &filter.filters {
                    more.push(("filters", filters));
                }
                let found = client
                    .listed(Call::Timeline, (&path, "__timeline"), &more, &place)
                    .await?;
                Ok(following(found, &place))
            }
        })
    }

    /// The locks of a record: who locked it, when and why.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn locks(&self, module: &str, id: &str, fields: &[&str]) -> Listing<Values> {
        self.related_all(
            Call::Locking,
            [module, id, "Locking_Information__s"],
            fields,
        )
    }

    /// Locks a record.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn lock(&self, module: &str, id: &str, reason: &str) -> Result<(), Error> {
        record_fits(module, id)?;
        let path = [module, id, "Locking_Information__s"];
        let body = json!({ "data": [{ "Locked_Reason__s": reason }] });
        let request = ApiRequest::post(&path).json(&body).items("data");
        let results = self
            .send_items(Call::Locking, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// Takes a lock away, by the lock's own id.
    ///
    /// Zoho: "Record locking", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn unlock(&self, module: &str, id: &str, lock: &str) -> Result<(), Error> {
        record_fits(module, id)?;
        ids_fit(&[lock])?;
        let path = [module, id, "Locking_Information__s", lock];
        let request = ApiRequest::delete(&path).items("data");
        let results = self
            .send_items(Call::Locking, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// All pages of the list at `/{module}/{id}/{list}`.
    pub(crate) fn related_all(
        &self,
        call: Call,
        path: [&str; 3],
        fields: &[&str],
    ) -> Listing<Values> {
        let (client, path) = (self.clone(), path.map(ToOwned::to_owned));
        let fields: Vec<String> = fields.iter().map(|it| (*it).to_owned()).collect();
        page::pages(Place::Number(1), move |place| {
            let (client, path, fields) = (client.clone(), path.clone(), fields.clone());
            async move {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                if let [module, id, list] = path.as_slice() {
                    record_fits(module, id)?;
                    module_fits(list)?;
                }
                let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                let fields = fields_joined(&fields)?;
                let query = [("fields", fields.as_str())];
                let found = client.listed(call, (&path, "data"), &query, &place).await?;
                Ok(following(found, &place))
            }
        })
    }

    async fn listed(
        &self,
        call: Call,
        (path, key): (&[&str], &str),
        more: &[(&str, &str)],
        place: &Place,
    ) -> Result<Page<Values>, Error> {
        let per_page = PER_PAGE_MAX.to_string();
        let number;
        let mut query = vec![("per_page", per_page.as_str())];
        query.extend_from_slice(more);
        query.push(match place {
            Place::Number(page) => {
                number = page.to_string();
                ("page", number.as_str())
            }
            Place::Token(token) => ("page_token", token),
        });
        let request = ApiRequest::get(path).query(&query);
        let answer = self.send(call, Cost::ONE, &request).await?;
        page::page(&answer, key)?.try_map(|it: Value| values(it))
    }
}

fn following(found: Page<Values>, place: &Place) -> (Vec<Values>, Option<Place>) {
    let next = match (found.next_page_token, place) {
        _ if !found.more => None,
        (Some(token), _) => Some(Place::Token(token)),
        (None, Place::Number(page)) => Some(Place::Number(page.saturating_add(1))),
        (None, Place::Token(_)) => None,
    };
    (found.items, next)
}
