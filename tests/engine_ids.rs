//! The ids that the engine makes: each says where the event is that made what it names.
#![allow(clippy::unwrap_used, reason = "a test")]

use tallybook::ids::SeededEntropy;
use tallybook::storage::SimulatedDisk;
use tallybook::{Blocking, NewBudget, NewGoal, ObserveMeter, Options, Spend, SpendQuery, Ttl, Turn};
use uuid::Uuid;

fn last_bits(id: &str) -> u64 {
    let id: Uuid = id.parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    u64::try_from(id.as_u128() & 0xffff_ffff).unwrap()
}

fn made_of_everything(engine: &Blocking) {
    let goal = engine.create_goal(NewGoal::new("count")).unwrap();
    for name in ["money", "calls", "steps"] {
        engine.allocate(NewBudget::new(name).limit(1_000)).unwrap();
    }
    for round in 1..=3 {
        engine.record_spend("money", Spend::of(5)).unwrap();
        let hold = engine.reserve("money", 7, Ttl::NEVER).unwrap();
        let made = engine.view().seq();
        assert_eq!(last_bits(&hold.id().0), made);
        hold.settle(Spend::of(6)).unwrap();
        let turn = Turn::tokens(3).charge("money", 1).charge("calls", 2).charge("steps", 3);
        engine.record_turn(goal.id, turn).unwrap();
        engine.execute(ObserveMeter::cumulative("m", round).budget("money")).unwrap();
    }
}

#[test]
fn an_id_that_the_engine_makes_ends_in_the_seq_of_its_event() {
    let disk = SimulatedDisk::new(1);
    let options = Options::new().inline().entropy(SeededEntropy::new(9));
    let engine = options.open_storage(disk.process()).unwrap().blocking();
    made_of_everything(&engine);
    let spends = engine.view().list_spends(&SpendQuery { limit: 100, ..SpendQuery::default() });
    assert_eq!(spends.len(), 3 * 6);
    for spend in spends {
        assert_eq!(last_bits(&spend.spend_id.0), spend.seq, "{spend:?}");
    }
}

#[test]
fn an_id_that_is_given_is_left_as_it_is() {
    let disk = SimulatedDisk::new(1);
    let engine = Options::new().inline().open_storage(disk.process()).unwrap().blocking();
    engine.allocate(NewBudget::new("money").limit(1_000)).unwrap();
    let given = engine.record_spend("money", Spend::of(5).id("mine")).unwrap();
    assert_eq!(&*given.spend_id.0, "mine");
}
