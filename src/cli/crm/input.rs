//! What a command is given to send: `--set` on the command line, JSON or CSV from a file or from stdin.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use zoho_crm::{Client, Field, Values};

use super::wrong;

/// The largest file that is read into memory, in bytes; more is for `bulk write`.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Records to write.
#[derive(Debug, Args)]
pub(super) struct RecordArguments {
    /// A value of the one record: NAME=TEXT, or NAME:=JSON for numbers, booleans, lookups and null.
    #[arg(long, value_name = "NAME=TEXT", conflicts_with = "file")]
    set: Vec<String>,
    /// Records from a file, `-` for stdin: a JSON object, a list of them, one a line, or CSV with a header of API
    /// names. CSV values take the type of their field; empty ones are left out.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl RecordArguments {
    pub(super) async fn read(&self, client: &Client, module: &str) -> anyhow::Result<Vec<Values>> {
        let Some(path) = &self.file else {
            if self.set.is_empty() {
                return Err(wrong("nothing to write: --set NAME=TEXT or --file FILE"));
            }
            return Ok(vec![set(&self.set)?]);
        };
        let bytes = bytes(path)?;
        let what = || format!("{} cannot be read as records", path.display());
        let start = bytes.iter().find(|it| !it.is_ascii_whitespace());
        let records = match start {
            None => vec![],
            Some(b'{' | b'[') => of_json(&bytes).with_context(what)?,
            Some(_) => {
                let fields = client.fields(module).await?;
                of_csv(&bytes, &fields).with_context(what)?
            }
        };
        anyhow::ensure!(!records.is_empty(), "{} has no record", path.display());
        Ok(records)
    }
}

/// `NAME=TEXT` and `NAME:=JSON`.
pub(super) fn set(set: &[String]) -> anyhow::Result<Values> {
    let mut values = Values::new();
    for text in set {
        let Some((name, value)) = text.split_once('=') else {
            return Err(wrong(format!("`{text}` is not NAME=TEXT or NAME:=JSON")));
        };
        let (name, value) = match name.strip_suffix(':') {
            None => (name, Value::from(value)),
            Some(name) => match serde_json::from_str(value) {
                Ok(value) => (name, value),
                Err(error) => {
                    return Err(wrong(format!("the value of {name} is not JSON: {error}")));
                }
            },
        };
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// The argument itself, `@FILE`, or stdin where it is `-`.
pub(super) fn text(argument: &str) -> anyhow::Result<String> {
    let path = match argument.strip_prefix('@') {
        Some(path) => Path::new(path),
        None if argument == "-" => Path::new("-"),
        None => return Ok(argument.to_owned()),
    };
    String::from_utf8(bytes(path)?)
        .ok()
        .with_context(|| format!("{} is not text", path.display()))
}

/// Ids as given, or one a line from stdin where `-` stands for them.
pub(super) fn ids(given: &[String]) -> anyhow::Result<Vec<String>> {
    if !matches!(given, [only] if only == "-") {
        return Ok(given.to_vec());
    }
    let text = text("-")?;
    let words = text.split_whitespace().map(ToOwned::to_owned);
    let ids: Vec<String> = words.collect();
    anyhow::ensure!(!ids.is_empty(), "stdin has no id");
    Ok(ids)
}

/// A whole file, or stdin where it is `-`.
pub(super) fn bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![];
    let mut read = |from: &mut dyn Read| from.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    let count = if path == Path::new("-") {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut it| read(&mut it))
    };
    let count = count.with_context(|| format!("cannot read {}", path.display()))?;
    anyhow::ensure!(
        u64::try_from(count)? <= FILE_BYTES_MAX,
        "{} is over {} MiB: use `zohook crm bulk write`",
        path.display(),
        FILE_BYTES_MAX >> 20
    );
    Ok(bytes)
}

/// An object, a list of objects, or one object after the other.
fn of_json(bytes: &[u8]) -> anyhow::Result<Vec<Values>> {
    let mut records = vec![];
    for document in serde_json::Deserializer::from_slice(bytes).into_iter() {
        match document? {
            Value::Array(list) => {
                for entry in list {
                    records.push(object(entry, records.len())?);
                }
            }
            one @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => records.push(object(one, records.len())?),
        }
    }
    Ok(records)
}

