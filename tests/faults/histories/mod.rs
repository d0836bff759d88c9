//! Concurrent histories of budgets: several clients ask one engine, its writer on a thread of its own, for more than fits,
//! and what each was told, and when, is held against a sequential model.
//!
//! A seed decides what is asked, how the engine is opened, and where the power is cut; how the threads run is the machine's.
//! In every third case the power is cut (of a journal that is synced now and then: the process is killed) while they run, the
//! clients ask again what they were not answered, and so on until all is done.
//!
//! `wishes` is what is asked, `client` asks and records, `journal` reads what is there afterwards, `history` is the record of
//! all that, `model` is the sequential model, and `check` holds one against the other.

mod check;
mod client;
mod history;
mod journal;
mod model;
#[cfg(test)]
mod tests;
mod wishes;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tallybook::ids::SeededEntropy;
use tallybook::storage::{Files, SimulatedDisk, Storage, Survivors};
use tallybook::{Blocking, Durability, JournalReader, Options};

use self::client::{Client, Table, Work};
use self::history::{History, Session, whole};
use self::wishes::Wishes;
use crate::common::{DEADLINE, SMALL_SEGMENT, clock};
use crate::driver::{Limits, Row};
use crate::tally::Tally;

/// Concurrent histories of budgets against a sequential model.
pub(crate) const ROW: Row = Row { name: "histories", unit: "cases", seeds: 200, case };

fn case(seed: u64, _limits: &Limits, tally: &mut Tally) {
    let history = Run::new(seed).history();
    let crashes = history.sessions.iter().filter(|session| !session.is_clean).count();
    tally.add("crashes", crashes as u64);
    tally.add("operations", history.sessions.iter().map(|session| session.ops.len() as u64).sum());
    tally.add("concurrent operations", history.sessions.iter().map(concurrent).sum());
    if let Err(why) = check::check(&history, tally) {
        panic!("not a history of a sequential engine: {why}");
    }
}

/// How many were invoked while another was under way.
fn concurrent(session: &Session) -> u64 {
    let mut times: Vec<_> = session.ops.iter().map(|op| (op.invoked, op.completed)).collect();
    times.sort_unstable();
    let mut until = 0;
    let overlaps = times.into_iter().filter(|&(invoked, completed)| {
        let is_under_way = invoked < until;
        until = until.max(completed);
        is_under_way
    });
    overlaps.count() as u64
}

/// One run of clients and engine.
struct Run {
    seed: u64,
    chance: SeededEntropy,
    table: Table,
    clients: Vec<Client>,
    place: Place,
    is_cut: bool,
    durability: Durability,
    inbox: usize,
}

/// Where the journal is.
enum Place {
    Simulated(SimulatedDisk),
    Real(tempfile::TempDir),
}

impl Place {
    fn storage(&self) -> Arc<dyn Storage> {
        match self {
            Place::Simulated(disk) => disk.process(),
            Place::Real(dir) => Arc::new(Files::create(dir.path()).unwrap()),
        }
    }
}

impl Run {
    fn new(seed: u64) -> Run {
        let chance = SeededEntropy::new(seed);
        let is_cut = seed.is_multiple_of(3);
        let place = match seed % 16 {
            5 if !is_cut => Place::Real(tempfile::tempdir().unwrap()),
            _ => Place::Simulated(SimulatedDisk::new(seed).sector(if chance.below(2) == 0 {
                512
            } else {
                4_096
            })),
        };
        let durability = match chance.below(3) {
            0 => Durability::Interval(Duration::from_millis(chance.below(4))),
            _ => Durability::Sync,
        };
        // With little room turns that are accounted may be added up; callers wait for each other.
        let inbox = if chance.below(4) == 0 { 2 + usize::from(chance.below(2) == 0) * 4 } else { 4_096 };
        // A crowd now and then, the larger the shorter.
        let count = if chance.below(12) == 0 { 48 } else { 2 + chance.below(7) };
        let left = if count > 8 { 8 } else { 40 + chance.below(40) };
        let client = |number| Client {
            wishes: Wishes::new(seed, number, count),
            is_blocking: number % 3 != 1,
            left,
            again: Vec::new(),
        };
        let clients = (0..count).map(client).collect();
        Run {
            seed,
            chance,
            table: Table::new(clock(), inbox == 4_096),
            clients,
            place,
            is_cut,
            durability,
            inbox,
        }
    }

