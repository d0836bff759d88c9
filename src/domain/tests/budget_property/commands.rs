//! Random commands: a tree of budgets and goals first, then whatever comes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::domain::tests::budget_model::BudgetModel;
use crate::domain::{
    AdjustBudget, CloseBudget, Command, Limit, MarkUnknown, NewBudget, NewGoal, NewReservation, ObserveMeter,
    RecordSpend, RecordTurn, Release, Request, ResetMeter, ReverseSpend, SetGoalBudget, SetProgress, Settle,
    Spend, TransitionGoal, Ttl, Turn,
};
use crate::event::{Charge, Fraction, GoalStatus, Reading, Window};
use crate::ids::{BudgetId, GoalId, MeterId, ReservationId, SpendId};

/// One step of a run: time passes, and a command is given.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) wait: Duration,
    pub(super) request: Request,
    pub(super) is_vetoed: bool,
    /// How many events one frame of what is due may have.
    pub(super) max_events: usize,
    /// Instead of the command, the one so many steps before comes again, with whatever ids and key it had.
    pub(super) again: Option<usize>,
}

impl fmt::Debug for Step {
    /// On one line, so that a failing case can be read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { wait, request: Request { command, key, actor, .. }, is_vetoed, max_events, again } = self;
        write!(
            f,
            "after {wait:?}, {actor:?}, key {key:?}, veto {is_vetoed}, {max_events}, again {again:?}: {command:?}"
        )
    }
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tree = (3..6_u8, 1..5_u8).prop_flat_map(|(budgets, goals)| {
        let budgets = (0..budgets).map(|number| allocation(number, number).prop_map_into().boxed());
        let goals = (0..goals).map(|number| creation(number, number).prop_map_into().boxed());
        budgets.chain(goals).collect::<Vec<BoxedStrategy<Command>>>()
    });
    let tree = tree.prop_map(|commands| commands.into_iter().map(plain).collect::<Vec<_>>());
    let is_huge = prop::bool::weighted(0.15);
    (tree, proptest::collection::vec(step(), 1..70), is_huge).prop_map(|(mut tree, steps, is_huge)| {
        tree.extend(steps);
        if is_huge {
            tree.iter_mut().for_each(|step| enlarge(&mut step.request.command));
        }
        tree
    })
}

/// The same with amounts so great that a few of them pass what a number holds.
fn enlarge(command: &mut Command) {
    let times = |amount: &mut u128| *amount = amount.saturating_mul(u128::MAX / 100);
    match command {
        Command::Allocate(NewBudget { limit: Limit::Of(limit), .. }) => times(limit),
        Command::AdjustBudget(AdjustBudget { limit: Some(Some(limit)), .. }) => times(limit),
        Command::CreateGoal(NewGoal { token_budget: Some(limit), .. })
        | Command::SetGoalBudget(SetGoalBudget { token_budget: Some(limit), .. }) => times(limit),
        Command::RecordSpend(RecordSpend { spend, .. }) | Command::Settle(Settle { spend, .. }) => {
            times(&mut spend.amount);
        }
        Command::Reserve(new) => times(&mut new.amount),
        Command::ReverseSpend(ReverseSpend { amount: Some(amount), .. }) => times(amount),
        Command::RecordTurn(RecordTurn { turn, .. }) => {
            times(&mut turn.tokens);
            turn.charges.iter_mut().for_each(|charge| times(&mut charge.amount));
        }
        Command::ObserveMeter(observe) => match &mut observe.reading {
            Reading::Delta(amount) | Reading::Cumulative(amount) => times(amount),
        },
        Command::ResetMeter(reset) => times(&mut reset.baseline),
        _ => {}
    }
}

