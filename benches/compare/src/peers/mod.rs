//! The contestants, one file each.

pub(crate) mod fjall;
pub(crate) mod group_commit;
pub(crate) mod jsonl;
pub(crate) mod okaywal;
pub(crate) mod raft_engine;
pub(crate) mod redb;
pub(crate) mod sqlite;
pub(crate) mod sqlx_sqlite;
pub(crate) mod tallybook;
pub(crate) mod umadb;
