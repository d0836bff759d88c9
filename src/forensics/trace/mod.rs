//! The story of one goal, budget, reservation, spend, key, session, event, actor or meter.
//!
//! Every frame is looked at as bytes first. Those that may tell of the id are read and folded, so that each step knows the
//! balance of its budget at that moment; what lies in between is passed over in leaps from snapshot to snapshot. So it takes
//! the memory of one state and one frame, however long the history and the story are.

mod sieve;
mod story;
mod subject;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::State;
use crate::engine::{JournalReader, Sift, Sifted, StateAt, Timeline};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeEvent;
use crate::ids::BudgetId;

use sieve::Sieve;
use story::{Causes, amount_of, reason_of, what};
use subject::Subject;

/// After how many events it is told how far it is.
const EVENTS_PER_WORD: u64 = 4_096;

/// What an id may be the id of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TraceKind {
    /// A goal.
    Goal,
    /// A budget; that of a goal's tokens is `goal:` and the goal's id.
    Budget,
    /// A reservation.
    Reservation,
    /// A spend.
    Spend,
    /// An idempotency key.
    Key,
    /// A session.
    Session,
    /// An event of the host's own, by its event id.
    Event,
    /// Who gave commands.
    Actor,
    /// An external meter.
    Meter,
}

impl TraceKind {
    /// All of them.
    pub const ALL: [TraceKind; 9] = [
        TraceKind::Goal,
        TraceKind::Budget,
        TraceKind::Reservation,
        TraceKind::Spend,
        TraceKind::Key,
        TraceKind::Session,
        TraceKind::Event,
        TraceKind::Actor,
        TraceKind::Meter,
    ];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            TraceKind::Goal => "goal",
            TraceKind::Budget => "budget",
            TraceKind::Reservation => "reservation",
            TraceKind::Spend => "spend",
            TraceKind::Key => "key",
            TraceKind::Session => "session",
            TraceKind::Event => "event",
            TraceKind::Actor => "actor",
            TraceKind::Meter => "meter",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<TraceKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for TraceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceStep {
    /// The event.
    pub event: ChangeEvent,
    /// As what the id stands in it, or what it is about. Empty for what followed from the step before, in the same frame:
    /// a threshold that a spend crossed, say.
    pub told_as: Vec<TraceKind>,
    /// How much later than the step before it was decided; `None` for the first.
    pub after: Option<Duration>,
    /// What happened, in words.
    pub what: String,
    /// The amount that it is about.
    pub amount: Option<u128>,
    /// Why, as far as the event says.
    pub reason: Option<String>,
    /// The event of the same frame that brought it about: its `seq` and kind.
    pub cause: Option<(u64, &'static str)>,
    /// The budget that the story is about, or else that the event is about, right after it. `None` where there is none, or
    /// where the state of then cannot be had any more.
    pub balance: Option<TraceBalance>,
}

/// What stood in a budget at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceBalance {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted.
    pub unit: std::sync::Arc<str>,
    /// What was spent.
    pub spent: u128,
    /// What was set aside.
    pub reserved: u128,
    /// The limit; `None`: unlimited.
    pub limit: Option<u128>,
    /// What was left; `None`: unlimited.
    pub remaining: Option<u128>,
}

impl TraceBalance {
    fn of(id: &BudgetId, state: &State) -> Option<TraceBalance> {
        let budget = state.budget(id)?;
        Some(TraceBalance {
            budget_id: id.clone(),
            unit: budget.unit.clone(),
            spent: budget.spent,
            reserved: budget.reserved,
            limit: budget.limit(),
            remaining: budget.remaining(),
        })
    }
}

/// A story, one step after the other.
#[derive(Debug)]
pub struct Trace {
    reader: JournalReader,
    subject: Subject,
    sieve: Sieve,
    sift: Sift,
    timeline: Option<Timeline>,
    /// After which `seq` the oldest state is.
    oldest_state: u64,
    first_seq: u64,
    /// Up to where it told that it has come.
    told_seq: u64,
    ready: VecDeque<TraceStep>,
    last_ts: Option<Timestamp>,
    found: BTreeMap<TraceKind, u64>,
}

impl Trace {
    /// The story of `id`, from the oldest event that is retained on; as one `kind` only, or as whatever it is.
    ///
    /// A goal's story has what is booked on the goals below it, and a budget's what is booked on those below.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
    /// use tallybook::forensics::{Trace, TraceKind};
    /// use tallybook::{Blocking, JournalReader, NewBudget, Spend};
    /// let engine = Blocking::open(&dir)?;
    /// engine.allocate(NewBudget::new("task-7").limit(1_000))?;
    /// engine.record_spend("task-7", Spend::of(300).tool("web.search"))?;
    ///
    /// let mut trace = Trace::open(&JournalReader::open(&dir)?, "task-7", None)?;
    /// while let Some(step) = trace.next()? {
    ///     let remaining = step.balance.and_then(|balance| balance.remaining);
    ///     println!("{} {}: {remaining:?} left", step.event.seq, step.what);
    /// }
    /// assert_eq!(trace.found().get(&TraceKind::Budget), Some(&2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for an id that cannot be of that kind; `Io`, `Damaged` and `Unsupported` when the journal cannot be
    /// read.
    pub fn open(reader: &JournalReader, id: &str, kind: Option<TraceKind>) -> Result<Trace, Error> {
        let mut subject = Subject::new(id, kind)?;
        let sift = reader.sift()?;
        let (oldest_state, _) = reader.state_seqs()?;
        let first_seq = sift.next_seq();
        if first_seq > 1 && subject.has_families() {
            let at = oldest_state.max(first_seq - 1);
            match reader.state(StateAt::Seq(at)) {
                Ok(state) => subject.learn_from(&state),
                // The floor has moved on since: then these events will not be met.
                Err(error) if *error.kind() == ErrorKind::Pruned => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Trace {
            reader: reader.clone(),
            sieve: Sieve::new(&subject),
            subject,
            sift,
            timeline: None,
            oldest_state,
            first_seq,
            told_seq: first_seq,
            ready: VecDeque::new(),
            last_ts: None,
            found: BTreeMap::new(),
        })
    }

    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// `Pruned` when a live writer pruned what comes next; `Io`, `Damaged` and `Unsupported` when the journal cannot be read.
    #[expect(clippy::should_implement_trait, reason = "as with events, it may fail at each step")]
    pub fn next(&mut self) -> Result<Option<TraceStep>, Error> {
        self.next_telling(&mut |_| {})
    }

    /// The same; meanwhile `tell` is given the `seq` up to which it has come, every few thousand events.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_telling(&mut self, tell: &mut dyn FnMut(u64)) -> Result<Option<TraceStep>, Error> {
        while self.ready.is_empty() {
            let Trace { sift, sieve, subject, .. } = self;
            let Some(frame) = sift.next(&mut |line| sieve.wants(line, subject))? else { return Ok(None) };
            if frame.last_seq.saturating_sub(self.told_seq) >= EVENTS_PER_WORD {
                self.told_seq = frame.last_seq;
                tell(frame.last_seq);
            }
            if frame.is_wanted {
                self.tell(frame)?;
            }
        }
        Ok(self.ready.pop_front())
    }

