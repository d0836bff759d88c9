//! When did a condition on the state come true?

mod condition;
mod parse;
mod token;

use serde::Serialize;

use super::value::Value;
use crate::engine::{JournalReader, StateAt};
use crate::error::{Error, ErrorKind};
use crate::event::{ChangeEvent, Payload};
use crate::projection::Projection;

pub use condition::{Condition, ConditionError};

/// After how many events it is told how far it is.
const EVENTS_PER_WORD: u64 = 4_096;

/// Where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BisectOptions {
    /// The first event to look at; `None`: from the oldest state on that can be had.
    pub from: Option<u64>,
    /// The last.
    pub to: StateAt,
    /// Whether the condition, once it holds, holds for ever: then states of snapshots tell where not to look. Where that is
    /// not so, what is found is one of the places at which it came true, and maybe not the first.
    pub is_monotone: bool,
}

impl Default for BisectOptions {
    /// The whole history, and no promise.
    fn default() -> BisectOptions {
        BisectOptions { from: None, to: StateAt::End, is_monotone: false }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bisected {
    /// After which event the condition holds first; `None`: it never does.
    pub seq: Option<u64>,
    /// That event; `None` where it never holds, or already did before the first event that was looked at.
    pub event: Option<ChangeEvent>,
    /// What the condition looks at: before that event, and after it. Where it never holds, at the beginning and at the end.
    pub terms: Vec<TermChange>,
    /// After which event the first state is that was looked at, and the last.
    pub seqs: (u64, u64),
}

/// Something that a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TermChange {
    /// As it stands in the condition.
    pub term: String,
    /// What it was. `None`: there was no such thing.
    pub before: Option<Value>,
    /// What it is.
    pub after: Option<Value>,
}

/// The first `seq` after which a condition on the state holds.
///
/// Without the promise of [`is_monotone`](BisectOptions::is_monotone) that takes one pass over the history.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::forensics::{BisectOptions, bisect};
/// use tallybook::{Blocking, JournalReader, NewBudget, Spend};
/// let engine = Blocking::open(&dir)?;
/// engine.allocate(NewBudget::new("task-7").unlimited())?;
/// for _ in 0..5 {
///     engine.record_spend("task-7", Spend::of(300))?;
/// }
/// let condition = r#"budget("task-7").spent >= 1000"#.parse()?;
/// let found = bisect(&JournalReader::open(&dir)?, &condition, &BisectOptions::default())?;
/// assert_eq!(found.seq, Some(5)); // 4 spends, 1,200
/// # Ok(()) }
/// ```
///
/// # Errors
/// `Pruned` when it is to begin below the retention floor, `InvalidArgument` when it is to begin or end where the journal has
/// not come yet; `Io`, `Damaged` and `Unsupported` when the journal cannot be read.
pub fn bisect(
    reader: &JournalReader,
    condition: &Condition,
    options: &BisectOptions,
) -> Result<Bisected, Error> {
    bisect_telling(reader, condition, options, &mut |_| {})
}

/// The same as [`bisect`]; meanwhile `tell` is given the `seq` up to which it has looked, every few thousand events.
///
/// # Errors
/// As [`bisect`].
pub fn bisect_telling(
    reader: &JournalReader,
    condition: &Condition,
    options: &BisectOptions,
    tell: &mut dyn FnMut(u64),
) -> Result<Bisected, Error> {
    let (oldest_state, snapshots) = reader.state_seqs()?;
    let begin = options.from.map_or(oldest_state, |from| from.saturating_sub(1));
    let start = reader.state(StateAt::Seq(begin))?;
    check_order(reader, &start, options)?;
    let first = condition.values(&start);
    if condition.holds(&first) {
        return Ok(Bisected {
            seq: Some(begin),
            event: None,
            terms: condition.changes(&first, &first),
            seqs: (begin, begin),
        });
    }
    let (from, to) = match options.is_monotone {
        true => narrow(reader, condition, start, options.to, &snapshots)?,
        false => (start, options.to),
    };
    pass(reader, condition, from, to, (begin, &first), tell)
}

fn check_order(reader: &JournalReader, start: &Projection, options: &BisectOptions) -> Result<(), Error> {
    let is_before = match options.to {
        StateAt::End => false,
        StateAt::Seq(to) => to < start.seq,
        StateAt::Time(to) => start.seq > 0 && to < start.last_ts,
    };
    if is_before {
        if options.from.is_none() {
            // It begins with the oldest state there is: the end is below what is retained, and that is the error.
            reader.state(options.to)?;
        }
        let found = format!("expected an end at or after the beginning, which is after seq {}", start.seq);
        return Err(Error::new(ErrorKind::InvalidArgument, found));
    }
    Ok(())
}

/// Between which of the states that can be had at once the condition comes true, by halves.
fn narrow(
    reader: &JournalReader,
    condition: &Condition,
    start: Projection,
    to: StateAt,
    snapshots: &[u64],
) -> Result<(Projection, StateAt), Error> {
    let last = match to {
        StateAt::Seq(to) => to,
        _ => u64::MAX,
    };
    let between: Vec<u64> = snapshots.iter().copied().filter(|seq| *seq > start.seq && *seq < last).collect();
    let (mut from, mut to) = (start, to);
    let (mut low, mut high) = (0, between.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let state = match reader.state(StateAt::Seq(between[middle])) {
            // It was pruned meanwhile: the condition is looked at from a later state on.
            Err(error) if *error.kind() == ErrorKind::Pruned => {
                low = middle + 1;
                continue;
            }
            state => state?,
        };
        let is_late = matches!(to, StateAt::Time(to) if state.last_ts > to);
        if is_late || condition.holds(&condition.values(&state)) {
            high = middle;
            if !is_late {
                to = StateAt::Seq(state.seq);
            }
        } else {
            low = middle + 1;
            from = state;
        }
    }
    Ok((from, to))
}

/// Looks at every state, one after the other.
fn pass(
    reader: &JournalReader,
    condition: &Condition,
    from: Projection,
    to: StateAt,
    (begin, first): (u64, &[Option<Value>]),
    tell: &mut dyn FnMut(u64),
) -> Result<Bisected, Error> {
    let (mut before, mut after) = (condition.values(&from), Vec::new());
    let mut found = None;
    let end = reader.fold_on(from, to, &mut |state, event| {
        if event.seq.is_multiple_of(EVENTS_PER_WORD) {
            tell(event.seq);
        }
        if changes_nothing(&event.payload) {
            return false;
        }
        condition.values_into(state, &mut after);
        if condition.holds(&after) {
            found = Some(event.clone());
            return true;
        }
        std::mem::swap(&mut before, &mut after);
        false
    })?;
    Ok(match found {
        Some(event) => Bisected {
            seq: Some(event.seq),
            event: Some(event),
            terms: condition.changes(&before, &after),
            seqs: (begin, end.seq),
        },
        None => Bisected {
            seq: None,
            event: None,
            terms: condition.changes(first, &condition.values(&end)),
            seqs: (begin, end.seq),
        },
    })
}

/// Whether no goal, budget, reservation or meter is another after it.
fn changes_nothing(payload: &Payload) -> bool {
    matches!(
        payload,
        Payload::EventRecorded(_)
            | Payload::CommandRefused(_)
            | Payload::RefusalsSuppressed(_)
            | Payload::KeyWindowSet(_)
    )
}
