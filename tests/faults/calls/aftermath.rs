//! What comes after a session in which something went wrong: the next process, the power cut before it or not; and in the
//! end everything is there.

use tallybook::storage::Survivors;
use tallybook::{JournalReader, Request};

use super::life::{Life, index};
use super::session::{self, End, Outcome, Script, Seen};
use super::watch::Watch;
use crate::common::{self, Line};
use crate::retained::{closed_count, expect_tidy, expect_true_snapshots, retained, whole_history};

/// What happens before the journal is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The same process opens it again.
    Again,
    /// The process ends. What was not synced can still be lost by a later power cut.
    Killed,
    Cut(Survivors),
}

impl Then {
    pub(super) const ALL: [Then; 5] = [
        Then::Again,
        Then::Killed,
        Then::Cut(Survivors::Nothing),
        Then::Cut(Survivors::Seeded),
        Then::Cut(Survivors::Everything),
    ];
}

impl Life {
    pub(super) fn happen(&mut self, then: Then) {
        match then {
            Then::Again => {}
            Then::Killed => self.disk.kill(),
            Then::Cut(survivors) => self.crash(survivors),
        }
    }

    /// Nothing goes wrong any more: the journal is opened, what was unknown is repeated, it is used, closed, and looked
    /// through from one end to the other.
    pub(super) fn come_to_a_good_end(&mut self) -> Seen {
        let script = Script { batches: vec![1, 2], looks: None, has_room_after: None, ends_by: End::Close };
        let watch = Watch::new(&self.disk);
        let seen = session::run(self, &script, &watch);
        assert_eq!((seen.outcome, seen.refused), (Outcome::LivedOn, 0), "nothing goes wrong any more");
        assert!(self.unknown.is_empty());
        self.crash(Survivors::Nothing);
        self.check();
        seen
    }

    /// Opens a closed journal and compares everything there is with what has to be there: what was pruned is covered, what
    /// was not pruned is to be retained, and nothing is left over.
    fn check(&mut self) {
        let options = self.options();
        let engine = common::open(&self.disk, options).expect("an honest journal was refused");
        let (floor, lines) = retained(&self.disk);
        self.shadow.check_pruned(&engine, floor, &lines);
        expect_true_snapshots(&self.disk, &self.shadow.history());
        if let Some(shelf) = &self.shelf {
            let history = whole_history(&shelf.twin(&self.disk));
            self.shadow.check(&engine, &history);
        }
        self.expect_torn_bytes();
        let health = engine.engine().health();
        assert_eq!(health.last_upkeep_error.map(|error| error.to_string()), None);
        let keep = self.terms.keep.map_or(usize::MAX, index);
        assert!(closed_count(&self.disk) <= keep, "{:?}", self.disk.names());
        expect_tidy(&self.disk);
        let reader = JournalReader::with_storage(self.disk.process()).unwrap();
        assert_eq!(reader.verify().unwrap().findings, Vec::new());
    }

    /// Of commands that were under way when the disk was full and the engine halted, nobody knows which were refused for
    /// that: what is there tells. They are there whole, in order, each with what was due before it.
    pub(super) fn settle_doubt(&mut self) {
        let Some((before, requests)) = self.in_doubt.take() else { return };
        let disk = self.disk.fork(0);
        disk.kill();
        let (floor, lines) = retained(&disk);
        let is_there = |life: &Life, from: u64| {
            let history = life.shadow.history();
            history[index(from)..].iter().all(|decided| {
                let found = decided.seq.checked_sub(floor).and_then(|at| lines.get(index(at)));
                found.is_some_and(|found: &Line| found.bytes == decided.bytes)
            })
        };
        self.shadow.take_back_to(before);
        for request in &requests {
            self.settle_by(Some(request), &is_there);
        }
        self.settle_by(None, &is_there);
    }

    /// A command, if it is there, after all that was due, or none of it, or a part.
    fn settle_by(&mut self, request: Option<&Request>, is_there: &dyn Fn(&Life, u64) -> bool) {
        let before = self.shadow.seq();
        self.elapse(256);
        for steps in 0..20 {
            if let Some(request) = request {
                self.shadow.predict_at_once(request, &self.clock);
            }
            if is_there(self, before) {
                return;
            }
            self.shadow.take_back_to(before);
            for _ in 0..steps {
                self.elapse(1);
            }
        }
        self.shadow.take_back_to(before);
    }
}
