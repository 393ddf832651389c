//! Tags of modules, and of records.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Batch, Call, Client, Error, Listing, Page, Values,
    coql::{Select, field},
    items::Batches,
    page,
    parts::{count_at, ids_fit, module_fits, only, written_ids},
    request::{ApiRequest, Cost},
};

/// Records that one call adds tags to or removes them from. Zoho: "Add tags to records", v8.
pub const RECORDS_MAX: usize = 500;

/// Tags created or changed by one call. Zoho: "Create tags", v8.
pub const TAGS_MAX: usize = 100;

/// The longest name of a tag, in characters. Zoho: "Create tags", v8.
pub const NAME_CHARS_MAX: usize = 25;

/// A tag of a module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its colour as `#RRGGBB`; `None` for the default one.
    #[serde(default)]
    pub color_code: Option<String>,
}

/// A tag to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTag {
    /// Up to [`NAME_CHARS_MAX`] characters.
    pub name: String,
    /// One of Zoho's colours as `#RRGGBB`.
    pub color_code: Option<String>,
}

impl From<&str> for NewTag {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            color_code: None,
        }
    }
}

impl NewTag {
    fn to_json(&self) -> Value {
        match &self.color_code {
            Some(color) => json!({ "name": self.name, "color_code": color }),
            None => json!({ "name": self.name }),
        }
    }
}

