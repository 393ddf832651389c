//! Hostile bodies on the public port.
