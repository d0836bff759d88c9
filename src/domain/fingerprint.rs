//! The fingerprint of a command's body: what tells a retry from another command under the same key.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::{Command, Limit, MarkUnknown, Release, Request, Spend, Ttl, Turn, TurnTarget};
use crate::event::{Fraction, Reading, Window};

/// The fingerprint of a request's command: not of its key, its actor, its session or its metadata, which a retry may
/// carry in another form.
///
/// It is written into the journal, so it is the same for ever and on every machine: the first eight bytes
/// (big-endian) of the SHA-256 of the operation's name and the fields that differ from their defaults, each as
/// ` name=length:value`. A field that a later version adds is left out, too, where it has its default.
pub fn fingerprint(request: &Request) -> u64 {
    let mut body = Body(String::with_capacity(256));
    body.0.push_str(request.command.op());
    write_command(&mut body, &request.command);
    let digest = Sha256::digest(body.0.as_bytes());
    digest[..8].iter().fold(0, |bits, &byte| (bits << 8) | u64::from(byte))
}

fn write_command(body: &mut Body, command: &Command) {
    match command {
        Command::CreateGoal(new) => {
            body.optional("goal_id", new.goal_id);
            body.field("text", &new.text);
            body.optional("scope", new.scope.as_ref());
            body.optional("token_budget", new.token_budget);
            body.optional("parent_goal", new.parent_goal);
            new.budgets.iter().for_each(|id| body.field("budget", id));
            body.actors(new.widen_by.as_deref());
        }
        Command::TransitionGoal(change) => {
            body.field("goal_id", change.goal_id);
            body.field("to", change.to.name());
            body.optional("expected_revision", change.expected_revision);
            body.optional("blocked", change.blocked.then_some(true));
            body.optional("note", change.note.as_ref());
        }
        Command::SetGoalBudget(set) => {
            body.field("goal_id", set.goal_id);
            body.optional("token_budget", set.token_budget);
            body.optional("resume", set.resume.then_some(true));
            body.optional("expected_revision", set.expected_revision);
        }
        Command::RecordTurn(record) => {
            match &record.target {
                TurnTarget::Goal(id) => body.field("goal_id", id),
                TurnTarget::Scope(scope) => body.field("scope", scope),
            }
            write_turn(body, &record.turn);
        }
        Command::Allocate(_)
        | Command::AdjustBudget(_)
        | Command::SetProgress(_)
        | Command::CloseBudget(_) => write_budget_command(body, command),
        Command::RecordSpend(_)
        | Command::Reserve(_)
        | Command::Settle(_)
        | Command::Release(_)
        | Command::MarkUnknown(_)
        | Command::ReverseSpend(_)
        | Command::ObserveMeter(_)
        | Command::ResetMeter(_) => write_spend_command(body, command),
        Command::RecordEvent(record) => {
            body.field("name", &record.name);
            body.optional("event_id", record.event_id.as_ref());
            body.field("data", &record.data);
        }
        Command::Elapse(elapse) => body.field("max_events", elapse.max_events),
        Command::Forget(forget) => {
            body.field("age_us", forget.age.as_micros());
            body.field("max_entities", forget.max_entities);
        }
        Command::SetKeyWindow(window) => {
            body.field("max_age_ms", window.max_age_ms);
            body.field("max_count", window.max_count);
        }
        Command::ReportSuppressed(report) => {
            body.field("budget_id", &report.budget_id);
            body.field("refusal", report.refusal);
            body.field("count", report.count);
            body.field("minute", report.minute);
        }
    }
}

fn write_budget_command(body: &mut Body, command: &Command) {
    match command {
        Command::Allocate(new) => {
            body.field("budget_id", &new.budget_id);
            body.field("unit", &new.unit);
            match new.limit {
                Limit::Default => {}
                Limit::Unlimited => body.field("limit", "none"),
                Limit::Of(limit) => body.field("limit", limit),
            }
            body.optional("parent", new.parent.as_ref());
            body.optional("hard", (!new.hard).then_some(false));
            body.thresholds(new.thresholds.as_deref());
            body.window(new.window.as_ref());
            body.actors(new.widen_by.as_deref());
        }
        Command::AdjustBudget(adjust) => {
            body.field("budget_id", &adjust.budget_id);
            match adjust.limit {
                None => {}
                Some(None) => body.field("limit", "none"),
                Some(Some(limit)) => body.field("limit", limit),
            }
            body.optional("hard", adjust.hard);
            body.thresholds(adjust.thresholds.as_deref());
            match &adjust.window {
                None => {}
                Some(None) => body.field("window", "none"),
                Some(window) => body.window(window.as_ref()),
            }
        }
        Command::SetProgress(set) => {
            body.field("budget_id", &set.budget_id);
            body.field("progress", set.progress.ppm());
        }
        Command::CloseBudget(close) => {
            body.field("budget_id", &close.budget_id);
            body.optional("children", close.with_children.then_some("close"));
        }
        _ => {}
    }
}

