//! Notes, proofs and spines: whatever they say, nothing holds but what was signed.

use std::sync::LazyLock;

use tallybook::ids::SeededEntropy;
use tallybook::proof::{
    Checkpoint, PrivateKey, Proof, SignedNote, VerifierKey, checkpoint, prove, verify_storage,
};
use tallybook::storage::SimulatedDisk;
use tallybook::{ErrorKind, JournalReader, ManualClock, NewGoal, Options};

use crate::engine::NOON;
use crate::input::Input;

/// A journal that stays as it is, and what was signed of it.
struct Book {
    disk: SimulatedDisk,
    key: VerifierKey,
    anchor: Checkpoint,
    note: String,
    /// The lines of the events, and a proof for each.
    lines: Vec<String>,
    proofs: Vec<String>,
    spine: Vec<u8>,
}

static BOOK: LazyLock<Book> = LazyLock::new(|| {
    let disk = SimulatedDisk::new(5);
    let engine = options(31).open_storage(disk.process()).expect("an empty disk opens").blocking();
    for round in 0..9 {
        engine.create_goal(NewGoal::new("prove it").scope(format!("{round}"))).expect("it is made");
    }
    let reader = JournalReader::with_storage(disk.process()).expect("it opened");
    let anchor = checkpoint(&reader).expect("there are events");
    let key = PrivateKey::generate("auditor", &SeededEntropy::new(1)).expect("a plain name");
    let proofs: Vec<Proof> =
        (1..=anchor.size).map(|seq| prove(&reader, seq, None).expect("it is there")).collect();
    drop(engine);
    Book {
        key: key.verifier(),
        note: anchor.sign(&key),
        lines: proofs.iter().map(|proof| proof.event.clone()).collect(),
        proofs: proofs.iter().map(Proof::to_json).collect(),
        spine: disk.contents("spine").expect("segments were closed"),
        anchor,
        disk,
    }
});

fn options(seed: u64) -> Options {
    let options = Options::new().inline().entropy(SeededEntropy::new(seed)).clock(ManualClock::new(NOON));
    options.segment_bytes(5_000)
}

/// Inputs that lead into each kind of check.
pub fn proof_seeds() -> Vec<(String, Vec<u8>)> {
    let with = |kind: u8, rest: &[u8]| [&[kind], rest].concat();
    vec![
        ("note".to_owned(), with(0, BOOK.note.as_bytes())),
        ("note-edited".to_owned(), with(1, &[40, 0, 1])),
        ("proof".to_owned(), with(2, BOOK.proofs[0].as_bytes())),
        ("proof-edited".to_owned(), with(3, &[2, 0, 1, 1])),
        ("spine-edited".to_owned(), with(4, &[100, 0, 1])),
    ]
}

/// The first byte chooses: a note as text or with edited bytes, a proof as text or with edited bytes, or a spine with edited
/// bytes beside its journal.
///
/// # Panics
/// When something holds that was not signed, or a promise is broken.
pub fn check_proof(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.u8() % 5 {
        0 => check_note(input.rest()),
        1 => check_note(&edited(BOOK.note.as_bytes(), &mut input)),
        2 => check_one(input.rest()),
        3 => {
            let which = usize::from(input.u8()) % BOOK.proofs.len();
            check_one(&edited(BOOK.proofs[which].as_bytes(), &mut input));
        }
        _ => check_spine(&edited(&BOOK.spine, &mut input)),
    }
}

/// The bytes with some of them another, or cut off.
fn edited(bytes: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut out = bytes.to_vec();
    while !input.is_empty() {
        let at = usize::from(input.u16()) % (out.len() + 1);
        match (out.get_mut(at), input.u8()) {
            (Some(byte), flip @ 1..) => *byte ^= flip,
            _ => out.truncate(at),
        }
    }
    out
}

fn check_note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match SignedNote::parse(text) {
        Ok(note) => {
            assert!(note.checkpoint().sealed_size <= note.checkpoint().size);
            let _key_or_error = note.named_key();
            if let Ok(opened) = note.open(Some(&BOOK.key)) {
                let signed = Checkpoint { key: None, ..opened };
                assert_eq!(signed, BOOK.anchor, "signed by nobody: {text}");
            }
        }
        Err(error) => assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}"),
    }
}

fn check_one(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Proof::from_json(text) {
        Ok(proof) => {
            assert_eq!(Proof::from_json(&proof.to_json()).ok().as_ref(), Some(&proof));
            match proof.check(&BOOK.anchor) {
                Ok(()) => {
                    let line = usize::try_from(proof.seq - 1).ok().and_then(|at| BOOK.lines.get(at));
                    assert_eq!(Some(&proof.event), line, "no event of the journal holds");
                }
                Err(error) => assert_eq!(*error.kind(), ErrorKind::AnchorMismatch, "{error}"),
            }
        }
        Err(error) => assert_eq!(*error.kind(), ErrorKind::InvalidArgument, "{error}"),
    }
}

/// Whatever stands in the spine, it can be looked at, it contradicts no anchor falsely, and the engine goes on.
fn check_spine(bytes: &[u8]) {
    let disk = BOOK.disk.fork(0);
    disk.put("spine", bytes);
    match verify_storage(&*disk.process(), &BOOK.anchor) {
        Ok(report) => {
            assert!(report.journal.findings.iter().all(|finding| finding.start <= finding.end), "{report:?}");
            assert!(!report.holds() || report.is_chained && report.unseen.is_empty(), "{report:?}");
        }
        Err(error) => assert_eq!(*error.kind(), ErrorKind::Unsupported, "{error}"),
    }
    disk.kill();
    let engine = options(32).open_storage(disk.process()).expect("the segments are as they were").blocking();
    engine.create_goal(NewGoal::new("one more").scope("fuzz")).expect("it goes on");
}
