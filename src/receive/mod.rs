//! HTTP in: the public port, `/in/{source}` and nothing else.

mod settings;

pub use self::settings::{Dedup, Fetch, Limits, Read, Source, SourceKind};
