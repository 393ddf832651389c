//! A module and its fields, as the metadata API describes them.

use serde_json::{Value, json};

use super::catalogue::COMMON;

/// A field as the built-in catalogue writes it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) data_type: DataType,
    pub(crate) mandatory: bool,
    pub(crate) unique: bool,
    pub(crate) read_only: bool,
    /// The module a lookup points to; empty for others.
    pub(crate) target: &'static str,
    pub(crate) choices: &'static [&'static str],
}

/// The types of fields, each with its `data_type` and `json_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataType {
    Text,
    Email,
    Phone,
    Website,
    TextArea,
    RichText,
    Picklist,
    MultiPicklist,
    Integer,
    BigInt,
    Double,
    Currency,
    Percent,
    Boolean,
    Date,
    DateTime,
    Lookup,
    Owner,
    Subform,
    AutoNumber,
    Tags,
}

/// A field of a module.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the metadata has them one by one"
)]
pub(crate) struct Field {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) mandatory: bool,
    pub(crate) unique: bool,
    pub(crate) read_only: bool,
    pub(crate) target: Option<String>,
    pub(crate) choices: &'static [&'static str],
    custom: bool,
}

/// A module as the built-in catalogue writes it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModuleDefinition {
    pub(crate) name: &'static str,
    pub(crate) singular: &'static str,
    /// The field whose value names a record; empty for `Full_Name`.
    pub(crate) name_field: &'static str,
    /// The field upsert checks unless told otherwise; empty for none.
    pub(crate) duplicate_check: &'static str,
    /// Whether the Notification API covers it.
    pub(crate) watchable: bool,
    pub(crate) fields: &'static [Definition],
}

/// A module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) id: u64,
    field_ids: u64,
    pub(crate) name: String,
    singular: String,
    pub(crate) name_field: String,
    pub(crate) duplicate_check: String,
    pub(crate) watchable: bool,
    pub(crate) fields: Vec<Field>,
    custom: bool,
}

/// Where the ids of modules, fields and choices begin within the org's ids, and how many fields a
/// module has room for.
const MODULE_IDS: u64 = 2_000;
const FIELD_IDS: u64 = 100_000;
const FIELDS_EACH: u64 = 1_000;
const CHOICE_IDS: u64 = 1_000_000_000;

impl Definition {
    pub(crate) const fn new(name: &'static str, data_type: DataType) -> Self {
        Self {
            name,
            data_type,
            mandatory: false,
            unique: false,
            read_only: false,
            target: "",
            choices: &[],
        }
    }

    pub(crate) const fn choice(name: &'static str, choices: &'static [&'static str]) -> Self {
        let mut definition = Self::new(name, DataType::Picklist);
        definition.choices = choices;
        definition
    }

    pub(crate) const fn lookup(name: &'static str, target: &'static str) -> Self {
        let mut definition = Self::new(name, DataType::Lookup);
        definition.target = target;
        definition
    }

    pub(crate) const fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    pub(crate) const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(crate) const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

impl DataType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Tags => "text",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Website => "website",
            Self::TextArea | Self::RichText => "textarea",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multiselectpicklist",
            Self::Integer => "integer",
            Self::BigInt => "bigint",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Lookup => "lookup",
            Self::Owner => "ownerlookup",
            Self::Subform => "subform",
            Self::AutoNumber => "autonumber",
        }
    }

    fn json_type(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Double | Self::Currency | Self::Percent => "double",
            Self::Boolean => "boolean",
            Self::Lookup | Self::Owner => "jsonobject",
            Self::MultiPicklist | Self::Subform | Self::Tags => "jsonarray",
            Self::Text
            | Self::Email
            | Self::Phone
            | Self::Website
            | Self::TextArea
            | Self::RichText
            | Self::Picklist
            | Self::BigInt
            | Self::Date
            | Self::DateTime
            | Self::AutoNumber => "string",
        }
    }

    /// Longest value in characters, in digits for numbers.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Phone => 30,
            Self::Email => 100,
            Self::Picklist | Self::Lookup | Self::Owner | Self::AutoNumber => 120,
            Self::Website => 450,
            Self::TextArea => 32_000,
            Self::RichText => 100_000,
            Self::Integer => 9,
            Self::Double | Self::Currency | Self::BigInt => 19,
            Self::Percent => 5,
            Self::Boolean => 1,
            Self::Date => 10,
            Self::DateTime => 25,
            Self::Subform | Self::MultiPicklist | Self::Tags => 2_000,
            Self::Text => 255,
        }
    }

    /// The type for a field that is known by one value only, as in a loaded snapshot.
    fn guess(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_i64() => Self::Integer,
            Value::Number(_) => Self::Double,
            Value::Array(items) if items.iter().any(Value::is_object) => Self::Subform,
            Value::Array(_) => Self::MultiPicklist,
            Value::Object(_) => Self::Lookup,
            Value::String(_) | Value::Null => Self::Text,
        }
    }
}

