//! The SQLite engine: all of its SQL is in this folder.

mod file;
mod names;
mod totals;
mod statements;
mod encode;
mod accept;
mod finish;
mod settle;
mod own_write;
mod repeat;
mod upkeep;
mod retention;
mod scan;
mod checkpoint;
mod group;
mod wall;
mod chores;
mod writer;
mod read;

pub(super) use self::{
    read::{Found, Readers},
    writer::{Writer, WriterParts},
};