fn plain(command: Command) -> Step {
    Step { wait: Duration::ZERO, request: command.into(), is_vetoed: false, max_events: 1, again: None }
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![6 => Just(0), 3 => 1..5_u64, 1 => 5..90_u64].prop_map(Duration::from_secs);
    let key = prop_oneof![6 => Just(None), 1 => (0..5_u8).prop_map(Some)];
    let actor = prop_oneof![Just(None), Just(Some("ann")), Just(Some("bob"))];
    let again = prop_oneof![8 => Just(None), 1 => (1..6_usize).prop_map(Some)];
    (wait, command(), key, actor, prop::bool::weighted(0.04), 1..4_usize, again).prop_map(
        |(wait, command, key, actor, is_vetoed, max_events, again)| {
            let mut request = Request::from(command);
            request.key = key.map(|key| format!("key {key}").into());
            request.actor = actor.map(Into::into);
            Step { wait, request, is_vetoed, max_events, again }
        },
    )
}

/// `#n` stands for the n-th last of what there is then: so the ids that the engine makes are used, too.
pub(super) fn resolve(command: &mut Command, model: &BudgetModel) {
    let nth = |text: &str, of: usize| Some(text.strip_prefix('#')?.parse::<usize>().unwrap() % of.max(1));
    match command {
        Command::ReverseSpend(reverse) => {
            let spends = model.entries.iter().rev().filter_map(|entry| entry.spend_id.as_ref());
            let spends: Vec<_> = spends.collect();
            if let Some(spend) = nth(&reverse.spend_id.0, spends.len()).and_then(|nth| spends.get(nth)) {
                reverse.spend_id = SpendId::clone(spend);
            }
        }
        Command::Settle(Settle { reservation_id: id, .. })
        | Command::Release(Release { reservation_id: id })
        | Command::MarkUnknown(MarkUnknown { reservation_id: id }) => {
            let (count, mut reservations) = (model.reservations.len(), model.reservations.iter().rev());
            if let Some(reservation) = nth(&id.0, count).and_then(|nth| reservations.nth(nth)) {
                *id = reservation.id.clone();
            }
        }
        _ => {}
    }
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (0..7_u8).prop_flat_map(|number| allocation(number, 7)).prop_map_into(),
        9 => (target(), spend(), prop::bool::weighted(0.3)).prop_map(|(budget_id, spend, incurred)| {
            RecordSpend { budget_id, spend, incurred }.into()
        }),
        8 => reservation().prop_map_into(),
        8 => (reservation_ref(), spend())
            .prop_map(|(reservation_id, spend)| Settle { reservation_id, spend }.into()),
        3 => reservation_ref().prop_map(|reservation_id| Release { reservation_id }.into()),
        2 => reservation_ref().prop_map(|reservation_id| MarkUnknown { reservation_id }.into()),
        4 => reversal().prop_map_into(),
        4 => adjustment().prop_map_into(),
        2 => (target(), any::<bool>()).prop_map(|(budget_id, with_children)| {
            CloseBudget { budget_id, with_children }.into()
        }),
        1 => (target(), 0..3_u32).prop_map(|(budget_id, tenths)| {
            SetProgress { budget_id, progress: Fraction::from_ppm(tenths * 100_000).unwrap() }.into()
        }),
        3 => observation().prop_map_into(),
        1 => (meter(), amount()).prop_map(|(meter_id, baseline)| ResetMeter { meter_id, baseline }.into()),
        4 => (0..5_u8).prop_flat_map(|number| creation(number, 5)).prop_map_into(),
        5 => transition().prop_map_into(),
        3 => (goal(), prop::option::weighted(0.8, 0..150_u128), any::<bool>()).prop_map(
            |(goal_id, token_budget, resume)| {
                SetGoalBudget { resume, ..SetGoalBudget::new(goal_id, token_budget) }.into()
            }
        ),
        5 => turn().prop_map_into(),
    ]
}

fn goal_id(number: u8) -> GoalId {
    GoalId(Uuid::from_u128(u128::from(number) + 1))
}

fn name(number: u8) -> BudgetId {
    BudgetId::Named(format!("b{number}").into())
}

fn goal() -> impl Strategy<Value = GoalId> {
    (0..4_u8).prop_map(goal_id)
}

