//! Deleting records, and emptying the recycle bin of some.

use serde_json::Value;

use super::{WRITTEN_MAX, check_place};
use crate::{
    Batch, Call, Client, Error, ItemError,
    items::{Batches, batch},
    request::{Accept, ApiRequest, Cost},
};

impl Client {
    /// Deletes any number of records, a hundred a call; they go to the recycle bin. `run_workflows` says whether
    /// workflow rules hear of it. A credit for a hundred.
    ///
    /// Zoho: "Delete records", v8. Results come in the order of `ids`; each is the id. A record that is not there is
    /// an `INVALID_DATA` of its own; so is one that was deleted by a call whose answer was lost, since it is sent again.
    ///
    /// # Errors
    /// When the first call fails; nothing after it was sent. The failure of a later call is that of its records, and
    /// the rest is not sent.
    pub async fn delete(
        &self,
        module: &str,
        ids: &[&str],
        run_workflows: bool,
    ) -> Result<Batch<String>, Error> {
        check_place(module, ids)?;
        let mut all = Batches::default();
        for ids in ids.chunks(WRITTEN_MAX) {
            if all.has_stopped(ids.len()) {
                continue;
            }
            let list = ids.join(",");
            let query = [("ids", list.as_str()), workflows(run_workflows)];
            let path = [module];
            let request = ApiRequest::delete(&path).query(&query).items("data");
            let cost = Cost::deletes(ids.len());
            let sent = Some(ids.len());
            let done = self.send_items(Call::Delete, cost, &request, sent).await;
            all.add(ids.len(), done.map(|it| deleted(it, ids)))?;
        }
        Ok(all.finish())
    }

    /// Deletes one record; it goes to the recycle bin.
    ///
    /// Zoho: "Delete records", v8.
    ///
    /// # Errors
    /// Whether the call failed or Zoho refused: [`ItemError::error`] says what to do.
    pub async fn delete_one(
        &self,
        module: &str,
        id: &str,
        run_workflows: bool,
    ) -> Result<(), ItemError> {
        check_place(module, &[id]).map_err(|error| ItemError::of_call(&error))?;
        let query = [workflows(run_workflows)];
        let path = [module, id];
        let request = ApiRequest::delete(&path).query(&query).items("data");
        let done = self
            .send_items(Call::Delete, Cost::ONE, &request, Some(1))
            .await;
        first(done)
    }

    /// Deletes records of the recycle bin for good, a hundred a call.
    ///
    /// Zoho: "Recycle bin", v8: `DELETE /settings/recycle_bin?ids=`. Without ids nothing is sent, since that would
    /// empty it.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn delete_from_recycle_bin(&self, ids: &[&str]) -> Result<Batch<String>, Error> {
        check_place("Leads", ids)?;
        let mut all = Batches::default();
        for ids in ids.chunks(WRITTEN_MAX) {
            if all.has_stopped(ids.len()) {
                continue;
            }
            let list = ids.join(",");
            let query = [("ids", list.as_str())];
            let request = ApiRequest::delete(&["settings", "recycle_bin"]).query(&query);
            let done = self.purge(&request, ids).await;
            all.add(ids.len(), done)?;
        }
        Ok(all.finish())
    }

    /// Deletes one record of the recycle bin for good.
    ///
    /// Zoho: "Recycle bin", v8: `DELETE /settings/recycle_bin/{id}`.
    ///
    /// # Errors
    /// As [`Self::delete_one`].
    pub async fn delete_one_from_recycle_bin(&self, id: &str) -> Result<(), ItemError> {
        check_place("Leads", &[id]).map_err(|error| ItemError::of_call(&error))?;
        let path = ["settings", "recycle_bin", id];
        first(self.purge(&ApiRequest::delete(&path), &[id]).await)
    }

    /// The key of the results is not documented beyond doubt: that of the resource, or the usual one.
    async fn purge(&self, request: &ApiRequest<'_>, ids: &[&str]) -> Result<Batch<String>, Error> {
        let request = request.clone().accept(Accept::Refusals);
        let cost = Cost::deletes(ids.len());
        let answer = self.send(Call::RecycleBin, cost, &request).await?;
        let named = !answer.is_empty() && answer.json()?.get("recycle_bin").is_some();
        let key = if named { "recycle_bin" } else { "data" };
        Ok(deleted(batch(&answer, key, Some(ids.len()))?, ids))
    }
}

const fn workflows(run: bool) -> (&'static str, &'static str) {
    ("wf_trigger", if run { "true" } else { "false" })
}

fn deleted(batch: Batch<Value>, ids: &[&str]) -> Batch<String> {
    let pairs = batch.into_iter().zip(ids);
    pairs
        .map(|(done, id)| done.map(|_| (*id).to_owned()))
        .collect()
}

fn first<T>(done: Result<Batch<T>, Error>) -> Result<(), ItemError> {
    let batch = done.map_err(|error| ItemError::of_call(&error))?;
    batch.into_iter().try_for_each(|it| it.map(drop))
}
