//! Which events to print.

use clap::Args;
use clap::builder::PossibleValuesParser;
use tallybook::{BudgetId, ChangeEvent, Charge, GoalId, Payload};

/// Which events to print: those that every option given agrees to.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Only events of this kind.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Payload::KINDS))]
    kind: Option<String>,
    /// Only events of this goal, of its token budget, charged on its turns, or brought about by it.
    #[arg(long, value_name = "ID")]
    goal: Option<GoalId>,
    /// Only events of this budget, its spends and reservations; that of a goal's tokens is goal:<ID>.
    #[arg(long, value_name = "ID")]
    budget: Option<BudgetId>,
    /// Only events of commands of this session.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

impl FilterArguments {
    /// Whether every event is printed, so that none has to be read.
    pub(super) fn is_empty(&self) -> bool {
        let FilterArguments { kind, goal, budget, session } = self;
        kind.is_none() && goal.is_none() && budget.is_none() && session.is_none()
    }

    pub(super) fn matches(&self, event: &ChangeEvent) -> bool {
        let payload = &event.payload;
        self.kind.as_ref().is_none_or(|kind| payload.kind() == kind)
            && self.goal.is_none_or(|goal| is_of_goal(payload, goal))
            && self.budget.as_ref().is_none_or(|budget| is_of_budget(payload, budget))
            && self.session.as_ref().is_none_or(|session| event.session_id.as_deref() == Some(session))
    }
}

fn is_of_goal(payload: &Payload, goal: GoalId) -> bool {
    let is_its_budget = budget_of(payload).is_some_and(|budget| *budget == BudgetId::Goal(goal));
    is_its_budget
        || match payload {
            Payload::GoalCreated(created) => created.goal_id == goal,
            Payload::GoalTransitioned(change) => change.goal_id == goal || change.by_goal == Some(goal),
            Payload::GoalBudgetSet(set) => set.goal_id == goal,
            Payload::TurnRecorded(turn) => turn.goal_id == goal,
            Payload::SpendRecorded(spend) => spend.goal_id == Some(goal),
            Payload::EndedForgotten(ended) => ended.goals.contains(&goal),
            Payload::CommandRefused(refused) => refused.goal_id == Some(goal),
            _ => false,
        }
}

fn is_of_budget(payload: &Payload, budget: &BudgetId) -> bool {
    let is_of = |goal: GoalId| *budget == BudgetId::Goal(goal);
    let passes_it = |overage: &[Charge]| overage.iter().any(|charge| charge.budget_id == *budget);
    budget_of(payload) == Some(budget)
        || match payload {
            Payload::GoalCreated(created) => is_of(created.goal_id) || created.budgets.contains(budget),
            // The budget of a goal ends with it.
            Payload::GoalTransitioned(change) => {
                change.budget_id.as_ref() == Some(budget) || change.to.is_terminal() && is_of(change.goal_id)
            }
            Payload::GoalBudgetSet(set) => is_of(set.goal_id),
            Payload::TurnRecorded(turn) => is_of(turn.goal_id) || passes_it(&turn.overage),
            Payload::SpendRecorded(spend) => passes_it(&spend.overage),
            Payload::BudgetClosed(closed) => closed.by_budget.as_ref() == Some(budget),
            // The budget of a goal goes with it.
            Payload::EndedForgotten(ended) => {
                ended.budgets.contains(budget) || ended.goals.iter().any(|goal| is_of(*goal))
            }
            _ => false,
        }
}