    /// As what the id was found so far, and in how many events: at the end, all that it is.
    pub fn found(&self) -> &BTreeMap<TraceKind, u64> {
        &self.found
    }

    /// The `seq` with which it begins, and that up to which it has come.
    pub fn seqs(&self) -> (u64, u64) {
        (self.first_seq, self.sift.next_seq() - 1)
    }

    fn tell(&mut self, frame: Sifted) -> Result<(), Error> {
        let events = self.events_of(frame)?;
        let mut is_booked = false;
        let mut causes = Causes::of(events.iter().map(|(event, _)| event));
        for (event, balances) in &events {
            let cause = causes.next(event);
            let told_as = self.subject.roles(event);
            let follows = is_booked && story::is_consequence(&event.payload);
            if told_as.is_empty() && !follows {
                continue;
            }
            is_booked |= told_as.iter().any(|role| matches!(role, TraceKind::Spend | TraceKind::Reservation));
            for role in &told_as {
                *self.found.entry(*role).or_default() += 1;
            }
            let after = self.last_ts.map(|last| event.ts.saturating_since(last));
            self.last_ts = Some(event.ts);
            self.ready.push_back(TraceStep {
                told_as,
                after,
                what: what(&event.payload),
                amount: amount_of(&event.payload),
                reason: reason_of(&event.payload),
                cause,
                balance: balances.clone(),
                event: event.clone(),
            });
        }
        Ok(())
    }

    /// The events of a frame, each with the balance right after it.
    fn events_of(&mut self, frame: Sifted) -> Result<Vec<(ChangeEvent, Option<TraceBalance>)>, Error> {
        let before = frame.first_seq.saturating_sub(1);
        let mut out = Vec::new();
        if before < self.oldest_state {
            // An archive that begins late: events, and no state yet.
            let mut events = self.reader.events(frame.first_seq)?;
            while let Some(event) = events.next()?.filter(|event| event.seq <= frame.last_seq) {
                out.push((event.decode()?, None));
            }
            return Ok(out);
        }
        let timeline = match &mut self.timeline {
            Some(timeline) => {
                timeline.advance_to(before)?;
                timeline
            }
            None => self.timeline.insert(self.reader.timeline(StateAt::Seq(before))?),
        };
        while timeline.projection().seq < frame.last_seq
            && let Some(event) = timeline.step()?
        {
            let balance = self
                .subject
                .balance_budget(&event)
                .and_then(|id| TraceBalance::of(&id, timeline.projection()));
            out.push((event, balance));
        }
        Ok(out)
    }
}
