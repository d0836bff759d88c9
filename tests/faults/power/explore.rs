//! What follows from each crash: the journal is opened, looked at, and crashes again.

use std::sync::{Arc, Mutex, PoisonError};

use tallybook::format::SegmentName;
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{Blocking, Durability, JournalReader, Options};

use super::life::{Cut, Ending, Known, Life, index};
use crate::common::{Answer, DEADLINE, Expected, answer_of};
use crate::retained::{self, Shelf};
use crate::tally::Tally;

/// The ways in which a process ends that are tried at each operation. What the seed decides is decided anew each time.
const ENDINGS: [Ending; 6] = [
    Ending::Cut(Survivors::Seeded),
    Ending::Killed,
    Ending::Cut(Survivors::Nothing),
    Ending::Cut(Survivors::Seeded),
    Ending::Cut(Survivors::Everything),
    Ending::Cut(Survivors::Seeded),
];

pub(crate) struct Explorer<'a> {
    life: &'a Life,
    depth: u32,
    every: u64,
    /// The crashes that led here, for whoever reads of a failure.
    path: Vec<(u64, Ending)>,
    chance: SeededEntropy,
    tally: &'a mut Tally,
}

impl<'a> Explorer<'a> {
    pub(crate) fn new(life: &'a Life, depth: u32, every: u64, tally: &'a mut Tally) -> Explorer<'a> {
        let chance = SeededEntropy::new(life.chance.next_u64());
        Explorer { life, depth, every, path: Vec::new(), chance, tally }
    }

    /// Tries all endings at all cuts. With which of them the life goes on.
    pub(crate) fn explore(mut self, cuts: &[Cut]) -> Option<(Cut, Ending)> {
        for cut in cuts {
            self.tally.count(place_of(&cut.disk, 1));
            for ending in ENDINGS {
                if self.chance.below(self.every) == 0 {
                    self.crash(cut, ending, 1);
                }
            }
        }
        let cut = cuts.get(index(self.chance.below(cuts.len() as u64)))?;
        // As often as not it is the end that the session had.
        let cut = if self.chance.below(2) == 0 { cuts.last()? } else { cut };
        Some((cut.clone(), ENDINGS[index(self.chance.below(6))]))
    }

    /// A process ends, and the next one opens the journal, at any operation of which the power is cut once more.
    fn crash(&mut self, cut: &Cut, ending: Ending, depth: u32) {
        self.path.push((cut.operation, ending));
        self.tally.count("crashes");
        self.tally.count(match ending {
            Ending::Killed => "crashes: processes killed",
            Ending::Cut(Survivors::Nothing) => "crashes: cuts, nothing unsynced survives",
            Ending::Cut(Survivors::Everything) => "crashes: cuts, everything survives",
            Ending::Cut(Survivors::Seeded) => "crashes: cuts, any of it survives",
        });
        self.tally.count(
            ["", "crashes at depth 1", "crashes at depth 2", "crashes at depth 3"][(depth as usize).min(3)],
        );
        let disk = cut.disk.fork(self.chance.next_u64());
        ending.apply(&disk);
        // Each opening has some ten operations: the rarer, the deeper, so that no depth takes all the time.
        let goes_deeper = depth < self.depth && self.chance.below(8 * 3u64.pow(depth)) == 0;
        let shelf = cut.shelf.as_ref().map(Shelf::fork);
        let deeper = goes_deeper.then(|| watch(&disk, &cut.known, ending, shelf.as_ref()));
        let options = match goes_deeper {
            true => self.life.options(&self.chance, shelf.as_ref()),
            false => self.life.plain_options(&self.chance),
        };
        let engine = self.open(&disk, options, cut, ending);
        disk.watch(None);
        let count = self.life.check(&disk, &engine, cut.known.expected(ending));
        if let Some(shelf) = shelf.as_ref().filter(|_| self.chance.below(16) == 0) {
            let expected = Expected { at_least: count, at_most: count };
            let history = retained::whole_history(&shelf.twin(&disk));
            self.life.shadow.expect(expected, &engine.view().head(), 1, &history);
        }
        if self.chance.below(16) == 0 {
            self.life.check_floor(&disk);
        }
        if self.chance.below(8) == 0 {
            self.go_on(&disk, engine, count, &cut.known);
        } else {
            // Without the clean close, which nobody looks at.
            disk.kill();
        }
        let deeper =
            deeper.map(|cuts| std::mem::take(&mut *cuts.lock().unwrap_or_else(PoisonError::into_inner)));
        for cut in deeper.into_iter().flatten() {
            self.tally.count(place_of(&cut.disk, depth + 1));
            for ending in &ENDINGS[..3] {
                self.crash(&cut, *ending, depth + 1);
            }
        }
        self.path.pop();
    }

    fn open(&self, disk: &SimulatedDisk, options: Options, cut: &Cut, ending: Ending) -> Blocking {
        let opened = options.open_storage(disk.process()).map(|engine| engine.blocking());
        opened.unwrap_or_else(|error| {
            panic!(
                "an honest journal was refused, {ending:?} at operation {}: {error}; {:?}",
                cut.operation,
                disk.names()
            )
        })
    }

    /// The journal is used: what was under way is retried and booked once, more is done, and it is there after another cut.
    fn go_on(&mut self, disk: &SimulatedDisk, engine: Blocking, count: u64, known: &Known) {
        self.tally.count("journals used after a crash");
        let mut shadow = self.life.shadow.clone();
        shadow.take_back_to(count);
        for request in known.in_flight.iter() {
            let predicted = shadow.predict(request, &self.life.clock);
            let answer = answer_of(&engine.execute(request.clone()));
            let is_acknowledged = matches!(answer, Answer::Acknowledged(..));
            assert!(is_acknowledged && predicted.allows(answer), "{request:?}: {predicted:?}, {answer:?}");
        }
        let (seq, durable) = (engine.view().seq(), engine.engine().health().durable_seq);
        assert_eq!(seq, shadow.seq());
        disk.restart(Survivors::Seeded);
        drop(engine);
        let options = self.life.plain_options(&self.chance);
        let engine = options.open_storage(disk.process()).unwrap().blocking();
        let (floor, lines) = retained::retained(disk);
        let at_least = if self.life.durability == Durability::Sync { seq } else { durable };
        let expected = Expected { at_least: at_least.max(known.acknowledged), at_most: seq };
        shadow.expect(expected, &engine.view().head(), floor, &lines);
        engine.shutdown(DEADLINE).unwrap();
        let report = JournalReader::with_storage(disk.process()).unwrap().verify().unwrap();
        assert_eq!((report.findings, report.is_clean), (Vec::new(), true));
    }
}

