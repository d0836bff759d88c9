//! The forger's test: whoever can write a journal can change its history and compute every CRC, root and head anew. Against
//! a checkpoint that was made before and kept elsewhere, each such change is noticed; and nothing honest is taken for one:
//! going on, pruning, archiving, crashes and their recoveries.
//!
//! `TALLYBOOK_SEED` and `TALLYBOOK_ROUNDS` ask for other and for more rounds.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/retained.rs"]
mod retained;

use std::collections::BTreeMap;

use common::{clock, copy, open, options, rounds, segments};
use retained::Shelf;
use tallybook::format::{
    FrameCodec, FrameKind, FrameRead, HEADER_LEN, SPINE_ENTRY_LEN, SegmentHeader, SpineEntry, SpineHeader,
    first_head,
};
use tallybook::ids::SeededEntropy;
use tallybook::proof::{
    AnchorReport, Checkpoint, CompactRange, Mismatch, Proof, StateCheck, checkpoint, leaf_hash, prove,
    verify_storage,
};
use tallybook::storage::{SimulatedDisk, Survivors};
use tallybook::{
    Blocking, ErrorKind, JournalReader, NewBudget, NewGoal, Options, RecordSpend, Request, Retention, Spend,
};

/// A few commands a segment.
const SEGMENT_BYTES: u64 = 5_400;
/// How many commands there are, and after how many the anchor is made: some of them lie in closed segments then, some not.
const COMMANDS: usize = 24;
const ANCHORED: usize = 19;

fn budget(name: &str) -> Request {
    NewBudget::new(name).unit("usd-micro").limit(1_000_000).into()
}

fn spend(number: usize, amount: u128) -> Request {
    let spend = Spend::of(amount).id(format!("s{number}")).tool("web.search").reason("the plan");
    RecordSpend::new("task", spend).into()
}

/// A history in which every command leads to one event, whatever becomes of the others.
fn commands() -> Vec<Request> {
    let begin = [budget("task"), budget("other")];
    begin.into_iter().chain((2..COMMANDS).map(|number| spend(number, 100 + number as u128))).collect()
}

fn tiny(seed: u64) -> Options {
    options(seed, &clock()).segment_bytes(SEGMENT_BYTES).retention(Retention::keep_all())
}

fn reader(disk: &SimulatedDisk) -> JournalReader {
    JournalReader::with_storage(disk.process()).unwrap()
}

fn verify(disk: &SimulatedDisk, anchor: &Checkpoint) -> AnchorReport {
    verify_storage(&*disk.process(), anchor).unwrap()
}

/// A journal that these commands led to, closed; the ids and times in it depend on the seed alone.
fn journal(commands: &[Request]) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, tiny(7)).unwrap();
    commands.iter().for_each(|command| drop(engine.execute(command.clone()).unwrap()));
    drop(engine);
    disk
}

/// The journal of all commands, and the anchor that was made on the way.
fn anchored() -> (SimulatedDisk, Checkpoint) {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, tiny(7)).unwrap();
    let (before, after) = (&commands()[..ANCHORED], &commands()[ANCHORED..]);
    before.iter().for_each(|command| drop(engine.execute(command.clone()).unwrap()));
    let anchor = checkpoint(&reader(&disk)).unwrap();
    after.iter().for_each(|command| drop(engine.execute(command.clone()).unwrap()));
    drop(engine);
    assert_eq!(anchor.size, ANCHORED as u64);
    assert!((6..anchor.size - 1).contains(&anchor.sealed_size), "sealed {}", anchor.sealed_size);
    let report = verify(&disk, &anchor);
    assert!(report.holds() && report.journal.findings.is_empty(), "{report:?}");
    assert_eq!((report.proved.as_slice(), report.unseen.len()), (&[(1, anchor.size)][..], 0));
    assert_eq!(report.state, StateCheck::Matches);
    (disk, anchor)
}

/// Whether anybody would notice: a finding, or a mismatch.
fn is_noticed(report: &AnchorReport) -> bool {
    !report.journal.findings.is_empty() || !report.mismatches.is_empty()
}

