//! Records with their long texts whole, and how many records there are.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{IDS_MAX, Values, check_place, records_in};
use crate::{
    Call, Client, Error, Listing,
    page::pages,
    request::{ApiRequest, Cost},
};

impl Client {
    /// Reads one record with its rich text whole; `None` when it is not there.
    ///
    /// Zoho: "Get full data of rich text fields", v8: `GET /{module}/{id}/actions/fetch_full_data`.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a call when module or id cannot be one; else as the variants say.
    pub async fn full_data(&self, module: &str, id: &str) -> Result<Option<Values>, Error> {
        check_place(module, &[id])?;
        let path = [module, id, "actions", "fetch_full_data"];
        let request = ApiRequest::get(&path);
        match self.send(Call::FullData, Cost::ONE, &request).await {
            Ok(answer) => Ok(records_in(&answer)?.into_iter().next()),
            Err(Error::Gone { .. }) => Ok(None),
            Err(Error::Invalid { code, .. }) if code.as_str() == "INVALID_DATA" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads any number of records with their rich text whole, a hundred a call. Ids that are not there are left out.
    ///
    /// Zoho: "Get full data of rich text fields", v8: `GET /{module}/actions/fetch_full_data?ids=`.
    pub fn full_data_by_ids(&self, module: &str, ids: &[&str]) -> Listing<Values> {
        if let Err(error) = check_place(module, ids) {
            return stream::iter([Err(error)]).boxed();
        }
        let batches: Vec<String> = ids.chunks(IDS_MAX).map(|it| it.join(",")).collect();
        let asked = Arc::new((self.clone(), module.to_owned()));
        stream::iter(batches)
            .flat_map(move |ids| {
                let asked = Arc::clone(&asked);
                pages(ids, move |ids| {
                    let asked = Arc::clone(&asked);
                    async move {
                        let (client, module) = &*asked;
                        let path = [module.as_str(), "actions", "fetch_full_data"];
                        let query = [("ids", ids.as_str())];
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
