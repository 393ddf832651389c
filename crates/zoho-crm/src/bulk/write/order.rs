//! What a bulk write is to do.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{
    super::callback,
    csv_zip::{COLUMNS_MAX, CsvZip},
};
use crate::{Client, Error, parts::module_fits, records::is_api_name};

/// Files of one job that are sent; more were never seen.
const RESOURCES_MAX: usize = 10;

/// What becomes of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOperation {
    /// New records.
    Insert,
    /// Changes of records, found by a field.
    Update,
    /// Changes of records that are found, new records else.
    Upsert,
}

impl WriteOperation {
    /// `insert`, `update`, `upsert`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
        }
    }
}

/// A bulk write.
#[derive(Clone, PartialEq)]
pub struct BulkWrite {
    /// What becomes of the rows.
    pub operation: WriteOperation,
    /// What is read; one resource for each module.
    pub resources: Vec<WriteResource>,
    /// Whether empty cells leave a field as it is, rather than empty it.
    pub ignore_empty: Option<bool>,
    /// The file's encoding, if it is not UTF-8.
    pub character_encoding: Option<String>,
    /// URL that Zoho posts the job to at its end. Put a secret into it: Zoho signs nothing.
    pub callback: Option<String>,
}

/// Which rows become records of which module.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteResource {
    /// The module's API name.
    pub module: String,
    /// Id of the file, from [`Client::upload_csv`].
    pub file_id: String,
    /// Names of the CSV files in it that are meant; needed where there are several.
    pub file_names: Vec<String>,
    /// API name of the field that finds the records to change: `id`, or a unique one.
    pub find_by: Option<String>,
    /// Which column is which field; Zoho goes by the head of the file when empty.
    pub columns: Vec<ColumnMapping>,
}

/// A column and its field, or a value that all rows get.
#[derive(Clone, PartialEq)]
pub struct ColumnMapping {
    /// The field's API name.
    pub field: String,
    /// The column, the first being 0.
    pub index: Option<u32>,
    /// What is written where the column has nothing, or where there is no column.
    pub default_value: Option<Value>,
    /// API name of the field that finds the record a lookup names.
    pub find_by: Option<String>,
    /// The format of a date or time.
    pub format: Option<String>,
}

/// The value may be a record's, and is left out.
impl fmt::Debug for ColumnMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnMapping")
            .field("field", &self.field)
            .field("index", &self.index)
            .field("find_by", &self.find_by)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl ColumnMapping {
    /// The field in this column, the first being 0.
    pub fn of(field: &str, index: u32) -> Self {
        Self {
            field: field.to_owned(),
            index: Some(index),
            default_value: None,
            find_by: None,
            format: None,
        }
    }

    fn to_json(&self) -> Result<Value, Error> {
        let names = [Some(&self.field), self.find_by.as_ref()];
        if !names.into_iter().flatten().all(|it| is_api_name(it)) {
            return Err(Client::wrong("not a field's name"));
        }
        let mut mapping = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                mapping.insert(name.to_owned(), value);
            }
        };
        put("api_name", Some(self.field.clone().into()));
        put("index", self.index.map(Value::from));
        let default = self.default_value.as_ref();
        put("default_value", default.map(|it| json!({ "value": it })));
        put("find_by", self.find_by.clone().map(Value::from));
        put("format", self.format.clone().map(Value::from));
        Ok(Value::Object(mapping))
    }
}

impl WriteResource {
    /// An uploaded file whose columns are called like the fields.
    pub fn of(module: &str, file_id: &str, csv: &CsvZip) -> Self {
        let columns = csv.columns().iter().zip(0..);
        Self {
            module: module.to_owned(),
            file_id: file_id.to_owned(),
            file_names: vec![],
            find_by: None,
            columns: columns
                .map(|(name, index)| ColumnMapping::of(name, index))
                .collect(),
        }
    }

    fn to_json(&self) -> Result<Value, Error> {
        module_fits(&self.module)?;
        if self.file_id.is_empty() {
            return Err(Client::wrong("a bulk write needs a file's id"));
        }
        if self.columns.len() > COLUMNS_MAX {
            return Err(Client::wrong("a bulk write has at most 200 columns"));
        }
        let mut resource = Map::new();
        let mut put = |name: &str, value: Value| {
            resource.insert(name.to_owned(), value);
        };
        put("type", "data".into());
        put("module", json!({ "api_name": self.module }));
        put("file_id", self.file_id.clone().into());
        if !self.file_names.is_empty() {
            put("file_names", self.file_names.clone().into());
        }
        if let Some(field) = &self.find_by {
            if !is_api_name(field) {
                return Err(Client::wrong("not a field's name"));
            }
            put("find_by", field.clone().into());
        }
        if !self.columns.is_empty() {
            let columns = self.columns.iter().map(ColumnMapping::to_json);
            put("field_mappings", columns.collect::<Result<_, _>>()?);
        }
        Ok(Value::Object(resource))
    }
}

impl BulkWrite {
    /// A write of one resource.
    pub fn new(operation: WriteOperation, resource: WriteResource) -> Self {
        Self {
            operation,
            resources: vec![resource],
            ignore_empty: None,
            character_encoding: None,
            callback: None,
        }
    }

    pub(super) fn to_json(&self) -> Result<Value, Error> {
        if !(1..=RESOURCES_MAX).contains(&self.resources.len()) {
            return Err(Client::wrong("a bulk write has 1 to 10 resources"));
        }
        let finds = self.resources.iter().all(|it| it.find_by.is_some());
        if self.operation != WriteOperation::Insert && !finds {
            return Err(Client::wrong(
                "an update or upsert says by what to find records",
            ));
        }
        let resources = self.resources.iter().map(WriteResource::to_json);
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_owned(), value);
        };
        put("operation", self.operation.as_str().into());
        put("resource", resources.collect::<Result<_, _>>()?);
        if let Some(flag) = self.ignore_empty {
            put("ignore_empty", flag.into());
        }
        if let Some(encoding) = &self.character_encoding {
            put("character_encoding", encoding.clone().into());
        }
        if let Some(url) = &self.callback {
            put("callback", callback(url)?);
        }
        Ok(Value::Object(body))
    }
}

/// The callback, which holds a secret, is left out.
impl fmt::Debug for BulkWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkWrite")
            .field("operation", &self.operation)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}
