//! What the clients of a victim say, and what each command has to come to: known from its number alone, so that one whose
//! outcome is unknown can be given again by whoever comes next.

use tallybook::ids::GoalId;
use tallybook::{
    ChangeEvent, Command, GoalStatus, Json, NewBudget, NewGoal, NewReservation, Payload, RecordEvent,
    RecordSpend, RecordTurn, Release, Request, ReverseSpend, Settle, Spend, TransitionGoal, Ttl, Turn,
};

/// How many clients a victim may have, besides the steward.
pub(crate) const CLIENTS: u64 = 4;
/// The client that opens what the others use, before they begin.
pub(crate) const STEWARD: u64 = 0;
/// How many commands the steward has.
pub(crate) const OF_STEWARD: u64 = 2 + 2 * CLIENTS;
/// The commands of a client come in groups, each about a goal of its own.
const GROUP_LEN: u64 = 12;
/// What a client may spend where it may not spend for ever.
const TIGHT_LIMIT: u128 = 200;

/// The key of the command of that number.
pub(crate) fn key(client: u64, number: u64) -> String {
    format!("k{client}-{number}")
}

/// The client and the number that a key is of.
pub(crate) fn parse_key(key: &str) -> Option<(u64, u64)> {
    let (client, number) = key.strip_prefix('k')?.split_once('-')?;
    Some((client.parse().ok()?, number.parse().ok()?))
}

/// The command of that number.
pub(crate) fn command(client: u64, number: u64) -> Request {
    let request: Request = if client == STEWARD { of_steward(number) } else { of_client(client, number) };
    request.key(key(client, number)).actor(format!("client {client}"))
}

fn goal_id(client: u64, group: u64) -> GoalId {
    GoalId(uuid::Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(client) << 40 | u128::from(group)))
}

fn root() -> GoalId {
    goal_id(STEWARD, 0)
}

fn of_steward(number: u64) -> Request {
    match number {
        0 => NewBudget::new("shared").unlimited().into(),
        1 => NewGoal::new("root").id(root()).into(),
        _ if number.is_multiple_of(2) => {
            NewBudget::new(team(number / 2)).limit(1 << 60).parent("shared").into()
        }
        _ => NewBudget::new(tight(number / 2)).limit(TIGHT_LIMIT).into(),
    }
}

fn team(client: u64) -> String {
    format!("team-{client}")
}

fn tight(client: u64) -> String {
    format!("tight-{client}")
}

/// An amount that tells commands apart.
fn amount(number: u64) -> u128 {
    u128::from(20 + number * 7 % 13)
}

/// The name that the command of that number gives to what it makes: a spend, a reservation or an event.
fn named(client: u64, number: u64) -> String {
    format!("n{client}-{number}")
}

fn of_client(client: u64, number: u64) -> Request {
    let (group, step) = (number / GROUP_LEN, number % GROUP_LEN);
    let goal = goal_id(client, group);
    let made_at = |step: u64| named(client, group * GROUP_LEN + step);
    let spend = || Spend::of(amount(number)).id(named(client, number)).tool("a tool");
    let reservation = |ttl| NewReservation::new(team(client), 2 * amount(number)).id(made_at(step)).ttl(ttl);
    match step {
        0 => creation(client, group).into(),
        1 => RecordTurn::goal(goal, Turn::tokens(amount(number)).seconds(1)).into(),
        2 => RecordSpend::new(team(client), spend()).into(),
        3 => reservation(Ttl::secs(3_600)).into(),
        4 => RecordTurn::goal(goal, Turn::tokens(amount(number)).charge(team(client), 3)).into(),
        5 => Settle { reservation_id: made_at(3).into(), spend: spend() }.into(),
        // Some of these are over before they are released: time acts, too.
        6 => reservation(Ttl::millis(1 + number % 7)).into(),
        7 => RecordEvent::new("noted", Json::parse(&data(number)).unwrap()).id(named(client, number)).into(),
        8 => RecordSpend::new(tight(client), spend()).into(),
        9 => ReverseSpend::part(made_at(2), 5).into(),
        10 => Release { reservation_id: made_at(6).into() }.into(),
        _ => TransitionGoal::new(goal, GoalStatus::Completed).into(),
    }
}

/// Every third goal has a budget of its own, which its turns use up; every second hangs under the root.
fn creation(client: u64, group: u64) -> NewGoal {
    let goal = NewGoal::new(format!("goal {group} of client {client}")).id(goal_id(client, group));
    let goal = if group.is_multiple_of(3) { goal.token_budget(40) } else { goal };
    if group.is_multiple_of(2) { goal.parent(root()) } else { goal.scope(named(client, group)) }
}

fn data(number: u64) -> String {
    // Of many lengths, so that frames end anywhere in a sector.
    let text = "x".repeat(usize::try_from(number * 37 % 400).unwrap());
    format!(r#"{{"number":{number},"text":"{text}"}}"#)
}

/// Holds the events of a command that was done to what it said.
#[track_caller]
pub(crate) fn expect_done(client: u64, number: u64, events: &[ChangeEvent]) {
    let is_it = match command(client, number).command {
        Command::Allocate(new) => has(
            events,
            |payload| matches!(payload, Payload::BudgetAllocated(made) if made.budget_id == new.budget_id && made.parent == new.parent),
        ),
        Command::CreateGoal(new) => has(
            events,
            |payload| matches!(payload, Payload::GoalCreated(made) if Some(made.goal_id) == new.goal_id && made.text == new.text),
        ),
        Command::RecordTurn(turn) => has(
            events,
            |payload| matches!(payload, Payload::TurnRecorded(made) if made.tokens == turn.turn.tokens && made.seconds == turn.turn.seconds),
        ),
        Command::RecordSpend(RecordSpend { spend, .. }) | Command::Settle(Settle { spend, .. }) => has(
            events,
            |payload| matches!(payload, Payload::SpendRecorded(made) if Some(&made.spend_id) == spend.spend_id.as_ref() && made.amount == spend.amount),
        ),
        Command::Reserve(new) => has(
            events,
            |payload| matches!(payload, Payload::ReservationMade(made) if Some(&made.reservation_id) == new.reservation_id.as_ref() && made.amount == new.amount),
        ),
        Command::RecordEvent(new) => has(
            events,
            |payload| matches!(payload, Payload::EventRecorded(made) if made.event_id == new.event_id && made.data == new.data),
        ),
        Command::ReverseSpend(back) => has(
            events,
            |payload| matches!(payload, Payload::SpendReversed(made) if made.spend_id == back.spend_id && made.amount == 5),
        ),
        Command::Release(end) => has(
            events,
            |payload| matches!(payload, Payload::ReservationReleased(made) if made.reservation_id == end.reservation_id),
        ),
        Command::TransitionGoal(to) => has(
            events,
            |payload| matches!(payload, Payload::GoalTransitioned(made) if made.goal_id == to.goal_id && made.to == to.to),
        ),
        other => panic!("no client gives {other:?}"),
    };
    assert!(is_it, "command {number} of client {client} was done, and these are its events: {events:?}");
}

/// Holds the event of a command that was refused to that.
#[track_caller]
pub(crate) fn expect_refused(client: u64, number: u64, events: &[ChangeEvent]) {
    assert!(
        matches!(events, [ChangeEvent { payload: Payload::CommandRefused(_), .. }]),
        "command {number} of client {client} was refused, and this is its event: {events:?}"
    );
}

fn has(events: &[ChangeEvent], is_it: impl Fn(&Payload) -> bool) -> bool {
    events.iter().any(|event| is_it(&event.payload))
}