/// A budget with a name, or seldom that of a goal.
fn target() -> impl Strategy<Value = BudgetId> {
    prop_oneof![6 => (0..6_u8).prop_map(name), 2 => goal().prop_map(BudgetId::Goal)]
}

fn amount() -> impl Strategy<Value = u128> {
    let huge = prop_oneof![Just(u128::MAX), Just(u128::MAX - 40), Just(u128::MAX / 2), Just(1 << 127)];
    prop_oneof![99 => 0..60_u128, 1 => huge]
}

fn spend() -> impl Strategy<Value = Spend> {
    let id = prop_oneof![20 => Just(None), 10 => (0..8_u8).prop_map(Some), 1 => Just(Some(99))];
    // Few amounts, so that some come again.
    (prop_oneof![2 => amount(), 1 => Just(10), 1 => Just(20)], id).prop_map(|(amount, id)| {
        let text = |id| if id == 99 { String::new() } else { format!("s{id}") };
        Spend { spend_id: id.map(|id| SpendId::from(text(id))), ..Spend::of(amount) }
    })
}

fn reservation() -> impl Strategy<Value = NewReservation> {
    let id = prop_oneof![1 => Just(None), 1 => (0..8_u8).prop_map(Some)];
    let ttl = prop_oneof![1 => Just(None), 1 => Just(Some(Ttl::NEVER)), 3 => (0..20_u64).prop_map(|secs| Some(Ttl::secs(secs)))];
    let owner = prop_oneof![Just(None), Just(Some("worker"))];
    let amount = prop_oneof![1 => amount(), 1 => Just(10)];
    (target(), amount, id, ttl, owner).prop_map(|(budget_id, amount, id, ttl, owner)| NewReservation {
        budget_id,
        amount,
        reservation_id: id.map(|id| ReservationId::from(format!("r{id}"))),
        ttl,
        owner: owner.map(Into::into),
    })
}

fn reservation_ref() -> impl Strategy<Value = ReservationId> {
    prop_oneof![
        6 => (0..6_u8).prop_map(|nth| format!("#{nth}")),
        1 => (0..8_u8).prop_map(|id| format!("r{id}")),
    ]
    .prop_map(ReservationId::from)
}

fn reversal() -> impl Strategy<Value = ReverseSpend> {
    let id = prop_oneof![
        6 => (0..8_u8).prop_map(|nth| format!("#{nth}")),
        1 => (0..8_u8).prop_map(|id| format!("s{id}")),
    ];
    (id, prop::option::of(0..30_u128)).prop_map(|(id, amount)| ReverseSpend {
        spend_id: id.into(),
        amount,
        reason: None,
    })
}

