//! Related lists of a record: what is in them, and relating records.

use serde_json::Value;

use crate::{
    Call, Client, Error, Listing, Values,
    listed::List,
    page,
    parts::{fields_joined, module_fits, only, record_fits, text_at, values},
    request::{ApiRequest, Cost},
};

/// A related list that a module's records have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelatedList {
    /// Its id.
    pub id: String,
    /// What calls name it by.
    pub api_name: String,
    /// What people see.
    pub label: String,
    /// API name of the module whose records are in it, where there is one.
    pub module: Option<String>,
}

/// A record in the related list of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation<'a> {
    /// API name of the module of the record that has the list.
    pub module: &'a str,
    /// Id of the record that has the list.
    pub id: &'a str,
    /// The list's API name.
    pub list: &'a str,
    /// Id of the record in the list.
    pub related_id: &'a str,
}

impl<'a> Relation<'a> {
    fn path(&self) -> Result<[&'a str; 4], Error> {
        record_fits(self.module, self.id)?;
        record_fits(self.list, self.related_id)?;
        Ok([self.module, self.id, self.list, self.related_id])
    }
}

impl Client {
    /// The related lists that a module's records have.
    ///
    /// Zoho: "Related lists metadata", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn related_lists(&self, module: &str) -> Result<Vec<RelatedList>, Error> {
        module_fits(module)?;
        let query = [("module", module)];
        let request = ApiRequest::get(&["settings", "related_lists"]).query(&query);
        let answer = self.send(Call::Related, Cost::ONE, &request).await?;
        let lists = page::page(&answer, "related_lists")?.try_map(|it| related_list(&it))?;
        Ok(lists.items)
    }

    /// All entries of a record's related list, such as the `Contacts` of an account, with 1 to 50 fields.
    ///
    /// Zoho: "Get related records", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn related(&self, module: &str, id: &str, list: &str, fields: &[&str]) -> Listing<Values> {
        self.listed(of_record(Call::Related, [module, id, list], fields), values)
    }

    /// Relates a record to another one, or changes how it is related; `values` are those of the relation.
    ///
    /// Zoho: "Update related records", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn relate(&self, relation: &Relation<'_>, values: Values) -> Result<(), Error> {
        let (path, body) = (relation.path()?, serde_json::json!({ "data": [values] }));
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
    pub async fn unrelate(&self, relation: &Relation<'_>) -> Result<(), Error> {
        let path = relation.path()?;
        let request = ApiRequest::delete(&path).items("data");
        let results = self
            .send_items(Call::RelatedRemove, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }
}

/// The list at `/{module}/{id}/{list}`.
pub(crate) fn of_record(call: Call, path: [&str; 3], fields: &[&str]) -> Result<List, Error> {
    let [module, id, list] = path;
    record_fits(module, id)?;
    module_fits(list)?;
    Ok(List {
        call,
        path: path.map(ToOwned::to_owned).into(),
        key: "data",
        query: vec![("fields", fields_joined(fields)?)],
    })
}

fn related_list(entry: &Value) -> Result<RelatedList, Error> {
    let malformed = Error::Malformed {
        problem: "a related list without an id or a name",
    };
    let text = |pointer| text_at(entry, pointer);
    let api_name = text("/api_name").ok_or(malformed.clone())?;
    Ok(RelatedList {
        id: text("/id").ok_or(malformed)?,
        label: text("/display_label").unwrap_or_else(|| api_name.clone()),
        module: text("/module/api_name"),
        api_name,
    })
}
