//! The record family: each operation against literal answers of the contract, and against the simulator.

mod literal;
mod simulated;

use serde_json::Value;
use zoho_crm::Values;

pub(crate) fn values(value: &Value) -> Values {
    value.as_object().unwrap().clone()
}
