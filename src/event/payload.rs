//! The catalogue of kinds: what each event says. Every field is a fact that was decided; folding needs nothing else
//! (law FOLD).

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::Fraction;
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// What happened. The kind's name in the journal is the variant's name in `snake_case`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// A goal was created, and is active.
    GoalCreated(GoalCreated),
    /// A goal changed its status.
    GoalTransitioned(GoalTransitioned),
    /// The token budget of a goal was set, raised, lowered or removed.
    GoalBudgetSet(GoalBudgetSet),
    /// One or more turns were booked on a goal.
    TurnRecorded(TurnRecorded),
    /// What was spent reached a budget's limit.
    BudgetExhausted(BudgetExhausted),
    /// What was spent reached one of a budget's thresholds.
    ThresholdCrossed(ThresholdCrossed),
    /// A budget was made.
    BudgetAllocated(BudgetAllocated),
    /// The limit, the thresholds or the window of a budget was changed.
    BudgetAdjusted(BudgetAdjusted),
    /// The progress of the work behind a budget was set.
    ProgressSet(ProgressSet),
    /// A budget was closed.
    BudgetClosed(BudgetClosed),
    /// A window ended, and the next began.
    WindowRolled(WindowRolled),
    /// Something was spent.
    SpendRecorded(SpendRecorded),
    /// A spend was taken back, whole or in part.
    SpendReversed(SpendReversed),
    /// An amount was set aside.
    ReservationMade(ReservationMade),
    /// A reservation was given back.
    ReservationReleased(ReservationReleased),
    /// A reservation's time to live was over.
    ReservationExpired(ReservationExpired),
    /// The outcome of what a reservation was made for is not known.
    ReservationMarkedUnknown(ReservationMarkedUnknown),
    /// An external meter was read.
    MeterObserved(MeterObserved),
    /// An external meter begins anew.
    MeterReset(MeterReset),
    /// A command was refused by limit, status, authority or risk.
    CommandRefused(CommandRefused),
    /// How many further refusals of a refusal loop were answered without an event of their own.
    RefusalsSuppressed(RefusalsSuppressed),
    /// The window in which idempotency keys are remembered was changed.
    KeyWindowSet(KeyWindowSet),
}

/// A goal was created, and is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalCreated {
    /// The goal.
    pub goal_id: GoalId,
    /// Where it lives: at most one goal of a scope is active.
    pub scope: Arc<str>,
    /// What is to be reached.
    pub text: Arc<str>,
    /// The limit of its own token budget; `None`: unlimited.
    pub token_budget: Option<u128>,
    /// The goal that it works for, under whose budget its own hangs.
    pub parent_goal: Option<GoalId>,
    /// Further budgets that it names.
    pub budgets: Vec<BudgetId>,
    /// Who may widen its token budget; `None`: everyone.
    pub widen_by: Option<Arc<[Arc<str>]>>,
}

/// The status of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GoalStatus {
    /// Being worked on.
    Active,
    /// Not being worked on, for now.
    Paused,
    /// Reached. Terminal.
    Completed,
    /// Given up. Terminal.
    Cleared,
}

