//! Checkpoints, anchors and proofs from outside: what an auditor does with the commands.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test")]

#[path = "common/cli.rs"]
mod cli;
#[path = "common/pruning.rs"]
mod pruning;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cli::{Book, Ran, poll_until, run};
use pruning::{archived, names, read, spends, tiny};
use serde_json::json;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A journal of one event a segment, and a key.
struct Audited {
    book: Book,
    key: PathBuf,
    public: String,
}

impl Audited {
    fn new(events: u64) -> Audited {
        let book = Book::new();
        book.apply(&tiny(&["--retain-all"]), &spends(events));
        let key = book.beside("auditor.key");
        let made = run(["keygen", "--out", text(&key), "--name", "auditor"], b"").expect_code(0);
        Audited { book, key, public: made.stdout }
    }

    /// A checkpoint of now, kept beside.
    fn anchor(&self, name: &str) -> PathBuf {
        let note =
            run(["checkpoint", text(self.book.dir()), "--key", text(&self.key)], b"").expect_code(0).stdout;
        self.book.put_beside(name, note.as_bytes())
    }

    fn verify(&self, anchor: &Path, more: &[&str]) -> Ran {
        let flags = [&["verify", text(self.book.dir()), "--anchor", text(anchor)], more].concat();
        run(flags, b"")
    }

    fn prove(&self, seq: u64, more: &[&str]) -> Ran {
        let seq = seq.to_string();
        run([&["prove", text(self.book.dir()), seq.as_str()], more].concat(), b"")
    }

    fn verify_proof(&self, proof: &str, anchor: &Path, more: &[&str]) -> Ran {
        let proof = self.book.put_beside("proof.json", proof.as_bytes());
        run([&["verify-proof", text(&proof), "--anchor", text(anchor)], more].concat(), b"")
    }

    /// The line of an event.
    fn line(&self, seq: u64) -> String {
        let seq = seq.to_string();
        self.book.run("events", &["--from", &seq, "--to", &seq], b"").expect_code(0).stdout
    }
}

#[test]
fn a_key_is_for_its_owner_alone_and_never_written_over() {
    let audited = Audited::new(2);
    let (key, public) = (&audited.key, audited.book.beside("auditor.key.pub"));
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(String::from_utf8(read(&public)).unwrap(), audited.public);
    assert!(audited.public.starts_with("auditor+"), "{}", audited.public);
    assert!(String::from_utf8(read(key)).unwrap().starts_with("PRIVATE+KEY+auditor+"));
    let before = read(key);
    let again = run(["keygen", "--out", text(key)], b"").expect_code(4);
    assert!(again.stderr.contains("auditor.key"), "{}", again.stderr);
    assert_eq!((read(key), again.stdout.as_str()), (before, ""));
    run(["keygen", "--out", text(&audited.book.beside("other")), "--name", "a b"], b"").expect_code(64);
}

