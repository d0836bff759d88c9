//! What the rows with real processes share: the victim, the commands that its clients give, and what is known outside.

mod bookkeeper;
mod commands;
mod process;
mod record;
mod told;
mod victim;
mod witness;

pub(crate) use process::{Exit, Victim};
pub(crate) use record::Record;
pub(crate) use told::Told;
pub(crate) use victim::{Keep, Orders, run_if_ordered};
pub(crate) use witness::Witness;