impl Drop for Explorer<'_> {
    fn drop(&mut self) {
        if !self.path.is_empty() {
            eprintln!(
                "crashes, each with the operation at which it came: {:?}, at {:?}",
                self.path, self.life.durability
            );
        }
    }
}

/// What is under way on a disk, as far as its files tell: in a session, or in the opening after a crash.
fn place_of(disk: &SimulatedDisk, depth: u32) -> &'static str {
    let names = disk.names();
    let has = |name: &str| names.iter().any(|found| found == name);
    let floor = retained::floor(disk);
    let is_below = |name: &String| SegmentName::parse(name).is_some_and(|segment| segment < floor);
    let places = match depth {
        1 => [
            "cut while: a snapshot is made",
            "cut while: segments are removed",
            "cut while: a segment is made",
            "cut while: anything else",
        ],
        _ => [
            "cut again while: a snapshot is made",
            "cut again while: segments are removed",
            "cut again while: a segment is made",
            "cut again while: anything else",
        ],
    };
    if has("snapshot.tmp") {
        places[0]
    } else if names.iter().any(is_below) {
        places[1]
    } else if has("spare.tmp") {
        places[2]
    } else {
        places[3]
    }
}

/// Keeps what a power cut at each operation from now on leaves.
fn watch(disk: &SimulatedDisk, known: &Known, ending: Ending, shelf: Option<&Shelf>) -> Arc<Mutex<Vec<Cut>>> {
    let cuts = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&cuts);
    let known = known.clone().after(ending);
    let shelf = shelf.cloned();
    disk.watch(Some(Box::new(move |operation, disk| {
        let (known, shelf) = (known.clone(), shelf.as_ref().map(Shelf::fork));
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(Cut { operation, disk, known, shelf });
    })));
    cuts
}