#[test]
fn a_checkpoint_is_a_signed_note_of_all_that_there_is() {
    let audited = Audited::new(6);
    let note = String::from_utf8(read(&audited.anchor("note"))).unwrap();
    let lines: Vec<&str> = note.lines().collect();
    let head = audited.book.head();
    assert_eq!(lines[0], format!("tallybook/{}", head["journal_id"].as_str().unwrap()));
    assert_eq!(lines[1], "6");
    assert!(lines[3].starts_with("sealed 5 "), "{note}");
    let hash = head["state_hash"].as_str().unwrap().replacen('-', " ", 1);
    assert_eq!(lines[4], format!("state {hash}"));
    assert_eq!(lines[6], format!("key {}", audited.public.trim_end()));
    assert_eq!((lines[7], lines.len()), ("", 9), "{note}");
    assert!(lines[8].starts_with("\u{2014} auditor "), "{note}");

    let empty = Book::new();
    empty.apply(&[], &[r#"{"op":"head"}"#]);
    let none = run(["checkpoint", text(empty.dir()), "--key", text(&audited.key)], b"").expect_code(64);
    assert!(none.stderr.contains("no durable event"), "{}", none.stderr);
}

#[test]
fn a_journal_is_held_against_its_anchor_as_it_goes_on() {
    let audited = Audited::new(8);
    let anchor = audited.anchor("note");
    audited.book.apply(&tiny(&["--retain-all"]), &[r#"{"op":"record_spend","budget_id":"b","amount":"5"}"#]);
    let key = audited.book.beside("auditor.key.pub");
    let told = audited.verify(&anchor, &["--json", "--public-key", text(&key)]).expect_code(0).json();
    assert_eq!(told["anchor"]["holds"], true);
    assert_eq!(told["anchor"]["proved"], json!([[1, 8]]));
    assert_eq!(told["anchor"]["unseen"], json!([]));
    assert_eq!(told["anchor"]["state"], "matches");
    assert_eq!(told["anchor"]["key_given"], true);
    assert_eq!((&told["findings"], &told["events"]), (&json!([]), &json!(9)));
    let told = audited.verify(&anchor, &[]).expect_code(0).stdout;
    assert!(told.contains("seq 1 to 8: read, and what the anchor covered"), "{told}");
    assert!(told.contains("the key that the anchor names itself: compare it"), "{told}");
    assert!(told.contains("nothing contradicts the anchor"), "{told}");
}

#[test]
fn another_key_another_journal_and_a_bent_note_are_refused() {
    let audited = Audited::new(4);
    let anchor = audited.anchor("note");
    let other = Audited::new(4);
    let told = audited.verify(&anchor, &["--public-key", other.public.trim_end()]).expect_code(3);
    assert!(told.stderr.contains("no good signature of the key auditor+"), "{}", told.stderr);
    let told = other.verify(&anchor, &[]).expect_code(3);
    assert!(told.stdout.contains("the anchor is of journal"), "{}", told.stdout);
    let bent = String::from_utf8(read(&anchor)).unwrap().replacen("\n4\n", "\n3\n", 1);
    let bent = audited.book.put_beside("bent", bent.as_bytes());
    audited.verify(&bent, &[]).expect_code(3);
    let none = audited.book.put_beside("none", b"no note\n");
    audited.verify(&none, &[]).expect_code(64);
    audited.verify(&audited.book.beside("missing"), &[]).expect_code(4);
}

/// Another history of the same journal: a copy that went another way before the anchor was made.
#[test]
fn a_history_that_went_another_way_is_named_and_ends_with_3() {
    let audited = Audited::new(4);
    let copy = Book::new();
    pruning::make_dir(copy.dir());
    for (name, bytes) in audited.book.files() {
        copy.put(&name, &bytes);
    }
    let spend = |amount: u64| format!(r#"{{"op":"record_spend","budget_id":"b","amount":"{amount}"}}"#);
    audited.book.apply(&tiny(&["--retain-all"]), &[spend(7), spend(8)]);
    let anchor = audited.anchor("note");
    copy.apply(&tiny(&["--retain-all"]), &[spend(700), spend(8)]);
    let forged = Audited { book: copy, ..audited };
    forged.book.verify();
    let told = forged.verify(&anchor, &["--json"]).expect_code(3).json();
    assert_eq!(told["anchor"]["holds"], false);
    let found = &told["anchor"]["mismatches"][0];
    assert!(found["first_seq"].as_u64() <= Some(5) && found["last_seq"].as_u64() >= Some(5), "{found}");
    assert_eq!(told["anchor"]["proved"], json!([]));
    let told = forged.verify(&anchor, &[]).expect_code(3).stdout;
    assert!(told.contains("mismatch: seq 1 to 5: the chain has another head"), "{told}");
    let told = forged.prove(5, &["--anchor", text(&anchor)]).expect_code(3);
    assert_eq!(told.stdout, "");
    // Cut off before what the anchor covers.
    for name in names(forged.book.dir(), ".seg").into_iter().skip(3) {
        forged.book.remove(&name);
    }
    forged.book.remove("spine");
    let told = forged.verify(&anchor, &[]).expect_code(3).stdout;
    assert!(told.contains("the journal ends with seq 3, and the anchor covers up to seq 6"), "{told}");
}

#[test]
fn an_event_is_proved_to_someone_who_has_no_journal() {
    let audited = Audited::new(8);
    let anchor = audited.anchor("note");
    for seq in [1, 4, 7, 8] {
        for more in [&[][..], &["--anchor", text(&anchor)]] {
            let proof = audited.prove(seq, more).expect_code(0).stdout;
            let told = audited
                .verify_proof(&proof, &anchor, &["--public-key", audited.public.trim_end()])
                .expect_code(0);
            assert_eq!(told.stdout, audited.line(seq));
            assert!(
                told.stderr.contains("the proof holds") && told.stderr.contains("the key that was given")
            );
        }
    }
    let proof = audited.prove(4, &[]).expect_code(0).stdout;
    let forged = proof.replacen(r#"\"amount\":\"3\""#, r#"\"amount\":\"2\""#, 1);
    assert_ne!(forged, proof);
    let told = audited.verify_proof(&forged, &anchor, &[]).expect_code(3);
    assert!(told.stdout.is_empty() && told.stderr.contains("is not what was covered"), "{}", told.stderr);
    audited.verify_proof("{}", &anchor, &[]).expect_code(64);

    audited.book.apply(&tiny(&["--retain-all"]), &[r#"{"op":"record_spend","budget_id":"b","amount":"5"}"#]);
    let late = audited.prove(9, &[]).expect_code(0).stdout;
    let told = audited.verify_proof(&late, &anchor, &[]).expect_code(3);
    assert!(told.stderr.contains("the anchor covers seq 1 to 8, and the event is seq 9"), "{}", told.stderr);
    audited.prove(9, &["--anchor", text(&anchor)]).expect_code(64);
    audited.prove(10, &[]).expect_code(64);
    audited.prove(0, &[]).expect_code(64);
}

#[test]
fn what_was_pruned_is_proved_from_the_archive() {
    let audited = Audited::new(10);
    let anchor = audited.anchor("note");
    let archive = audited.book.beside("archive");
    audited.book.apply(&archived(&["--retain-segments", "2"], &archive), &spends(4)[1..]);
    assert!(pruning::floor(&audited.book) > 4);
    let told = audited.verify(&anchor, &["--json"]).expect_code(0).json();
    let floor = pruning::floor(&audited.book);
    assert_eq!(told["anchor"]["unseen"], json!([[1, floor - 1]]));
    assert_eq!(told["anchor"]["state"], "matches", "a state that the events after the base lead to");
    let told = audited.prove(2, &["--anchor", text(&anchor)]).expect_code(4);
    assert!(told.stderr.contains("--archive"), "{}", told.stderr);
    let with = ["--archive", text(&archive)];
    let told = audited.verify(&anchor, &[&with[..], &["--json"]].concat()).expect_code(0).json();
    assert_eq!((&told["anchor"]["proved"], &told["anchor"]["unseen"]), (&json!([[1, 10]]), &json!([])));
    let proof = audited.prove(2, &[&with[..], &["--anchor", text(&anchor)]].concat()).expect_code(0).stdout;
    audited.verify_proof(&proof, &anchor, &[]).expect_code(0);
}

#[test]
fn all_of_it_works_beside_a_live_writer_and_writes_nothing() {
    let audited = Audited::new(5);
    let mut writer = audited.book.writer(&tiny(&["--retain-all"]));
    writer.ask(r#"{"op":"record_spend","budget_id":"b","amount":"5"}"#);
    let listed = || names(audited.book.dir(), "");
    // The spine gets its entry off the writer's path.
    assert!(poll_until(|| audited.book.verify()["spine_entries"] == 5));
    let before = listed();
    let anchor = audited.anchor("note");
    let told = audited.verify(&anchor, &["--json"]).expect_code(0).json();
    assert_eq!((&told["live"], &told["anchor"]["proved"]), (&json!(true), &json!([[1, 6]])));
    let proof = audited.prove(6, &["--anchor", text(&anchor)]).expect_code(0).stdout;
    audited.verify_proof(&proof, &anchor, &[]).expect_code(0);
    assert_eq!(listed(), before);
    writer.end().expect_code(0);
    audited.verify(&anchor, &[]).expect_code(0);
}

#[test]
fn a_key_without_an_anchor_is_refused() {
    let audited = Audited::new(2);
    let key = audited.public.trim_end();
    let told = run(["verify", text(audited.book.dir()), "--public-key", key], b"").expect_code(64);
    assert!(told.stderr.contains("--anchor"), "{}", told.stderr);
    let told = audited.prove(1, &["--public-key", key]).expect_code(64);
    assert!(told.stderr.contains("--anchor"), "{}", told.stderr);
}

#[test]
fn half_a_pair_of_keys_is_not_made() {
    let book = Book::new();
    for there in ["half.key", "half.key.pub"] {
        book.put_beside(there, b"of someone");
        let key = book.beside("half.key");
        let told = run(["keygen", "--out", text(&key)], b"").expect_code(4);
        assert!(told.stderr.contains(there), "{}", told.stderr);
        let other = match there {
            "half.key" => book.beside("half.key.pub"),
            _ => key,
        };
        assert!(!other.exists(), "beside {there}");
        let path = book.beside(there);
        assert_eq!(read(&path), b"of someone");
        std::fs::remove_file(path).unwrap();
    }
}
