//! HTTP in: the public port, `/in/{source}` and nothing else.

mod settings;

pub use self::settings::{Dedup, Limits, Read, Source, SourceKind};
pub use crate::event::Fetch;
