//! A real disk without room, under a real process: commands are refused or the engine halts, nothing that was answered is
//! lost, the journal can be opened and pruned while the disk is full, and goes on when there is room (laws HALT, DURABLE,
//! EVIDENCE, RETAIN, EXACT).
//!
//! Each seed stands for one disk and one way in which it gets full.

mod disk;

use tallybook::ids::SeededEntropy;

use crate::driver::{Limits, Row};
use crate::processes::{Exit, Keep, Orders, Record, Told, Victim, Witness};
use crate::tally::Tally;
pub(crate) use disk::go_apart;
use disk::{Disk, Kind};

pub(crate) const ROW: Row = Row { name: "full-disk", unit: "full disks", seeds: 9, case };

/// How large the disks are.
const DISK_BYTES: u64 = 3 << 20;
/// What stands on a disk and is taken away when room is to be made.
const BALLAST: &str = "ballast";
/// How much of it there is at first, where something else fills the disk.
const BALLAST_BYTES: usize = 1 << 20;
/// So many answers show that an engine goes on.
const GOES_ON: usize = 60;
/// So many commands each client gives where only a few are to be given.
const FEW: Option<u64> = Some(16);
/// What a base may need: all that is remembered.
const ROOM_FOR_BASE: u64 = 1 << 20;
/// What a few commands need, with snapshots and small segments.
const ROOM_TO_GO_ON: u64 = 800 << 10;
/// What an opening may need after a crash: a header, and what was not known to be synced.
const ROOM_TO_OPEN: u64 = 96 << 10;

/// How a disk gets full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// The journal fills it.
    ByJournal,
    /// Another file grows meanwhile.
    ByAnother,
    /// It is full when the journal is opened again.
    AtOpening,
    /// It is full when the journal is to be made.
    AtFirst,
    /// It is not, but what is below it is.
    Below,
}

impl Story {
    fn name(self) -> &'static str {
        match self {
            Story::ByJournal => "filled by the journal",
            Story::ByAnother => "filled by another file",
            Story::AtOpening => "full at an opening",
            Story::AtFirst => "full at the first opening",
            Story::Below => "full below the file system",
        }
    }
}

/// Every disk with every story, one after the other.
const KINDS: [(Kind, Story); 9] = [
    (Kind::Memory, Story::ByJournal),
    (Kind::Ext4, Story::ByJournal),
    (Kind::Memory, Story::ByAnother),
    (Kind::Ext4, Story::ByAnother),
    (Kind::Memory, Story::AtOpening),
    (Kind::Ext4, Story::AtOpening),
    (Kind::Memory, Story::AtFirst),
    (Kind::Ext4, Story::AtFirst),
    (Kind::Overdrawn, Story::Below),
];

fn case(seed: u64, limits: &Limits, tally: &mut Tally) {
    let (kind, story) = KINDS[usize::try_from(seed % KINDS.len() as u64).unwrap()];
    let disk = match Disk::mount(kind, DISK_BYTES) {
        Ok(disk) => disk,
        Err(_) if limits.may_skip => return tally.count("not possible here, and passed over"),
        Err(why) => panic!("a disk of its own is not possible here ({why}); --may-skip passes over it"),
    };
    tally.count("full disks");
    tally.count(kind.name());
    tally.count(story.name());
    let dice = SeededEntropy::new(seed);
    let record = Record::new(disk.root().join("book"), disk.beside(), dice.below(4) > 0);
    let mut case = Case { disk, record, witness: Witness::default(), dice, tally };
    case.run(story);
}

struct Case<'a> {
    disk: Disk,
    record: Record,
    witness: Witness,
    dice: SeededEntropy,
    tally: &'a mut Tally,
}

