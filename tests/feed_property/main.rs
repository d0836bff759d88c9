//! Clients of a feed that are fast, slow, stalled, filtered, resumed at random cursors, of another journal, below
//! retention, or from a future that a power cut unmade, in the writer's process and beside it: each sees a line without
//! gap or duplicate, or one explicit reset whose state is that of a replay (law ORDER).
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../common/mod.rs"]
#[allow(unused_imports, reason = "every test file is a crate of its own, and uses a part")]
mod common;
#[path = "../common/remote.rs"]
mod remote;

mod client;
mod world;

use proptest::prelude::*;
use tallybook::storage::Survivors;

use client::From;
use world::World;

/// How many clients there are.
const CLIENTS: usize = 4;

#[derive(Debug, Clone)]
enum Action {
    /// So many commands are carried out.
    Work(usize),
    /// A client takes up to so many items.
    Take(usize, usize),
    /// A client begins anew: in the writer's process or beside it, from somewhere, with or without a filter.
    Begin { client: usize, inside: bool, from: From, filter: usize },
    /// The engine is shut down and opened again.
    Restart,
    /// Its process is killed, and another opens the journal.
    Kill,
    /// The power is cut, and what was not synced may be gone.
    Cut(Option<u64>),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let client = || 0..CLIENTS;
    let from = prop_oneof![
        2 => Just(From::Beginning),
        1 => Just(From::Now),
        6 => any::<u64>().prop_map(From::Told),
        1 => any::<u64>().prop_map(From::Seq),
        1 => Just(From::Foreign),
        1 => (1..5_u64).prop_map(From::Ahead),
    ];
    let begin = (client(), any::<bool>(), from, 0..client::FILTERS);
    let action = prop_oneof![
        6 => (1..12_usize).prop_map(Action::Work),
        8 => (client(), prop_oneof![1..6_usize, Just(10_000)]).prop_map(|(client, items)| Action::Take(client, items)),
        5 => begin.prop_map(|(client, inside, from, filter)| Action::Begin { client, inside, from, filter }),
        1 => Just(Action::Restart),
        1 => Just(Action::Kill),
        2 => prop::option::of(any::<u64>()).prop_map(Action::Cut),
    ];
    prop::collection::vec(action, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn law_order_every_client_sees_a_whole_line_or_an_explicit_reset(seed in any::<u64>(), actions in actions()) {
        let mut world = World::new(seed);
        for action in actions {
            match action {
                Action::Work(commands) => world.work(commands),
                Action::Take(client, items) => world.take(client, items),
                Action::Begin { client, inside, from, filter } => world.begin(client, inside, from, filter),
                Action::Restart => world.restart(),
                Action::Kill => world.kill(),
                Action::Cut(seed) => world.cut(seed.map_or(Survivors::Nothing, |_| Survivors::Seeded)),
            }
        }
        world.work(1);
        world.finish();
    }
}

/// The seldom things do happen in it.
#[test]
fn it_rotates_prunes_and_unmakes() {
    let mut world = World::new(1);
    world.begin(0, true, From::Beginning, 0);
    world.begin(1, false, From::Beginning, 0);
    world.work(200);
    assert!(world.oldest_seq() > 100, "it prunes: the oldest is {}", world.oldest_seq());
    world.take(0, 10_000);
    world.take(1, 10_000);
    let seq = world.seq();
    world.cut(Survivors::Nothing);
    assert!(world.seq() < seq, "the cut took something");
    world.finish();
    assert_eq!(world.resets(0), ["below_retention", "unmade_future"], "it lagged; then it was cut");
    assert_eq!(world.resets(1), ["below_retention", "unmade_future"]);
}
