//! The life of a journal, drawn from a seed: on which disk, opened how, used for what, and what has to be in it.

use std::ops::RangeInclusive;
use std::time::Duration;

use tallybook::domain::Elapse;
use tallybook::format::SegmentName;
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Clock, Durability, Json, ManualClock, NewBudget, NewReservation, Options, RecordEvent, RecordSpend,
    Request, Retention, Spend, Ttl, Window,
};

use crate::common::{self, Predicted, Shadow, Workload, options};
use crate::retained::{self, Shelf};

/// How a journal is kept, from its beginning to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) durability: Durability,
    segment_bytes: u64,
    /// How many closed segments are retained; all of them without a number.
    pub(super) keep: Option<u64>,
    snapshot_bytes: u64,
    /// How many events the feed has in memory.
    live_events: usize,
}

/// A journal at a moment of its life when nobody has it open.
pub(super) struct Life {
    pub(super) terms: Terms,
    pub(super) chance: SeededEntropy,
    pub(super) disk: SimulatedDisk,
    pub(super) clock: ManualClock,
    pub(super) workload: Workload,
    pub(super) shadow: Shadow,
    pub(super) shelf: Option<Shelf>,
    sessions: u64,
    made: u64,
    /// Commands whose outcome nobody was told.
    pub(super) unknown: Vec<Request>,
    /// Commands of which some may not have been written, since the disk was full, and after which `seq` they came.
    pub(super) in_doubt: Option<(u64, Vec<Request>)>,
    /// What the next process has to find, as long as the power stays on.
    pub(super) in_cache: u64,
    /// How many bytes the disk holds, if it is to be full.
    capacity: Option<u64>,
    /// A segment with torn bytes, and those, which are to be kept when it goes.
    pub(super) torn: Option<(String, Vec<u8>)>,
}

impl Life {
    pub(super) fn new(seed: u64) -> Life {
        let chance = SeededEntropy::new(seed);
        let sector = [512, 4096][index(chance.below(2))];
        let hour = Durability::Interval(Duration::from_secs(3_600));
        let at_once = Durability::Interval(Duration::ZERO);
        let keep = [Some(0), Some(1), Some(2), None][index(chance.below(4))];
        let terms = Terms {
            durability: [Durability::Sync, Durability::Sync, Durability::Sync, hour, at_once]
                [index(chance.below(5))],
            segment_bytes: [4 << 10, 5 << 10, 6 << 10, 10 << 10][index(chance.below(4))],
            keep,
            // Where everything is kept, not too many of them.
            snapshot_bytes: match keep {
                Some(_) => [0, 9_000, u64::MAX][index(chance.below(3))],
                None => [12_000, u64::MAX][index(chance.below(2))],
            },
            live_events: [2, 4_096, 4_096][index(chance.below(3))],
        };
        Life {
            terms,
            disk: SimulatedDisk::new(chance.next_u64()).sector(sector),
            clock: common::clock(),
            workload: Workload::new(chance.next_u64()),
            shadow: Shadow::default(),
            shelf: (chance.below(2) == 0).then(Shelf::default),
            chance,
            sessions: 0,
            made: 0,
            unknown: Vec::new(),
            in_doubt: None,
            in_cache: 0,
            capacity: None,
            torn: None,
        }
    }

    /// The same journal once more, on a disk of its own. `script`: what is done there; `outcome`: how faults turn out.
    pub(super) fn fork(&self, script: u64, outcome: u64) -> Life {
        let disk = self.disk.fork(outcome);
        // Nothing runs, and nothing is lost.
        disk.kill();
        Life {
            terms: self.terms,
            chance: SeededEntropy::new(script),
            disk,
            clock: ManualClock::new(self.clock.now()),
            workload: self.workload.fork(script),
            shadow: self.shadow.clone(),
            shelf: self.shelf.as_ref().map(Shelf::fork),
            sessions: self.sessions,
            made: self.made,
            unknown: self.unknown.clone(),
            in_doubt: self.in_doubt.clone(),
            in_cache: self.in_cache,
            capacity: self.capacity,
            torn: self.torn.clone(),
        }
    }

    pub(super) fn options(&mut self) -> Options {
        self.sessions += 1;
        let rules = self.terms.keep.map_or(Retention::keep_all(), |keep| Retention::new().segments(keep));
        let options = options(self.chance.next_u64() ^ self.sessions, &self.clock)
            .durability(self.terms.durability)
            .segment_bytes(self.terms.segment_bytes)
            .retention(rules)
            .snapshot_bytes(self.terms.snapshot_bytes)
            .live_events(self.terms.live_events);
        match &self.shelf {
            Some(shelf) => options.archive(shelf.clone()),
            None => options,
        }
    }

    pub(super) fn is_synced_at_once(&self) -> bool {
        self.terms.durability == Durability::Sync
    }

