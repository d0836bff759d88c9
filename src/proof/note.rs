//! Checkpoints as text: signed notes (C2SP signed-note) in the form of C2SP tlog-checkpoint.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::Checkpoint;
use super::hex;
use super::keys::{PrivateKey, VerifierKey};
use crate::clock::Timestamp;
use crate::domain::StateHash;
use crate::error::{Error, ErrorKind};
use crate::merkle::Hash;

/// What the first line begins with.
const ORIGIN: &str = "tallybook/";

/// What a line of a signature begins with: an em dash and a space.
const SIGNATURE: &str = "\u{2014} ";

/// The longest note that is read, in bytes.
const MAX_LEN: usize = 64 << 10;

fn invalid(found: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("expected a checkpoint as a signed note: {found}"))
}

/// A checkpoint with signatures, of which nothing is believed yet: see [`is_signed_by`](Self::is_signed_by).
#[derive(Debug, Clone)]
pub struct SignedNote {
    checkpoint: Checkpoint,
    /// What is signed.
    text: String,
    signatures: Vec<NoteSignature>,
}

#[derive(Debug, Clone)]
struct NoteSignature {
    name: String,
    key_hash: [u8; 4],
    signature: [u8; 64],
}

impl Checkpoint {
    /// The checkpoint as a signed note, for someone else to keep.
    pub fn sign(&self, key: &PrivateKey) -> String {
        let verifier = key.verifier();
        let signed = Checkpoint { key: Some(verifier.to_string()), ..self.clone() };
        let text = signed.to_text();
        let mut signature = verifier.hash().to_vec();
        signature.extend_from_slice(&key.sign(text.as_bytes()));
        format!("{text}\n{SIGNATURE}{} {}\n", verifier.name(), STANDARD.encode(signature))
    }

    /// What is signed: all lines, each with its end.
    fn to_text(&self) -> String {
        let mut text =
            format!("{ORIGIN}{}\n{}\n{}\n", self.journal_id, self.size, STANDARD.encode(self.head));
        // Writing to a string does not fail.
        let _ = writeln!(text, "sealed {} {}", self.sealed_size, STANDARD.encode(self.sealed_head));
        let _ = writeln!(text, "state {} {}", self.fold_version, hex::encode(&self.state_hash.0));
        let _ = writeln!(text, "time {}", self.time);
        if let Some(key) = &self.key {
            let _ = writeln!(text, "key {key}");
        }
        text
    }

    fn from_text(text: &str) -> Result<Checkpoint, Error> {
        let mut lines = text.lines();
        let mut line = |what: &str| lines.next().ok_or_else(|| invalid(format!("there is no {what}")));
        let origin = line("origin")?;
        let journal_id =
            origin.strip_prefix(ORIGIN).ok_or_else(|| invalid(format!("the origin is {origin:?}")))?;
        let journal_id =
            journal_id.parse().map_err(|error| invalid(format!("the origin names no journal: {error}")))?;
        let size = number(line("size")?)?;
        let head = hash(line("head")?)?;
        let mut extensions = Extensions::default();
        lines.try_for_each(|line| extensions.take(line))?;
        let missing = |what: &str| invalid(format!("there is no line {what:?}"));
        let (sealed_size, sealed_head) = extensions.sealed.ok_or_else(|| missing("sealed"))?;
        let (fold_version, state_hash) = extensions.state.ok_or_else(|| missing("state"))?;
        let time = extensions.time.ok_or_else(|| missing("time"))?;
        if sealed_size > size || size == 0 {
            return Err(invalid("it covers less than what it says was closed, or nothing"));
        }
        let key = extensions.key;
        Ok(Checkpoint {
            journal_id,
            size,
            head,
            sealed_size,
            sealed_head,
            fold_version,
            state_hash,
            time,
            key,
        })
    }
}

/// The lines after the head.
#[derive(Default)]
struct Extensions {
    sealed: Option<(u64, Hash)>,
    state: Option<(u32, StateHash)>,
    time: Option<Timestamp>,
    key: Option<String>,
}

impl Extensions {
    fn take(&mut self, line: &str) -> Result<(), Error> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let two =
            || rest.split_once(' ').ok_or_else(|| invalid(format!("the line {word:?} has one part only")));
        match word {
            "sealed" => put(&mut self.sealed, word, (number(two()?.0)?, hash(two()?.1)?)),
            "state" => {
                let (version, digits) = two()?;
                let version = u32::try_from(number(version)?).map_err(invalid)?;
                let digits = hex::decode(digits).ok_or_else(|| invalid("the state hash is none"))?;
                put(&mut self.state, word, (version, StateHash(digits)))
            }
            "time" => put(&mut self.time, word, Timestamp::parse(rest).map_err(invalid)?),
            "key" => put(&mut self.key, word, rest.to_owned()),
            // Others may come.
            _ => Ok(()),
        }
    }
}

fn put<T>(place: &mut Option<T>, word: &str, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(invalid(format!("there are two lines {word:?}"))),
    }
}

/// A number in the one form that it has.
fn number(text: &str) -> Result<u64, Error> {
    let number: u64 = text.parse().map_err(|error| invalid(format!("{text:?} is no number: {error}")))?;
    if number.to_string() == text { Ok(number) } else { Err(invalid(format!("{text:?} is no plain number"))) }
}

fn hash(text: &str) -> Result<Hash, Error> {
    let bytes = STANDARD.decode(text).map_err(|error| invalid(format!("{text:?} is no hash: {error}")))?;
    bytes.try_into().map_err(|_| invalid(format!("{text:?} is no SHA-256")))
}