impl Client {
    /// All tags of a module.
    ///
    /// Zoho: "Get tags", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn tags(&self, module: &str) -> Result<Page<Tag>, Error> {
        module_fits(module)?;
        let query = [("module", module)];
        let request = ApiRequest::get(&["settings", "tags"]).query(&query);
        let answer = self.send(Call::TagsList, Cost::ONE, &request).await?;
        page::page(&answer, "tags")?.try_map(|it| {
            serde_json::from_value(it).ok().ok_or(Error::Malformed {
                problem: "a tag without an id or a name",
            })
        })
    }

    /// Creates tags in a module and gives their ids. Not sent again unless it was certainly not carried out.
    ///
    /// Zoho: "Create tags", v8.
    ///
    /// # Errors
    /// As the variants say; a name that is there already fails alone with `DUPLICATE_DATA`.
    pub async fn create_tags(&self, module: &str, tags: &[NewTag]) -> Result<Batch<String>, Error> {
        module_fits(module)?;
        names_fit(tags.iter().map(|it| it.name.as_str()))?;
        let body = json!({ "tags": tags.iter().map(NewTag::to_json).collect::<Vec<_>>() });
        let query = [("module", module)];
        let request = ApiRequest::post(&["settings", "tags"])
            .query(&query)
            .json(&body)
            .items("tags");
        let results = self
            .send_items(Call::TagsCreate, Cost::ONE, &request, Some(tags.len()))
            .await?;
        Ok(written_ids(results))
    }

    /// Changes name and colour of tags, each with its id.
    ///
    /// Zoho: "Update tags", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn update_tags(&self, module: &str, tags: &[Tag]) -> Result<Batch<String>, Error> {
        module_fits(module)?;
        names_fit(tags.iter().map(|it| it.name.as_str()))?;
        let entries: Vec<Value> = tags.iter().map(changed).collect();
        let body = json!({ "tags": entries });
        let query = [("module", module)];
        let request = ApiRequest::put(&["settings", "tags"])
            .query(&query)
            .json(&body)
            .items("tags");
        let results = self
            .send_items(Call::TagsUpdate, Cost::ONE, &request, Some(tags.len()))
            .await?;
        Ok(written_ids(results))
    }

    /// Changes name and colour of one tag.
    ///
    /// Zoho: "Update tag", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn update_tag(&self, module: &str, tag: &Tag) -> Result<(), Error> {
        module_fits(module)?;
        ids_fit(&[&tag.id])?;
        names_fit([tag.name.as_str()])?;
        let body = json!({ "tags": [NewTag {
            name: tag.name.clone(),
            color_code: tag.color_code.clone(),
        }.to_json()] });
        let (path, query) = (["settings", "tags", tag.id.as_str()], [("module", module)]);
        let request = ApiRequest::put(&path)
            .query(&query)
            .json(&body)
            .items("tags");
        let results = self
            .send_items(Call::TagsUpdate, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// Deletes a tag, from all its records too.
    ///
    /// Zoho: "Delete tag", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn delete_tag(&self, id: &str) -> Result<(), Error> {
        ids_fit(&[id])?;
        let path = ["settings", "tags", id];
        let request = ApiRequest::delete(&path).items("tags");
        let results = self
            .send_items(Call::TagsDelete, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// How many records of a module have a tag.
    ///
    /// Zoho: "Get record count for tag", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn tag_count(&self, module: &str, id: &str) -> Result<u64, Error> {
        module_fits(module)?;
        ids_fit(&[id])?;
        let path = ["settings", "tags", id, "actions", "records_count"];
        let query = [("module", module)];
        let request = ApiRequest::get(&path).query(&query);
        let answer = self.send(Call::TagsCount, Cost::ONE, &request).await?;
        count_at(&answer.json()?, "/count").ok_or(Error::Malformed {
            problem: "no count of records",
        })
    }

    /// Adds tags to any number of records, 500 a call and 50 a credit; `replace` drops those they had. Results are in
    /// the order of `ids`.
    ///
    /// Zoho: "Add tags to records", v8. Tags that do not exist are created.
    ///
    /// # Errors
    /// When the first call fails; nothing after it was sent. The failure of a later call is that of its records, and
    /// the rest is not sent.
    pub async fn add_tags(
        &self,
        module: &str,
        ids: &[&str],
        tags: &[NewTag],
        replace: bool,
    ) -> Result<Batch<()>, Error> {
        let entries: Vec<Value> = tags.iter().map(NewTag::to_json).collect();
        let body = json!({ "tags": entries, "over_write": replace });
        names_fit(tags.iter().map(|it| it.name.as_str()))?;
        self.tag_records(Call::TagsAdd, module, ids, body).await
    }

    /// Removes tags from any number of records, as [`Self::add_tags`].
    ///
    /// Zoho: "Remove tags from records", v8.
    ///
    /// # Errors
    /// As [`Self::add_tags`].
    pub async fn remove_tags(
        &self,
        module: &str,
        ids: &[&str],
        names: &[&str],
    ) -> Result<Batch<()>, Error> {
        names_fit(names.iter().copied())?;
        let entries: Vec<Value> = names.iter().map(|it| json!({ "name": it })).collect();
        let body = json!({ "tags": entries });
        self.tag_records(Call::TagsRemove, module, ids, body).await
    }

    /// All records with a tag, by COQL, with these columns.
    ///
    /// # Errors
    /// As [`Self::select_all`].
    pub fn tagged(&self, module: &str, tag: &str, columns: &[&str]) -> Listing<Values> {
        let columns = columns.iter().map(|it| (*it).to_owned());
        self.select_all(Select::new(module, columns).filter(field("Tag").eq(tag)))
    }

    async fn tag_records(
        &self,
        call: Call,
        module: &str,
        ids: &[&str],
        mut body: Value,
    ) -> Result<Batch<()>, Error> {
        module_fits(module)?;
        ids_fit(ids)?;
        let action = if call == Call::TagsAdd {
            "add_tags"
        } else {
            "remove_tags"
        };
        let path = [module, "actions", action];
        let mut all = Batches::default();
        for ids in ids.chunks(RECORDS_MAX) {
            if all.has_stopped(ids.len()) {
                continue;
            }
            if let Some(members) = body.as_object_mut() {
                members.insert("ids".to_owned(), json!(ids));
            }
            let request = ApiRequest::post(&path).json(&body).items("data");
            let (cost, sent) = (Cost::tags(ids.len()), Some(ids.len()));
            let done = self.send_items(call, cost, &request, sent).await;
            let done = done.map(|it| it.into_iter().map(|it| it.map(drop)).collect());
            all.add(ids.len(), done)?;
        }
        Ok(all.finish())
    }
}

fn changed(tag: &Tag) -> Value {
    match &tag.color_code {
        Some(color) => json!({ "id": tag.id, "name": tag.name, "color_code": color }),
        None => json!({ "id": tag.id, "name": tag.name }),
    }
}

fn names_fit<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
    let mut count = 0;
    for name in names {
        count += 1;
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
            return Err(Client::wrong("a tag's name has 1 to 25 characters"));
        }
    }
    if (1..=TAGS_MAX).contains(&count) {
        return Ok(());
    }
    Err(Client::wrong("a call takes 1 to 100 tags"))
}