/// The frames of events in a segment, as offset and payload.
fn frames(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let header = SegmentHeader::from_bytes(bytes).unwrap();
    let codec = FrameCodec::new(header.journal_id, header.number);
    let (mut found, mut at) = (Vec::new(), HEADER_LEN as u64);
    while let FrameRead::Frame(frame) = codec.read(bytes, at) {
        if frame.header.kind == FrameKind::Events {
            found.push((at, frame.payload.to_vec()));
        }
        at = frame.end();
    }
    found
}

/// The same segment with other events in one frame, all CRCs made anew.
fn with_frame(bytes: &[u8], at: u64, payload: &[u8]) -> Vec<u8> {
    let header = SegmentHeader::from_bytes(bytes).unwrap();
    let codec = FrameCodec::new(header.journal_id, header.number);
    let FrameRead::Frame(frame) = codec.read(bytes, at) else { panic!("no frame at {at}") };
    let mut out = bytes.to_vec();
    let mut forged = Vec::new();
    codec.append(&mut forged, at, &frame.header, payload);
    let start = usize::try_from(at).unwrap();
    out[start..start + forged.len()].copy_from_slice(&forged);
    out
}

/// The spine that these segments have, all but the last of them closed; it begins with the first of them.
fn spine_of(segments: &[(String, Vec<u8>)]) -> Vec<u8> {
    let headers: Vec<SegmentHeader> =
        segments.iter().map(|(_, bytes)| SegmentHeader::from_bytes(bytes).unwrap()).collect();
    let journal_id = headers[0].journal_id;
    let mut out = SpineHeader { journal_id }.to_bytes().to_vec();
    let mut head = first_head(journal_id);
    for (index, pair) in headers.windows(2).enumerate() {
        let mut range = CompactRange::new();
        let mut seq = pair[0].first_seq;
        for (_, payload) in frames(&segments[index].1) {
            for line in payload.strip_suffix(b"\n").unwrap().split(|&byte| byte == b'\n') {
                range.push(leaf_hash(seq, line));
                seq += 1;
            }
        }
        let entry =
            SpineEntry::after(&head, pair[0].number, pair[0].first_seq, pair[1].first_seq, range.root());
        head = entry.head;
        out.extend(entry.to_bytes(journal_id, out.len() as u64));
    }
    out
}

#[test]
fn the_forger_knows_how_a_spine_is_made() {
    let (disk, _) = anchored();
    let spine = disk.contents("spine").unwrap();
    let forged = spine_of(&segments(&disk));
    assert_eq!(spine[..forged.len()], forged, "or the forgeries below are noticed for another reason");
    assert!(spine[forged.len()..].iter().all(|&byte| byte == 0));
    assert!(forged.len() > 4 * SPINE_ENTRY_LEN);
}

#[test]
fn every_byte_of_what_was_covered_that_is_another_is_noticed() {
    let (disk, anchor) = anchored();
    for (name, bytes) in disk.names().iter().map(|name| (name, disk.contents(name).unwrap())) {
        if name == "lock" {
            continue;
        }
        let is_frame = |at: usize| at >= HEADER_LEN;
        // Of what a header does not use, some: all of it is below one CRC.
        let used = if name == "spine" { bytes.len().min(8 * SPINE_ENTRY_LEN) } else { 200 };
        for at in (0..bytes.len()).filter(|&at| at < used || at % 211 == 0 || is_frame(at)) {
            let forged = disk.fork(0);
            forged.corrupt(name, at as u64, 1 << (at % 8)).unwrap();
            let report = verify_storage(&*forged.process(), &anchor);
            assert!(report.is_err() || is_noticed(&report.unwrap()), "{name}, byte {at}");
        }
    }
}