    /// One of these numbers.
    pub(super) fn any(&self, of: RangeInclusive<u64>) -> u64 {
        of.start() + self.chance.below(of.end() - of.start() + 1)
    }

    /// Some commands that are handed over at once, and what they have to lead to.
    pub(super) fn requests(&mut self, count: u64) -> (Vec<Request>, Vec<Predicted>) {
        // So that refusals stay below what is suppressed.
        self.clock.advance(Duration::from_secs(5 * (count - 1)));
        let mut requests = Vec::new();
        let mut predicted = Vec::new();
        for _ in 0..count {
            let clock = self.clock.clone();
            let still = ManualClock::new(clock.now());
            let request = self.next(if requests.is_empty() { &clock } else { &still });
            predicted.push(self.predict(&request));
            requests.push(request);
        }
        (requests, predicted)
    }

    /// What the engine does first when something is due, and then the command.
    pub(super) fn predict(&mut self, request: &Request) -> Predicted {
        self.elapse(256);
        self.shadow.predict(request, &self.clock)
    }

    /// What is due happens, so many events of it in a frame. Whether there was anything.
    pub(super) fn elapse(&mut self, max_events: usize) -> bool {
        let before = self.shadow.seq();
        while self.is_due() {
            let seq = self.shadow.seq();
            self.shadow.predict(&Request::from(Elapse { max_events }), &self.clock);
            if self.shadow.seq() == seq || max_events == 1 {
                break;
            }
        }
        self.shadow.seq() > before
    }

    fn is_due(&self) -> bool {
        let projection = self.shadow.projection();
        let now = self.clock.now().max(projection.last_ts);
        projection.state.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    fn next(&mut self, clock: &ManualClock) -> Request {
        self.made += 1;
        let id = format!("own-{}", self.made);
        let amount = u128::from(1 + self.chance.below(200));
        let request = match self.chance.below(16) {
            0 | 1 => {
                // Sometimes a large one, so that a frame is longer than others.
                let filler = "x".repeat(index([3, 40, 900][index(self.chance.below(3))]));
                let data = Json::parse(&format!(r#"{{"of":{},"text":"{filler}"}}"#, self.made)).unwrap();
                Request::from(RecordEvent::new("seen", data).id(id.clone()))
            }
            2 => {
                let hold = NewReservation::new(format!("money-{}", self.chance.below(3)), amount);
                hold.id(id.clone()).ttl(Ttl::secs(1 + self.chance.below(40))).into()
            }
            3 => NewBudget::new("each-minute").limit(500).window(Window::every("PT1M")).into(),
            4 => RecordSpend::new("each-minute", Spend::of(amount).id(id.clone())).into(),
            _ => return self.workload.next(self.shadow.projection(), clock),
        };
        clock.advance(Duration::from_secs(5));
        request.key(id).actor("tester")
    }

    /// From now on the disk has room for that many bytes more; without a number, for any.
    pub(super) fn set_room(&mut self, bytes: Option<u64>) {
        self.capacity = bytes.map(|bytes| self.disk.used() + bytes);
        self.disk.set_capacity(self.capacity);
    }

    /// Whether the disk has a size now.
    pub(super) fn is_full(&self) -> bool {
        self.capacity.is_some()
    }

    /// The power goes and comes again.
    pub(super) fn crash(&mut self, survivors: Survivors) {
        self.in_cache = 0;
        self.disk.restart(survivors);
    }

    /// Notes which bytes of a segment that was torn are to be kept when it goes, as its successor states. `torn`: its name
    /// and all of its bytes.
    pub(super) fn note_torn(&mut self, torn: &(String, Vec<u8>)) {
        let number = |name: &str| SegmentName::parse(name).unwrap().number;
        let after = number(&torn.0) + 1;
        let successor = common::segments(&self.disk).into_iter().find(|(name, _)| number(name) == after);
        // It may have been pruned already.
        let Some((successor, _)) = successor else { return };
        let stated = retained::segment_header(&self.disk, &successor).predecessor;
        assert!(stated.discarded_len >= 333, "what was torn is stated");
        let discarded = index(stated.end)..index(stated.end + stated.discarded_len);
        self.torn = Some((torn.0.clone(), torn.1[discarded].to_vec()));
    }

    /// Law EVIDENCE: torn bytes are there as long as their segment is, and then on their own.
    pub(super) fn expect_torn_bytes(&self) {
        let Some((segment, torn)) = &self.torn else { return };
        if self.disk.contents(segment).is_err() {
            let name = segment.replace(".seg", ".torn");
            let kept = self.disk.contents(&name).unwrap_or_default();
            assert!(kept == *torn, "law EVIDENCE: {name} has {} bytes of {}", kept.len(), torn.len());
        }
    }
}

pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}
