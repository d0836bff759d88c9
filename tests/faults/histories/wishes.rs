//! What clients ask for, at random: of one tree of budgets and goals, in which only a part of it fits.

use tallybook::ids::SeededEntropy;
use tallybook::{
    AdjustBudget, CloseBudget, GoalId, GoalStatus, MarkUnknown, NewBudget, NewGoal, NewReservation,
    ObserveMeter, RecordSpend, RecordTurn, Release, Request, ReverseSpend, SetGoalBudget, Settle, Spend,
    TransitionGoal, Ttl, Turn,
};

/// The random choices of one client.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) chance: SeededEntropy,
    number: u64,
    clients: u64,
    spends: u64,
    holds: u64,
    keys: u64,
}

/// `account` over a hard team, a team that only counts, and their leaves, hard and soft; and goals.
pub(super) fn tree() -> Vec<Request> {
    let leaf = |number: u64| NewBudget::new(format!("leaf-{number}")).parent(format!("team-{}", number % 2));
    vec![
        NewBudget::new("account").limit(2_400).into(),
        NewBudget::new("team-0").limit(1_300).parent("account").into(),
        NewBudget::new("team-1").unlimited().parent("account").into(),
        leaf(0).limit(500).into(),
        leaf(1).limit(600).into(),
        leaf(2).limit(300).soft().into(),
        leaf(3).unlimited().into(),
        new_goal(0).token_budget(900).into(),
        new_goal(1).token_budget(400).parent(goal(0)).into(),
        new_goal(2).budget("leaf-1").into(),
    ]
}

pub(super) fn goal(number: u64) -> GoalId {
    format!("00000000-0000-7000-8000-0000000000{number:02x}").parse().unwrap()
}

fn new_goal(number: u64) -> NewGoal {
    // Two share a scope, so that one supersedes the other.
    NewGoal::new("ship 2.0").id(goal(number)).scope(format!("scope {}", number % 4))
}

impl Wishes {
    pub(super) fn new(seed: u64, number: u64, clients: u64) -> Wishes {
        let chance = SeededEntropy::new(seed ^ (number << 40) ^ 0x68_69_73);
        Wishes { chance, number, clients, spends: 0, holds: 0, keys: 0 }
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.chance.below(bound)
    }

    fn amount(&self) -> u128 {
        u128::from(1 + self.below(if self.below(6) == 0 { 250 } else { 60 }))
    }

    pub(super) fn budget(&self) -> String {
        match self.below(16) {
            0 => "account".to_owned(),
            1 => "team-0".to_owned(),
            2 => "team-1".to_owned(),
            3 => format!("extra-{}", self.below(4)),
            4 => format!("goal:{}", goal(self.below(4))),
            other => format!("leaf-{}", other % 4),
        }
    }

    /// The id of something lately made by some client, as far as one can guess.
    fn recent(&self, letter: char, made: u64) -> String {
        let client = if self.below(3) == 0 { self.below(self.clients) } else { self.number };
        format!("{letter}{client}-{}", made.saturating_sub(self.below(6)))
    }

    fn new_spend(&mut self) -> Spend {
        let spend = Spend::of(self.amount());
        if self.below(4) == 0 {
            return spend;
        }
        self.spends += 1;
        spend.id(format!("s{}-{}", self.number, self.spends))
    }

    pub(super) fn new_hold(&mut self) -> NewReservation {
        let hold = NewReservation::new(self.budget().as_str(), self.amount());
        let hold = match self.below(3) {
            0 => hold.ttl(Ttl::NEVER),
            1 => hold.ttl(Ttl::millis(1 + self.below(40))),
            _ => hold,
        };
        if self.below(5) == 0 {
            return hold;
        }
        self.holds += 1;
        hold.id(format!("r{}-{}", self.number, self.holds))
    }

    pub(super) fn settling(&mut self) -> Spend {
        let spend = self.new_spend();
        Spend { amount: spend.amount.saturating_sub(5), ..spend }
    }

