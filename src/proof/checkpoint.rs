//! Checkpoints: what is to be signed, and kept elsewhere.

use super::chain::{Chain, anew};
use crate::clock::Timestamp;
use crate::domain::{FOLD_VERSION, StateHash};
use crate::engine::{JournalReader, StateAt, check_count, lines};
use crate::error::{Error, ErrorKind};
use crate::ids::JournalId;
use crate::journal::DurableEnd;
use crate::journal::format::chained_head;
use crate::merkle::{CompactRange, Hash, leaf_hash};

/// What a journal was at one moment: the head of its chain of Merkle roots, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The journal.
    pub journal_id: JournalId,
    /// The last `seq` that is covered.
    pub size: u64,
    /// The head after it.
    pub head: Hash,
    /// The last `seq` that lay in a closed segment then.
    pub sealed_size: u64,
    /// The head after that.
    pub sealed_head: Hash,
    /// The version of the fold that the state hash is of.
    pub fold_version: u32,
    /// The hash of the state after `size`.
    pub state_hash: StateHash,
    /// When the event `size` was decided.
    pub time: Timestamp,
    /// The key that a note with this checkpoint says that it is signed with, as `name+hash+base64`. Worth nothing by itself.
    pub key: Option<String>,
}

/// The checkpoint of a journal as it is now: of all that is durable, beside a live writer too. Costs a look at the segment that is
/// being written, and a state as of its end.
///
/// # Errors
/// `InvalidArgument` when there is no event yet, or something was pruned and no engine has made a spine since; `Damaged`,
/// `Unsupported` and `Io` when the journal cannot be read.
pub fn checkpoint(reader: &JournalReader) -> Result<Checkpoint, Error> {
    anew(|| try_checkpoint(reader))
}

fn try_checkpoint(reader: &JournalReader) -> Result<Checkpoint, Error> {
    let durable = DurableEnd::look(&**reader.storage())?;
    let (chain, found) = Chain::read(&**reader.storage(), durable.segment)?;
    let (sealed_size, sealed_head) = (chain.next_seq() - 1, chain.head());
    let mut range = CompactRange::new();
    let size = walk_events(reader, chain.next_seq(), u64::MAX, Some(&durable), &mut |seq, line| {
        range.push(leaf_hash(seq, line));
    })?;
    if size == 0 {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "there is no durable event yet that a checkpoint could cover",
        ));
    }
    let state = reader.state(StateAt::Seq(size))?;
    Ok(Checkpoint {
        journal_id: found.journal_id,
        size,
        head: head_after(&sealed_head, sealed_size, size, &range),
        sealed_size,
        sealed_head,
        fold_version: FOLD_VERSION,
        state_hash: state.state_hash(),
        time: state.last_ts,
        key: None,
    })
}

/// The head after a part that goes from the event after `sealed` up to `size`, with these leaves.
pub(super) fn head_after(sealed_head: &Hash, sealed: u64, size: u64, range: &CompactRange) -> Hash {
    match size == sealed {
        true => *sealed_head,
        false => chained_head(sealed_head, sealed + 1, size + 1, &range.root()),
    }
}

/// Gives the events from `first` to `last` with their lines, as far as they are there and durable. The last `seq` that was given,
/// or that before `first`.
pub(super) fn walk_events(
    reader: &JournalReader,
    first: u64,
    last: u64,
    durable: Option<&DurableEnd>,
    take: &mut dyn FnMut(u64, &[u8]),
) -> Result<u64, Error> {
    let mut walk = reader.walk(first)?;
    let mut taken = first - 1;
    while taken < last {
        let Some(place) = walk.next()? else { break };
        if durable.is_some_and(|durable| !durable.covers(place.file, place.frame.end())) {
            break;
        }
        check_count(&place)?;
        for (seq, line) in lines(&place).filter(|(seq, _)| (first..=last).contains(seq)) {
            take(seq, line);
            taken = seq;
        }
    }
    Ok(taken)
}