#[test]
fn every_byte_of_an_event_that_is_another_is_noticed_with_all_hashes_made_anew() {
    let (disk, anchor) = anchored();
    let all = segments(&disk);
    let (mut tried, mut plausible) = (0, 0);
    for (index, (name, bytes)) in all.iter().enumerate() {
        for (at, payload) in frames(bytes) {
            let header = SegmentHeader::from_bytes(bytes).unwrap();
            if header.first_seq > anchor.size {
                continue;
            }
            let seq: u64 = seq_of(&payload);
            if seq > anchor.size {
                continue;
            }
            for place in 0..payload.len() - 1 {
                let mut forged = payload.clone();
                forged[place] = plausible_other(forged[place]);
                let mut segments = all.clone();
                segments[index].1 = with_frame(bytes, at, &forged);
                let other = copy(&disk);
                other.put(name, &segments[index].1);
                other.put("spine", &spine_of(&segments));
                tried += 1;
                let report = match verify_storage(&*other.process(), &anchor) {
                    Ok(report) => report,
                    // It may be one of a newer version, to be read by that.
                    Err(error) => {
                        assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}");
                        continue;
                    }
                };
                plausible += usize::from(report.journal.findings.is_empty());
                assert!(is_noticed(&report), "{name}, frame {at}, byte {place}");
                if report.journal.findings.is_empty() {
                    let found = &report.mismatches[0];
                    assert!((found.first_seq..=found.last_seq).contains(&seq), "{found:?} for seq {seq}");
                }
            }
        }
    }
    assert!(tried > 2_000 && plausible > 500, "of {tried} forgeries {plausible} show by the anchor alone");
}

#[test]
fn an_event_that_is_another_below_a_spine_that_was_left_is_named_by_its_segment() {
    let (disk, anchor) = anchored();
    let all = segments(&disk);
    for (index, (name, bytes)) in all.iter().enumerate().skip(1) {
        let Some((_, next)) = all.get(index + 1) else { continue };
        let (at, payload) = frames(bytes).remove(0);
        let text = String::from_utf8(payload).unwrap().replace("the plan", "no plan!");
        let other = copy(&disk);
        other.put(name, &with_frame(bytes, at, text.as_bytes()));
        let report = verify(&other, &anchor);
        let headers = (SegmentHeader::from_bytes(bytes).unwrap(), SegmentHeader::from_bytes(next).unwrap());
        let range = (headers.0.first_seq, headers.1.first_seq - 1);
        assert!(report.journal.findings.iter().any(|found| found.seq == Some(range.0)), "{name}: {report:?}");
        if range.1 <= anchor.sealed_size {
            let found = &report.mismatches[0];
            assert_eq!((found.first_seq, found.last_seq), range, "{name}: {report:?}");
            assert!(report.proved.iter().all(|(first, last)| *last < range.0 || *first > range.1));
        }
    }
}

fn seq_of(payload: &[u8]) -> u64 {
    let text = std::str::from_utf8(payload).unwrap();
    text.strip_prefix("{\"seq\":").unwrap().split(',').next().unwrap().parse().unwrap()
}

/// Another character of the same kind.
fn plausible_other(byte: u8) -> u8 {
    match byte {
        b'9' => b'8',
        b'0'..=b'8' => byte + 1,
        b'z' => b'y',
        b'a'..=b'y' => byte + 1,
        _ => byte ^ 1,
    }
}

/// The strongest forger: has the engine itself write another history, of the same journal, with all files as they would be.
#[test]
fn a_history_made_anew_as_a_whole_is_noticed() {
    let (_, anchor) = anchored();
    let honest = commands();
    let mut forgeries: Vec<(String, Vec<Request>)> = Vec::new();
    for at in 2..ANCHORED {
        let mut other = honest.clone();
        other[at] = spend(at, 1);
        forgeries.push((format!("another amount at {at}"), other));
        let mut other = honest.clone();
        other.remove(at);
        forgeries.push((format!("without {at}"), other));
        let mut other = honest.clone();
        other.insert(at, spend(1_000, 1));
        forgeries.push((format!("one more before {at}"), other));
        if at + 1 < ANCHORED {
            let mut other = honest.clone();
            other.swap(at, at + 1);
            forgeries.push((format!("{at} and the next in another order"), other));
        }
    }
    for len in 2..ANCHORED {
        forgeries.push((format!("only the first {len}"), honest[..len].to_vec()));
    }
    for (what, commands) in forgeries {
        let disk = journal(&commands);
        let report = verify(&disk, &anchor);
        assert_eq!(report.journal.journal_id, anchor.journal_id);
        assert!(report.journal.findings.is_empty(), "{what}: it shows by itself: {report:?}");
        assert!(!report.mismatches.is_empty(), "{what}");
    }
    for at in ANCHORED..COMMANDS {
        let mut other = honest.clone();
        other[at] = spend(at, 1);
        let report = verify(&journal(&other), &anchor);
        assert!(report.holds(), "what came after the anchor it does not cover: {report:?}");
    }
}

