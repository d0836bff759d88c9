//! Events and balances as rows of CSV (RFC 4180).

use super::balances::{Balance, about};
use super::csv::put_row;
use crate::event::{ChangeEvent, Payload, Reading};

/// The columns of a table of events. What an event does not have is empty; `event` is its JSON, exactly as journaled, with
/// all that it says.
pub const EVENT_COLUMNS: [&str; 16] = [
    "seq",
    "ts",
    "kind",
    "session_id",
    "actor",
    "key",
    "budget_id",
    "goal_id",
    "reservation_id",
    "spend_id",
    "amount",
    "limit",
    "tool",
    "peer",
    "reason",
    "event",
];

/// The columns of a table of balances. `limit` and `remaining` are empty where there is no limit.
pub const BALANCE_COLUMNS: [&str; 10] =
    ["ts", "seq", "budget_id", "unit", "spent", "spent_total", "reserved", "limit", "remaining", "status"];

/// Appends the row that names the columns.
pub fn put_head(out: &mut Vec<u8>, columns: &[&str]) {
    put_row(out, columns.iter().copied());
}

/// Appends an event as a row of [`EVENT_COLUMNS`]; `line` is its JSON.
pub fn put_event(out: &mut Vec<u8>, event: &ChangeEvent, line: &str) {
    let Facts { goal, reservation, spend, amount, limit, tool, peer, reason } = facts(&event.payload);
    let text = |text: Option<&std::sync::Arc<str>>| text.map(ToString::to_string);
    let fields: [Option<String>; EVENT_COLUMNS.len()] = [
        Some(event.seq.to_string()),
        Some(event.ts.to_string()),
        Some(event.payload.kind().to_owned()),
        text(event.session_id.as_ref()),
        text(event.actor.as_ref()),
        text(event.key.as_ref().map(|key| &key.key)),
        about(&event.payload).map(|id| id.to_string()),
        goal,
        reservation,
        spend,
        amount.map(|amount| amount.to_string()),
        limit.map(|limit| limit.to_string()),
        tool,
        peer,
        reason,
        Some(line.to_owned()),
    ];
    put_row(out, fields.iter().map(|field| field.as_deref().unwrap_or_default()));
}

/// Appends a balance as a row of [`BALANCE_COLUMNS`].
pub fn put_balance(out: &mut Vec<u8>, balance: &Balance) {
    let or_empty = |amount: Option<u128>| amount.map_or_else(String::new, |amount| amount.to_string());
    let fields: [String; BALANCE_COLUMNS.len()] = [
        balance.ts.to_string(),
        balance.seq.to_string(),
        balance.budget_id.to_string(),
        balance.unit.to_string(),
        balance.spent.to_string(),
        balance.spent_total.to_string(),
        balance.reserved.to_string(),
        or_empty(balance.limit),
        or_empty(balance.remaining),
        balance.status.name().to_owned(),
    ];
    put_row(out, fields.iter().map(String::as_str));
}

/// What the columns show of a payload.
#[derive(Default)]
struct Facts {
    goal: Option<String>,
    reservation: Option<String>,
    spend: Option<String>,
    amount: Option<u128>,
    limit: Option<u128>,
    tool: Option<String>,
    peer: Option<String>,
    reason: Option<String>,
}

fn facts(payload: &Payload) -> Facts {
    let none = Facts::default();
    match payload {
        Payload::GoalCreated(made) => {
            Facts { goal: Some(made.goal_id.to_string()), limit: made.token_budget, ..none }
        }
        Payload::GoalTransitioned(change) => {
            let reason = Some(change.reason.to_string());
            Facts { goal: Some(change.goal_id.to_string()), reason, ..none }
        }
        Payload::GoalBudgetSet(set) => {
            Facts { goal: Some(set.goal_id.to_string()), limit: set.token_budget, ..none }
        }
        Payload::TurnRecorded(turn) => {
            Facts { goal: Some(turn.goal_id.to_string()), amount: Some(turn.tokens), ..none }
        }
        Payload::BudgetExhausted(exhausted) => {
            Facts { amount: Some(exhausted.spent), limit: Some(exhausted.limit), ..none }
        }
        Payload::ThresholdCrossed(crossed) => {
            Facts { amount: Some(crossed.spent), limit: Some(crossed.limit), ..none }
        }
        Payload::BudgetAllocated(made) => Facts { limit: made.terms.limit, ..none },
        Payload::BudgetAdjusted(adjusted) => Facts { limit: adjusted.terms.limit, ..none },
        Payload::WindowRolled(rolled) => Facts { amount: Some(rolled.spent), ..none },
        Payload::SpendRecorded(spend) => Facts {
            goal: spend.goal_id.map(|id| id.to_string()),
            reservation: spend.reservation_id.as_ref().map(ToString::to_string),
            spend: Some(spend.spend_id.to_string()),
            amount: Some(spend.amount),
            tool: spend.details.tool.as_ref().map(ToString::to_string),
            peer: spend.details.peer.as_ref().map(ToString::to_string),
            reason: spend.details.reason.as_ref().map(ToString::to_string),
            ..none
        },
        Payload::SpendReversed(reversed) => Facts {
            spend: Some(reversed.spend_id.to_string()),
            amount: Some(reversed.amount),
            reason: reversed.reason.as_ref().map(ToString::to_string),
            ..none
        },
        Payload::ReservationMade(made) => of_reservation(&made.reservation_id, made.amount),
        Payload::ReservationReleased(released) => Facts {
            reason: Some(released.reason.name().to_owned()),
            ..of_reservation(&released.reservation_id, released.amount)
        },
        Payload::ReservationExpired(expired) => of_reservation(&expired.reservation_id, expired.amount),
        Payload::ReservationMarkedUnknown(marked) => of_reservation(&marked.reservation_id, marked.amount),
        Payload::MeterObserved(observed) => {
            let (Reading::Delta(amount) | Reading::Cumulative(amount)) = observed.reading;
            Facts { amount: Some(amount), ..none }
        }
        Payload::MeterReset(reset) => Facts { amount: Some(reset.baseline), ..none },
        Payload::CommandRefused(refused) => Facts {
            goal: refused.goal_id.map(|id| id.to_string()),
            reservation: refused.reservation_id.as_ref().map(ToString::to_string),
            amount: Some(refused.amount),
            limit: refused.limit,
            reason: Some(match &refused.reason {
                Some(reason) => format!("{}: {reason}", refused.refusal),
                None => refused.refusal.to_string(),
            }),
            ..none
        },
        Payload::RefusalsSuppressed(report) => {
            Facts { amount: Some(report.count.into()), reason: Some(report.refusal.to_string()), ..none }
        }
        Payload::ProgressSet(_)
        | Payload::BudgetClosed(_)
        | Payload::EndedForgotten(_)
        | Payload::EventRecorded(_)
        | Payload::KeyWindowSet(_) => none,
    }
}

fn of_reservation(id: &crate::ids::ReservationId, amount: u128) -> Facts {
    Facts { reservation: Some(id.to_string()), amount: Some(amount), ..Facts::default() }
}
