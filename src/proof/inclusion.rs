//! Proofs that one event is what a checkpoint covers.

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::hex;
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::journal::format::chained_head;
use crate::merkle::{CompactRange, Hash, leaf_hash, range_before, root_of_path};

/// What the text of a proof begins with.
const PROOF: &str = "tallybook proof v1";

/// Over how many empty parts a proof leads on that was made before them.
const MAX_EMPTY: u32 = 1_024;

/// Shows one event to be what a checkpoint covers. See `journal-format.md`, "Proofs".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The journal.
    pub journal_id: JournalId,
    /// The event's `seq`.
    pub seq: u64,
    /// Its line, as journaled.
    pub event: String,
    /// The first `seq` of its part: a closed segment, or the events after the last one.
    pub first_seq: u64,
    /// The first `seq` after its part.
    pub next_seq: u64,
    /// The siblings from its leaf to the root of the part.
    pub path: Vec<Hash>,
    /// The head before the part.
    pub previous_head: Hash,
    /// The parts after it, up to what the proof was made for.
    pub chain: Vec<Link>,
    /// The leaves after the event in its part, if there are few.
    pub following: Vec<Hash>,
}

/// A part after that of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The first `seq` after it; it begins where the one before it ends.
    pub next_seq: u64,
    /// The Merkle root over its events.
    pub root: Hash,
}

/// The form of a proof in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofJson {
    proof: String,
    journal_id: String,
    seq: u64,
    event: String,
    first_seq: u64,
    next_seq: u64,
    path: Vec<String>,
    previous_head: String,
    chain: Vec<LinkJson>,
    following: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkJson {
    next_seq: u64,
    root: String,
}

impl Proof {
    /// How many leaves after the event a proof holds at most.
    pub const MAX_FOLLOWING: usize = 1_024;