fn thresholds() -> impl Strategy<Value = Vec<Fraction>> {
    let some = |ppm: &'static [u32]| Just(ppm.iter().map(|&ppm| Fraction::from_ppm(ppm).unwrap()).collect());
    prop_oneof![
        2 => some(&[]),
        3 => some(&[500_000]),
        3 => some(&[250_000, 500_000, 1_000_000]),
        3 => some(&[333_333, 900_000]),
        1 => some(&[900_000, 500_000]),
        1 => some(&[500_000, 500_000]),
        1 => some(&[0, 500_000]),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    let anchor = Timestamp::parse("2026-11-21T00:00:07Z").unwrap();
    prop_oneof![Just("PT10S"), Just("PT60S")].prop_map(move |every| Window {
        every: every.into(),
        anchor: Some(anchor),
        tz: None,
    })
}

fn actors() -> impl Strategy<Value = Option<Vec<Arc<str>>>> {
    let some = |actors: &'static [&str]| Just(Some(actors.iter().map(|&actor| actor.into()).collect()));
    prop_oneof![5 => Just(None), 1 => some(&[]), 2 => some(&["ann"]), 1 => some(&["ann", "bob"])]
}

/// Mostly a parent, if there is one of a lower number.
fn lower_than(below: u8) -> BoxedStrategy<Option<u8>> {
    match below {
        0 => Just(None).boxed(),
        below => prop::option::weighted(0.75, 0..below).boxed(),
    }
}

/// A budget of that number, if with a parent then with one of a lower number than `below`.
fn allocation(number: u8, below: u8) -> impl Strategy<Value = NewBudget> {
    let parent = lower_than(below);
    let limit = prop_oneof![
        2 => Just(Limit::Unlimited),
        6 => (1..250_u128).prop_map(Limit::Of),
        1 => Just(Limit::Of(0)),
        1 => Just(Limit::Default),
    ];
    let more = (
        prop::bool::weighted(0.75),
        prop::option::weighted(0.4, thresholds()),
        prop::option::weighted(0.3, window()),
        actors(),
        prop::bool::weighted(0.05),
    );
    (parent, limit, more).prop_map(move |(parent, limit, (hard, thresholds, window, widen_by, is_other))| {
        NewBudget {
            budget_id: name(number),
            unit: if is_other { "wei" } else { "units" }.into(),
            limit,
            parent: parent.map(name),
            hard,
            thresholds,
            window,
            widen_by,
        }
    })
}

fn adjustment() -> impl Strategy<Value = AdjustBudget> {
    let limit = prop_oneof![3 => (0..250_u128).prop_map(Some), 1 => Just(None)];
    (
        target(),
        prop::option::weighted(0.6, limit),
        prop::option::weighted(0.3, any::<bool>()),
        prop::option::weighted(0.3, thresholds()),
        prop::option::weighted(0.2, prop::option::of(window())),
    )
        .prop_map(|(budget_id, limit, hard, thresholds, window)| AdjustBudget {
            budget_id,
            limit,
            hard,
            thresholds,
            window,
        })
}

/// A goal of that number in a scope of its own, if with a parent then with one of a lower number than `below`.
fn creation(number: u8, below: u8) -> impl Strategy<Value = NewGoal> {
    let parent = lower_than(below);
    let limit = prop::option::weighted(0.7, 0..150_u128);
    let named = proptest::collection::vec((0..5_u8).prop_map(name), 0..3);
    (parent, limit, named, actors()).prop_map(move |(parent, token_budget, budgets, widen_by)| NewGoal {
        goal_id: Some(goal_id(number)),
        scope: Some(format!("scope {number}").into()),
        token_budget,
        parent_goal: parent.map(goal_id),
        budgets,
        widen_by,
        ..NewGoal::new("a goal")
    })
}

fn transition() -> impl Strategy<Value = TransitionGoal> {
    let to = prop_oneof![
        6 => Just(GoalStatus::Active),
        3 => Just(GoalStatus::Paused),
        1 => Just(GoalStatus::Completed),
        1 => Just(GoalStatus::Cleared),
    ];
    let expected = prop_oneof![6 => Just(None), 1 => (0..4_u64).prop_map(Some)];
    (goal(), to, expected).prop_map(|(goal_id, to, expected_revision)| TransitionGoal {
        expected_revision,
        ..TransitionGoal::new(goal_id, to)
    })
}

fn turn() -> impl Strategy<Value = RecordTurn> {
    let charge = (0..6_u8, amount()).prop_map(|(number, amount)| Charge { budget_id: name(number), amount });
    (goal(), amount(), proptest::collection::vec(charge, 0..3)).prop_map(|(goal_id, tokens, charges)| {
        RecordTurn::goal(goal_id, Turn { charges, ..Turn::tokens(tokens) })
    })
}

fn meter() -> impl Strategy<Value = MeterId> {
    (0..3_u8).prop_map(|number| MeterId::from(format!("m{number}")))
}

fn observation() -> impl Strategy<Value = ObserveMeter> {
    let reading = prop_oneof![amount().prop_map(Reading::Delta), (0..200_u128).prop_map(Reading::Cumulative)];
    (meter(), reading, prop::option::weighted(0.6, (0..6_u8).prop_map(name)))
        .prop_map(|(meter_id, reading, budget_id)| ObserveMeter { meter_id, reading, budget_id })
}
