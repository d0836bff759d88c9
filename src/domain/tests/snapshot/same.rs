//! Equality of all that a state holds, what follows from the rest included. (The hash covers only what does not.)

use std::fmt::Debug;
use std::sync::Arc;

use imbl::OrdMap;

use crate::domain::entries::Memory;
use crate::domain::leaf::Leaf;
use crate::domain::log::Happened;
use crate::domain::register::Register;
use crate::domain::{SpendRecord, State};

/// Without the digests, which one may have and the other not.
fn entities<K: Ord + Debug, T: Debug>(entities: &OrdMap<K, Arc<Leaf<T>>>) -> Vec<String> {
    entities.iter().map(|(key, leaf)| format!("{key:?}: {:?}", &***leaf)).collect()
}

/// The goals, each with the budget in its slot.
fn goal_records(state: &State) -> Vec<String> {
    let with_budget = |(slot, leaf)| (state.budgets.at(slot).map(|budget| budget.id.clone()), leaf);
    state
        .goals
        .iter()
        .map(with_budget)
        .map(|(budget_id, leaf)| format!("{budget_id:?}: {:?}", &**leaf))
        .collect()
}

fn memory<T: Happened + Debug>(memory: &Memory<T>) -> String {
    format!("{memory:?}")
}

/// Without the index: in which order it was built shows in it.
fn register(spends: &Register<SpendRecord>) -> String {
    let found = spends.iter().all(|spend| spends.get(&spend.spend_id.0) == Some(spend));
    format!("{:?} {:?} {found}", spends.forgotten_through(), spends.iter().collect::<Vec<_>>())
}

pub(super) fn assert_same(left: &State, right: &State) {
    // Each field by name, so that none is forgotten.
    let State {
        goals,
        budgets,
        active,
        open_children,
        budgets_below,
        named_by,
        reservations,
        reservations_made,
        held,
        spends,
        meters,
        deadlines,
        bookings,
        ended,
        releasing,
        keys,
        event_ids,
        refusals,
        endings,
    } = left;
    // In the order of their making. The slots may differ: one of the states may have forgotten what was between.
    assert!(budgets.iter().eq(right.budgets.iter()));
    assert_eq!(goal_records(left), goal_records(right));
    assert_eq!(active, &right.active);
    assert_eq!(open_children, &right.open_children);
    assert_eq!(goals.len(), right.goals.len());
    assert_eq!(budgets_below.len(), right.budgets_below.len());
    for budget in budgets.iter() {
        let below = |state: &State| state.budgets_below(&budget.id).cloned().collect::<Vec<_>>();
        assert_eq!(below(left), below(right));
        assert!(left.path(&budget.id).eq(right.path(&budget.id)));
    }
    assert_eq!(named_by, &right.named_by);
    assert_eq!(entities(reservations), entities(&right.reservations));
    assert_eq!(reservations_made, &right.reservations_made);
    assert_eq!(held, &right.held);
    assert_eq!(entities(meters), entities(&right.meters));
    assert_eq!(deadlines, &right.deadlines);
    assert_eq!(register(spends), register(&right.spends));
    assert_eq!(memory(bookings), memory(&right.bookings));
    assert_eq!(memory(ended), memory(&right.ended));
    assert_eq!(releasing, &right.releasing);
    for (left, right) in [(keys, &right.keys), (event_ids, &right.event_ids)] {
        assert_eq!((left.window(), left.forgotten_through()), (right.window(), right.forgotten_through()));
        assert!(left.iter().eq(right.iter()), "{left:?} and {right:?}");
        left.iter().for_each(|entry| assert_eq!(entry.key.with(|key| right.get(key)), Some(entry)));
    }
    assert_eq!(endings, &right.endings);
    assert_eq!(format!("{refusals:?}"), format!("{:?}", right.refusals));
}
