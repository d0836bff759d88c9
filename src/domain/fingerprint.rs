//! The fingerprint of a command's body: what tells a retry from another command under the same key.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::domain::{Command, Limit, MarkUnknown, Release, Request, Spend, Ttl, Turn, TurnTarget};
use crate::event::value::{put_u64, put_u128};
use crate::event::{Fraction, Reading, Window};
use crate::ids::BudgetId;

/// The fingerprint of a request's command: not of its key, its actor, its session or its metadata, which a retry may
/// carry in another form.
///
/// It is written into the journal, so it is the same for ever and on every machine: the first eight bytes
/// (big-endian) of the SHA-256 of the operation's name and the fields that differ from their defaults, each as
/// ` name=length:value`. A field that a later version adds is left out, too, where it has its default.
pub fn fingerprint(request: &Request) -> u64 {
    let mut body = Body(Vec::with_capacity(256));
    body.0.extend_from_slice(request.command.op().as_bytes());
    write_command(&mut body, &request.command);
    let digest = Sha256::digest(&body.0);
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
            body.budget_id("budget_id", &record.budget_id);
            write_spend(body, &record.spend);
            body.optional("incurred", record.incurred.then_some(true));
        }
        Command::Reserve(new) => {
            body.budget_id("budget_id", &new.budget_id);
            body.amount("amount", new.amount);
            body.optional_text("reservation_id", new.reservation_id.as_ref().map(|id| &*id.0));
            match new.ttl {
                None => {}
                Some(Ttl(None)) => body.field("ttl", "never"),
                Some(Ttl(Some(ttl))) => body.field("ttl", ttl.as_millis()),
            }
            body.optional_text("owner", new.owner.as_deref());
        }
        Command::Settle(settle) => {
            body.text("reservation_id", &settle.reservation_id.0);
            write_spend(body, &settle.spend);
        }
        Command::Release(Release { reservation_id })
        | Command::MarkUnknown(MarkUnknown { reservation_id }) => {
            body.text("reservation_id", &reservation_id.0);
        }
        Command::ReverseSpend(reverse) => {
            body.text("spend_id", &reverse.spend_id.0);
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
    body.amount("amount", spend.amount);
    body.optional_text("spend_id", spend.spend_id.as_ref().map(|id| &*id.0));
    let details = &spend.details;
    body.optional_text("peer", details.peer.as_deref());
    body.optional_text("tool", details.tool.as_deref());
    body.optional_text("reason", details.reason.as_deref());
    for quantity in &details.quantities {
        body.text("quantity", &quantity.name);
        body.amount("amount", quantity.amount);
    }
    body.optional("occurred_at", details.occurred_at);
}

fn write_turn(body: &mut Body, turn: &Turn) {
    body.field("tokens", turn.tokens);
    body.optional("seconds", (turn.seconds != 0).then_some(turn.seconds));
    body.optional("turns", (turn.turns != 1).then_some(turn.turns));
    for charge in &turn.charges {
        body.budget_id("charge", &charge.budget_id);
        body.amount("amount", charge.amount);
    }
}

struct Body(Vec<u8>);

impl Body {
    fn field(&mut self, name: &str, value: impl ToString) {
        self.text(name, &value.to_string());
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0.push(b' ');
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        put_u64(&mut self.0, value.len() as u64);
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
    }

    fn optional_text(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn budget_id(&mut self, name: &str, id: &BudgetId) {
        match id {
            BudgetId::Named(id) => self.text(name, id),
            BudgetId::Goal(_) => self.field(name, id),
        }
    }

    fn amount(&mut self, name: &str, amount: u128) {
        let mut digits = Vec::with_capacity(40);
        put_u128(&mut digits, amount);
        self.0.push(b' ');
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        put_u64(&mut self.0, digits.len() as u64);
        self.0.push(b':');
        self.0.extend_from_slice(&digits);
    }

    fn actors(&mut self, actors: Option<&[Arc<str>]>) {
        let Some(actors) = actors else { return };
        self.field("widen_by", actors.len());
        actors.iter().for_each(|actor| self.text("actor", actor));
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
