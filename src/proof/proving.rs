//! Making a proof for one event.

use super::chain::{Chain, anew};
use super::checkpoint::{Checkpoint, walk_events};
use super::inclusion::{Link, Proof};
use crate::engine::JournalReader;
use crate::error::{Error, ErrorKind};
use crate::journal::DurableEnd;
use crate::merkle::{CompactRange, Hash, InclusionPath, leaf_hash};

/// Where an event lies in the chain: its part, and what comes after it.
struct Target {
    first_seq: u64,
    next_seq: u64,
    previous_head: Hash,
    chain: Vec<Link>,
}

/// The proof that the event `seq` is what a checkpoint covers: that one, or, without one, whichever is made from now on until
/// the next event, and those that were made before as far as they fit (see [`Proof::following`]).
///
/// # Errors
/// `AnchorMismatch` when this journal is not what the anchor covered; `InvalidArgument` when `seq` is not in the journal, or not
/// covered by the anchor; `Pruned` when it lies below the retention floor, and in no archive either; `Damaged`, `Unsupported` and
/// `Io` when the journal cannot be read.
pub fn prove(reader: &JournalReader, seq: u64, anchor: Option<&Checkpoint>) -> Result<Proof, Error> {
    anew(|| try_prove(reader, seq, anchor))
}

fn try_prove(reader: &JournalReader, seq: u64, anchor: Option<&Checkpoint>) -> Result<Proof, Error> {
    let durable = DurableEnd::look(&**reader.storage())?;
    let (chain, _) = Chain::read(&**reader.storage(), durable.segment)?;
    let invalid = |found: String| Error::new(ErrorKind::InvalidArgument, found);
    if seq == 0 {
        return Err(invalid("expected a seq from 1 on, found 0".to_owned()));
    }
    if seq < chain.first_seq() {
        let found = format!(
            "the spine begins with seq {}: what was pruned before it was made cannot be proved",
            chain.first_seq()
        );
        return Err(Error::new(ErrorKind::Pruned, found));
    }
    let target = match anchor {
        Some(anchor) => anchored(reader, &chain, seq, anchor)?,
        None => newest(reader, &chain, seq, &durable)?,
    };
    let proof = proof_of(reader, seq, target)?;
    match anchor {
        Some(anchor) => proof.check(anchor).map(|()| proof),
        None => Ok(proof),
    }
}

/// The target of an anchor: its sealed head, or the part after that.
fn anchored(reader: &JournalReader, chain: &Chain, seq: u64, anchor: &Checkpoint) -> Result<Target, Error> {
    let mismatch = |found: String| Error::new(ErrorKind::AnchorMismatch, found);
    if reader.journal_id() != anchor.journal_id {
        let found =
            format!("the anchor is of journal {}, and this is {}", anchor.journal_id, reader.journal_id());
        return Err(mismatch(found));
    }
    if seq > anchor.size {
        let found = format!("the anchor covers seq 1 to {}: seq {seq} came later", anchor.size);
        return Err(Error::new(ErrorKind::InvalidArgument, found));
    }
    let sealed = anchor.sealed_size;
    let end = chain.heads_after(sealed).find(|(_, head)| *head == anchor.sealed_head);
    let Some((end, _)) = end else {
        let found = format!("the head of this journal after seq {sealed} is not that of the anchor");
        return Err(mismatch(found));
    };
    if seq <= sealed {
        return sealed_target(chain, seq, end);
    }
    let next_seq = anchor
        .size
        .checked_add(1)
        .ok_or_else(|| mismatch("the anchor covers more than there can be".to_owned()))?;
    Ok(Target { first_seq: sealed + 1, next_seq, previous_head: anchor.sealed_head, chain: Vec::new() })
}

/// The target where nobody has one: all that is durable.
fn newest(reader: &JournalReader, chain: &Chain, seq: u64, durable: &DurableEnd) -> Result<Target, Error> {
    let mut range = CompactRange::new();
    let first_seq = chain.next_seq();
    let last = walk_events(reader, first_seq, u64::MAX, Some(durable), &mut |seq, line| {
        range.push(leaf_hash(seq, line));
    })?;
    if seq > last {
        let found = format!(
            "seq {seq} is not in the journal yet, or not durable; its last durable event is seq {last}"
        );
        return Err(Error::new(ErrorKind::InvalidArgument, found));
    }
    if seq >= first_seq {
        return Ok(Target { first_seq, next_seq: last + 1, previous_head: chain.head(), chain: Vec::new() });
    }
    let mut target = sealed_target(chain, seq, chain.entries().len())?;
    if last >= first_seq {
        target.chain.push(Link { next_seq: last + 1, root: range.root() });
    }
    Ok(target)
}

/// The segment that holds an event, and the entries after it up to `end`.
fn sealed_target(chain: &Chain, seq: u64, end: usize) -> Result<Target, Error> {
    let entries = chain.entries().get(..end).unwrap_or_default();
    let found = entries.iter().position(|entry| (entry.first_seq..entry.next_seq).contains(&seq));
    let none = || Error::new(ErrorKind::InvalidArgument, format!("seq {seq} is in no segment of the spine"));
    let index = found.ok_or_else(none)?;
    let after = entries[index + 1..].iter().map(|entry| Link { next_seq: entry.next_seq, root: entry.root });
    let (first_seq, next_seq) = (entries[index].first_seq, entries[index].next_seq);
    Ok(Target { first_seq, next_seq, previous_head: chain.head_before(index), chain: after.collect() })
}

/// Goes through the event's part.
fn proof_of(reader: &JournalReader, seq: u64, target: Target) -> Result<Proof, Error> {
    let Target { first_seq, next_seq, previous_head, chain } = target;
    let path = InclusionPath::new(seq - first_seq, next_seq - first_seq);
    let outside = || Error::new(ErrorKind::InvalidArgument, format!("seq {seq} is not in its part"));
    let mut path = path.ok_or_else(outside)?;
    let (mut event, mut following) = (String::new(), Vec::new());
    let last = walk_events(reader, first_seq, next_seq - 1, None, &mut |at, line| {
        let leaf = leaf_hash(at, line);
        path.push(leaf);
        match at.cmp(&seq) {
            std::cmp::Ordering::Equal => event = String::from_utf8_lossy(line).into_owned(),
            std::cmp::Ordering::Greater if following.len() <= Proof::MAX_FOLLOWING => following.push(leaf),
            _ => {}
        }
    })?;
    if following.len() > Proof::MAX_FOLLOWING {
        following.clear();
    }
    let short = || {
        let found =
            format!("the journal ends with seq {last}, and the part of seq {seq} with seq {}", next_seq - 1);
        Error::new(ErrorKind::AnchorMismatch, found)
    };
    let path = path.finish().ok_or_else(short)?;
    let journal_id = reader.journal_id();
    Ok(Proof { journal_id, seq, event, first_seq, next_seq, path, previous_head, chain, following })
}