#[test]
fn a_segment_that_is_removed_is_noticed_whatever_the_forger_does_about_it() {
    let (disk, anchor) = anchored();
    let all = segments(&disk);
    for (index, (name, _)) in all.iter().enumerate() {
        let forged = copy(&disk);
        forged.remove_file(name).unwrap();
        let report = verify_storage(&*forged.process(), &anchor);
        assert!(report.is_err() || is_noticed(&report.unwrap()), "without {name}");
        // The end of the journal, with a spine that ends there, too.
        let kept = &all[..index];
        let first_seq = SegmentHeader::from_bytes(&all[index].1).unwrap().first_seq;
        if kept.is_empty() || first_seq > anchor.size {
            continue;
        }
        let forged = copy(&disk);
        all[index..].iter().for_each(|(name, _)| forged.remove_file(name).unwrap());
        forged.put("spine", &spine_of(kept));
        assert!(is_noticed(&verify(&forged, &anchor)), "without {name} and all after it");
    }
}

/// An anchor of a journal, of which something is pruned after that.
fn pruned() -> (SimulatedDisk, Shelf, Checkpoint) {
    let (disk, anchor) = anchored();
    let shelf = Shelf::default();
    let rules = tiny(8).retention(Retention::new().segments(1)).archive(shelf.clone());
    let engine = open(&disk, rules).unwrap();
    (100..112).for_each(|number| drop(engine.execute(spend(number, 5)).unwrap()));
    drop(engine);
    assert!(disk.names().iter().any(|name| name.ends_with(".base")));
    (disk, shelf, anchor)
}

#[test]
fn what_is_pruned_is_not_proved_and_said_not_to_be_and_an_archive_proves_it_still() {
    let (disk, shelf, anchor) = pruned();
    let report = verify(&disk, &anchor);
    assert!(report.holds() && report.is_chained, "{report:?}");
    assert!(report.journal.findings.is_empty(), "{report:?}");
    let unseen = report.unseen.iter().map(|(first, last)| last - first + 1).sum::<u64>();
    let proved = report.proved.iter().map(|(first, last)| last - first + 1).sum::<u64>();
    assert!(unseen > 0 && unseen + proved == anchor.size, "{report:?}");

    let twin = shelf.twin(&disk);
    let archive = SimulatedDisk::new(0);
    segments(&twin).iter().for_each(|(name, bytes)| archive.put(name, bytes));
    let both =
        |archive: &SimulatedDisk| JournalReader::with_storage_and_archive(disk.process(), archive.process());
    let whole = both(&archive).unwrap();
    let report = tallybook::proof::verify(&whole, &anchor).unwrap();
    assert_eq!((report.holds(), report.proved.as_slice()), (true, &[(1, anchor.size)][..]), "{report:?}");
    for seq in 1..=anchor.size {
        prove(&whole, seq, Some(&anchor)).unwrap().check(&anchor).unwrap();
    }

    // What was changed in the archive shows there.
    let (name, bytes) = segments(&archive).remove(1);
    let (at, payload) = frames(&bytes).remove(0);
    let text = String::from_utf8(payload).unwrap().replace("\"amount\":\"1", "\"amount\":\"2");
    let forged = copy(&archive);
    forged.put(&name, &with_frame(&bytes, at, text.as_bytes()));
    let report = tallybook::proof::verify(&both(&forged).unwrap(), &anchor).unwrap();
    assert!(!report.mismatches.is_empty(), "{report:?}");
}

#[test]
fn pruning_hides_no_forgery_of_the_spine() {
    let (disk, _, anchor) = pruned();
    let without = copy(&disk);
    without.remove_file("spine").unwrap();
    assert!(is_noticed(&verify(&without, &anchor)), "no spine");
    let begun_anew = copy(&disk);
    begun_anew.put("spine", &spine_of(&segments(&disk)));
    let report = verify(&begun_anew, &anchor);
    assert!(
        report.journal.findings.iter().all(|found| !found.message.contains("spine belongs")),
        "{report:?}"
    );
    assert!(!report.mismatches.is_empty(), "a spine that begins with what is retained: {report:?}");
}

#[test]
fn without_a_spine_an_unpruned_journal_proves_the_same() {
    let (disk, anchor) = anchored();
    disk.remove_file("spine").unwrap();
    let report = verify(&disk, &anchor);
    assert!(report.holds() && report.unseen.is_empty(), "{report:?}");
}