    pub(super) fn turn(&self) -> Turn {
        let turn = Turn::tokens(u128::from(self.below(60)));
        let charged = |turn: Turn| turn.charge(format!("leaf-{}", self.below(4)).as_str(), self.amount());
        match self.below(4) {
            0 => charged(turn),
            1 => charged(charged(turn)),
            _ => turn,
        }
    }

    /// A command, perhaps with a key.
    pub(super) fn command(&mut self) -> Request {
        let request = self.unkeyed();
        if self.below(3) > 0 {
            return request;
        }
        // Now and then one that was used for something else.
        self.keys += u64::from(self.below(12) > 0);
        request.key(format!("k{}-{}", self.number, self.keys))
    }

    fn unkeyed(&mut self) -> Request {
        match self.below(100) {
            0..28 => {
                let (budget, spend) = (self.budget(), self.new_spend());
                let incurred = self.below(7) == 0;
                RecordSpend { incurred, ..RecordSpend::new(budget.as_str(), spend) }.into()
            }
            28..44 => self.new_hold().into(),
            44..56 => {
                let reservation_id = self.recent('r', self.holds).as_str().into();
                Settle { reservation_id, spend: self.settling() }.into()
            }
            56..61 => Release { reservation_id: self.recent('r', self.holds).as_str().into() }.into(),
            61..65 => MarkUnknown { reservation_id: self.recent('r', self.holds).as_str().into() }.into(),
            65..72 => {
                let id = self.recent('s', self.spends);
                match self.below(2) {
                    0 => ReverseSpend::whole(id.as_str()).into(),
                    _ => ReverseSpend::part(id.as_str(), self.amount() / 4 + 1).into(),
                }
            }
            72..78 => self.adjust().into(),
            78..83 => self.observe().into(),
            83..85 => {
                let close = CloseBudget::new(format!("extra-{}", self.below(4)).as_str());
                if self.below(2) == 0 { close.with_children() } else { close }.into()
            }
            85..88 => self.allocate().into(),
            88..93 => RecordTurn::goal(goal(self.below(5)), self.turn()).into(),
            _ => self.about_a_goal(),
        }
    }

    fn adjust(&self) -> AdjustBudget {
        let adjust = AdjustBudget::new(format!("leaf-{}", self.below(4)).as_str());
        match self.below(5) {
            0 => adjust.hard(self.below(2) == 0),
            1 => adjust.unlimited(),
            _ => adjust.limit(u128::from(200 + self.below(700))),
        }
    }

    fn observe(&self) -> ObserveMeter {
        let number = self.below(3);
        let (id, budget) = (format!("m{number}"), format!("leaf-{number}"));
        let observe = match number {
            0 => ObserveMeter::delta(id.as_str(), u128::from(self.below(30))),
            _ => ObserveMeter::cumulative(id.as_str(), u128::from(self.below(60) + 20 * self.spends)),
        };
        observe.budget(budget.as_str())
    }

    fn allocate(&self) -> NewBudget {
        let parent = match self.below(4) {
            0 => format!("extra-{}", self.below(4)),
            other => format!("leaf-{other}"),
        };
        let budget = NewBudget::new(format!("extra-{}", self.below(4)).as_str()).parent(parent.as_str());
        if self.below(4) == 0 { budget.unlimited() } else { budget.limit(u128::from(50 + self.below(300))) }
    }

    fn about_a_goal(&self) -> Request {
        let number = self.below(5);
        match self.below(8) {
            0 => {
                let new = new_goal(3 + self.below(2)).token_budget(u128::from(50 + self.below(200)));
                match self.below(3) {
                    0 => new.parent(goal(self.below(3))).into(),
                    1 => new.budget(self.budget().as_str()).into(),
                    _ => new.into(),
                }
            }
            1..3 => TransitionGoal::new(goal(number), GoalStatus::Paused).into(),
            3..5 => TransitionGoal::new(goal(number), GoalStatus::Active).into(),
            5 if self.below(3) == 0 => TransitionGoal::new(goal(number), GoalStatus::Completed).into(),
            _ => {
                let limit = Some(u128::from(100 + self.below(1_500)));
                SetGoalBudget { resume: self.below(2) == 0, ..SetGoalBudget::new(goal(number), limit) }.into()
            }
        }
    }
}
