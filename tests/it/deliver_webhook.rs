//! POSTing to other webhooks.