impl Field {
    fn standard(id: u64, definition: &Definition) -> Self {
        Self {
            id,
            name: definition.name.to_owned(),
            data_type: definition.data_type,
            mandatory: definition.mandatory,
            unique: definition.unique,
            read_only: definition.read_only,
            target: (!definition.target.is_empty()).then(|| definition.target.to_owned()),
            choices: definition.choices,
            custom: false,
        }
    }

    /// Whether lists give it: subforms come only with a single read.
    pub(crate) fn in_lists(&self) -> bool {
        self.data_type != DataType::Subform
    }

    pub(crate) fn to_json(&self) -> Value {
        let label = self.name.replace('_', " ");
        let choices: Vec<Value> = self
            .choices
            .iter()
            .enumerate()
            .map(|(at, choice)| {
                json!({
                    "id": (self.id + CHOICE_IDS * (1 + u64::try_from(at).unwrap_or_default())).to_string(),
                    "display_value": choice,
                    "actual_value": choice,
                    "reference_value": choice,
                    "sequence_number": at + 1,
                    "type": "used",
                })
            })
            .collect();
        let lookup = self.target.as_ref().map_or_else(
            || json!({}),
            |target| json!({"module": {"api_name": target}, "display_label": target, "api_name": self.name}),
        );
        let subform = (self.data_type == DataType::Subform)
            .then(|| json!({"module": self.name, "api_name": self.name}));
        let text_area = if self.data_type == DataType::RichText {
            json!({"type": "rich_text"})
        } else if self.data_type == DataType::TextArea {
            json!({"type": "large"})
        } else {
            Value::Null
        };
        json!({
            "id": self.id.to_string(),
            "api_name": self.name,
            "field_label": label,
            "display_label": label,
            "data_type": self.data_type.name(),
            "json_type": self.data_type.json_type(),
            "length": self.data_type.length(),
            "system_mandatory": self.mandatory,
            "read_only": self.read_only,
            "field_read_only": self.read_only,
            "custom_field": self.custom,
            "created_source": if self.custom { "custom" } else { "default" },
            "type": "used",
            "visible": true,
            "virtual_field": false,
            "unique": if self.unique { json!({"casesensitive": "false"}) } else { json!({}) },
            "lookup": lookup,
            "multiselectlookup": {},
            "subform": subform,
            "textarea": text_area,
            "pick_list_values": choices,
            "default_value": null,
            "tooltip": null,
            "external": null,
        })
    }
}

impl Module {
    /// The `number`th module of the org whose ids begin at `org`.
    pub(crate) fn standard(org: u64, number: u64, definition: &ModuleDefinition) -> Self {
        let field_ids = org + FIELD_IDS + number * FIELDS_EACH;
        let fields = COMMON
            .iter()
            .chain(definition.fields)
            .zip(field_ids..)
            .map(|(field, id)| Field::standard(id, field))
            .collect();
        Self {
            id: org + MODULE_IDS + number,
            field_ids,
            name: definition.name.to_owned(),
            singular: definition.singular.to_owned(),
            name_field: if definition.name_field.is_empty() {
                "Full_Name".to_owned()
            } else {
                definition.name_field.to_owned()
            },
            duplicate_check: definition.duplicate_check.to_owned(),
            watchable: definition.watchable,
            fields,
            custom: false,
        }
    }

    pub(crate) fn custom(org: u64, number: u64, name: &str) -> Self {
        const NAME: &[Definition] = &[Definition::new("Name", DataType::Text)];
        let definition = ModuleDefinition {
            name: "",
            singular: "",
            name_field: "Name",
            duplicate_check: "Name",
            watchable: true,
            fields: NAME,
        };
        Self {
            name: name.to_owned(),
            singular: name.to_owned(),
            custom: true,
            ..Self::standard(org, number, &definition)
        }
    }

    /// Its number in the org.
    pub(crate) fn number(&self, org: u64) -> u64 {
        self.id.saturating_sub(org + MODULE_IDS)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|it| it.name == name)
    }

    /// Adds a custom field of the type that `value` looks like, if there is none of that name.
    pub(crate) fn learn(&mut self, name: &str, value: &Value) {
        if self.field(name).is_some() || name.starts_with('$') {
            return;
        }
        let count = u64::try_from(self.fields.len()).unwrap_or_default();
        let definition = Definition::new("", DataType::guess(value));
        self.fields.push(Field {
            name: name.to_owned(),
            custom: true,
            ..Field::standard(self.field_ids + count, &definition)
        });
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "api_name": self.name,
            "module_name": self.name,
            "plural_label": self.name.replace('_', " "),
            "singular_label": self.singular,
            "generated_type": if self.custom { "custom" } else { "default" },
            "status": "visible",
            "api_supported": true,
            "creatable": true,
            "editable": true,
            "deletable": true,
            "viewable": true,
            "convertable": self.name == "Leads",
            "visible": true,
            "profiles": [],
            "modified_time": null,
            "modified_by": null,
        })
    }
}