/// The budget that an event is about, where it is about one first of all.
fn budget_of(payload: &Payload) -> Option<&BudgetId> {
    match payload {
        Payload::BudgetExhausted(exhausted) => Some(&exhausted.budget_id),
        Payload::ThresholdCrossed(crossed) => Some(&crossed.budget_id),
        Payload::BudgetAllocated(allocated) => Some(&allocated.budget_id),
        Payload::BudgetAdjusted(adjusted) => Some(&adjusted.budget_id),
        Payload::ProgressSet(set) => Some(&set.budget_id),
        Payload::BudgetClosed(closed) => Some(&closed.budget_id),
        Payload::WindowRolled(rolled) => Some(&rolled.budget_id),
        Payload::SpendRecorded(spend) => Some(&spend.budget_id),
        Payload::SpendReversed(reversed) => Some(&reversed.budget_id),
        Payload::ReservationMade(made) => Some(&made.budget_id),
        Payload::ReservationReleased(released) => Some(&released.budget_id),
        Payload::ReservationExpired(expired) => Some(&expired.budget_id),
        Payload::ReservationMarkedUnknown(marked) => Some(&marked.budget_id),
        Payload::MeterObserved(observed) => observed.budget_id.as_ref(),
        Payload::CommandRefused(refused) => Some(&refused.budget_id),
        Payload::RefusalsSuppressed(suppressed) => Some(&suppressed.budget_id),
        // Payload is open to what comes later; these are about goals, or about the journal as a whole.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tallybook::event::{
        BudgetClosed, MeterObserved, MeterReset, ProgressSet, ReservationExpired, SpendRecorded,
        ThresholdCrossed, decode_event,
    };
    use tallybook::{Fraction, Reading, ReservationId, SpendDetails};

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        filter: FilterArguments,
    }

    const PARENT: &str = "0190b5a8-7b1c-7000-8000-000000000001";
    const CHILD: &str = "0190b5a8-7b1c-7000-8000-000000000002";

    /// The `seq`s of the events below that the options let pass.
    fn passed(options: &[&str]) -> Vec<u64> {
        let events = [
            r#"{"seq":1,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_created","data":{"goal_id":"PARENT","scope":"","text":"a","token_budget":"9","parent_goal":null,"budgets":["money"]},"session_id":"s"}"#,
            r#"{"seq":2,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_created","data":{"goal_id":"CHILD","scope":"","text":"b","token_budget":null,"parent_goal":"PARENT","budgets":[]}}"#,
            r#"{"seq":3,"ts":"2026-01-01T00:00:00.000000Z","kind":"turn_recorded","v":2,"data":{"goal_id":"CHILD","tokens":"10","turns":1,"seconds":0,"late":false,"overage":[{"budget_id":"goal:PARENT","amount":"1"}]},"session_id":"s"}"#,
            r#"{"seq":4,"ts":"2026-01-01T00:00:00.000000Z","kind":"budget_exhausted","data":{"budget_id":"goal:PARENT","limit":"9","spent":"10","overage":"1"},"session_id":"t"}"#,
            r#"{"seq":5,"ts":"2026-01-01T00:00:00.000000Z","kind":"goal_transitioned","data":{"goal_id":"CHILD","from":"active","to":"paused","reason":"parent","revision":2,"by_goal":"PARENT","budget_id":"goal:PARENT","note":null}}"#,
        ];
        let filter = Options::try_parse_from(["events"].iter().chain(options)).unwrap().filter;
        assert_eq!(filter.is_empty(), options.is_empty());
        let decode = |line: &&str| {
            decode_event(line.replace("PARENT", PARENT).replace("CHILD", CHILD).as_bytes()).unwrap()
        };
        events.iter().map(decode).filter(|event| filter.matches(event)).map(|event| event.seq).collect()
    }

    #[test]
    fn every_option_narrows_what_is_printed() {
        let (of_parent, of_child) = (format!("goal:{PARENT}"), format!("goal:{CHILD}"));
        assert_eq!(passed(&[]), [1, 2, 3, 4, 5]);
        assert_eq!(passed(&["--kind", "goal_created"]), [1, 2]);
        assert_eq!(passed(&["--goal", PARENT]), [1, 4, 5]);
        assert_eq!(passed(&["--goal", CHILD]), [2, 3, 5]);
        assert_eq!(passed(&["--budget", &of_parent]), [1, 3, 4, 5]);
        assert_eq!(passed(&["--budget", &of_child]), [2, 3]);
        assert_eq!(passed(&["--budget", "money"]), [1]);
        assert_eq!(passed(&["--session", "s"]), [1, 3]);
        assert_eq!(passed(&["--session", "s", "--kind", "turn_recorded", "--goal", CHILD]), [3]);
        assert!(passed(&["--session", "s", "--kind", "budget_exhausted"]).is_empty());
    }

    /// What happens to the budgets `team` and, under it, `task`.
    fn story() -> Vec<Payload> {
        let (team, task) = (BudgetId::from("team"), BudgetId::from("task"));
        let charge = Charge { budget_id: team.clone(), amount: 1 };
        let reservation_id = ReservationId::from("r");
        let spend = SpendRecorded {
            spend_id: "s".into(),
            budget_id: task.clone(),
            amount: 5,
            incurred: true,
            late: false,
            overage: vec![charge],
            reservation_id: Some(reservation_id.clone()),
            goal_id: PARENT.parse().ok(),
            meter_id: None,
            body: None,
            details: SpendDetails::default(),
        };
        vec![
            Payload::SpendRecorded(SpendRecorded { overage: Vec::new(), goal_id: None, ..spend.clone() }),
            Payload::SpendRecorded(spend),
            Payload::ReservationExpired(ReservationExpired {
                reservation_id: reservation_id.clone(),
                budget_id: task.clone(),
                amount: 5,
            }),
            Payload::ProgressSet(ProgressSet { budget_id: team.clone(), progress: Fraction::ONE }),
            Payload::ThresholdCrossed(ThresholdCrossed {
                budget_id: BudgetId::Goal(PARENT.parse().unwrap()),
                threshold: Fraction::ONE,
                limit: 1,
                spent: 1,
            }),
            Payload::BudgetClosed(BudgetClosed {
                budget_id: task.clone(),
                by_budget: Some(team),
                released: vec![reservation_id],
            }),
            Payload::MeterObserved(MeterObserved {
                meter_id: "m".into(),
                budget_id: Some(task),
                reading: Reading::Delta(0),
                increase: 0,
                total: 0,
            }),
            Payload::MeterReset(MeterReset { meter_id: "m".into(), previous: 0, baseline: 0 }),
        ]
    }

    #[test]
    fn a_budget_has_its_spends_its_reservations_and_what_passes_its_limit() {
        let passed = |is_of: &dyn Fn(&Payload) -> bool| {
            let story = story().into_iter().enumerate();
            story.filter(|(_, payload)| is_of(payload)).map(|(at, _)| at).collect::<Vec<_>>()
        };
        assert_eq!(passed(&|payload| is_of_budget(payload, &"task".into())), [0, 1, 2, 5, 6]);
        assert_eq!(passed(&|payload| is_of_budget(payload, &"team".into())), [1, 3, 5]);
        assert_eq!(passed(&|payload| is_of_budget(payload, &PARENT.parse::<GoalId>().unwrap().into())), [4]);
        assert_eq!(passed(&|payload| is_of_goal(payload, PARENT.parse().unwrap())), [1, 4]);
    }

    #[test]
    fn a_kind_that_nobody_knows_is_refused_with_those_that_are_known() {
        let error = Options::try_parse_from(["events", "--kind", "goal"]).map(drop).unwrap_err().to_string();
        assert!(error.contains("goal_created"), "{error}");
    }
}
