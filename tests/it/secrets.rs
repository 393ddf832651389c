//! No secret leaks.
