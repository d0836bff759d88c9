//! Commands of a long life: a goal and budgets that were opened at its start and stay in use, beside much that comes and goes:
//! windows, holds that expire, meters, events of the host, goals that end and are forgotten.
#![allow(dead_code, reason = "every test file is a crate of its own, and uses a part")]

use std::time::Duration;

use tallybook::ids::{GoalId, SeededEntropy};
use tallybook::{
    Blocking, BudgetId, Clock, CloseBudget, GoalStatus, Json, ManualClock, MarkUnknown, NewBudget, NewGoal,
    NewReservation, ObserveMeter, RecordEvent, RecordSpend, RecordTurn, Release, Request, ReverseSpend,
    Settle, Spend, State, TransitionGoal, Ttl, Turn, Window,
};

/// Everything that is spent of it is counted by the test, too.
const COUNTED: &str = "house";

/// Makes commands, each with a key of its own; and counts.
#[derive(Debug)]
pub(crate) struct Household {
    chance: SeededEntropy,
    made: u64,
    first_goal: GoalId,
    /// What has to be spent of the first budget, and by the first goal.
    pub(crate) spent: u128,
    pub(crate) tokens: u128,
}

impl Household {
    pub(crate) fn new(seed: u64) -> Household {
        let chance = SeededEntropy::new(seed);
        let first_goal = GoalId(uuid::Uuid::from_u128(7 << 76 | 2 << 62));
        Household { chance, made: 0, first_goal, spent: 0, tokens: 0 }
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.chance.below(bound)
    }

    /// What there is from the beginning.
    pub(crate) fn beginning(&mut self) -> Vec<Request> {
        let hourly = NewBudget::new("hourly").limit(3_000).parent("top").window(Window::every("hour"));
        let daily = NewBudget::new("daily").limit(9_000).soft().window(Window::every("day"));
        let first: [Request; 7] = [
            NewGoal::new("keep house").id(self.first_goal).scope("house").into(),
            NewBudget::new(COUNTED).unlimited().into(),
            NewBudget::new("top").limit(10_000_000).into(),
            hourly.into(),
            daily.into(),
            NewBudget::new("metered").unlimited().parent("top").into(),
            ObserveMeter::cumulative("meter", 10).budget("metered").into(),
        ];
        first.into_iter().map(|request| self.keyed(request)).collect()
    }

    fn keyed(&mut self, request: impl Into<Request>) -> Request {
        self.made += 1;
        request.into().key(format!("key-{}", self.made)).actor("keeper")
    }

    /// A UUID of version 7, of now.
    fn new_uuid(&self, clock: &ManualClock) -> uuid::Uuid {
        let millis = u64::try_from(clock.now().as_millis()).unwrap();
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.chance.next_u64().to_le_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// The next command for this state.
    pub(crate) fn next(&mut self, state: &State, clock: &ManualClock) -> Request {
        let amount = u128::from(1 + self.below(400));
        let id = format!("{}", self.made);
        let budget = ["hourly", "daily", "top", "metered"][self.index(4)];
        let request: Request = match self.below(20) {
            0..=2 => RecordSpend::incurred(COUNTED, Spend::of(amount).id(id)).into(),
            3..=5 => RecordTurn::goal(self.first_goal, Turn::tokens(amount)).into(),
            6 | 7 => RecordSpend::new(budget, Spend::of(amount).id(id).tool("web")).into(),
            8 => NewReservation::new(budget, amount).id(id).ttl(Ttl::secs(1 + self.below(5_000))).into(),
            9 => NewReservation::new(budget, amount).id(id).ttl(Ttl::NEVER).into(),
            10 | 11 => self.ending_of_a_hold(state, amount),
            12 => ObserveMeter::delta(format!("delta-{}", self.below(3)), amount).into(),
            13 => ObserveMeter::cumulative("meter", u128::from(10 + self.made)).into(),
            14 => {
                let data = Json::parse(&format!(r#"{{"of":{},"a":[1,null,"ü"]}}"#, self.made)).unwrap();
                RecordEvent::new("tool_finished", data).id(format!("event-{}", self.made)).into()
            }
            15 => {
                let goal = NewGoal::new("clean").id(GoalId(self.new_uuid(clock))).token_budget(amount);
                goal.scope(format!("room-{}", self.below(3))).into()
            }
            16 => self.of_other_goals(state),
            17 => NewBudget::new(format!("tin-{}", self.below(6))).limit(amount * 10).into(),
            18 => CloseBudget::new(format!("tin-{}", self.below(6))).into(),
            _ => ReverseSpend::part(format!("{}", self.made.saturating_sub(self.below(30))), 1).into(),
        };
        self.keyed(request)
    }

    fn index(&self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).unwrap()
    }

    fn ending_of_a_hold(&self, state: &State, amount: u128) -> Request {
        let open: Vec<_> = state.held_reservations().map(|held| held.id.clone()).collect();
        let Some(id) = open.get(self.index(open.len().max(1) as u64)).cloned() else {
            return RecordTurn::scope("house", Turn::tokens(0).seconds(1)).into();
        };
        match self.below(4) {
            0 => Release { reservation_id: id }.into(),
            1 => MarkUnknown { reservation_id: id }.into(),
            _ => Settle { spend: Spend::of(amount).id(format!("settled-{}", self.made)), reservation_id: id }
                .into(),
        }
    }

    fn of_other_goals(&self, state: &State) -> Request {
        let others: Vec<_> = state.goals().map(|goal| goal.id).filter(|id| *id != self.first_goal).collect();
        let Some(id) = others.get(self.index(others.len().max(1) as u64)) else {
            return RecordTurn::scope("house", Turn::tokens(0).seconds(1)).into();
        };
        let to = [GoalStatus::Completed, GoalStatus::Cleared, GoalStatus::Paused][self.index(3)];
        TransitionGoal::new(*id, to).into()
    }

    /// Notes that a command was carried out, for the first time.
    pub(crate) fn note_done(&mut self, request: &Request, state_before: &State) {
        match &request.command {
            tallybook::Command::RecordSpend(record) if record.budget_id == BudgetId::from(COUNTED) => {
                self.spent += record.spend.amount;
            }
            tallybook::Command::RecordTurn(record)
                if record.target == tallybook::TurnTarget::Goal(self.first_goal) =>
            {
                self.tokens += record.turn.tokens;
            }
            tallybook::Command::ReverseSpend(reverse) => {
                let spend = state_before.spend(&reverse.spend_id);
                if spend.is_some_and(|spend| spend.budget_id == BudgetId::from(COUNTED)) {
                    self.spent -= reverse.amount.unwrap_or(0);
                }
            }
            _ => {}
        }
    }

    /// What was opened at the beginning says what the test has counted.
    pub(crate) fn check(&self, engine: &Blocking) {
        let view = engine.view();
        let house = view.state().budget(&BudgetId::from(COUNTED)).expect("it is in use");
        assert_eq!(house.spent_total, self.spent, "law RETAIN: what is spent of the first budget");
        let goal = view.state().goal(self.first_goal).expect("it is in use");
        assert_eq!(goal.tokens_used, self.tokens, "law RETAIN: what the first goal used");
    }

    /// How long until the next command.
    pub(crate) fn pause(&self) -> Duration {
        match self.below(40) {
            0 => Duration::from_secs(3_600 * (1 + self.below(8))),
            1..=4 => Duration::from_secs(60 * self.below(30)),
            _ => Duration::from_micros(self.below(20_000_000)),
        }
    }
}