fn object(value: Value, before: usize) -> anyhow::Result<Values> {
    let Value::Object(values) = value else {
        anyhow::bail!("record {} is not a JSON object", before + 1);
    };
    Ok(values)
}

fn of_csv(bytes: &[u8], fields: &[Field]) -> anyhow::Result<Vec<Values>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers()?.clone();
    let mut records = vec![];
    for line in reader.records() {
        let line = line?;
        let mut values = Values::new();
        for (name, cell) in header
            .iter()
            .zip(&line)
            .filter(|(_, cell)| !cell.is_empty())
        {
            let name = name.trim_start_matches('\u{feff}').trim();
            let field = fields.iter().find(|it| it.api_name == name);
            let json_type = field.and_then(|it| it.json_type.as_deref());
            let value = typed(json_type, cell).with_context(|| {
                let at = line.position().map_or(0, csv::Position::line);
                format!("line {at}, column {name}: a value of the wrong type")
            })?;
            values.insert(name.to_owned(), value);
        }
        records.push(values);
    }
    Ok(records)
}

/// A cell as its field's JSON type. A lookup may be its id alone.
fn typed(json_type: Option<&str>, cell: &str) -> anyhow::Result<Value> {
    Ok(match json_type {
        Some("integer") => cell.trim().parse::<i64>()?.into(),
        Some("double") => {
            let number: serde_json::Number = cell.trim().parse()?;
            number.into()
        }
        Some("boolean") => match cell.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" => true.into(),
            "false" | "no" | "0" => false.into(),
            _ => anyhow::bail!("neither true nor false"),
        },
        Some("jsonobject") if !cell.trim_start().starts_with('{') => json!({ "id": cell.trim() }),
        Some("jsonarray") if !cell.trim_start().starts_with('[') => {
            cell.split(';').map(|it| Value::from(it.trim())).collect()
        }
        Some("jsonobject" | "jsonarray") => serde_json::from_str(cell)?,
        Some(_) | None => cell.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_text_unless_it_is_said_to_be_json() {
        let given = [
            "Last_Name=Doe=x",
            "Phone=123",
            "Amount:=5.5",
            "Owner:={\"id\":\"7\"}",
        ];
        let values = set(&given.map(ToOwned::to_owned)).unwrap();
        assert_eq!(
            Value::from(values),
            json!({"Last_Name": "Doe=x", "Phone": "123", "Amount": 5.5, "Owner": {"id": "7"}})
        );
        for bad in ["Last_Name", "Amount:=5,5"] {
            assert!(set(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_comes_alone_in_a_list_or_in_lines() {
        for text in [
            r#"[{"a": 1}, {"a": 2}]"#,
            "{\"a\": 1}\n{\"a\": 2}\n",
            r#" [{"a": 1}] {"a": 2}"#,
        ] {
            assert_eq!(of_json(text.as_bytes()).unwrap().len(), 2, "{text}");
        }
        let error = of_json(br#"[{"a": 1}, 2]"#).unwrap_err().to_string();
        assert_eq!(error, "record 2 is not a JSON object");
    }

    #[test]
    fn csv_values_take_the_type_of_their_field() {
        let field = |name: &str, json_type: &str| Field {
            api_name: name.to_owned(),
            json_type: Some(json_type.to_owned()),
            ..Field::default()
        };
        let fields = [
            field("Count", "integer"),
            field("Amount", "double"),
            field("Opt_Out", "boolean"),
            field("Owner", "jsonobject"),
            field("Colours", "jsonarray"),
            field("Phone", "string"),
        ];
        let text = "\u{feff}Phone,Count,Amount,Opt_Out,Owner,Colours,Last_Name\n0123,7,1.50,Yes,42,red; blue,\n";
        let records = of_csv(text.as_bytes(), &fields).unwrap();
        let expected = json!({"Phone": "0123", "Count": 7, "Amount": 1.5, "Opt_Out": true, "Owner": {"id": "42"}, "Colours": ["red", "blue"]});
        assert_eq!(Value::from(records[0].clone()), expected);
        let bad = of_csv(b"Count\n1\nmany\n", &fields).unwrap_err();
        assert!(bad.to_string().starts_with("line 3, column Count"), "{bad}");
    }
}