fn write_spend_command(body: &mut Body, command: &Command) {
    match command {
        Command::RecordSpend(record) => {
            body.field("budget_id", &record.budget_id);
            write_spend(body, &record.spend);
            body.optional("incurred", record.incurred.then_some(true));
        }
        Command::Reserve(new) => {
            body.field("budget_id", &new.budget_id);
            body.field("amount", new.amount);
            body.optional("reservation_id", new.reservation_id.as_ref());
            match new.ttl {
                None => {}
                Some(Ttl(None)) => body.field("ttl", "never"),
                Some(Ttl(Some(ttl))) => body.field("ttl", ttl.as_millis()),
            }
            body.optional("owner", new.owner.as_ref());
        }
        Command::Settle(settle) => {
            body.field("reservation_id", &settle.reservation_id);
            write_spend(body, &settle.spend);
        }
        Command::Release(Release { reservation_id })
        | Command::MarkUnknown(MarkUnknown { reservation_id }) => {
            body.field("reservation_id", reservation_id);
        }
        Command::ReverseSpend(reverse) => {
            body.field("spend_id", &reverse.spend_id);
            body.optional("amount", reverse.amount);
            body.optional("reason", reverse.reason.as_ref());
        }
        Command::ObserveMeter(observe) => {
            body.field("meter_id", &observe.meter_id);
            match observe.reading {
                Reading::Delta(delta) => body.field("delta", delta),
                Reading::Cumulative(total) => body.field("cumulative", total),
            }
            body.optional("budget_id", observe.budget_id.as_ref());
        }
        Command::ResetMeter(reset) => {
            body.field("meter_id", &reset.meter_id);
            body.field("baseline", reset.baseline);
        }
        _ => {}
    }
}

fn write_spend(body: &mut Body, spend: &Spend) {
    body.field("amount", spend.amount);
    body.optional("spend_id", spend.spend_id.as_ref());
    let details = &spend.details;
    body.optional("peer", details.peer.as_ref());
    body.optional("tool", details.tool.as_ref());
    body.optional("reason", details.reason.as_ref());
    for quantity in &details.quantities {
        body.field("quantity", &quantity.name);
        body.field("amount", quantity.amount);
    }
    body.optional("occurred_at", details.occurred_at);
}

fn write_turn(body: &mut Body, turn: &Turn) {
    body.field("tokens", turn.tokens);
    body.optional("seconds", (turn.seconds != 0).then_some(turn.seconds));
    body.optional("turns", (turn.turns != 1).then_some(turn.turns));
    for charge in &turn.charges {
        body.field("charge", &charge.budget_id);
        body.field("amount", charge.amount);
    }
}

struct Body(String);

impl Body {
    fn field(&mut self, name: &str, value: impl ToString) {
        let value = value.to_string();
        // Writing to a string does not fail.
        let _ = write!(self.0, " {name}={}:{value}", value.len());
    }

    fn actors(&mut self, actors: Option<&[Arc<str>]>) {
        let Some(actors) = actors else { return };
        self.field("widen_by", actors.len());
        actors.iter().for_each(|actor| self.field("actor", actor));
    }

    fn thresholds(&mut self, thresholds: Option<&[Fraction]>) {
        let Some(thresholds) = thresholds else { return };
        self.field("thresholds", thresholds.len());
        thresholds.iter().for_each(|threshold| self.field("ppm", threshold.ppm()));
    }

    fn window(&mut self, window: Option<&Window>) {
        let Some(window) = window else { return };
        self.field("every", &window.every);
        self.optional("anchor", window.anchor);
        self.optional("tz", window.tz.as_ref());
    }

    fn optional(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
}
