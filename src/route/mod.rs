//! Decides, purely: who listens to a change, and what is sent where.

mod table;

pub use self::table::{
    BodyTemplate, EnrichWish, Listen, MissingPolicy, Pattern, Plan, Route, RouteTable, Send, Wants,
};