impl GoalStatus {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            GoalStatus::Active => "active",
            GoalStatus::Paused => "paused",
            GoalStatus::Completed => "completed",
            GoalStatus::Cleared => "cleared",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<GoalStatus> {
        [GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// Whether a goal stays in this status for ever.
    pub const fn is_terminal(self) -> bool {
        matches!(self, GoalStatus::Completed | GoalStatus::Cleared)
    }
}

impl fmt::Display for GoalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a goal changed its status; of a paused goal, why it is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionReason {
    /// A command asked for it.
    Requested,
    /// Another goal of its scope became active.
    Superseded,
    /// A budget on its path, or one it names, is exhausted.
    BudgetExhausted,
    /// A command asked for it, because the work is blocked.
    Blocked,
    /// Its parent goal was paused, resumed or ended.
    Parent,
}

impl TransitionReason {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            TransitionReason::Requested => "requested",
            TransitionReason::Superseded => "superseded",
            TransitionReason::BudgetExhausted => "budget_exhausted",
            TransitionReason::Blocked => "blocked",
            TransitionReason::Parent => "parent",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<TransitionReason> {
        use TransitionReason::{Blocked, BudgetExhausted, Parent, Requested, Superseded};
        [Requested, Superseded, BudgetExhausted, Blocked, Parent]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

impl fmt::Display for TransitionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A goal changed its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalTransitioned {
    /// The goal.
    pub goal_id: GoalId,
    /// Its status before.
    pub from: GoalStatus,
    /// Its status now.
    pub to: GoalStatus,
    /// Why.
    pub reason: TransitionReason,
    /// The goal's revision now.
    pub revision: u64,
    /// The goal whose change brought this one about: the one that superseded it, or its parent.
    pub by_goal: Option<GoalId>,
    /// The exhausted budget that brought it about.
    pub budget_id: Option<BudgetId>,
    /// What the caller noted.
    pub note: Option<Arc<str>>,
}

/// The token budget of a goal was set, raised, lowered or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalBudgetSet {
    /// The goal.
    pub goal_id: GoalId,
    /// The limit before; `None`: unlimited.
    pub previous: Option<u128>,
    /// The limit now; `None`: unlimited.
    pub token_budget: Option<u128>,
}

/// An amount on a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
}

/// One or more turns were booked on a goal: cost that was incurred, whatever the limit (law EXACT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnRecorded {
    /// The goal.
    pub goal_id: GoalId,
    /// Tokens used by these turns, booked at the goal's budget and at every one above it.
    pub tokens: u128,
    /// How many turns this event stands for: 1, or more where turns were added up while the inbox was full.
    pub turns: u64,
    /// Wall time used by these turns.
    pub seconds: u64,
    /// Whether the goal was no longer active.
    pub late: bool,
    /// What of these tokens passed the limit of each budget on the path, from the goal's own upwards; budgets within
    /// their limit are not named.
    pub overage: Vec<Charge>,
}

/// What was spent reached a budget's limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetExhausted {
    /// The budget.
    pub budget_id: BudgetId,
    /// Its limit.
    pub limit: u128,
    /// What is spent.
    pub spent: u128,
    /// What passed the limit.
    pub overage: u128,
    /// Whether the limit is a hard one: then every goal below is paused in this frame.
    pub hard: bool,
}

/// What was spent reached one of a budget's thresholds. Once per threshold until the limit, the thresholds or the
/// window change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdCrossed {
    /// The budget.
    pub budget_id: BudgetId,
    /// The threshold, as a fraction of the limit.
    pub threshold: Fraction,
    /// The limit.
    pub limit: u128,
    /// What is spent.
    pub spent: u128,
}

/// How a budget is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetTerms {
    /// How much may be spent; `None`: it only counts.
    pub limit: Option<u128>,
    /// Whether admission is refused beyond the limit. A soft limit lets pass and says so.
    pub hard: bool,
    /// Where to alert, as fractions of the limit: ascending, each once, none 0.
    pub thresholds: Arc<[Fraction]>,
    /// When what is spent begins anew; `None`: never.
    pub window: Option<Arc<Window>>,
}

/// How often what is spent of a budget begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// `hour`, `day`, `week`, `month`, or an ISO 8601 duration.
    pub every: Arc<str>,
    /// Where one of the windows starts; `None`: where the calendar has them start.
    pub anchor: Option<Timestamp>,
    /// The IANA time zone whose calendar counts; `None`: UTC.
    pub tz: Option<Arc<str>>,
}

/// One window: from its start on, up to and without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

/// A budget was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetAllocated {
    /// The budget.
    pub budget_id: BudgetId,
    /// What is counted.
    pub unit: Arc<str>,
    /// The budget that it hangs under.
    pub parent: Option<BudgetId>,
    /// How it is limited.
    pub terms: BudgetTerms,
    /// The window that it begins in, where its terms have windows.
    pub span: Option<Span>,
    /// Who may widen it; `None`: everyone.
    pub widen_by: Option<Arc<[Arc<str>]>>,
}

/// The terms of a budget were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetAdjusted {
    /// The budget.
    pub budget_id: BudgetId,
    /// How it was limited.
    pub previous: BudgetTerms,
    /// How it is limited now.
    pub terms: BudgetTerms,
    /// The window that it is in now, where its terms have windows. What is spent counts on in it.
    pub span: Option<Span>,
}

/// The progress of the work behind a budget was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressSet {
    /// The budget.
    pub budget_id: BudgetId,
    /// How much is done.
    pub progress: Fraction,
}

/// A budget was closed: nothing is admitted any more. What was incurred is still booked, as late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetClosed {
    /// The budget.
    pub budget_id: BudgetId,
    /// The budget above whose closing brought this one about.
    pub by_budget: Option<BudgetId>,
    /// Its reservations that were released by it, those of budgets closed along with it included.
    pub released: Vec<ReservationId>,
}

