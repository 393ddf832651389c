//! Medians, ratios, a table.

use std::collections::BTreeMap;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::json;

use super::{client::Load, servers::Server};

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU time of the server, user and kernel, per request.
    cpu_us: f64,
    memory_mib: f64,
    calls: Option<u64>,
}

impl Measure {
    pub(super) fn new(load: &Load, server: &Server) -> Self {
        let at = |share: f64| {
            let index = (load.latencies.len() as f64 * share) as usize;
            load.latencies[index.min(load.latencies.len() - 1)].as_secs_f64() * 1e3
        };
        Self {
            per_second: load.answered as f64 / load.took.as_secs_f64(),
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            cpu_us: server.cpu_seconds() * 1e6 / load.answered as f64,
            memory_mib: server.memory_bytes_max() as f64 / 1_048_576.0,
            calls: None,
        }
    }

    pub(super) fn with_calls(self, calls: u64) -> Self {
        Self {
            calls: Some(calls),
            ..self
        }
    }
}

/// All measurements, in the order they were first made.
#[derive(Default)]
pub(super) struct Report {
    order: Vec<&'static str>,
    measures: BTreeMap<&'static str, Vec<Measure>>,
}

impl Report {
    pub(super) fn add(&mut self, name: &'static str, measure: Measure) {
        eprintln!("  {name}: {:.0}/s", measure.per_second);
        if !self.order.contains(&name) {
            self.order.push(name);
        }
        self.measures.entry(name).or_default().push(measure);
    }

    pub(super) fn print(&self, as_json: bool) {
        let baseline = |name: &str| {
            if name.contains("to the queue") {
                "relay: to the queue"
            } else {
                "bare axum POST"
            }
        };
        let rows: Vec<_> = self
            .order
            .iter()
            .map(|name| {
                let measures = &self.measures[name];
                let per_second = median(measures, |it| it.per_second);
                let of = baseline(name);
                let ratio = self
                    .measures
                    .get(of)
                    .map(|it| per_second / median(it, |it| it.per_second));
                json!({
                    "what": name, "per_second": per_second, "ratio": ratio, "of": of,
                    "p50_ms": median(measures, |it| it.p50_ms), "p99_ms": median(measures, |it| it.p99_ms),
                    "cpu_us": median(measures, |it| it.cpu_us),
                    "memory_mib": measures.iter().map(|it| it.memory_mib).fold(0.0, f64::max),
                    "api_calls": measures[0].calls,
                })
            })
            .collect();
        if as_json {
            println!("{}", serde_json::to_string_pretty(&rows).unwrap());
            return;
        }
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED).set_header([
            "what",
            "per second",
            "ratio",
            "of",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "peak MiB",
            "reads",
        ]);
        for row in rows {
            let number = |key: &str, digits: usize| {
                row[key]
                    .as_f64()
                    .map(|it| format!("{it:.digits$}"))
                    .unwrap_or_default()
            };
            table.add_row([
                row["what"].as_str().unwrap().to_owned(),
                number("per_second", 0),
                number("ratio", 2),
                row["of"].as_str().unwrap().to_owned(),
                number("p50_ms", 2),
                number("p99_ms", 2),
                number("cpu_us", 0),
                number("memory_mib", 0),
                row["api_calls"]
                    .as_u64()
                    .map(|it| it.to_string())
                    .unwrap_or_default(),
            ]);
        }
        println!(
            "{table}\nmedians; p50 and p99 are of the answer to the sender; CPU is the server's, per request; peak memory is the highest of all rounds"
        );
    }
}

fn median(measures: &[Measure], figure: impl Fn(&Measure) -> f64) -> f64 {
    let mut figures: Vec<_> = measures.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
