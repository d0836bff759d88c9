//! The fingerprint of a command's body: what tells a retry from another command under the same key.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::{Command, Request, Turn, TurnTarget};

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

    fn optional(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }
}
