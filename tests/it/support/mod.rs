//! What the tests share.

pub(crate) mod broker;
pub(crate) mod deliveries;
pub(crate) mod proxy;
pub(crate) mod receiver;