#[test]
fn a_proof_holds_for_its_event_and_its_anchor_alone() {
    let (disk, anchor) = anchored();
    let reader = reader(&disk);
    let later = checkpoint(&reader).unwrap();
    for seq in 1..=anchor.size {
        let proof = prove(&reader, seq, Some(&anchor)).unwrap();
        proof.check(&anchor).unwrap();
        assert_eq!(Proof::from_json(&proof.to_json()).unwrap(), proof);
        // Made without an anchor it fits those that come, and those that came before where it can.
        let free = prove(&reader, seq, None).unwrap();
        free.check(&later).unwrap();
        free.check(&anchor).unwrap();
        let mismatch = |proof: Proof, what: &str| {
            let error = proof.check(&anchor).expect_err(what);
            assert_eq!(*error.kind(), ErrorKind::AnchorMismatch, "{what}: {error}");
        };
        mismatch(Proof { event: proof.event.replace(":\"", ":\"x"), ..proof.clone() }, "another event");
        mismatch(Proof { journal_id: first_id(), ..proof.clone() }, "another journal");
        for other in [seq - 1, seq + 1] {
            mismatch(Proof { seq: other, ..proof.clone() }, "another seq");
            let (first_seq, next_seq) = (proof.first_seq + other - seq, proof.next_seq + other - seq);
            mismatch(Proof { seq: other, first_seq, next_seq, ..proof.clone() }, "moved as a whole");
        }
        let json = proof.to_json();
        for at in (0..json.len()).step_by(7) {
            let mut bent = json.clone().into_bytes();
            bent[at] = plausible_other(bent[at]);
            let Ok(bent) = String::from_utf8(bent) else { continue };
            let read = Proof::from_json(&bent).ok();
            assert!(read.is_none_or(|read| read.check(&anchor).is_err()), "seq {seq}, byte {at}: {bent}");
        }
    }
    let error = prove(&reader, anchor.size + 1, Some(&anchor)).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}");
}
#[test]
fn the_last_part_of_an_anchor_is_compared_with_the_spine_where_it_was_closed_as_it_was() {
    let disk = SimulatedDisk::new(1);
    let engine = open(&disk, tiny(7)).unwrap();
    let anchor_after = |command: Request| {
        engine.execute(command).unwrap();
        checkpoint(&reader(&disk)).unwrap()
    };
    let anchors: Vec<Checkpoint> = commands().into_iter().map(anchor_after).collect();
    drop(engine);
    let mut compared = 0;
    for anchor in anchors.into_iter().filter(|anchor| anchor.size > anchor.sealed_size) {
        let report = verify(&disk, &anchor);
        assert!(report.holds() && report.is_chained, "{report:?}");
        let report = verify(&disk, &Checkpoint { head: [7; 32], ..anchor });
        assert!(!report.mismatches.is_empty());
        let found = |found: &&Mismatch| found.message.contains("the chain has another head after seq");
        compared += report.mismatches.iter().filter(found).count();
    }
    assert!(compared > 2, "some anchors were made when their last segment was about to be closed");
}

#[test]
fn a_proof_holds_after_unclean_openings_that_added_nothing() {
    let (disk, _) = anchored();
    let engine = open(&disk, tiny(8)).unwrap();
    let before = checkpoint(&reader(&disk)).unwrap();
    let proofs = [2, before.sealed_size, before.size].map(|seq| prove(&reader(&disk), seq, None).unwrap());
    let mut engine = Some(engine);
    for session in 0..4 {
        disk.kill();
        drop(engine.take());
        engine = Some(open(&disk, tiny(20 + session)).unwrap());
    }
    let after = checkpoint(&reader(&disk)).unwrap();
    assert_eq!(after.size, before.size);
    assert_ne!(after.sealed_head, before.sealed_head);
    for proof in proofs {
        proof.check(&before).unwrap();
        proof.check(&after).unwrap();
        let other = Checkpoint { head: [1; 32], sealed_head: [2; 32], ..after.clone() };
        proof.check(&other).unwrap_err();
    }
}

