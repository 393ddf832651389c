//! What a command found: a table for people, plain lines, CSV or JSON for machines.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::Context;
use clap::Args;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use serde_json::Value;
use zoho_crm::Values;

/// Rows in memory, and of one table.
const BLOCK_ROWS: usize = 500;

/// Room that a table's column needs to be read, in characters, border included.
const COLUMN_CHARS_MIN: usize = 11;

/// Screens that are narrower, or say nothing of their width, get tables as wide as they are.
const SCREEN_CHARS_MIN: u16 = 40;

/// The longest text of a table's cell, in characters.
const CELL_CHARS_MAX: usize = 120;

/// The same, where each value has a line of its own.
const UPRIGHT_CHARS_MAX: usize = 2000;

/// Ids and the values of the first column are not broken up to this width, in characters: they are copied.
const WHOLE_CHARS_MAX: usize = 40;

/// How results are written. On a terminal: a table. Into a pipe or file: a line for each row, its values separated by
/// tabs (\t, \n, \r and \\ within values are escaped), without a header.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArguments {
    /// JSON: a list with one line for each row, or one object.
    #[arg(long, global = true, group = "how")]
    json: bool,
    /// CSV with a header.
    #[arg(long, global = true, group = "how")]
    csv: bool,
    /// A table, also into a pipe or file.
    #[arg(long, global = true, group = "how")]
    table: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Table,
    Plain,
    Csv,
    Json,
}

impl OutputArguments {
    pub(super) fn format(self) -> Format {
        if self.json {
            Format::Json
        } else if self.csv {
            Format::Csv
        } else if self.table || io::stdout().is_terminal() {
            Format::Table
        } else {
            Format::Plain
        }
    }
}

/// Rows on their way out, however many.
pub(super) struct Rows<W: Write> {
    format: Format,
    out: W,
    /// Columns that are wanted, in this order.
    asked: Option<Vec<String>>,
    /// Those of the last block.
    found: Option<Vec<String>>,
    block: Vec<Values>,
    /// Rows written before the block.
    written: usize,
}

impl Rows<BufWriter<io::Stdout>> {
    /// To stdout; without columns those of the first rows.
    pub(super) fn new(format: Format, columns: Option<Vec<String>>) -> Self {
        Self::into(BufWriter::new(io::stdout()), format, columns)
    }
}

impl<W: Write> Rows<W> {
    fn into(out: W, format: Format, asked: Option<Vec<String>>) -> Self {
        Self {
            format,
            out,
            asked,
            found: None,
            block: vec![],
            written: 0,
        }
    }

    pub(super) fn add(&mut self, row: Values) -> anyhow::Result<()> {
        self.block.push(row);
        if self.block.len() == BLOCK_ROWS {
            self.write_block()?;
        }
        Ok(())
    }

    /// Writes the rest, and says how many rows there were.
    pub(super) fn finish(&mut self) -> anyhow::Result<usize> {
        self.write_block()?;
        if self.format == Format::Json {
            let end = if self.written == 0 { "[]" } else { "\n]" };
            writeln!(self.out, "{end}").context("cannot write the output")?;
        }
        self.out.flush().context("cannot write the output")?;
        Ok(self.written)
    }

    fn write_block(&mut self) -> anyhow::Result<()> {
        self.try_write_block().context("cannot write the output")
    }

    fn try_write_block(&mut self) -> anyhow::Result<()> {
        let rows = std::mem::take(&mut self.block);
        if self.format == Format::Json {
            for (index, row) in rows.iter().enumerate() {
                let before = if self.written + index == 0 {
                    "[\n"
                } else {
                    ",\n"
                };
                write!(self.out, "{before}{}", serde_json::to_string(row)?)?;
            }
        } else {
            self.write_cells(&rows)?;
        }
        self.written += rows.len();
        Ok(())
    }

    fn write_cells(&mut self, rows: &[Values]) -> anyhow::Result<()> {
        let columns = match (&self.asked, &self.found) {
            (Some(asked), _) => asked.clone(),
            // A later table has a header of its own; lines of plain text and CSV have not.
            (None, Some(found)) if self.format != Format::Table => found.clone(),
            (None, _) => columns_of(rows),
        };
        if let Some(name) = self.unknown(rows, &columns) {
            anyhow::bail!(
                "a later row has the column {name}, which the first {BLOCK_ROWS} had not: use --json"
            );
        }
        let first = self.written == 0;
        match self.format {
            Format::Table if rows.is_empty() && !first => {}
            Format::Table if rows.is_empty() && columns.is_empty() => {}
            Format::Table if !fits(rows, &columns, screen_width()) => {
                for row in rows {
                    writeln!(self.out, "{}", upright(row, &columns))?;
                }
            }
            Format::Table => {
                let cells = rows.iter().map(|row| cells(row, &columns, shown));
                writeln!(self.out, "{}", table(&columns, cells))?;
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(&mut self.out);
                if first && !columns.is_empty() {
                    csv.write_record(&columns)?;
                }
                for row in rows {
                    csv.write_record(cells(row, &columns, exact))?;
                }
                csv.flush()?;
            }
            Format::Plain => {
                for row in rows {
                    let line = cells(row, &columns, |it| escaped(&exact(it))).join("\t");
                    writeln!(self.out, "{line}")?;
                }
            }
            Format::Json => {}
        }
        self.found = Some(columns);
        Ok(())
    }

