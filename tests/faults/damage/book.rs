//! A journal made from a seed: some sessions, each of which ends well or badly, and all that is known of what they left on
//! the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tallybook::format::{
    FrameCodec, FrameKind, FrameRead, HEADER_LEN, SegmentHeader, SegmentName, SnapshotName,
};
use tallybook::ids::SeededEntropy;
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, Durability, JournalReader, ManualClock, Options, Projection, Retention, StateHash,
};

use crate::common::{self, Answer, DEADLINE, Line, Shadow, Workload, answer_of, must};

/// The files of a journal by name, the lock among them.
pub(super) type Contents = BTreeMap<String, Arc<[u8]>>;

/// A journal that nobody is writing, and the truth about it.
pub(super) struct Book {
    pub(super) disk: SimulatedDisk,
    pub(super) clock: ManualClock,
    pub(super) files: Contents,
    /// What the files held before, oldest first.
    pub(super) former: BTreeMap<String, Vec<Arc<[u8]>>>,
    /// The files of another journal that was written in the same way.
    pub(super) twin: Contents,
    pub(super) segments: BTreeMap<String, TrueSegment>,
    /// The lines of all events, those that are pruned among them.
    pub(super) lines: Vec<Vec<u8>>,
    /// The hash of the state after so many events.
    pub(super) hashes: Vec<StateHash>,
}

/// A segment as it was written.
pub(super) struct TrueSegment {
    pub(super) header: SegmentHeader,
    /// All valid frames from the first on; also those that a recovery did not believe.
    pub(super) frames: Vec<TrueFrame>,
    /// The valid headers of frames, with those whose payload was cut short: where they are, and up to where they prove that
    /// the file was synced.
    pub(super) proofs: Vec<(usize, usize)>,
    /// Where it ends, as its successor says.
    pub(super) stated_end: Option<usize>,
}

/// A frame as it was written.
pub(super) struct TrueFrame {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: FrameKind,
    pub(super) first_seq: u64,
    pub(super) next_seq: u64,
}

impl TrueSegment {
    fn parse(bytes: &[u8], next: Option<&SegmentHeader>) -> TrueSegment {
        let header = SegmentHeader::from_bytes(bytes).unwrap();
        let codec = FrameCodec::new(header.journal_id, header.number);
        let (mut frames, mut at) = (Vec::new(), HEADER_LEN as u64);
        while let FrameRead::Frame(frame) = codec.read(bytes, at) {
            frames.push(TrueFrame {
                start: index(at),
                end: index(frame.end()),
                kind: frame.header.kind,
                first_seq: frame.header.first_seq,
                next_seq: frame.header.next_seq(),
            });
            at = frame.end();
        }
        let mut proofs = Vec::new();
        let mut from = HEADER_LEN as u64;
        while let Some((at, header)) = codec.find_header(bytes, from, |_| true) {
            proofs.push((index(at), index(header.durable_through)));
            from = at + 8;
        }
        TrueSegment { header, frames, proofs, stated_end: next.map(|next| index(next.predecessor.end)) }
    }

    /// Where the frames end.
    pub(super) fn end(&self) -> usize {
        self.frames.last().map_or(HEADER_LEN, |frame| frame.end)
    }

    /// The `seq` that an event has that comes after the frames before that offset.
    pub(super) fn next_seq_at(&self, at: usize) -> u64 {
        let before = self.frames.iter().take_while(|frame| frame.end <= at);
        before.last().map_or(self.header.first_seq, |frame| frame.next_seq)
    }
}

impl Book {
    pub(super) fn new(seed: u64) -> Book {
        let mut life = Life::lived(seed, seed);
        let twin = contents(&Life::lived(seed, !seed).disk);
        let files = contents(&life.disk);
        life.take_back_what_is_lost();
        let lines: Vec<Vec<u8>> = life.shadow.history().into_iter().map(|line| line.bytes).collect();
        life.remember();
        Book {
            segments: true_segments(&files),
            hashes: hashes(&lines),
            disk: common::copy(&life.disk),
            clock: life.clock,
            former: life.former,
            files,
            twin,
            lines,
        }
    }

    /// The last `seq`.
    pub(super) fn seq(&self) -> u64 {
        self.lines.len() as u64
    }

    /// How a journal is opened to look at it: nothing is due, and nothing more goes.
    pub(super) fn options(&self) -> Options {
        common::options(0xda11a6e, &self.clock).retention(Retention::keep_all()).snapshot_bytes(u64::MAX)
    }
}

fn true_segments(files: &Contents) -> BTreeMap<String, TrueSegment> {
    let all: Vec<(&String, SegmentHeader)> = files
        .iter()
        .filter(|(name, _)| SegmentName::parse(name).is_some())
        .map(|(name, bytes)| (name, SegmentHeader::from_bytes(bytes).unwrap()))
        .collect();
    let parsed = all.iter().enumerate().map(|(at, (name, header))| {
        let next = all.get(at + 1).map(|(_, next)| next).filter(|next| next.number == header.number + 1);
        ((*name).clone(), TrueSegment::parse(&files[*name], next))
    });
    parsed.collect()
}

/// The hash after each event, from the empty state on.
fn hashes(lines: &[Vec<u8>]) -> Vec<StateHash> {
    let mut projection = Projection::default();
    let mut hashes = vec![projection.state.state_hash()];
    for line in lines {
        projection.apply(&tallybook::event::decode_event(line).unwrap()).unwrap();
        hashes.push(projection.state.state_hash());
    }
    hashes
}

/// The names and the bytes of all files.
pub(super) fn contents(disk: &SimulatedDisk) -> Contents {
    let read = |name: String| {
        let bytes = disk.contents(&name).unwrap();
        (name, bytes.into())
    };
    disk.names().into_iter().map(read).collect()
}

