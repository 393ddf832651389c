//! Records with their long texts whole, and how many records there are.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{IDS_MAX, Values, check_fields, check_place, records_in};
use crate::{
    Call, Client, Error, Listing,
    page::pages,
    request::{ApiRequest, Cost},
};

/// Fields of one call for many records. Zoho: "Get rich text fields", v8.
const RICH_TEXTS_MAX: usize = 8;

impl Client {
    /// Reads rich text fields of one record whole, where other reads cut them; all of them if none is named. `None`
    /// when the record is not there.
    ///
    /// Zoho: "Get rich text fields", v8: `GET /{module}/{id}/actions/fetch_full_data`.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when module or id cannot be one; else as the variants say.
    pub async fn full_data(
        &self,
        module: &str,
        id: &str,
        fields: &[&str],
    ) -> Result<Option<Values>, Error> {
        check_place(module, &[id])?;
        check_fields(fields)?;
        let path = [module, id, "actions", "fetch_full_data"];
        let fields = fields.join(",");
        let query = [("fields", fields.as_str())];
        let query = if fields.is_empty() { &[][..] } else { &query };
        let request = ApiRequest::get(&path).query(query);
        match self.send(Call::FullData, Cost::ONE, &request).await {
            Ok(answer) => Ok(records_in(&answer)?.into_iter().next()),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads 1 to 8 rich text fields of any number of records whole, a hundred records a call. Ids that are not there
    /// are left out.
    ///
    /// Zoho: "Get rich text fields", v8: `GET /{module}/actions/fetch_full_data?ids=&fields=`.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn full_data_by_ids(&self, module: &str, ids: &[&str], fields: &[&str]) -> Listing<Values> {
        let fits = (1..=RICH_TEXTS_MAX).contains(&fields.len());
        let checked = match check_place(module, ids) {
            Ok(()) if fits => check_fields(fields),
            Ok(()) => Err(Self::wrong("1 to 8 rich text fields are read at once")),
            Err(error) => Err(error),
        };
        if let Err(error) = checked {
            return stream::iter([Err(error)]).boxed();
        }
        let batches: Vec<String> = ids.chunks(IDS_MAX).map(|it| it.join(",")).collect();
        let asked = Arc::new((self.clone(), module.to_owned(), fields.join(",")));
        stream::iter(batches)
            .flat_map(move |ids| {
                let asked = Arc::clone(&asked);
                pages(ids, move |ids| {
                    let asked = Arc::clone(&asked);
                    async move {
                        let (client, module, fields) = &*asked;
                        let path = [module.as_str(), "actions", "fetch_full_data"];
                        let query = [("ids", ids.as_str()), ("fields", fields.as_str())];
                        let request = ApiRequest::get(&path).query(&query);
                        let answer = client.send(Call::FullData, Cost::ONE, &request).await?;
                        Ok((records_in(&answer)?, None))
                    }
                })
            })
            .boxed()
    }

    /// How many records a module has.
    ///
    /// Zoho: "Get record count", v8: `GET /{module}/actions/count`.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn count(&self, module: &str) -> Result<u64, Error> {
        check_place(module, &[])?;
        let path = [module, "actions", "count"];
        let request = ApiRequest::get(&path);
        let answer = self.send(Call::Count, Cost::ONE, &request).await?;
        let count = answer.json()?.get("count").and_then(Value::as_u64);
        count.ok_or(Error::Malformed {
            problem: "no count",
        })
    }
}
