//! What holds at every `seq`, in the middle of a frame too; and what holds at the end of every frame. All of it is told
//! from the events, added up anew each time.

use std::collections::BTreeMap;

use crate::domain::{Budget, State, evolve};
use crate::event::{ChangeEvent, Fraction, GoalStatus, Payload, decode_event, encode_event};
use crate::ids::{BudgetId, ReservationId, SpendId};

/// Folds the events one by one, and checks the state after each.
pub(super) fn check_at_every_seq(events: &[ChangeEvent], frames: &[usize]) {
    let (mut state, mut tally, mut rest) = (State::default(), Tally::default(), events);
    for len in frames {
        let (frame, after) = rest.split_at(*len);
        rest = after;
        let before = state.clone();
        for event in frame {
            evolve(&mut state, event).unwrap();
            tally.take(event);
            tally.check(&state);
            tally.check_admission(&state, &event.payload);
            check_told(&state, &event.payload);
            check_line(event);
        }
        check_goals(&state);
        check_exhaustions(&before, &state, frame);
        tally.check_thresholds(&state);
    }
    assert!(rest.is_empty(), "every event is of a frame");
}

/// The events so far, in lists.
#[derive(Default)]
struct Tally {
    booked: Vec<Booked>,
    held: Vec<(ReservationId, BudgetId, u128)>,
    /// How many of `booked` are of an earlier window.
    rolled_at: BTreeMap<BudgetId, usize>,
    fired: BTreeMap<BudgetId, Vec<Fraction>>,
    overage: Vec<(BudgetId, u128)>,
}

struct Booked {
    budget: BudgetId,
    spend: Option<SpendId>,
    amount: u128,
}

impl Tally {
    fn take(&mut self, event: &ChangeEvent) {
        match &event.payload {
            Payload::TurnRecorded(turn) => self.book(turn.goal_id.into(), None, turn.tokens),
            Payload::SpendRecorded(spend) => {
                self.book(spend.budget_id.clone(), Some(&spend.spend_id), spend.amount);
                self.held.retain(|(id, ..)| Some(id) != spend.reservation_id.as_ref());
            }
            Payload::SpendReversed(reversed) => {
                let of_it = |booked: &&mut Booked| booked.spend.as_ref() == Some(&reversed.spend_id);
                let booked = self.booked.iter_mut().find(of_it).unwrap();
                booked.amount =
                    booked.amount.checked_sub(reversed.amount).expect("never more than was spent");
            }
            Payload::ReservationMade(made) => {
                assert!(self.held.iter().all(|(id, ..)| *id != made.reservation_id), "held twice");
                self.held.push((made.reservation_id.clone(), made.budget_id.clone(), made.amount));
            }
            Payload::ReservationReleased(released) => self.give_back(&released.reservation_id),
            Payload::ReservationExpired(expired) => self.give_back(&expired.reservation_id),
            Payload::WindowRolled(rolled) => {
                self.rolled_at.insert(rolled.budget_id.clone(), self.booked.len());
                self.fired.remove(&rolled.budget_id);
            }
            Payload::ThresholdCrossed(crossed) => {
                let fired = self.fired.entry(crossed.budget_id.clone()).or_default();
                assert!(fired.iter().all(|before| *before < crossed.threshold), "ascending, each once");
                fired.push(crossed.threshold);
            }
            Payload::BudgetAdjusted(adjusted) => {
                let (old, new) = (&adjusted.previous, &adjusted.terms);
                if old.limit != new.limit || old.thresholds != new.thresholds {
                    self.fired.remove(&adjusted.budget_id);
                }
            }
            Payload::GoalBudgetSet(set) if set.previous != set.token_budget => {
                self.fired.remove(&set.goal_id.into());
            }
            _ => {}
        }
        let overage = match &event.payload {
            Payload::TurnRecorded(turn) => &*turn.overage,
            Payload::SpendRecorded(spend) => &*spend.overage,
            _ => &[],
        };
        self.overage.extend(overage.iter().map(|charge| (charge.budget_id.clone(), charge.amount)));
    }

    fn book(&mut self, budget: BudgetId, spend: Option<&SpendId>, amount: u128) {
        self.booked.push(Booked { budget, spend: spend.cloned(), amount });
    }

    fn give_back(&mut self, id: &ReservationId) {
        let held = self.held.len();
        self.held.retain(|(held, ..)| held != id);
        assert_eq!(self.held.len() + 1, held, "reservation {id} was held until then");
    }