    /// A value that would be lost; where columns were asked for, others are not wanted.
    fn unknown(&self, rows: &[Values], columns: &[String]) -> Option<String> {
        if self.asked.is_some() {
            return None;
        }
        let mut names = rows.iter().flat_map(|row| row.keys());
        names.find(|it| !columns.contains(it)).cloned()
    }
}

/// One line of text: an id, a number, a file's name.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write the output")
}

/// Writes one thing with its values by name.
pub(super) fn one(format: Format, values: &Values) -> anyhow::Result<()> {
    one_of(format, values, &columns_of(std::slice::from_ref(values)))
}

/// The same, its values in this order.
pub(super) fn one_of(format: Format, values: &Values, names: &[String]) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    let written = one_into(&mut out, format, (values, names));
    written
        .and_then(|()| Ok(out.flush()?))
        .context("cannot write the output")
}

fn one_into(
    out: &mut impl Write,
    format: Format,
    (values, names): (&Values, &[String]),
) -> anyhow::Result<()> {
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(values)?)?,
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(names)?;
            csv.write_record(cells(values, names, exact))?;
            csv.flush()?;
        }
        Format::Plain => {
            for name in names {
                let value = values.get(name).map(exact).unwrap_or_default();
                writeln!(out, "{name}\t{}", escaped(&value))?;
            }
        }
        Format::Table => writeln!(out, "{}", upright(values, names))?,
    }
    Ok(())
}

