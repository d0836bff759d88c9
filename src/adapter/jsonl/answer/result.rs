//! What commands and queries result in, and its JSON.

use super::super::records::{BudgetJson, GoalJson, MeterJson, ReportJson, ReservationJson, SpendJson};
use super::super::text::Text;
use crate::domain::{Allowance, BudgetView, BurnRate, Goal, Meter, Reservation, SpendRecord, StateHash};
use crate::engine::{CommandResult, Head};
use crate::ids::{BudgetId, Epoch, JournalId, MeterId};

/// What a query found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryResult {
    /// A goal, or that there is none.
    Goal(Option<Box<Goal>>),
    /// Goals.
    Goals(Vec<Goal>),
    /// That so much could be spent now.
    Allowance(Allowance),
    /// A budget.
    Budget(Box<BudgetView>),
    /// Budgets.
    Budgets(Vec<BudgetView>),
    /// Reservations.
    Reservations(Vec<Reservation>),
    /// Spends.
    Spends(Vec<SpendRecord>),
    /// How fast a budget is spent.
    BurnRate(BurnRate),
    /// An external meter, known or not.
    Meter {
        /// Its id.
        meter_id: MeterId,
        /// The meter, if it is known.
        meter: Option<Box<Meter>>,
    },
    /// Where the journal stands.
    Head(Head),
}

/// The `result` of an answer.
#[derive(serde::Serialize)]
#[serde(untagged)]
pub(super) enum ResultJson<'a> {
    Nothing,
    Goal(GoalJson<'a>),
    Goals(Vec<GoalJson<'a>>),
    Allowance(AllowanceJson<'a>),
    Budget(BudgetJson<'a>),
    Budgets(Vec<BudgetJson<'a>>),
    Report(ReportJson<'a>),
    Reservation(ReservationJson<'a>),
    Reservations(Vec<ReservationJson<'a>>),
    Spend(SpendJson<'a>),
    Spends(Vec<SpendJson<'a>>),
    BurnRate(BurnRateJson),
    Meter(MeterJson<'a>),
    Head(HeadJson<'a>),
}

impl<'a> From<&'a CommandResult> for ResultJson<'a> {
    fn from(result: &'a CommandResult) -> ResultJson<'a> {
        match result {
            CommandResult::Goal(goal) => ResultJson::Goal(GoalJson(goal)),
            CommandResult::Budget(budget) => ResultJson::Budget((&**budget).into()),
            CommandResult::Closed(budget) => ResultJson::Report(ReportJson(budget)),
            CommandResult::Spend(spend) => ResultJson::Spend(SpendJson(spend)),
            CommandResult::Reservation(reservation) => ResultJson::Reservation(ReservationJson(reservation)),
            CommandResult::Meter(meter) => ResultJson::Meter((&**meter).into()),
            CommandResult::Nothing => ResultJson::Nothing,
        }
    }
}

impl<'a> From<&'a QueryResult> for ResultJson<'a> {
    fn from(found: &'a QueryResult) -> ResultJson<'a> {
        match found {
            QueryResult::Goal(None) => ResultJson::Nothing,
            QueryResult::Goal(Some(goal)) => ResultJson::Goal(GoalJson(goal)),
            QueryResult::Goals(goals) => ResultJson::Goals(goals.iter().map(GoalJson).collect()),
            QueryResult::Allowance(allowance) => ResultJson::Allowance(AllowanceJson::of(allowance)),
            QueryResult::Budget(budget) => ResultJson::Budget((&**budget).into()),
            QueryResult::Budgets(budgets) => {
                ResultJson::Budgets(budgets.iter().map(BudgetJson::from).collect())
            }
            QueryResult::Reservations(reservations) => {
                ResultJson::Reservations(reservations.iter().map(ReservationJson).collect())
            }
            QueryResult::Spends(spends) => ResultJson::Spends(spends.iter().map(SpendJson).collect()),
            QueryResult::BurnRate(rate) => ResultJson::BurnRate(BurnRateJson::of(rate)),
            QueryResult::Meter { meter_id, meter } => {
                ResultJson::Meter(MeterJson { meter_id, meter: meter.as_deref() })
            }
            QueryResult::Head(head) => ResultJson::Head(HeadJson::of(head)),
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct AllowanceJson<'a> {
    allowed: bool,
    remaining: Option<Text<u128>>,
    available: Option<Text<u128>>,
    /// The soft limit that it would pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    exceeds: Option<Text<&'a BudgetId>>,
}

impl AllowanceJson<'_> {
    fn of(allowance: &Allowance) -> AllowanceJson<'_> {
        AllowanceJson {
            allowed: true,
            remaining: allowance.remaining.map(Text),
            available: allowance.available.map(Text),
            exceeds: allowance.exceeds.as_ref().map(Text),
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct BurnRateJson {
    per_minute: Text<u128>,
    amount: Text<u128>,
    span_ms: u64,
}

impl BurnRateJson {
    fn of(rate: &BurnRate) -> BurnRateJson {
        BurnRateJson {
            per_minute: Text(rate.per_minute()),
            amount: Text(rate.amount),
            span_ms: u64::try_from(rate.elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[derive(serde::Serialize)]
pub(super) struct HeadJson<'a> {
    seq: u64,
    epoch: Text<&'a Epoch>,
    journal_id: Text<&'a JournalId>,
    state_hash: Text<&'a StateHash>,
}

impl HeadJson<'_> {
    fn of(head: &Head) -> HeadJson<'_> {
        HeadJson {
            seq: head.seq,
            epoch: Text(&head.epoch),
            journal_id: Text(&head.journal_id),
            state_hash: Text(&head.state_hash),
        }
    }
}
