//! The operations: their names, their fields, and who reads these.

use super::fields::{Fields, shortened};
use super::{Query, command, invalid, query};
use crate::domain::{Command, Rejection};

/// Reads the fields of one operation that are its own.
type Read = fn(&Fields<'_>) -> Result<Asked, Rejection>;

/// An operation without what every line may carry.
pub(super) enum Asked {
    Command(Command),
    Query(Query),
}

/// An operation: its name, the fields of its own, and how they are read.
pub(super) struct Op {
    pub(super) name: &'static str,
    pub(super) fields: &'static [&'static str],
    pub(super) read: Read,
}

/// Every operation, in the order of the protocol.
pub(super) static OPS: [Op; 28] = [
    Op {
        name: "create_goal",
        fields: &["text", "goal_id", "scope", "token_budget", "parent_goal", "budgets", "widen_by"],
        read: command::create_goal,
    },
    Op {
        name: "transition_goal",
        fields: &["goal_id", "to", "expected_revision", "reason", "note"],
        read: command::transition_goal,
    },
    Op {
        name: "set_goal_budget",
        fields: &["goal_id", "token_budget", "resume", "expected_revision"],
        read: command::set_goal_budget,
    },
    Op {
        name: "record_turn",
        fields: &["tokens", "goal_id", "scope", "seconds", "charges"],
        read: command::record_turn,
    },
    Op { name: "get_goal", fields: &["goal_id"], read: query::get_goal },
    Op { name: "active_goal", fields: &["scope"], read: query::active_goal },
    Op { name: "list_goals", fields: &["limit", "before", "scope", "status"], read: query::list_goals },
    Op {
        name: "allocate",
        fields: &["budget_id", "limit", "unit", "parent", "hard", "thresholds", "window", "widen_by"],
        read: command::allocate,
    },
    Op { name: "check", fields: &["budget_id", "amount"], read: query::check },
    Op {
        name: "record_spend",
        fields: &[
            "budget_id",
            "amount",
            "spend_id",
            "peer",
            "tool",
            "reason",
            "quantities",
            "occurred_at",
            "incurred",
        ],
        read: command::record_spend,
    },
    Op {
        name: "reserve",
        fields: &["budget_id", "amount", "reservation_id", "ttl_ms", "owner"],
        read: command::reserve,
    },
    Op {
        name: "settle",
        fields: &[
            "reservation_id",
            "amount",
            "spend_id",
            "peer",
            "tool",
            "reason",
            "quantities",
            "occurred_at",
        ],
        read: command::settle,
    },
    Op { name: "release", fields: &["reservation_id"], read: command::release },
    Op { name: "mark_unknown", fields: &["reservation_id"], read: command::mark_unknown },
    Op { name: "reverse_spend", fields: &["spend_id", "amount", "reason"], read: command::reverse_spend },
    Op {
        name: "adjust_budget",
        fields: &["budget_id", "limit", "hard", "thresholds", "window"],
        read: command::adjust_budget,
    },
    Op { name: "set_progress", fields: &["budget_id", "progress"], read: command::set_progress },
    Op { name: "close_budget", fields: &["budget_id", "children"], read: command::close_budget },
    Op { name: "get_budget", fields: &["budget_id"], read: query::get_budget },
    Op {
        name: "list_budgets",
        fields: &["limit", "before", "parent", "unit", "status"],
        read: query::list_budgets,
    },
    Op {
        name: "list_reservations",
        fields: &["limit", "before", "budget_id", "owner", "status"],
        read: query::list_reservations,
    },
    Op { name: "list_spends", fields: &["limit", "before", "budget_id"], read: query::list_spends },
    Op { name: "burn_rate", fields: &["budget_id", "span_ms"], read: query::burn_rate },
    Op {
        name: "observe_meter",
        fields: &["meter_id", "delta", "cumulative", "budget_id"],
        read: command::observe_meter,
    },
    Op { name: "reset_meter", fields: &["meter_id", "baseline"], read: command::reset_meter },
    Op { name: "get_meter", fields: &["meter_id"], read: query::get_meter },
    Op { name: "record_event", fields: &["name", "data", "event_id"], read: command::record_event },
    Op { name: "head", fields: &[], read: query::head },
];

impl Op {
    /// The operation that a line names.
    pub(super) fn of(fields: &Fields<'_>) -> Result<&'static Op, Rejection> {
        let name = fields.require("op", "the name of an operation")?.string()?;
        OPS.iter().find(|op| op.name == name).ok_or_else(|| {
            let known: Vec<&str> = OPS.iter().map(|op| op.name).collect();
            invalid(format!("unknown op {}; this version knows {}", shortened(&name), known.join(", ")))
        })
    }

    /// What it takes, for the message about a field that it does not take.
    pub(super) fn own_fields(&self) -> String {
        match self.fields {
            [] => format!("{} takes no fields of its own", self.name),
            fields => format!("{} takes {}", self.name, fields.join(", ")),
        }
    }
}
