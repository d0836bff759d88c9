//! The feed: every event from a place on, once, in order, first from the journal and then live, without a seam; or an
//! explicit reset.
//!
//! `item` is what goes in and comes out, `filter` which events (with `subject`: what an event is about, and `matcher`: a
//! filter at work). The `course` is what all feeds have in common: the position, which asserts that no `seq` is missing
//! (law ORDER), and what is said beside events. It reads from a source: the `journal`, or in the engine's process (a
//! `subscription`) the ring of `live` events, and the journal where that does not reach back far enough. A `follower` reads
//! the journal of another process.

mod course;
mod filter;
mod follower;
mod item;
mod journal;
mod live;
mod matcher;
pub(crate) mod subject;
mod subscription;
#[cfg(test)]
mod tests;
mod wait;

pub use filter::EventFilter;
pub use follower::Follower;
pub use item::{FeedEvent, FeedItem, Reset, ResetCause, Start};
pub use subscription::{FeedIter, Subscription};

pub(super) use journal::Journal;
pub(super) use live::{Live, LiveEvent};
pub(super) use matcher::{Knowledge, Matcher};