#[test]
fn a_proof_with_the_greatest_numbers_is_refused() {
    let (disk, anchor) = anchored();
    let proof = prove(&reader(&disk), anchor.size, Some(&anchor)).unwrap();
    let anchor = Checkpoint { size: u64::MAX, ..anchor };
    for (seq, first_seq) in [(u64::MAX - 1, u64::MAX - 1), (u64::MAX - 1, 1), (u64::MAX, u64::MAX)] {
        let following = vec![[0; 32]; 3];
        let bent = Proof { seq, first_seq, next_seq: u64::MAX, following, path: Vec::new(), ..proof.clone() };
        bent.check(&anchor).unwrap_err();
    }
}

fn first_id() -> tallybook::JournalId {
    "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1".parse().unwrap()
}

/// A life with crashes, during which anchors are made at any time: beside the writer, after it died, and before somebody opens
/// the journal again.
struct Life {
    chance: SeededEntropy,
    disk: SimulatedDisk,
    shelf: Shelf,
    anchors: Vec<Checkpoint>,
    sessions: u64,
    commands: usize,
}

impl Life {
    fn below(&self, bound: u64) -> u64 {
        self.chance.below(bound)
    }

    fn open(&mut self) -> Option<Blocking> {
        self.sessions += 1;
        let keep = 1 + self.below(4);
        let rules = Retention::new().segments(keep);
        let options =
            tiny(self.chance.next_u64()).retention(rules).archive(self.shelf.clone()).snapshot_bytes(0);
        match open(&self.disk, options) {
            Ok(engine) => Some(engine),
            Err(error) => {
                assert!(self.disk.is_off(), "an honest journal was refused: {error}");
                None
            }
        }
    }

    fn session(&mut self) {
        if self.below(3) > 0 {
            self.disk.power_cut_at(self.disk.operations() + self.below(120));
        }
        let Some(engine) = self.open() else { return };
        for _ in 0..self.below(14) {
            self.commands += 1;
            let number = self.commands;
            let _ = match self.below(4) {
                0 => engine.execute(NewGoal::new("ship").scope(format!("scope-{number}"))),
                1 => engine.execute(NewBudget::new(format!("b{number}")).limit(5)),
                2 => engine.execute(budget("task")),
                _ => engine.execute(spend(number, 1)),
            };
            if self.below(4) == 0 && !self.disk.is_off() {
                self.anchor();
            }
        }
    }

    fn anchor(&mut self) {
        let Ok(reader) = JournalReader::with_storage(self.disk.process()) else { return };
        match checkpoint(&reader) {
            Ok(anchor) => self.anchors.push(anchor),
            // None when there is nothing yet, or the power goes.
            Err(error) => {
                assert!(self.disk.is_off() || *error.kind() == ErrorKind::InvalidArgument, "{error}")
            }
        }
    }

    fn crash(&mut self) {
        if self.below(2) == 0 {
            self.disk.kill();
            self.anchor();
        }
        let survivors = [Survivors::Nothing, Survivors::Everything, Survivors::Seeded];
        self.disk.restart(survivors[usize::try_from(self.below(3)).unwrap()]);
        self.anchor();
    }

    fn check(&self) {
        let mut states = BTreeMap::new();
        for anchor in &self.anchors {
            let report = verify(&self.disk, anchor);
            assert!(
                report.mismatches.is_empty(),
                "an honest journal is taken for a forgery: {report:?}\n{anchor:?}"
            );
            assert!(!report.journal.is_damaged() && report.is_chained, "{report:?}\n{anchor:?}");
            assert_ne!(report.state, StateCheck::Differs);
            let known = states.entry(anchor.size).or_insert(anchor.state_hash);
            assert_eq!(*known, anchor.state_hash, "one history");
            for (first, last) in report.proved {
                let seq = first + self.below(last - first + 1);
                prove(&reader(&self.disk), seq, Some(anchor)).unwrap().check(anchor).unwrap();
            }
        }
    }
}

#[test]
fn no_honest_life_is_taken_for_a_forgery() {
    rounds("proof_forgery", "no_honest_life_is_taken_for_a_forgery", 30, |seed| {
        let chance = SeededEntropy::new(seed);
        let disk = SimulatedDisk::new(chance.next_u64());
        let mut life =
            Life { chance, disk, shelf: Shelf::default(), anchors: Vec::new(), sessions: 0, commands: 0 };
        for _ in 0..8 {
            life.session();
            life.crash();
        }
        drop(life.open().expect("the power stays on"));
        life.check();
    });
}