/// A window ended, and the next began: nothing is spent in it yet. Open reservations carry over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRolled {
    /// The budget.
    pub budget_id: BudgetId,
    /// The window that ended.
    pub ended: Span,
    /// What was spent in it.
    pub spent: u128,
    /// The window that began; windows in between, in which nothing happened, are left out.
    pub span: Span,
}

/// What a caller says about a spend. Tallybook keeps it and hands it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpendDetails {
    /// Who was paid.
    pub peer: Option<Arc<str>>,
    /// What was used.
    pub tool: Option<Arc<str>>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// How much of what was bought, by name.
    pub quantities: Vec<Quantity>,
    /// When it happened, where that is not when it was booked. It is booked in the window of then.
    pub occurred_at: Option<Timestamp>,
}

impl SpendDetails {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == SpendDetails::default()
    }
}

/// How much of something was bought: 1,200 input tokens, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// Of what.
    pub name: Arc<str>,
    /// How much.
    pub amount: u128,
}

/// Something was spent, booked at the budget and at every one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendRecorded {
    /// The spend.
    pub spend_id: SpendId,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
    /// Whether it was booked whatever the limit: it had happened already.
    pub incurred: bool,
    /// Whether it came after the budget's close, or after its reservation or its goal had ended.
    pub late: bool,
    /// What of it passed the limit of each budget on the path, from the budget's own upwards; budgets within their
    /// limit are not named.
    pub overage: Vec<Charge>,
    /// The reservation that it settles, which ends by it.
    pub reservation_id: Option<ReservationId>,
    /// The goal on one of whose turns it was charged.
    pub goal_id: Option<GoalId>,
    /// The external meter that measured it.
    pub meter_id: Option<MeterId>,
    /// The fingerprint of the command, where the caller gave the id: a spend id is a key, too.
    pub body: Option<u64>,
    /// What the caller says about it.
    pub details: SpendDetails,
}

/// A spend was taken back, whole or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendReversed {
    /// The spend.
    pub spend_id: SpendId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was taken back. Budgets whose window has rolled since the spend take it from their totals only.
    pub amount: u128,
    /// Why.
    pub reason: Option<Arc<str>>,
}

/// An amount was set aside, at the budget and at every one above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationMade {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
    /// Who holds it.
    pub owner: Option<Arc<str>>,
    /// When it is given back by itself; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// The fingerprint of the command, where the caller gave the id: a reservation id is a key, too.
    pub body: Option<u64>,
}

/// Why a reservation was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseReason {
    /// A command asked for it.
    Requested,
    /// Its budget was closed.
    BudgetClosed,
    /// The goal whose budget it was on ended.
    GoalEnded,
}

impl ReleaseReason {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            ReleaseReason::Requested => "requested",
            ReleaseReason::BudgetClosed => "budget_closed",
            ReleaseReason::GoalEnded => "goal_ended",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<ReleaseReason> {
        [ReleaseReason::Requested, ReleaseReason::BudgetClosed, ReleaseReason::GoalEnded]
            .into_iter()
            .find(|reason| reason.name() == name)
    }
}

/// A reservation was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationReleased {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was set aside.
    pub amount: u128,
    /// Why.
    pub reason: ReleaseReason,
}

/// A reservation's time to live was over, and it was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationExpired {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much was set aside.
    pub amount: u128,
}

/// The outcome of what a reservation was made for is not known: it stays, whatever its time to live, until it is
/// settled or released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservationMarkedUnknown {
    /// The reservation.
    pub reservation_id: ReservationId,
    /// Its budget.
    pub budget_id: BudgetId,
    /// How much stays set aside.
    pub amount: u128,
}

/// What an external meter said. The two are not to be mixed up: a total that is booked as an increase is booked again
/// and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reading {
    /// So much more than at the last observation.
    Delta(u128),
    /// So much altogether.
    Cumulative(u128),
}

/// An external meter was read. What it measured since the last reading is booked as incurred in the same frame, where
/// it is bound to a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterObserved {
    /// The meter.
    pub meter_id: MeterId,
    /// The budget that it is bound to.
    pub budget_id: Option<BudgetId>,
    /// What it said.
    pub reading: Reading,
    /// How much more that is.
    pub increase: u128,
    /// Where the meter stands now.
    pub total: u128,
}