/// The first retained segment, as the newest base states it.
pub(super) fn stated_floor<'n>(names: impl Iterator<Item = &'n String>) -> Option<SegmentName> {
    names
        .filter_map(|name| SnapshotName::parse(name))
        .filter(|name| name.is_base)
        .map(|name| name.before)
        .max()
}

/// All retained events, read from outside.
pub(super) fn retained_lines(disk: &SimulatedDisk) -> Result<Vec<Line>, tallybook::Error> {
    let reader = JournalReader::with_storage(disk.process())?;
    let mut events = reader.events(0)?;
    let mut lines = Vec::new();
    while let Some(event) = events.next()? {
        let (file, offset, length) = (String::new(), 0, 0);
        lines.push(Line { seq: event.seq, bytes: event.line.to_vec(), file, offset, length });
    }
    Ok(lines)
}

/// The journal while it is made.
struct Life {
    chance: SeededEntropy,
    /// Where ids come from: what tells a journal from its twin.
    ids: u64,
    disk: SimulatedDisk,
    clock: ManualClock,
    workload: Workload,
    shadow: Shadow,
    durability: Durability,
    retention: Retention,
    snapshot_bytes: u64,
    former: BTreeMap<String, Vec<Arc<[u8]>>>,
}

impl Life {
    fn lived(seed: u64, ids: u64) -> Life {
        let chance = SeededEntropy::new(seed);
        let sector = if chance.below(2) == 0 { 512 } else { 4096 };
        let is_interval = chance.below(4) == 0;
        let hour = Duration::from_secs(3_600);
        let (retention, snapshot_bytes) = match seed % 3 {
            0 => (Retention::keep_all(), u64::MAX),
            1 => (Retention::new().segments(1), 4_500),
            _ => (Retention::keep_all(), 9_000),
        };
        let mut life = Life {
            ids,
            disk: SimulatedDisk::new(chance.next_u64()).sector(sector),
            clock: common::clock(),
            workload: Workload::new(chance.next_u64()),
            shadow: Shadow::default(),
            durability: if is_interval { Durability::Interval(hour) } else { Durability::Sync },
            retention,
            snapshot_bytes,
            former: BTreeMap::new(),
            chance,
        };
        for number in 0..1 + life.chance.below(2) {
            let (segment_bytes, end) = (5 << 10, life.chance.below(5));
            life.session(number, segment_bytes, end);
        }
        // So that all ends are among any few seeds; with room for a command that is cut short.
        life.session(9, 7 << 10, seed % 4);
        life
    }

    fn session(&mut self, number: u64, segment_bytes: u64, end: u64) {
        let options = common::options(self.ids ^ (number << 32), &self.clock)
            .segment_bytes(segment_bytes)
            .durability(self.durability)
            .retention(self.retention)
            .snapshot_bytes(self.snapshot_bytes);
        let engine = common::open(&self.disk, options)
            .unwrap_or_else(|error| panic!("an honest journal was refused: {error:?}"));
        let floor = stated_floor(self.disk.names().iter()).map_or(1, |floor| floor.first_seq);
        self.shadow.check_pruned(&engine, floor, &retained_lines(&self.disk).unwrap());
        self.shadow.expose();
        for _ in 0..2 + self.chance.below(3) {
            self.remember();
            let request = self.workload.next(self.shadow.projection(), &self.clock);
            must(&engine, &mut self.shadow, &self.clock, request);
        }
        self.remember();
        self.end(&engine, end);
    }

    fn end(&mut self, engine: &Blocking, end: u64) {
        let is_interval = self.durability != Durability::Sync;
        match end {
            0 => engine.shutdown(DEADLINE).unwrap(),
            1 => self.die_within_a_command(engine),
            2 if !is_interval => {
                self.die_within_a_command(engine);
                self.disk.restart(Survivors::Seeded);
            }
            3 if !is_interval => self.disk.restart(Survivors::Nothing),
            _ => {}
        }
        self.disk.kill();
    }

    /// Everything stops at one of the next operations, and what was written so far is there: a torn tail, often.
    fn die_within_a_command(&mut self, engine: &Blocking) {
        let mut is_next = true;
        while !self.disk.is_off() {
            let skipped = if is_next { 0 } else { self.chance.below(2) };
            self.disk.power_cut_at(self.disk.operations() + skipped);
            is_next = false;
            let request = self.workload.next(self.shadow.projection(), &self.clock);
            let predicted = self.shadow.predict(&request, &self.clock);
            match answer_of(&engine.execute(request)) {
                answer @ Answer::Acknowledged(..) => {
                    assert!(predicted.allows(answer), "{predicted:?}, {answer:?}");
                }
                Answer::Unknown | Answer::Halted => assert!(self.disk.is_off()),
                Answer::NoSpace => panic!("the disk is not full"),
            }
        }
        self.shadow.acknowledge(engine.engine().health().durable_seq);
    }

    /// What was handed over last and is not there was never acknowledged.
    fn take_back_what_is_lost(&mut self) {
        let lines = retained_lines(&self.disk).unwrap();
        let floor = stated_floor(self.disk.names().iter()).map_or(1, |floor| floor.first_seq);
        let last = floor - 1 + lines.len() as u64;
        assert!(last >= self.shadow.acknowledged(), "law DURABLE: {last}");
        self.shadow.take_back_to(last);
    }

    /// Keeps what the files hold now, for what is stale later.
    fn remember(&mut self) {
        for (name, bytes) in contents(&self.disk) {
            let former = self.former.entry(name).or_default();
            if former.last() != Some(&bytes) {
                former.push(bytes);
            }
        }
    }
}

pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap()
}
