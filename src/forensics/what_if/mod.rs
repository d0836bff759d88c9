//! What if: a history decided again under other limits, or other prices.
//!
//! Each frame of the journal is one command. The command is derived from its events, decided by the same rules that
//! decided it then, against the state as it would be otherwise, with the time and the ids that it had, and folded. Beside
//! it the history itself is folded. With nothing changed both come to the same state.
//!
//! What a journal does not tell is not made up; it is treated by these rules:
//!
//! - A limit that is changed stays as it is set: what adjusted it then changes everything else but that.
//! - A refused spend is tried again with its amount at the budget that refused it, since that is what its event names. If
//!   it passes now it is booked there, with all that follows.
//! - A refused reservation is tried the same way. If it passes, it is taken to be settled in full at once, since nobody can
//!   say what would have become of it.
//! - What was refused for want of authority stays refused, and so does what a risk assessor was against.
//! - A turn of a goal that was active then, and would be paused, is not booked: an agent whose goal is paused stops. What
//!   came late then comes late again.
//! - What follows from something that would not have happened (a settlement of a reservation that is never made) does not
//!   happen either, and is told as such.
//! - Commands that were rejected, or refused without an event of their own, are not in the journal, and are not tried.

mod about;
mod adapt;
mod changes;
mod compare;
mod derive;
mod divergence;
mod prices;
mod refused;
mod report;
mod rerun;
mod time;

pub use changes::Changes;
pub use divergence::{Difference, Divergence, Effect};
pub use prices::{Price, PriceTable};
pub use report::{BudgetComparison, DivergenceCounts, WhatIfReport};
pub(crate) use rerun::Rerun;

use std::ops::{ControlFlow, RangeBounds};

use crate::engine::{Events, JournalReader, StateAt};
use crate::error::Error;
use crate::event::ChangeEvent;
use crate::forensics::balances::{from_oldest, misfit};
use crate::projection::Projection;
use report::Tally;

/// After how many commands it is told how far it is.
const COMMANDS_PER_WORD: u64 = 4_096;

/// What is told while a history is decided again.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Told<'a> {
    /// A command would have come out otherwise.
    Diverged(&'a Divergence),
    /// So far it is: the `seq` of the last event that was looked at.
    At(u64),
}

/// Decides a part of a history again under other limits or prices: the commands whose first event is in `seqs`.
///
/// What is changed holds from the first of these commands on; before that, everything is as it was. Without a lower bound
/// it begins with the oldest event before which there is a state. Where `tell` breaks off, it ends there: the report is of
/// what was decided up to then.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use std::ops::ControlFlow;
/// use tallybook::forensics::{Changes, what_if};
/// use tallybook::{Blocking, JournalReader, NewBudget, RecordSpend, Spend};
/// let engine = Blocking::open(&dir)?;
/// engine.allocate(NewBudget::new("task").limit(10))?;
/// for _ in 0..3 {
///     engine.record_spend("task", Spend::of(3))?;
/// }
///
/// let reader = JournalReader::open(&dir)?;
/// let report = what_if(&reader, &Changes::new().limit("task", Some(5)), .., &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(report.counts.refused, 2);
/// assert_eq!((report.budgets[0].spent_then, report.budgets[0].spent_otherwise), (9, 3));
/// # Ok(()) }
/// ```
///
/// # Errors
/// `InvalidArgument` when a budget that is changed is not there in that part of the history, or a price passes 2^128 − 1;
/// `Pruned` when the part begins below the retention floor; `Io`, `Damaged` and `Unsupported` when the journal cannot be
/// read.
pub fn what_if(
    reader: &JournalReader,
    changes: &Changes,
    seqs: impl RangeBounds<u64>,
    tell: &mut dyn FnMut(Told<'_>) -> ControlFlow<()>,
) -> Result<WhatIfReport, Error> {
    let (from, to) = bounds(&seqs);
    let begin = |from: u64| Ok((from, reader.state(StateAt::Seq(from - 1))?, reader.events(from)?));
    let (from, mut start, mut events) = from.map_or_else(|| from_oldest(reader, begin), begin)?;
    let mut frame = Vec::new();
    // A command is decided as a whole: what is left of one that began before belongs to the state.
    while next_frame(&mut events, &mut frame)? && !frame_begins(&frame) {
        fold(&mut start, &frame)?;
        frame.clear();
    }
    let mut rerun = Rerun::new(changes, start);
    let mut tally = Tally::default();
    let mut at_start = frame.first().map(|first: &Framed| rerun.begin(first.event.ts)).transpose()?.flatten();
    while let Some(first) = frame.first().filter(|first| first.event.seq <= to) {
        let first_seq = first.event.seq;
        if let Some(mut divergence) = at_start.take() {
            (divergence.first_seq, divergence.last_seq) = (first_seq, first_seq);
            tally.count(&divergence);
            if tell(Told::Diverged(&divergence)).is_break() {
                break;
            }
        }
        let mut is_enough = false;
        let commands: Vec<ChangeEvent> = frame.drain(..).map(|framed| framed.event).collect();
        if let Some(divergence) = rerun.frame(&commands)? {
            tally.count(&divergence);
            is_enough = tell(Told::Diverged(&divergence)).is_break();
        }
        tally.commands += 1;
        if tally.commands.is_multiple_of(COMMANDS_PER_WORD) {
            is_enough |= tell(Told::At(first_seq)).is_break();
        }
        if is_enough {
            break;
        }
        next_frame(&mut events, &mut frame)?;
    }
    rerun.report(from, tally)
}

/// The first `seq` of the part, where one is named, and the last, both included.
fn bounds(seqs: &impl RangeBounds<u64>) -> (Option<u64>, u64) {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let from = match seqs.start_bound() {
        Included(&from) => Some(from.max(1)),
        Excluded(&from) => Some(from.saturating_add(1)),
        Unbounded => None,
    };
    let to = match seqs.end_bound() {
        Included(&to) => to,
        Excluded(&to) => to.saturating_sub(1),
        Unbounded => u64::MAX,
    };
    (from, to)
}

/// An event, and whether it is the first of its command.
struct Framed {
    event: ChangeEvent,
    begins: bool,
}

fn frame_begins(frame: &[Framed]) -> bool {
    frame.first().is_some_and(|first| first.begins)
}

/// Reads the events of the next command; `false` where there is none.
fn next_frame(events: &mut Events, frame: &mut Vec<Framed>) -> Result<bool, Error> {
    while let Some(event) = events.next()? {
        let ends = event.ends_its_command();
        frame.push(Framed { begins: event.begins_its_command(), event: event.decode()? });
        if ends {
            break;
        }
    }
    Ok(!frame.is_empty())
}

fn fold(state: &mut Projection, frame: &[Framed]) -> Result<(), Error> {
    frame.iter().try_for_each(|framed| state.apply(&framed.event)).map_err(|error| misfit(&error))
}