/// An external meter begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterReset {
    /// The meter.
    pub meter_id: MeterId,
    /// Where it stood.
    pub previous: u128,
    /// Where it stands now; nothing is booked by it.
    pub baseline: u128,
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RefusalKind {
    /// A hard limit would be passed, or is reached.
    BudgetExceeded,
    /// The budget is closed.
    BudgetClosed,
    /// The reservation has ended.
    ReservationGone,
    /// The actor may not widen the budget.
    Forbidden,
    /// The host's risk assessor was against it, or did not answer.
    Risk,
}

impl RefusalKind {
    const ALL: [RefusalKind; 5] = [
        RefusalKind::BudgetExceeded,
        RefusalKind::BudgetClosed,
        RefusalKind::ReservationGone,
        RefusalKind::Forbidden,
        RefusalKind::Risk,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            RefusalKind::BudgetExceeded => "budget_exceeded",
            RefusalKind::BudgetClosed => "budget_closed",
            RefusalKind::ReservationGone => "reservation_gone",
            RefusalKind::Forbidden => "forbidden",
            RefusalKind::Risk => "risk",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<RefusalKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A command was refused by limit, status, authority or risk (law HONEST).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRefused {
    /// The command's `op`.
    pub op: Arc<str>,
    /// Why.
    pub refusal: RefusalKind,
    /// The budget that blocked.
    pub budget_id: BudgetId,
    /// The goal that the command was about; for a creation, the parent.
    pub goal_id: Option<GoalId>,
    /// The reservation that the command was about.
    pub reservation_id: Option<ReservationId>,
    /// The budget's limit; `None`: unlimited.
    pub limit: Option<u128>,
    /// What is spent of it.
    pub spent: u128,
    /// What is reserved of it.
    pub reserved: u128,
    /// What the command asked for.
    pub amount: u128,
    /// What else explains it: the reason of a risk assessor, say.
    pub reason: Option<Arc<str>>,
}

/// How many further refusals of a refusal loop were answered without an event of their own (law HONEST).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalsSuppressed {
    /// The budget that blocked.
    pub budget_id: BudgetId,
    /// Why.
    pub refusal: RefusalKind,
    /// How many.
    pub count: u64,
    /// The start of the minute in which they were answered.
    pub minute: Timestamp,
}

/// The window in which idempotency keys are remembered was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyWindowSet {
    /// Keys older than this are forgotten, in milliseconds.
    pub max_age_ms: u64,
    /// The oldest keys beyond this number are forgotten.
    pub max_count: u64,
}

impl Payload {
    /// Every kind's name in the journal, in the order of the catalogue.
    pub const KINDS: [&'static str; 22] = [
        "goal_created",
        "goal_transitioned",
        "goal_budget_set",
        "turn_recorded",
        "budget_exhausted",
        "threshold_crossed",
        "budget_allocated",
        "budget_adjusted",
        "progress_set",
        "budget_closed",
        "window_rolled",
        "spend_recorded",
        "spend_reversed",
        "reservation_made",
        "reservation_released",
        "reservation_expired",
        "reservation_marked_unknown",
        "meter_observed",
        "meter_reset",
        "command_refused",
        "refusals_suppressed",
        "key_window_set",
    ];

    /// The kind's name in the journal.
    pub const fn kind(&self) -> &'static str {
        match self {
            Payload::GoalCreated(_) => "goal_created",
            Payload::GoalTransitioned(_) => "goal_transitioned",
            Payload::GoalBudgetSet(_) => "goal_budget_set",
            Payload::TurnRecorded(_) => "turn_recorded",
            Payload::BudgetExhausted(_) => "budget_exhausted",
            Payload::ThresholdCrossed(_) => "threshold_crossed",
            Payload::BudgetAllocated(_) => "budget_allocated",
            Payload::BudgetAdjusted(_) => "budget_adjusted",
            Payload::ProgressSet(_) => "progress_set",
            Payload::BudgetClosed(_) => "budget_closed",
            Payload::WindowRolled(_) => "window_rolled",
            Payload::SpendRecorded(_) => "spend_recorded",
            Payload::SpendReversed(_) => "spend_reversed",
            Payload::ReservationMade(_) => "reservation_made",
            Payload::ReservationReleased(_) => "reservation_released",
            Payload::ReservationExpired(_) => "reservation_expired",
            Payload::ReservationMarkedUnknown(_) => "reservation_marked_unknown",
            Payload::MeterObserved(_) => "meter_observed",
            Payload::MeterReset(_) => "meter_reset",
            Payload::CommandRefused(_) => "command_refused",
            Payload::RefusalsSuppressed(_) => "refusals_suppressed",
            Payload::KeyWindowSet(_) => "key_window_set",
        }
    }
}