impl SignedNote {
    /// Reads a note. What it says is not believed before its signature is checked.
    ///
    /// # Errors
    /// `InvalidArgument` when it is no checkpoint of a journal, or has no signature.
    pub fn parse(note: &str) -> Result<SignedNote, Error> {
        if note.len() > MAX_LEN {
            return Err(invalid(format!("it is longer than {MAX_LEN} bytes")));
        }
        if note.chars().any(|char| char.is_control() && char != '\n') {
            return Err(invalid("there are control characters in it"));
        }
        // The last empty line parts the text from the signatures.
        let at = note.rfind("\n\n").ok_or_else(|| invalid("there is no empty line before a signature"))?;
        let (text, signatures) = (&note[..=at], &note[at + 2..]);
        let signatures = signatures.strip_suffix('\n').ok_or_else(|| invalid("its last line has no end"))?;
        let signatures =
            signatures.split('\n').map(NoteSignature::parse).collect::<Result<Vec<_>, Error>>()?;
        Ok(SignedNote {
            checkpoint: Checkpoint::from_text(text)?,
            text: text.to_owned(),
            signatures: signatures.into_iter().flatten().collect(),
        })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint, once its signature is checked: with that key, or else with the one that the note names itself
    /// ([`named_key`](Self::named_key) says what that is worth).
    ///
    /// # Errors
    /// `AnchorMismatch` when that key has not signed it; `InvalidArgument` when none is given and it names none.
    pub fn open(&self, key: Option<&VerifierKey>) -> Result<Checkpoint, Error> {
        let named = match key {
            Some(key) => key.clone(),
            None => self.named_key()?,
        };
        match self.is_signed_by(&named) {
            true => Ok(self.checkpoint.clone()),
            false => Err(Error::new(
                ErrorKind::AnchorMismatch,
                format!("the anchor has no good signature of the key {named}"),
            )),
        }
    }

    /// Whether that key has signed it.
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        let mut of_key =
            self.signatures.iter().filter(|found| found.name == key.name() && found.key_hash == key.hash());
        of_key.any(|found| key.is_of(self.text.as_bytes(), &found.signature))
    }

    /// The key that the note itself names. That it has signed it shows only that the note is whole: whoever can change the
    /// note can name another key.
    ///
    /// # Errors
    /// `InvalidArgument` when it names none.
    pub fn named_key(&self) -> Result<VerifierKey, Error> {
        let key = self.checkpoint.key.as_deref().ok_or_else(|| invalid("it names no key; give one"))?;
        VerifierKey::parse(key)
    }
}

impl NoteSignature {
    /// `None`: a signature of another kind, which others may have added.
    fn parse(line: &str) -> Result<Option<NoteSignature>, Error> {
        let wrong = || invalid(format!("the line {line:?} is no signature"));
        let (name, data) =
            line.strip_prefix(SIGNATURE).and_then(|rest| rest.split_once(' ')).ok_or_else(wrong)?;
        let data = STANDARD.decode(data).map_err(|_| wrong())?;
        let Some((key_hash, signature)) = data.split_first_chunk::<4>().filter(|_| !name.is_empty()) else {
            return Err(wrong());
        };
        let Ok(signature) = signature.try_into() else { return Ok(None) };
        Ok(Some(NoteSignature { name: name.to_owned(), key_hash: *key_hash, signature }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{JournalId, SeededEntropy};

    fn key(seed: u64) -> PrivateKey {
        PrivateKey::generate("auditor", &SeededEntropy::new(seed)).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            journal_id: JournalId(uuid::Uuid::from_u128(7)),
            size: 1_042,
            head: [1; 32],
            sealed_size: 1_000,
            sealed_head: [2; 32],
            fold_version: 4,
            state_hash: StateHash([3; 32]),
            time: Timestamp::from_micros(1_700_000_000_000_000),
            key: None,
        }
    }

    #[test]
    fn a_note_reads_as_it_was_signed() {
        let note = checkpoint().sign(&key(1));
        let read = SignedNote::parse(&note).unwrap();
        assert!(read.is_signed_by(&key(1).verifier()) && !read.is_signed_by(&key(2).verifier()));
        assert_eq!(read.named_key().unwrap(), key(1).verifier());
        assert_eq!(Checkpoint { key: None, ..read.checkpoint().clone() }, checkpoint());
        assert!(note.starts_with("tallybook/00000000-0000-0000-0000-000000000007\n1042\nAQEB"), "{note}");
    }

    #[test]
    fn a_note_of_which_any_byte_is_another_is_none_or_not_signed() {
        let note = checkpoint().sign(&key(1));
        let verifier = key(1).verifier();
        for at in 0..note.len() {
            for flip in [1, 0x20, 0x80] {
                let mut bent = note.clone().into_bytes();
                bent[at] ^= flip;
                let Ok(bent) = String::from_utf8(bent) else { continue };
                let read = SignedNote::parse(&bent);
                assert!(read.is_err() || !read.unwrap().is_signed_by(&verifier), "byte {at}: {bent}");
            }
        }
        for len in 0..note.len() {
            let Some(cut) = note.get(..len) else { continue };
            assert!(SignedNote::parse(cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn others_may_sign_too_and_say_more() {
        let note = checkpoint().sign(&key(1));
        let mine = note.lines().last().unwrap();
        let more = note.replace(mine, &format!("{} other AAAAAGZvbw==\n{mine}", SIGNATURE.trim_end()));
        assert!(SignedNote::parse(&more).unwrap().is_signed_by(&key(1).verifier()));
        let more = note.replacen("time ", "weather fine\ntime ", 1);
        let read = SignedNote::parse(&more).unwrap();
        assert_eq!(read.checkpoint().size, 1_042);
        assert!(!read.is_signed_by(&key(1).verifier()), "but not into what is signed");
        assert!(
            SignedNote::parse(&note.replacen("time ", "sealed 1 AA==\ntime ", 1)).is_err(),
            "nothing twice"
        );
    }
}
