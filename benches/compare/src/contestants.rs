//! Who takes part, under which names, and with what.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::Outcome;
use crate::host::{Drain, Threads};
use crate::measure::{Chronicled, by_tasks, by_threads, chronicle};
use crate::peers::fjall::Fjall;
use crate::peers::group_commit::GroupCommit;
use crate::peers::jsonl::Jsonl;
use crate::peers::okaywal::OkayWal;
use crate::peers::raft_engine::RaftEngine;
use crate::peers::redb::Redb;
use crate::peers::sqlite::Sqlite;
use crate::peers::sqlx_sqlite::SqlxSqlite;
use crate::peers::tallybook::{ByTasks, ByThreads};
use crate::peers::umadb::UmaDbCore;
use crate::store::{Blocking, Chronicle, Tasks};

/// What a contestant is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Tallybook.
    Ours,
    /// What a host could use instead.
    Peer,
    /// What no store can pass: it is shown, and not counted among the peers.
    Limit,
}

/// How it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Threads,
    Tasks,
}

/// One that carries out durable commands. Each was seen to sync what it acknowledges; see the README.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) face: Face,
    pub(crate) run: fn(&Path, usize, Duration) -> Outcome<f64>,
}

fn threads<S: Blocking>(name: &'static str, role: Role) -> Durable {
    Durable { name, role, face: Face::Threads, run: by_threads::<S> }
}

fn tasks<S: Tasks>(name: &'static str, role: Role) -> Durable {
    Durable { name, role, face: Face::Tasks, run: by_tasks::<S> }
}

pub(crate) fn durables() -> Vec<Durable> {
    vec![
        threads::<ByThreads>("tallybook-threads", Role::Ours),
        tasks::<ByTasks>("tallybook-tasks", Role::Ours),
        tasks::<GroupCommit>("group-commit", Role::Limit),
        threads::<Threads<RaftEngine>>("raft-engine-threads", Role::Peer),
        tasks::<Drain<RaftEngine>>("raft-engine-drain", Role::Peer),
        tasks::<UmaDbCore>("umadb-core", Role::Peer),
        threads::<Threads<OkayWal>>("okaywal", Role::Peer),
        threads::<Threads<Sqlite>>("sqlite-threads", Role::Peer),
        tasks::<Drain<Sqlite>>("sqlite-drain", Role::Peer),
        tasks::<SqlxSqlite>("sqlx-sqlite", Role::Peer),
        threads::<Threads<Jsonl>>("jsonl", Role::Peer),
        threads::<Threads<Fjall>>("fjall-threads", Role::Peer),
        tasks::<Drain<Fjall>>("fjall-drain", Role::Peer),
        threads::<Threads<Redb>>("redb-threads", Role::Peer),
        tasks::<Drain<Redb>>("redb-drain", Role::Peer),
    ]
}

/// One that keeps a long history.
#[derive(Debug)]
pub(crate) struct Historian {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) run: fn(&Path, u64) -> Outcome<Chronicled>,
}

fn historian<S: Chronicle>(name: &'static str, role: Role) -> Historian {
    Historian { name, role, run: chronicle::<S> }
}

pub(crate) fn historians() -> Vec<Historian> {
    vec![
        historian::<ByTasks>("tallybook", Role::Ours),
        historian::<RaftEngine>("raft-engine", Role::Peer),
        historian::<UmaDbCore>("umadb-core", Role::Peer),
        historian::<OkayWal>("okaywal", Role::Peer),
        historian::<Sqlite>("sqlite", Role::Peer),
        historian::<SqlxSqlite>("sqlx-sqlite", Role::Peer),
        historian::<Jsonl>("jsonl", Role::Peer),
        historian::<Fjall>("fjall", Role::Peer),
        historian::<Redb>("redb", Role::Peer),
    ]
}

/// Whether one of this name is asked for: by its name, or by that of its family, which is what it begins with.
pub(crate) fn is_asked(only: &[String], name: &str) -> bool {
    let is_meant = |asked: &String| {
        name.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    only.is_empty() || only.iter().any(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_asked_for_by_what_its_names_begin_with() {
        let asked =
            |only: &[&str], name| is_asked(&only.iter().copied().map(String::from).collect::<Vec<_>>(), name);
        assert!(asked(&[], "redb-drain"));
        assert!(asked(&["jsonl", "redb"], "redb-drain") && asked(&["redb-drain"], "redb-drain"));
        assert!(
            !asked(&["red"], "redb-drain")
                && !asked(&["redb-drain"], "redb")
                && !asked(&["sqlite"], "sqlx-sqlite")
        );
    }
}
