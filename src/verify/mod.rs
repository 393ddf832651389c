//! Proof of sender: a raw notification becomes a [`Notification`], or the reason why not. Only this module can make one.

mod settings;

pub use self::settings::{Algorithm, Encoding, Hmac, Proof, Signed};