    fn check(&self, state: &State) {
        for budget in state.budgets() {
            let id = &budget.id;
            if let (Some(limit), Some(remaining)) = (budget.limit(), budget.remaining()) {
                let used = budget.spent + budget.reserved;
                // Both sides less what is on both, where the sums would not fit.
                assert_eq!(limit.saturating_sub(used), remaining, "remaining of {id}");
                assert_eq!(used.saturating_sub(limit), budget.overage(), "overage of {id}");
                if let Some(left) = limit.checked_add(budget.overage()) {
                    assert_eq!(
                        left,
                        used + remaining,
                        "limit + overage = spent + reserved + remaining: {id}"
                    );
                }
            }
            assert!(budget.spent <= budget.spent_total, "spent of {id} is part of its total");
            let rolled_at = self.rolled_at.get(id).copied().unwrap_or(0);
            assert_eq!(budget.spent, self.below(state, id, rolled_at), "spent of {id}");
            assert_eq!(budget.spent_total, self.below(state, id, 0), "spent of {id} for life");
            let own = self.booked.iter().filter(|booked| booked.budget == *id).map(|booked| booked.amount);
            let children = state.budgets().filter(|child| child.parent.as_ref() == Some(id));
            let children = children.map(|child| child.spent_total);
            assert_eq!(own.sum::<u128>() + children.sum::<u128>(), budget.spent_total, "children of {id}");
            let held = self.held.iter().filter(|(_, held, _)| state.path(held).any(|above| above.id == *id));
            assert_eq!(budget.reserved, held.map(|(.., amount)| amount).sum::<u128>(), "reserved of {id}");
            let overage = self.overage.iter().filter(|(of, _)| of == id);
            let overage = overage.fold(0, |sum: u128, (_, amount)| sum.saturating_add(*amount));
            assert_eq!(budget.overage_total, overage, "overage of {id} for life");
        }
    }

    fn below(&self, state: &State, id: &BudgetId, from: usize) -> u128 {
        let booked = self.booked[from..].iter();
        let below = booked.filter(|booked| state.path(&booked.budget).any(|above| above.id == *id));
        below.map(|booked| booked.amount).sum()
    }

    /// A hard limit is never passed by admission (law EXACT).
    fn check_admission(&self, state: &State, event: &Payload) {
        let admitted = match event {
            Payload::SpendRecorded(spend) if !spend.incurred && spend.reservation_id.is_none() => {
                assert!(!spend.late, "nothing is admitted late");
                &spend.budget_id
            }
            Payload::ReservationMade(made) => &made.budget_id,
            _ => return,
        };
        for budget in state.path(admitted) {
            assert!(!budget.is_closed(), "admitted under {}, which is closed", budget.id);
            let is_passed = budget.limit().is_some_and(|limit| budget.spent + budget.reserved > limit);
            assert!(!(budget.terms.hard && is_passed), "admission passed the limit of {}", budget.id);
        }
    }

    fn check_thresholds(&self, state: &State) {
        for budget in state.budgets() {
            let fired = self.fired.get(&budget.id).map_or(&[][..], Vec::as_slice);
            assert_eq!(budget.crossed_thresholds(), fired, "thresholds of {}", budget.id);
        }
    }
}

/// An event is read as it was written.
fn check_line(event: &ChangeEvent) {
    let mut line = Vec::new();
    encode_event(event, &mut line);
    assert_eq!(decode_event(&line).as_ref(), Ok(event), "{}", String::from_utf8_lossy(&line));
}

/// The figures of an event are those of the state.
fn check_told(state: &State, event: &Payload) {
    match event {
        Payload::ThresholdCrossed(crossed) => {
            let budget = state.budget(&crossed.budget_id).unwrap();
            assert_eq!((Some(crossed.limit), crossed.spent), (budget.limit(), budget.spent));
            assert!(crossed.spent >= crossed.threshold.of(crossed.limit), "it is reached");
        }
        Payload::BudgetExhausted(exhausted) => {
            let budget = state.budget(&exhausted.budget_id).unwrap();
            assert_eq!((Some(exhausted.limit), exhausted.spent), (budget.limit(), budget.spent));
            assert_eq!(exhausted.hard, budget.terms.hard);
            assert!(budget.is_exhausted());
        }
        _ => {}
    }
}

/// No goal is active while a hard budget on its path, or one that it or a goal above it names, is exhausted.
fn check_goals(state: &State) {
    for goal in state.goals().filter(|goal| goal.status == GoalStatus::Active) {
        let line: Vec<_> =
            std::iter::successors(Some(goal.clone()), |goal| state.goal(goal.parent_goal?)).collect();
        let named = line.iter().flat_map(|goal| goal.budgets.iter().cloned());
        for id in std::iter::once(goal.id.into()).chain(named) {
            let blocking = state.path(&id).find(|budget| budget.is_blocking());
            assert_eq!(blocking.map(|budget| &budget.id), None, "goal {} is active under it", goal.id);
        }
    }
}

/// Who becomes exhausted, or is so under a limit that becomes a hard one, is named once, and nobody else.
fn check_exhaustions(before: &State, after: &State, frame: &[ChangeEvent]) {
    for budget in after.budgets() {
        let named = frame.iter().filter(
            |event| matches!(&event.payload, Payload::BudgetExhausted(exhausted) if exhausted.budget_id == budget.id),
        );
        let was = before.budget(&budget.id);
        let is_new = !was.is_some_and(Budget::is_exhausted)
            || budget.terms.hard && !was.is_some_and(|was| was.terms.hard);
        let expected = usize::from(budget.is_exhausted() && is_new);
        assert_eq!(named.count(), expected, "exhaustions of {}: {frame:?}", budget.id);
    }
}
