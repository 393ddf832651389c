//! `zohook check` on broken files.
