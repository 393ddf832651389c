//! COQL: queries over the records, as SQL has them. Zoho: "Get records through a COQL query", v8.

mod aggregate;
mod cursor;
mod filter;
mod parse;
mod plan;
mod query;
mod run;
mod token;

pub(crate) use self::{parse::parse, plan::Plan, run::run};
