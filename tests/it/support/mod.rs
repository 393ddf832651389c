//! What the tests share.

pub(crate) mod broker;
pub(crate) mod cli;
pub(crate) mod deliveries;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod load;
pub(crate) mod queue;
pub(crate) mod router;
pub(crate) mod zoho;
