//! `zohook crm modules` and `zohook crm fields`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use zoho_crm::{Field, FieldType, Module, Values};

use crate::cli::output::{self, Format, Rows, columns, row};

use super::Session;

const MODULE_COLUMNS: [&str; 5] = ["api_name", "label", "type", "status", "may"];

const FIELD_COLUMNS: [&str; 7] = [
    "api_name",
    "label",
    "data_type",
    "json_type",
    "length",
    "marks",
    "values",
];

/// What of it a screen has room for.
const FIELD_TABLE: [&str; 5] = ["api_name", "label", "data_type", "marks", "values"];

#[derive(Debug, Args)]
pub(super) struct Modules {
    /// All that is known of this one.
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Fields {
    /// The module's API name.
    module: String,
    /// Those that no layout shows, too.
    #[arg(long)]
    all: bool,
}

pub(super) async fn modules(session: &Session, arguments: &Modules) -> anyhow::Result<ExitCode> {
    if let Some(name) = &arguments.name {
        let module = session.client.module(name).await?;
        output::one(session.format, &module.raw)?;
        return Ok(ExitCode::SUCCESS);
    }
    let modules = session.client.modules().await?;
    let mut rows = Rows::new(session.format, Some(columns(&MODULE_COLUMNS)));
    for module in modules.iter().filter(|it| it.api_supported) {
        rows.add(match session.format {
            Format::Json => module.raw.clone(),
            Format::Table | Format::Plain | Format::Csv => module_row(module),
        })?;
    }
    rows.finish()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn fields(session: &Session, arguments: &Fields) -> anyhow::Result<ExitCode> {
    let which = if arguments.all {
        FieldType::All
    } else {
        FieldType::Used
    };
    let fields = session.client.fields_of(&arguments.module, which).await?;
    let wanted = match session.format {
        Format::Table => columns(&FIELD_TABLE),
        Format::Plain | Format::Csv | Format::Json => columns(&FIELD_COLUMNS),
    };
    let mut rows = Rows::new(session.format, Some(wanted));
    for field in fields.iter() {
        rows.add(match session.format {
            Format::Json => field.raw.clone(),
            Format::Table | Format::Plain | Format::Csv => field_row(field),
        })?;
    }
    rows.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn module_row(module: &Module) -> Values {
    let may = [
        (module.viewable, "view"),
        (module.creatable, "create"),
        (module.editable, "edit"),
        (module.deletable, "delete"),
    ];
    row([
        ("api_name", module.api_name.as_str().into()),
        ("label", module.plural_label.clone().into()),
        ("type", module.generated_type.clone().into()),
        ("status", module.status.clone().into()),
        ("may", words(&may)),
    ])
}

fn field_row(field: &Field) -> Values {
    let marks = [
        (field.mandatory, "mandatory"),
        (field.read_only, "read-only"),
        (field.custom, "custom"),
    ];
    let values = match &field.lookup_module {
        Some(module) => format!("id of {module}"),
        None => field.choices.join(", "),
    };
    row([
        ("api_name", field.api_name.as_str().into()),
        ("label", field.label.clone().into()),
        ("data_type", field.data_type.as_str().into()),
        ("json_type", field.json_type.clone().into()),
        ("length", field.length.into()),
        ("marks", words(&marks)),
        ("values", values.into()),
    ])
}

fn words(marks: &[(bool, &str)]) -> Value {
    let set = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word);
    set.collect::<Vec<_>>().join(" ").into()
}
