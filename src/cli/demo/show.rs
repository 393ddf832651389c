//! What a person sees: events scrolling by, then the ledger.

use std::io::IsTerminal;

use comfy_table::{Cell, CellAlignment, Color, Table, presets::UTF8_FULL_CONDENSED};
use jiff::Timestamp;
use serde_json::Value;

use crate::{cli::say, store::Ledger};

use super::consumer::{Received, Seen};

/// How lines look: coloured on a terminal, plain otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    colour: bool,
}

impl Screen {
    pub(super) fn of_stdout() -> Self {
        Self {
            colour: std::io::stdout().is_terminal(),
        }
    }

    pub(super) fn head(self) {
        let line = format!(
            "{:<12}  {:<10}  {:<20}  {:<38}  {:>8}",
            "time", "what", "record", "as Zoho has it now", "lag"
        );
        say(&self.paint("1", &line));
    }

    /// One event.
    pub(super) fn event(self, event: &Received, now: Timestamp) {
        let what = event.event_type.rsplit('.').next().unwrap_or_default();
        let module = event.source.rsplit('/').next().unwrap_or_default();
        let colour = match what {
            "inserted" => "32",
            "updated" => "33",
            "deleted" => "31",
            _ => "36",
        };
        let lag_ms = now.duration_since(event.time).as_millis().max(0);
        let subject = event.subject.as_deref().unwrap_or_default();
        let tail = subject
            .get(subject.len().saturating_sub(6)..)
            .unwrap_or(subject);
        say(&format!(
            "{:<12}  {}  {:<20}  {:<38}  {:>5} ms",
            event.time.strftime("%H:%M:%S%.3f"),
            self.paint(colour, &format!("{what:<10}")),
            format!("{module} …{tail}"),
            summary(&event.data),
            lag_ms,
        ));
    }

    /// The durable totals, and what the consumer saw beside what the CRM did.
    pub(super) fn end(self, ledger: &Ledger, seen: Seen, (made, told): (u64, u64)) {
        say("");
        say(&self.ledger(ledger).to_string());
        let verdict = if ledger.adds_up() {
            self.paint("32", "the ledger adds up")
        } else {
            self.paint("31", "THE LEDGER DOES NOT ADD UP")
        };
        say(&verdict);
        say(&format!(
            "made in the CRM: {made} · told by it: {told} (an edit that changes nothing is not told) · \
             events received: {} · repeated: {} · out of order: {} · badly signed: {}",
            seen.distinct, seen.repeated, seen.out_of_order, seen.unsigned
        ));
    }

    fn ledger(self, ledger: &Ledger) -> Table {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        let (n, c, d) = (&ledger.notifications, &ledger.changes, &ledger.deliveries);
        let rows = [
            (
                "notifications accepted",
                n.accepted,
                vec![
                    ("split", n.split),
                    ("duplicate", n.duplicate),
                    ("quarantined", n.quarantined),
                ],
            ),
            (
                "changes created",
                c.created,
                vec![
                    ("planned", c.planned),
                    ("unwanted", c.unwanted),
                    ("unmatched", c.unmatched),
                    ("superseded", c.superseded),
                    ("echo", c.echo),
                    ("quarantined", c.quarantined),
                    ("waiting", c.waiting),
                ],
            ),
            (
                "deliveries planned",
                d.planned,
                vec![
                    ("delivered", d.delivered),
                    ("dropped", d.dropped),
                    ("expired", d.expired),
                    ("quarantined", d.quarantined),
                    ("waiting", d.waiting),
                ],
            ),
        ];
        for (what, total, parts) in rows {
            let parts: Vec<_> = parts
                .iter()
                .map(|(name, count)| format!("{count} {name}"))
                .collect();
            let name = Cell::new(what);
            let name = if self.colour {
                name.fg(Color::Cyan)
            } else {
                name
            };
            table.add_row([
                name,
                Cell::new(total).set_alignment(CellAlignment::Right),
                Cell::new(format!("= {}", parts.join(" + "))),
            ]);
        }
        table
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// A few of the record's values, for one column.
fn summary(data: &Value) -> String {
    let record = data.get("record").filter(|it| !it.is_null());
    let Some(record) = record.or(data.get("before")) else {
        return "gone".to_owned();
    };
    let text = |field: &str| match record.get(field) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let parts: Vec<_> = [
        "Last_Name",
        "Company",
        "Lead_Status",
        "Deal_Name",
        "Stage",
        "Amount",
    ]
    .into_iter()
    .filter_map(text)
    .collect();
    parts.join(" · ").chars().take(38).collect()
}
