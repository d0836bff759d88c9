//! A stream of commands that look like those of hosts: goals, goals under goals, turns, budgets, spends, reservations, and
//! what makes no sense.

use std::time::Duration;

use tallybook::ids::{GoalId, SeededEntropy};
use tallybook::projection::Projection;
use tallybook::{
    BudgetId, GoalStatus, ManualClock, NewBudget, NewGoal, NewReservation, RecordSpend, RecordTurn, Release,
    Request, ReservationStatus, ReverseSpend, SetGoalBudget, Settle, Spend, TransitionGoal, Turn,
};

/// Makes commands, each with a key of its own.
#[derive(Debug)]
pub(crate) struct Workload {
    entropy: SeededEntropy,
    made: u64,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Workload {
        Workload { entropy: SeededEntropy::new(seed), made: 0 }
    }

    /// A stream that goes on from here in another way.
    pub(crate) fn fork(&self, seed: u64) -> Workload {
        Workload { entropy: SeededEntropy::new(seed), made: self.made }
    }

    /// A number below `bound`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.entropy.below(bound)
    }

    /// The next command for this state. The clock goes on, so that refusals stay below what is suppressed.
    pub(crate) fn next(&mut self, state: &Projection, clock: &ManualClock) -> Request {
        self.made += 1;
        clock.advance(Duration::from_micros(5_000_000 + self.below(1_000_000)));
        let goals: Vec<_> = state.state.goals().map(|goal| goal.id).collect();
        let any = |entropy: &SeededEntropy| {
            let index = entropy.below(goals.len() as u64);
            goals.get(usize::try_from(index).unwrap()).copied()
        };
        let Some(id) = any(&self.entropy) else { return self.keyed(self.creation(None)) };
        match self.below(14) {
            10 | 11 => self.spending(state),
            12 | 13 => self.reserving(state),
            0 | 1 => self.keyed(self.creation(None)),
            2 => self.keyed(self.creation(Some(id))),
            3 | 4 => {
                let to = [GoalStatus::Active, GoalStatus::Paused, GoalStatus::Completed, GoalStatus::Cleared];
                let to = to[[0, 0, 0, 1, 1, 1, 2, 3][usize::try_from(self.below(8)).unwrap()]];
                self.keyed(TransitionGoal::new(id, to))
            }
            5 => {
                let limit = (self.below(4) > 0).then(|| u128::from(1 + self.below(20_000)));
                let set = SetGoalBudget::new(id, limit);
                self.keyed(if self.below(2) == 0 { set.resume() } else { set })
            }
            6 => self.keyed(RecordTurn::scope(self.scope(), self.turn())),
            _ => self.keyed(RecordTurn::goal(id, self.turn())),
        }
    }

    /// Budgets, `money-1` and `money-2` under `money-0`, and what is spent of them. Ids are given, so that a retry is the
    /// same command.
    fn spending(&self, state: &Projection) -> Request {
        let made = state.state.budgets().filter(|budget| matches!(budget.id, BudgetId::Named(_))).count();
        if made < 3 && self.below(4) > 0 {
            let new = NewBudget::new(format!("money-{made}"));
            return self.keyed(if made == 0 { new.limit(2_000) } else { new.limit(1_000).parent("money-0") });
        }
        let money = format!("money-{}", self.below(3));
        let spend = Spend::of(u128::from(self.below(300))).id(format!("spend-{}", self.made));
        match self.below(4) {
            0 => self.keyed(RecordSpend::incurred(money, spend)),
            1 => self.keyed(ReverseSpend::part(format!("spend-{}", self.below(self.made)), 1)),
            _ => self.keyed(RecordSpend::new(money, spend)),
        }
    }

    fn reserving(&self, state: &Projection) -> Request {
        let amount = u128::from(1 + self.below(300));
        let is_open = |status: ReservationStatus| status == ReservationStatus::Open;
        let mut open = state.state.held_reservations().filter(|reservation| is_open(reservation.status));
        match (open.next(), self.below(4)) {
            (Some(held), 0) => self.keyed(Release { reservation_id: held.id.clone() }),
            (Some(held), 1) => {
                let spend = Spend::of(amount).id(format!("spend-{}", self.made));
                self.keyed(Settle { reservation_id: held.id.clone(), spend })
            }
            _ => {
                let money = format!("money-{}", self.below(3));
                self.keyed(NewReservation::new(money, amount).id(format!("hold-{}", self.made)))
            }
        }
    }

    fn keyed(&self, command: impl Into<Request>) -> Request {
        command.into().key(format!("key-{}", self.made)).actor("tester")
    }

    fn creation(&self, parent: Option<GoalId>) -> NewGoal {
        // Made here, not by the engine, so that a retry is the same command.
        let (high, low) = (self.entropy.next_u64(), self.entropy.next_u64());
        let id = uuid::Builder::from_u128(u128::from(high) << 64 | u128::from(low))
            .with_version(uuid::Version::SortRand)
            .into_uuid();
        let goal = NewGoal::new(format!("goal of command {}", self.made)).id(GoalId(id));
        let goal =
            if self.below(2) == 0 { goal.token_budget(u128::from(1 + self.below(10_000))) } else { goal };
        match parent {
            Some(parent) => goal.parent(parent),
            None => goal.scope(self.scope()),
        }
    }

    fn scope(&self) -> String {
        format!("scope-{}", self.below(3))
    }

    fn turn(&self) -> Turn {
        Turn::tokens(u128::from(self.below(4_000))).seconds(self.below(60))
    }
}
