//! Notes: of a record, and all of them.

use std::fmt;

use serde_json::{Value, json};

use crate::{
    Batch, Call, Client, Error, Listing, Values,
    listed::List,
    page,
    parts::{fields_joined, ids_fit, only, record_fits, values, written_id, written_ids},
    related::of_record,
    request::{ApiRequest, Cost},
};

/// Notes created or changed by one call. Zoho: "Create notes", v8.
pub const NOTES_MAX: usize = 100;

/// What a note says.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Its title, if it has one.
    pub title: Option<String>,
    /// Its text.
    pub content: String,
}

/// What it says is left out.
impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").finish_non_exhaustive()
    }
}

/// A note, and the record it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteOf {
    /// API name of the record's module.
    pub module: String,
    /// The record's id.
    pub record: String,
    /// What it says.
    pub note: Note,
}

impl Note {
    fn values(&self) -> Values {
        let mut values = Values::new();
        if let Some(title) = &self.title {
            values.insert("Note_Title".to_owned(), title.clone().into());
        }
        values.insert("Note_Content".to_owned(), self.content.clone().into());
        values
    }
}

impl Client {
    /// All notes of a record, the newest first, with 1 to 50 fields.
    ///
    /// Zoho: "Get notes of a record", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn notes_of(&self, module: &str, id: &str, fields: &[&str]) -> Listing<Values> {
        let list = of_record(Call::NotesList, [module, id, "Notes"], fields);
        self.listed(list, values)
    }

    /// All notes of the org, with 1 to 50 fields; for administrators.
    ///
    /// Zoho: "Get notes", v8.
    ///
    /// # Errors
    /// The stream ends with the first error.
    pub fn notes(&self, fields: &[&str]) -> Listing<Values> {
        let list = fields_joined(fields).map(|fields| List {
            call: Call::NotesList,
            path: vec!["Notes".to_owned()],
            key: "data",
            query: vec![("fields", fields)],
        });
        self.listed(list, values)
    }

    /// One note; `None` when there is none.
    ///
    /// Zoho: "Get a note", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn note(&self, id: &str, fields: &[&str]) -> Result<Option<Values>, Error> {
        ids_fit(&[id])?;
        let (path, fields) = (["Notes", id], fields_joined(fields)?);
        let query = [("fields", fields.as_str())];
        let request = ApiRequest::get(&path).query(&query);
        match self.send(Call::NotesOne, Cost::ONE, &request).await {
            Ok(answer) => {
                let found = page::page(&answer, "data")?.items;
                found.into_iter().next().map(values).transpose()
            }
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds a note to a record and gives its id. Not sent again unless it was certainly not carried out.
    ///
    /// Zoho: "Create notes of a record", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn add_note(&self, module: &str, id: &str, note: &Note) -> Result<String, Error> {
        record_fits(module, id)?;
        let (path, body) = ([module, id, "Notes"], json!({ "data": [note.values()] }));
        let request = ApiRequest::post(&path).json(&body).items("data");
        let results = self
            .send_items(Call::NotesCreate, Cost::ONE, &request, Some(1))
            .await?;
        written_id(&only(results)?)
    }

    /// Adds up to [`NOTES_MAX`] notes to records of any modules and gives their ids.
    ///
    /// Zoho: "Create notes", v8. Not sent again unless it was certainly not carried out.
    ///
    /// # Errors
    /// As the variants say; each note has its own result.
    pub async fn add_notes(&self, notes: &[NoteOf]) -> Result<Batch<String>, Error> {
        if !(1..=NOTES_MAX).contains(&notes.len()) {
            return Err(Self::wrong("a call takes 1 to 100 notes"));
        }
        let mut entries = Vec::with_capacity(notes.len());
        for it in notes {
            record_fits(&it.module, &it.record)?;
            let mut values = it.note.values();
            let parent = json!({ "module": { "api_name": it.module }, "id": it.record });
            values.insert("Parent_Id".to_owned(), parent);
            entries.push(values);
        }
        let body = json!({ "data": entries });
        let request = ApiRequest::post(&["Notes"]).json(&body).items("data");
        let cost = Cost::writes(notes.len());
        let results = self
            .send_items(Call::NotesCreate, cost, &request, Some(notes.len()))
            .await?;
        Ok(written_ids(results))
    }

    /// Changes a note.
    ///
    /// Zoho: "Update a note", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn update_note(&self, id: &str, note: &Note) -> Result<(), Error> {
        ids_fit(&[id])?;
        let (path, body) = (["Notes", id], json!({ "data": [note.values()] }));
        let request = ApiRequest::put(&path).json(&body).items("data");
        let results = self
            .send_items(Call::NotesUpdate, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }

    /// Deletes a note.
    ///
    /// Zoho: "Delete a note", v8.
    ///
    /// # Errors
    /// As the variants say.
    pub async fn delete_note(&self, id: &str) -> Result<(), Error> {
        ids_fit(&[id])?;
        let path = ["Notes", id];
        let request = ApiRequest::delete(&path).items("data");
        let results: Batch<Value> = self
            .send_items(Call::NotesDelete, Cost::ONE, &request, Some(1))
            .await?;
        only(results).map(drop)
    }
}