    /// The proof as one JSON object.
    pub fn to_json(&self) -> String {
        let hashes = |hashes: &[Hash]| hashes.iter().map(|hash| hex::encode(hash)).collect();
        let link = |link: &Link| LinkJson { next_seq: link.next_seq, root: hex::encode(&link.root) };
        let json = ProofJson {
            proof: PROOF.to_owned(),
            journal_id: self.journal_id.to_string(),
            seq: self.seq,
            event: self.event.clone(),
            first_seq: self.first_seq,
            next_seq: self.next_seq,
            path: hashes(&self.path),
            previous_head: hex::encode(&self.previous_head),
            chain: self.chain.iter().map(link).collect(),
            following: hashes(&self.following),
        };
        // Texts, numbers and lists: nothing that JSON does not have.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// Reads a proof.
    ///
    /// # Errors
    /// `InvalidArgument` when the text is none.
    pub fn from_json(text: &str) -> Result<Proof, Error> {
        let wrong = |found: String| {
            Error::new(ErrorKind::InvalidArgument, format!("expected a proof, found {found}"))
        };
        let json: ProofJson =
            serde_json::from_str(text).map_err(|error| wrong(format!("JSON that is none: {error}")))?;
        if json.proof != PROOF {
            return Err(wrong(format!("one of the form {:?}; this version knows {PROOF:?}", json.proof)));
        }
        let hash = |text: &String| hex::decode(text).ok_or_else(|| wrong(format!("no hash in {text:?}")));
        let hashes = |texts: &[String]| texts.iter().map(hash).collect::<Result<Vec<Hash>, Error>>();
        let link = |link: &LinkJson| Ok(Link { next_seq: link.next_seq, root: hash(&link.root)? });
        if !(json.first_seq..json.next_seq).contains(&json.seq) || json.first_seq == 0 {
            return Err(wrong("an event that does not lie in its part".to_owned()));
        }
        if json.following.len() > Proof::MAX_FOLLOWING {
            return Err(wrong(format!("more than {} leaves after the event", Proof::MAX_FOLLOWING)));
        }
        Ok(Proof {
            journal_id: json.journal_id.parse().map_err(|error| wrong(format!("no journal: {error}")))?,
            seq: json.seq,
            event: json.event,
            first_seq: json.first_seq,
            next_seq: json.next_seq,
            path: hashes(&json.path)?,
            previous_head: hash(&json.previous_head)?,
            chain: json.chain.iter().map(link).collect::<Result<Vec<Link>, Error>>()?,
            following: hashes(&json.following)?,
        })
    }

    /// Checks the proof against a checkpoint, without the journal. That the checkpoint is worth something is for the caller to
    /// see to: by its signature, and by where it was kept.
    ///
    /// # Errors
    /// `AnchorMismatch`, with the reason, when it does not hold.
    pub fn check(&self, anchor: &Checkpoint) -> Result<(), Error> {
        let mismatch = |found: String| Err(Error::new(ErrorKind::AnchorMismatch, found));
        if self.journal_id != anchor.journal_id {
            return mismatch(format!(
                "the proof is of journal {}, and the anchor of {}",
                self.journal_id, anchor.journal_id
            ));
        }
        if self.seq > anchor.size {
            return mismatch(format!(
                "the anchor covers seq 1 to {}, and the event is seq {}",
                anchor.size, self.seq
            ));
        }
        let Some(heads) = self.heads(anchor.size) else {
            return mismatch("the proof contradicts itself: its path does not fit its part".to_owned());
        };
        let targets = [(anchor.sealed_size, anchor.sealed_head), (anchor.size, anchor.head)];
        if heads.iter().any(|found| targets.contains(found)) || self.leads_on_to(&targets) {
            return Ok(());
        }
        let is_target = |at: u64| targets.iter().any(|(target, _)| *target == at);
        mismatch(match heads.iter().find(|(at, _)| is_target(*at)) {
            Some((at, _)) => format!(
                "after seq {at} the anchor has another head than follows from the event: the event, or what is between, is not what was covered"
            ),
            None => format!(
                "the proof was not made for this anchor: it has no head after seq {} or {}; make it with --anchor",
                anchor.sealed_size, anchor.size
            ),
        })
    }

    /// Whether empty parts lead from the last head to one of these: unclean stops without an event in between close empty
    /// segments, and whoever made the proof could not know of them.
    fn leads_on_to(&self, targets: &[(u64, Hash)]) -> bool {
        let Some((last, mut head)) = self.chain_heads().and_then(|(_, heads)| heads.last().copied()) else {
            return false;
        };
        if !targets.iter().any(|(at, _)| *at == last) {
            return false;
        }
        let (next_seq, root) = (last.saturating_add(1), CompactRange::new().root());
        (0..MAX_EMPTY).any(|_| {
            head = chained_head(&head, next_seq, next_seq, &root);
            targets.contains(&(last, head))
        })
    }

    /// The heads that follow, each with the `seq` after which it stands; `size`: where a part may have ended then.
    fn heads(&self, size: u64) -> Option<Vec<(u64, Hash)>> {
        let (root, mut heads) = self.chain_heads()?;
        if !self.following.is_empty() {
            let (index, leaves) = (self.seq - self.first_seq, self.next_seq - self.first_seq);
            let before = range_before(index, leaves, &self.path)?;
            let leaf = leaf_hash(self.seq, self.event.as_bytes());
            heads.extend(self.head_within(before, leaf, root, size)?);
        }
        Some(heads)
    }

    /// The root of the event's part, and the heads after the parts.
    fn chain_heads(&self) -> Option<(Hash, Vec<(u64, Hash)>)> {
        let (index, leaves) =
            (self.seq.checked_sub(self.first_seq)?, self.next_seq.checked_sub(self.first_seq)?);
        let leaf = leaf_hash(self.seq, self.event.as_bytes());
        let root = root_of_path(index, leaves, leaf, &self.path)?;
        let mut head = chained_head(&self.previous_head, self.first_seq, self.next_seq, &root);
        let mut next_seq = self.next_seq;
        let mut heads = vec![(next_seq - 1, head)];
        for link in &self.chain {
            head = chained_head(&head, next_seq, link.next_seq, &link.root);
            // A part cannot end before it begins.
            next_seq = link.next_seq.checked_sub(1).filter(|last| last + 1 >= next_seq)? + 1;
            heads.push((next_seq - 1, head));
        }
        Some((root, heads))
    }

    /// The head as it was when the part ended with `size`, if it did, from the leaves up to there; `None` unless all leaves
    /// together come to the root.
    fn head_within(
        &self,
        before: CompactRange,
        leaf: Hash,
        root: Hash,
        size: u64,
    ) -> Option<Option<(u64, Hash)>> {
        // More or fewer leaves cannot come to the root.
        if self.next_seq.checked_sub(1)?.checked_sub(self.seq)? != u64::try_from(self.following.len()).ok()? {
            return None;
        }
        let mut range = before;
        let mut found = None;
        for (seq, leaf) in (self.seq..).zip([leaf].iter().chain(&self.following)) {
            range.push(*leaf);
            if seq == size {
                let head = chained_head(&self.previous_head, self.first_seq, seq + 1, &range.root());
                found = Some((seq, head));
            }
        }
        (range.leaves() == self.next_seq - self.first_seq && range.root() == root).then_some(found)
    }
}
