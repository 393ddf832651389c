//! What people do in a CRM all day: new leads, edits, deals that move, now and then something deleted.

use std::{pin::pin, time::Duration};

use clock::Clock;
use serde_json::{Value, json};
use zoho_sim::{Sim, SimError};

/// Records that are edited at the most; older ones rest.
const RECORDS_MAX: usize = 40;

const NAMES: [&str; 8] = [
    "Ember", "Birch", "Quill", "Marlow", "Sorrel", "Tansy", "Heath", "Rowan",
];
const COMPANIES: [&str; 6] = [
    "Example Works",
    "Sample & Sons",
    "Placeholder Ltd",
    "Acme Example",
    "Test Bakery",
    "Demo Shipping",
];
const LEAD_STATUS: [&str; 4] = [
    "Not Contacted",
    "Attempted to Contact",
    "Contacted",
    "Pre-Qualified",
];
const STAGES: [&str; 4] = [
    "Qualification",
    "Needs Analysis",
    "Negotiation/Review",
    "Closed Won",
];

/// Makes changes in the simulated CRM.
pub(super) struct Activity<'a> {
    sim: &'a Sim,
    pause: Duration,
    records: Vec<(&'static str, String)>,
    made: u64,
}

impl<'a> Activity<'a> {
    pub(super) fn new(sim: &'a Sim, per_second: u32) -> Self {
        Self {
            sim,
            pause: Duration::from_secs(1) / per_second.max(1),
            records: vec![],
            made: 0,
        }
    }

    /// Changes made so far.
    pub(super) const fn made(&self) -> u64 {
        self.made
    }

    /// One change after the other, until `until` is over.
    pub(super) async fn go_on(&mut self, clock: &Clock, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        let mut over = false;
        while !over {
            self.one();
            over = tokio::select! {
                () = &mut until => true,
                () = clock.sleep(self.pause) => false,
            };
        }
    }

    /// Mostly edits; deletes only what has rested a while, so that its last edit has been read.
    fn one(&mut self) {
        let dice: f64 = rand::random();
        let done = if self.records.len() < 4 || (dice < 0.4 && self.records.len() < RECORDS_MAX) {
            self.create()
        } else if dice > 0.92 {
            self.delete()
        } else {
            self.edit()
        };
        if done.is_ok() {
            self.made = self.made.saturating_add(1);
        }
    }

    fn create(&mut self) -> Result<(), SimError> {
        let deal = rand::random_bool(0.4);
        let (module, values) = if deal {
            let name = format!("{} order", pick(&COMPANIES));
            (
                "Deals",
                json!({ "Deal_Name": name, "Stage": STAGES[0], "Amount": amount() }),
            )
        } else {
            let values = json!({
                "Last_Name": pick(&NAMES), "Company": pick(&COMPANIES), "Lead_Status": LEAD_STATUS[0],
            });
            ("Leads", values)
        };
        let id = self.sim.insert(module, values)?;
        self.records.push((module, id));
        Ok(())
    }

    fn edit(&mut self) -> Result<(), SimError> {
        let at = rand::random_range(0..self.records.len().max(1));
        let Some((module, id)) = self.records.get(at) else {
            return Ok(());
        };
        let values: Value = if *module == "Deals" {
            json!({ "Stage": pick(&STAGES), "Amount": amount() })
        } else {
            json!({ "Lead_Status": pick(&LEAD_STATUS) })
        };
        self.sim.update(module, id, values)
    }

    fn delete(&mut self) -> Result<(), SimError> {
        let (module, id) = self.records.remove(0);
        self.sim.delete(module, &[id.as_str()])
    }
}

fn pick(list: &[&'static str]) -> &'static str {
    list.get(rand::random_range(0..list.len().max(1)))
        .copied()
        .unwrap_or_default()
}

fn amount() -> u32 {
    rand::random_range(10..2000) * 50
}