impl Case<'_> {
    fn below(&self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    fn any<T: Copy>(&self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn run(&mut self, story: Story) {
        match story {
            Story::ByJournal => {
                self.disk.grow(BALLAST, BALLAST_BYTES);
                self.run_full(|_, _| {});
            }
            Story::ByAnother => self.run_full(|disk, told| {
                if matches!(told, Told::Answered(..)) && !disk.grow(BALLAST, 40_000) {
                    disk.fill(BALLAST, 0);
                }
            }),
            Story::AtOpening => self.live_before(),
            Story::AtFirst => self.open_nothing(),
            Story::Below => return self.run_below(),
        }
        // Full again where the ballast was taken away meanwhile.
        if self.disk.free() > ROOM_TO_OPEN || self.below(3) == 0 {
            let leave = self.any(&[0, 1_024, 4_096, 20_000, 150_000, 400_000]);
            self.disk.fill(BALLAST, leave);
        }
        if self.record.has_begun() {
            self.open_full();
            self.prune_full();
        }
        self.disk.remove(BALLAST);
        self.finish();
    }

    fn orders(&self) -> Orders {
        Orders {
            dir: self.record.dir.clone(),
            archive: self.record.archive.clone(),
            keep: Keep::All,
            interval_ms: self.any(&[None, None, None, Some(1), Some(20)]),
            segment_bytes: self.any(&[Some(20_000), Some(65_536), Some(300_000), None]),
            snapshot_bytes: self.any(&[0, 100_000, 64 << 20]),
            window: self.any(&[1, 16, 64]),
            begin: self.witness.begin(),
            commands: None,
            patience_ms: 50,
        }
    }

    /// What a victim may tell, whatever happens to the disk; and it ends by itself.
    fn expect_honest(&mut self, exit: &Exit) {
        exit.expect_orderly();
        for told in &exit.told {
            let kind = match told {
                Told::Unopened(kind, _) | Told::Failed(_, _, kind) | Told::Ended(kind, _) => kind.as_str(),
                _ => continue,
            };
            let is_honest = match told {
                Told::Unopened(..) => kind == "NoSpace",
                Told::Ended(..) => kind == "Halted",
                _ => ["NoSpace", "OutcomeUnknown", "Halted"].contains(&kind),
            };
            assert!(is_honest, "on a full disk: {told:?}");
            self.tally.count(match (told, kind) {
                (Told::Unopened(..), _) => "not opened for want of room",
                (Told::Ended(..), _) => "engines that halted",
                (_, "NoSpace") => "refused for want of room",
                _ => "outcome unknown, or halted",
            });
        }
        self.witness.note(&exit.told, self.tally);
        self.witness.inspect(&self.record, self.tally);
    }

    /// A writer that runs until there is no room. Where it lives on, it goes on as soon as there is.
    fn run_full(&mut self, meanwhile: impl Fn(&Disk, &Told)) {
        let is_to_go_on = self.below(2) == 0;
        let patience_ms = if is_to_go_on { 20_000 } else { 50 };
        let keep = match self.below(3) {
            0 if self.record.archive.is_some() => Keep::Bytes(8 << 20),
            _ => Keep::All,
        };
        let mut victim = Victim::start(&Orders { keep, patience_ms, ..self.orders() });
        let mut has_failed = false;
        while let Some(told) = victim.hear() {
            meanwhile(&self.disk, told);
            if matches!(told, Told::Failed(_, _, kind) if kind == "NoSpace") {
                has_failed = true;
                break;
            }
        }
        if has_failed && is_to_go_on {
            self.disk.remove(BALLAST);
            let mut answers = 0;
            while answers < GOES_ON {
                match victim.hear() {
                    Some(Told::Answered(..)) => answers += 1,
                    Some(Told::Failed(_, _, kind)) if kind != "NoSpace" => break,
                    Some(Told::Ended(..)) | None => break,
                    Some(_) => {}
                }
            }
            let exit = victim.kill();
            let has_halted =
                exit.told.iter().any(|told| matches!(told, Told::Failed(_, _, kind) if kind != "NoSpace"));
            assert!(answers == GOES_ON || has_halted, "it goes on where there is room: {}", exit.description);
            self.tally.count(if has_halted { "halted after all" } else { "went on when room was made" });
            exit.expect_silent();
            self.witness.note(&exit.told, self.tally);
            return self.witness.inspect(&self.record, self.tally);
        }
        let exit = victim.wait();
        let is_told = exit.told.iter().any(|told| matches!(told, Told::Failed(..)));
        assert!(is_told, "a full disk shows: {:?}", exit.told.last());
        self.expect_honest(&exit);
    }

    /// A life with room, ended in one way or another.
    fn live_before(&mut self) {
        let is_to_be_killed = self.below(2) == 0;
        let commands = (!is_to_be_killed).then(|| 20 + self.below(200));
        let mut victim = Victim::start(&Orders { commands, ..self.orders() });
        let exit = if is_to_be_killed {
            let answers = 100 + self.below(600);
            let heard = (0..answers).take_while(|_| victim.hear().is_some()).count();
            assert_eq!(heard as u64, answers, "there is room");
            victim.kill()
        } else {
            victim.wait()
        };
        exit.expect_silent();
        self.witness.note(&exit.told, self.tally);
        self.witness.inspect(&self.record, self.tally);
    }

    /// Nothing is there but a lock file perhaps, which some crash left without a byte of room; and there is no room.
    fn open_nothing(&mut self) {
        if self.below(3) > 0 {
            self.disk.make_hole(&self.record.dir.join("lock"), self.any(&[4_096, 4_096, 100]));
        }
        let leave = self.any(&[0, 0, 1_024, 4_096, 8_192, 12_288]);
        self.disk.fill(BALLAST, leave);
        let exit = Victim::start(&Orders { commands: FEW, ..self.orders() }).wait();
        if leave == 0 {
            let is_refused = exit.told.iter().any(|told| matches!(told, Told::Unopened(..)));
            assert!(is_refused, "there is no room for a journal: {:?}", exit.told);
        }
        self.expect_honest(&exit);
    }

    /// Opened while the disk is full: what a recovery needs, it has.
    fn open_full(&mut self) {
        let free = self.disk.free();
        // A few commands only: what is to become free later has to do for the rest.
        let exit = Victim::start(&Orders { commands: FEW, ..self.orders() }).wait();
        let is_opened = exit.told.iter().any(|told| matches!(told, Told::Opened(..)));
        assert!(is_opened || free < ROOM_TO_OPEN, "with {free} bytes free: {:?}", exit.told);
        if is_opened {
            self.tally.count("opened while full");
        }
        self.expect_honest(&exit);
    }

    /// Pruned while the disk is full, by an engine that has nothing else to do; what becomes free is used.
    fn prune_full(&mut self) {
        if self.record.archive.is_none() {
            return;
        }
        let (closed, free) = (self.record.closed(), self.disk.free());
        let may_prune = self.record.has_snapshot_above_floor() || free > ROOM_FOR_BASE;
        // Synced before each answer: at intervals the first frame that finds no room halts the engine, and its upkeep, too.
        let orders = Orders {
            keep: Keep::Segments(0),
            interval_ms: None,
            segment_bytes: Some(20_000),
            commands: Some(0),
            patience_ms: 3_000,
            ..self.orders()
        };
        let exit = Victim::start(&orders).wait();
        self.expect_honest(&exit);
        if !exit.told.iter().any(|told| matches!(told, Told::Opened(..))) {
            return;
        }
        let left = self.record.closed();
        assert!(
            left < closed || closed == 0 || !may_prune,
            "{closed} closed segments before, {left} after, with {free} bytes free: {:?} {:?}",
            exit.told.iter().rev().take(3).collect::<Vec<_>>(),
            self.record.names(),
        );
        if left < closed {
            self.tally.count("pruned while full");
        }
        if self.disk.free() > ROOM_TO_GO_ON {
            let exit = Victim::start(&Orders { commands: FEW, snapshot_bytes: 64 << 20, ..orders }).wait();
            assert_eq!(exit.told.last(), Some(&Told::Closed), "there is room: {}", exit.description);
            self.expect_honest(&exit);
            self.tally.count("went on where pruning made room");
        }
    }

    /// With room again: everything that was given is done, once; and nothing is left over.
    fn finish(&mut self) {
        // The disk is a small one: no snapshots beside what fills it.
        let orders =
            Orders { commands: FEW, segment_bytes: Some(20_000), snapshot_bytes: 64 << 20, ..self.orders() };
        let exit = Victim::start(&orders).wait();
        exit.expect_orderly();
        assert_eq!(exit.told.last(), Some(&Told::Closed), "there is room again");
        let is_failed = |told: &&Told| matches!(told, Told::Failed(..));
        let failed: Vec<_> = exit.told.iter().filter(is_failed).collect();
        assert!(failed.is_empty(), "there is room again: {failed:?}");
        self.witness.note(&exit.told, self.tally);
        self.record.expect_tidy();
        self.witness.inspect(&self.record, self.tally);

        let engine = orders.options().open_blocking(orders.dir()).unwrap();
        self.witness.check_opened(&engine);
        self.witness.give_all_again(&engine, self.tally);
        drop(engine);
        self.record.expect_tidy();
        self.witness.inspect(&self.record, self.tally);
    }

    /// The file system promises room that is not there: a sync fails. What was answered before is really on the disk, which
    /// is taken out and put in again; and nothing is answered once a sync has failed.
    fn run_below(&mut self) {
        let orders = Orders { interval_ms: None, commands: Some(20_000), ..self.orders() };
        let exit = Victim::start(&orders).wait();
        exit.expect_orderly();
        let has_failed = exit.told.iter().any(|told| matches!(told, Told::Failed(..)));
        assert!(has_failed, "a sync fails: {:?}", exit.told.last());
        self.tally.count("syncs that failed");
        self.witness.note(&exit.told, self.tally);
        self.disk.mount_again_with_room();
        self.witness.inspect(&self.record, self.tally);
        self.finish();
    }
}