/// A row from its parts; what is none is null.
pub(super) fn row<const N: usize>(values: [(&str, Value); N]) -> Values {
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The names as they are wanted.
pub(super) fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

fn table(columns: &[String], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(match screen_width() {
            Some(_) => ContentArrangement::Dynamic,
            None => ContentArrangement::Disabled,
        })
        .set_header(columns)
        .add_rows(rows);
    let widths = table.column_max_content_widths();
    for ((index, name), width) in columns.iter().enumerate().zip(widths) {
        if stays_whole(index, name)
            && usize::from(width) <= WHOLE_CHARS_MAX
            && let Some(column) = table.column_mut(index)
        {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

/// A row that is too wide for the screen, or alone: a line for each of its values.
fn upright(row: &Values, columns: &[String]) -> Table {
    let lines = columns.iter().map(|name| {
        let value = row.get(name).map(|it| short(it, UPRIGHT_CHARS_MAX));
        vec![name.clone(), value.unwrap_or_default()]
    });
    table(&["name".to_owned(), "value".to_owned()], lines)
}

/// Of the terminal, if there is one.
fn screen_width() -> Option<u16> {
    Table::new().width().filter(|it| *it >= SCREEN_CHARS_MIN)
}

/// Whether a column's values are not broken.
fn stays_whole(index: usize, name: &str) -> bool {
    index == 0 || name == "id"
}

/// Whether the screen has room enough for each column to be read.
fn fits(rows: &[Values], columns: &[String], screen: Option<u16>) -> bool {
    let width = |(index, name): (usize, &String)| {
        if !stays_whole(index, name) {
            return COLUMN_CHARS_MIN;
        }
        let values = rows.iter().filter_map(|row| row.get(name));
        let widths = values.map(|it| shown(it).chars().count());
        let width = widths.chain([name.chars().count()]).max();
        // Three for border and padding.
        width.unwrap_or_default().min(WHOLE_CHARS_MAX) + 3
    };
    screen.is_none_or(|it| columns.iter().enumerate().map(width).sum::<usize>() < usize::from(it))
}

/// All names there are, the id first.
fn columns_of(rows: &[Values]) -> Vec<String> {
    let mut columns: Vec<String> = vec![];
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    columns.sort_by_key(|it| it != "id");
    columns
}

fn cells(row: &Values, columns: &[String], cell: impl Fn(&Value) -> String) -> Vec<String> {
    columns
        .iter()
        .map(|name| row.get(name).map(&cell).unwrap_or_default())
        .collect()
}

/// As machines want it: nothing lost.
fn exact(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// As people want it: names instead of lookups, no longer than a cell, and nothing that a terminal would obey.
fn shown(value: &Value) -> String {
    short(value, CELL_CHARS_MAX)
}

fn short(value: &Value, chars_max: usize) -> String {
    let text = match value {
        Value::Object(members) => match members.get("name").or_else(|| members.get("api_name")) {
            Some(Value::String(name)) => name.clone(),
            _ => value.to_string(),
        },
        Value::Array(entries) => {
            let entries = entries.iter().map(|it| short(it, chars_max));
            entries.collect::<Vec<_>>().join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => exact(value),
    };
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = plain.take(chars_max + 1).collect();
    if kept.chars().count() > chars_max {
        kept.pop();
        kept.push('…');
    }
    kept
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(value: &Value) -> Values {
        value.as_object().cloned().unwrap()
    }

    fn written(format: Format, columns: Option<Vec<String>>, rows: Vec<Value>) -> String {
        let mut out = vec![];
        let mut printer = Rows::into(&mut out, format, columns);
        for row in rows {
            printer.add(values(&row)).unwrap();
        }
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn leads() -> Vec<Value> {
        vec![
            json!({"id": "1", "Last_Name": "Doe, \"J\"", "Owner": {"id": "7", "name": "Ada"}, "Tag": [{"name": "hot"}, {"name": "new"}]}),
            json!({"id": "2", "Last_Name": "tab\tline\nend", "Owner": null, "Amount": 1.5}),
        ]
    }

    #[test]
    fn plain_lines_keep_every_value_on_its_line() {
        let names = Some(columns(&["id", "Last_Name", "Owner"]));
        assert_eq!(
            written(Format::Plain, names, leads()),
            "1\tDoe, \"J\"\t{\"id\":\"7\",\"name\":\"Ada\"}\n2\ttab\\tline\\nend\t\n"
        );
    }

    #[test]
    fn csv_has_a_header_and_quotes() {
        let names = Some(columns(&["id", "Last_Name"]));
        assert_eq!(
            written(Format::Csv, names, leads()),
            "id,Last_Name\n1,\"Doe, \"\"J\"\"\"\n2,\"tab\tline\nend\"\n"
        );
        assert_eq!(written(Format::Csv, Some(columns(&["id"])), vec![]), "id\n");
    }

    #[test]
    fn json_is_one_list_with_a_line_for_each_row() {
        let text = written(Format::Json, None, leads());
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(list, leads());
        assert_eq!(text.lines().count(), 4);
        assert_eq!(written(Format::Json, None, vec![]), "[]\n");
    }

    #[test]
    fn a_table_shows_names_and_nothing_a_terminal_obeys() {
        let mut rows = leads();
        rows.push(json!({"id": "\u{1b}[2J3", "Last_Name": "x".repeat(500)}));
        let text = written(Format::Table, None, rows);
        assert!(text.contains("Ada") && text.contains("hot, new"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(!text.contains(&"x".repeat(121)), "{text}");
    }

    #[test]
    fn rows_that_no_screen_has_room_for_stand_upright() {
        let rows = [values(&json!({"row": 1, "id": "5725768000003000001"}))];
        let six = columns(&["row", "status", "id", "error", "field", "path"]);
        assert!(fits(&rows, &six, Some(80)) && fits(&rows, &six, None));
        assert!(!fits(&rows, &six, Some(60)));
        let text = upright(&values(&json!({"a": 1, "b": "x"})), &columns(&["a", "b"])).to_string();
        assert_eq!(text.lines().count(), 6, "{text}");
    }

    #[test]
    fn a_column_that_comes_too_late_is_not_lost_silently() {
        let mut out = vec![];
        let mut printer = Rows::into(&mut out, Format::Csv, None);
        for _ in 0..BLOCK_ROWS {
            printer.add(values(&json!({"id": "1"}))).unwrap();
        }
        printer.add(values(&json!({"id": "1", "late": 1}))).unwrap();
        let error = format!("{:#}", printer.finish().unwrap_err());
        assert!(error.contains("the column late"), "{error}");
    }

    #[test]
    fn one_thing_is_a_list_of_its_values_in_an_order() {
        let thing = values(&json!({"b": 1, "id": "x"}));
        let by_itself = columns_of(std::slice::from_ref(&thing));
        for (names, expected) in [
            (by_itself, "id\tx\nb\t1\n"),
            (columns(&["b", "id"]), "b\t1\nid\tx\n"),
        ] {
            let mut out = vec![];
            one_into(&mut out, Format::Plain, (&thing, &names)).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
