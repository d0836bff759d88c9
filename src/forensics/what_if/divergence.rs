//! Where another history parts from the one that was.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::Refusal;
use crate::event::{Fraction, GoalStatus, TransitionReason};
use crate::ids::{BudgetId, GoalId};

/// A command that would have come out otherwise. It displays as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The `seq` of its first event, as the history was.
    pub first_seq: u64,
    /// The `seq` of its last event.
    pub last_seq: u64,
    /// When it was decided.
    pub ts: Timestamp,
    /// The command, as scripts write it; `what_if` for the changed limits themselves, before the first command.
    pub op: Arc<str>,
    /// Who gave it, where told.
    pub actor: Option<Arc<str>>,
    /// Its session, where told.
    pub session_id: Option<Arc<str>>,
    /// The budget that it was about, if it was about one.
    pub budget_id: Option<BudgetId>,
    /// The amount that it was about, as it would be otherwise.
    pub amount: Option<u128>,
    /// How it would have come out.
    pub difference: Difference,
}

/// How a command would have come out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// It was done, and would have been refused. The refusal has no `seq`.
    Refused(Box<Refusal>),
    /// It was refused, and would have passed. What is not counted is what the journal does not tell: which goal was to be
    /// created, say.
    Passed {
        /// Whether its amount is counted from there on.
        is_counted: bool,
    },
    /// The turn of a goal that would have been paused by then: the agent would have stopped.
    Stopped(GoalId),
    /// It could not have been given, since what it is about would not be there; why not.
    Impossible(String),
    /// There would have been nothing to do for it: what it did would have been done already.
    Needless,
    /// It would have been done all the same, and led to something else.
    Otherwise {
        /// What followed then, and would not have.
        lost: Vec<Effect>,
        /// What would have followed, and did not.
        gained: Vec<Effect>,
    },
}

impl Difference {
    /// The name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Difference::Refused(_) => "refused",
            Difference::Passed { .. } => "passed",
            Difference::Stopped(_) => "stopped",
            Difference::Impossible(_) => "impossible",
            Difference::Needless => "needless",
            Difference::Otherwise { .. } => "otherwise",
        }
    }
}

/// What follows from a command besides what it is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Effect {
    /// A budget is exhausted.
    Exhausted(BudgetId),
    /// A threshold of a budget is crossed.
    Crossed(BudgetId, Fraction),
    /// A goal changes its status.
    Moved {
        /// The goal.
        goal_id: GoalId,
        /// Its new status.
        to: GoalStatus,
        /// Why.
        reason: TransitionReason,
    },
}

impl Divergence {
    /// Whether work would have stopped here that went on: a refusal, a stop, or the pause of a goal.
    pub fn stops_work(&self) -> bool {
        match &self.difference {
            Difference::Refused(_) | Difference::Stopped(_) => true,
            Difference::Otherwise { gained, .. } => gained.iter().any(Effect::stops_work),
            _ => false,
        }
    }
}

impl Effect {
    fn stops_work(&self) -> bool {
        let Effect::Moved { to, reason, .. } = self else { return false };
        *to == GoalStatus::Paused && *reason == TransitionReason::BudgetExhausted
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if &*self.op == "what_if" { "the change itself" } else { &self.op })?;
        if let Some(amount) = self.amount {
            write!(f, " of {amount}")?;
        }
        if let Some(budget) = &self.budget_id {
            write!(f, " on {budget}")?;
        }
        match &self.difference {
            Difference::Refused(refusal) => write!(f, " would have been refused: {refusal}"),
            Difference::Passed { is_counted: true } => f.write_str(" was refused, and would have passed"),
            Difference::Passed { is_counted: false } => f.write_str(
                " was refused, and would have passed; what it asked for is not told, and not counted",
            ),
            Difference::Stopped(goal) => {
                write!(f, " would not have begun: goal {goal} would not have been active")
            }
            Difference::Impossible(why) => write!(f, " could not have happened: {why}"),
            Difference::Needless => f.write_str(" would have been needless: it was so already"),
            Difference::Otherwise { lost, gained } if gained.is_empty() => {
                f.write_str(" would not have led to ")?;
                list(f, lost)
            }
            Difference::Otherwise { lost, gained } => {
                f.write_str(" would have led to ")?;
                list(f, gained)?;
                if lost.is_empty() {
                    return Ok(());
                }
                f.write_str(", not to ")?;
                list(f, lost)
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, effects: &[Effect]) -> fmt::Result {
    for (index, effect) in effects.iter().enumerate() {
        write!(f, "{}{effect}", if index == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Exhausted(budget) => write!(f, "the exhaustion of {budget}"),
            Effect::Crossed(budget, threshold) => {
                let (whole, rest) = (threshold.ppm() / 10_000, threshold.ppm() % 10_000);
                let rest = if rest == 0 { String::new() } else { format!(".{rest:04}") };
                write!(f, "the alert at {whole}{} % of {budget}", rest.trim_end_matches('0'))
            }
            Effect::Moved { goal_id, to, reason } => write!(f, "goal {goal_id} {to} ({reason})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_told_in_percent() {
        let told = |ppm| Effect::Crossed("b".into(), Fraction::from_ppm(ppm).unwrap()).to_string();
        assert_eq!(told(500_000), "the alert at 50 % of b");
        assert_eq!(told(999_000), "the alert at 99.9 % of b");
        assert_eq!(told(10_001), "the alert at 1.0001 % of b");
        assert_eq!(told(1_000_000), "the alert at 100 % of b");
    }
}