    fn open(&self) -> Result<Blocking, tallybook::Error> {
        let options = Options::new()
            .entropy(SeededEntropy::new(self.chance.next_u64()))
            .clock(self.table.clock.clone())
            .durability(self.durability)
            .inbox_capacity(self.inbox);
        let options =
            if self.seed.is_multiple_of(2) { options } else { options.segment_bytes(SMALL_SEGMENT) };
        options.open_storage(self.place.storage()).map(|engine| engine.blocking())
    }

    fn history(mut self) -> History {
        let mut sessions = vec![self.setup()];
        while self.clients.iter().any(|client| client.left > 0 || !client.again.is_empty()) {
            // The last may end in peace.
            self.plan_a_cut(sessions.len());
            match self.open() {
                Ok(engine) => sessions.push(self.session(&engine)),
                Err(error) => assert!(self.is_off(), "an honest journal was refused: {error}"),
            }
            self.turn_on();
        }
        self.last(sessions)
    }

    /// The tree, before there is anybody else.
    fn setup(&mut self) -> Session {
        let engine = self.open().unwrap();
        let mut work = Work::new(engine.clone(), &self.table);
        for request in wishes::tree() {
            assert!(work.execute(&mut self.clients[0], request));
        }
        let ops = std::mem::take(&mut work.ops);
        drop(work);
        engine.shutdown(DEADLINE).unwrap();
        Session { opened_at: 0, ops, is_clean: true }
    }

    /// All clients at once, each on a thread of its own, until the engine ends.
    fn session(&mut self, engine: &Blocking) -> Session {
        let (opened_at, table) = (engine.view().seq(), &self.table);
        let ops = thread::scope(|scope| {
            let clients = self.clients.iter_mut();
            let working: Vec<_> =
                clients.map(|client| scope.spawn(move || client.work(engine, table))).collect();
            working.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        let is_clean = engine.shutdown(DEADLINE).is_ok();
        assert!(is_clean || self.is_off(), "the engine ended without a reason: {:?}", engine.health());
        Session { opened_at, ops, is_clean }
    }

    fn plan_a_cut(&self, sessions: usize) {
        if let Place::Simulated(disk) = &self.place
            && self.is_cut
            && sessions < 8
        {
            disk.power_cut_at(disk.operations() + 1 + self.chance.below(120));
        }
    }

    fn is_off(&self) -> bool {
        matches!(&self.place, Place::Simulated(disk) if disk.is_off())
    }

    /// What was written may be gone where it was not synced; of a journal that is synced now and then, only the process
    /// ends, which takes nothing from it.
    fn turn_on(&self) {
        let Place::Simulated(disk) = &self.place else { return };
        match self.durability {
            Durability::Sync => disk.restart(Survivors::Seeded),
            Durability::Interval(_) => disk.kill(),
        }
    }

    /// Nothing durable is missing after the end: what a last opening shows.
    fn last(self, mut sessions: Vec<Session>) -> History {
        let engine = self.open().unwrap();
        let opened_at = engine.view().seq();
        let view = engine.settled_view().unwrap();
        engine.shutdown(DEADLINE).unwrap();
        drop(engine);
        sessions.push(Session { opened_at, ops: Vec::new(), is_clean: true });
        let (frames, hash) = journal::frames(&JournalReader::with_storage(self.place.storage()).unwrap());
        assert_eq!(view.head().state_hash, hash, "what is shown is what the events fold to (law FOLD)");
        History { sessions, frames, last: whole(&view, view.seq()) }
    }
}
