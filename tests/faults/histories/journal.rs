//! What the journal says: frame for frame, with what it folds to; and what holds at every `seq` of it.

use std::collections::BTreeMap;

use tallybook::event::decode_event;
use tallybook::projection::Projection;
use tallybook::{JournalReader, State, StateHash};

use super::history::{Figures, Frame, Name, fact, figures, made, name};

/// All frames, and the hash of the state after them.
pub(super) fn frames(reader: &JournalReader) -> (Vec<Frame>, StateHash) {
    let (mut frames, mut projection) = (Vec::<Frame>::new(), Projection::default());
    let (mut known, mut last_place) = (BTreeMap::new(), None);
    let mut events = reader.events(1).unwrap();
    while let Some(journaled) = events.next().unwrap() {
        let place = (journaled.location().file.clone(), journaled.location().offset);
        let event = decode_event(journaled.line).unwrap();
        projection.apply(&event).unwrap();
        check_conserved(&projection.state, event.seq);
        if last_place.replace(place.clone()) != Some(place) {
            let (first_seq, last_seq, ts) = (event.seq, event.seq, event.ts);
            let (facts, made, changed) = (Vec::new(), None, Vec::new());
            let key = event.key.as_ref().map(|event_key| event_key.key.clone());
            frames.push(Frame { first_seq, last_seq, ts, key, facts, made, changed });
        }
        let frame = frames.last_mut().unwrap();
        frame.last_seq = event.seq;
        frame.facts.push(fact(&event));
        frame.made = frame.made.take().or_else(|| made(&event));
        frame.changed.extend(changed(&projection.state, &mut known));
    }
    (frames, projection.state.state_hash())
}

fn changed(state: &State, known: &mut BTreeMap<Name, Figures>) -> Vec<(Name, Figures)> {
    let mut changed = Vec::new();
    for budget in state.budgets() {
        let (id, now) = (name(&budget.id), figures(budget));
        if known.get(&id) != Some(&now) {
            known.insert(id.clone(), now.clone());
            changed.push((id, now));
        }
    }
    changed
}

/// `limit + overage = spent + reserved + remaining` at every node; and none has less than those below it have together.
fn check_conserved(state: &State, seq: u64) {
    let mut below = BTreeMap::<_, (u128, u128)>::new();
    for budget in state.budgets() {
        if let (Some(limit), Some(remaining)) = (budget.limit(), budget.remaining()) {
            let (given, used) = (limit + budget.overage(), budget.spent + budget.reserved + remaining);
            assert_eq!(given, used, "at seq {seq}, of {budget:?}");
        }
        if let Some(parent) = &budget.parent {
            let sums = below.entry(parent).or_default();
            *sums = (sums.0 + budget.spent_total, sums.1 + budget.reserved);
        }
    }
    for (parent, (spent, reserved)) in below {
        let parent = state.budget(parent).unwrap();
        assert!(parent.spent_total >= spent && parent.reserved >= reserved, "at seq {seq}, of {parent:?}");
    }
}
