//! A second bookkeeper, who adds up what the events say, and knows nothing of how the engine does it.

use std::collections::BTreeMap;

use tallybook::{BudgetId, ChangeEvent, Payload, ReservationId, SpendId, State};

#[derive(Debug, Clone, Default)]
struct Account {
    parent: Option<BudgetId>,
    spent: u128,
    reserved: u128,
}

/// All budgets, added up from the events alone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bookkeeper {
    accounts: BTreeMap<BudgetId, Account>,
    spends: BTreeMap<SpendId, (BudgetId, u128)>,
    held: BTreeMap<ReservationId, (BudgetId, u128)>,
}

impl Bookkeeper {
    fn on_path(&mut self, of: &BudgetId, change: impl Fn(&mut Account)) {
        let mut next = Some(of.clone());
        while let Some(id) = next {
            let account = self.accounts.get_mut(&id).unwrap_or_else(|| panic!("no event made {id}"));
            change(account);
            next = account.parent.clone();
        }
    }

    fn open(&mut self, id: BudgetId, parent: Option<BudgetId>) {
        let before = self.accounts.insert(id, Account { parent, ..Account::default() });
        assert!(before.is_none(), "law EXACT: a budget was made twice");
    }

    fn let_go(&mut self, reservation: &ReservationId) {
        if let Some((budget, amount)) = self.held.remove(reservation) {
            self.on_path(&budget, |account| account.reserved -= amount);
        }
    }

    /// Takes the next event in.
    pub(crate) fn take(&mut self, event: &ChangeEvent) {
        match &event.payload {
            Payload::BudgetAllocated(made) => self.open(made.budget_id.clone(), made.parent.clone()),
            Payload::GoalCreated(made) => {
                self.open(BudgetId::Goal(made.goal_id), made.parent_goal.map(BudgetId::Goal));
            }
            Payload::TurnRecorded(turn) => {
                self.on_path(&BudgetId::Goal(turn.goal_id), |account| account.spent += turn.tokens);
            }
            Payload::SpendRecorded(spend) => {
                if let Some(reservation) = &spend.reservation_id {
                    self.let_go(reservation);
                }
                self.on_path(&spend.budget_id, |account| account.spent += spend.amount);
                let booked = (spend.budget_id.clone(), spend.amount);
                let before = self.spends.insert(spend.spend_id.clone(), booked);
                assert!(before.is_none(), "law EXACT: a spend was booked twice: {event:?}");
            }
            Payload::SpendReversed(back) => {
                let (budget, left) = self.spends.get_mut(&back.spend_id).expect("it was spent before");
                *left = left.checked_sub(back.amount).expect("no more comes back than was spent");
                let budget = budget.clone();
                self.on_path(&budget, |account| account.spent -= back.amount);
            }
            Payload::ReservationMade(made) => {
                self.on_path(&made.budget_id, |account| account.reserved += made.amount);
                let held = (made.budget_id.clone(), made.amount);
                let before = self.held.insert(made.reservation_id.clone(), held);
                assert!(before.is_none(), "law EXACT: a reservation was made twice: {event:?}");
            }
            Payload::ReservationReleased(end) => self.give_back(&end.reservation_id, event),
            Payload::ReservationExpired(end) => self.give_back(&end.reservation_id, event),
            _ => {}
        }
    }

    fn give_back(&mut self, reservation: &ReservationId, event: &ChangeEvent) {
        assert!(self.held.contains_key(reservation), "law EXACT: it is given back twice: {event:?}");
        self.let_go(reservation);
    }

    /// Holds a state to what the events add up to.
    #[track_caller]
    pub(crate) fn expect_agrees(&self, state: &State) {
        for (id, account) in &self.accounts {
            let budget = state.budget_view(id).unwrap_or_else(|| panic!("{id} is not in the state"));
            let found = (&budget.budget.parent, budget.budget.spent, budget.budget.reserved);
            // The budget of a goal hangs under that of its parent, whatever the field says.
            let parent = if matches!(id, BudgetId::Goal(_)) { found.0 } else { &account.parent };
            assert_eq!(
                found,
                (parent, account.spent, account.reserved),
                "parent, spent and reserved of {id}"
            );
            if let Some(limit) = budget.limit() {
                let identity = account.spent + account.reserved + budget.remaining().unwrap();
                assert_eq!(limit + budget.overage(), identity, "{id}: limit + overage");
            }
        }
        for goal in state.goals() {
            assert_eq!(goal.tokens_used, self.accounts[&BudgetId::Goal(goal.id)].spent, "{}", goal.id);
        }
        let held: Vec<_> = state.held_reservations().map(|held| held.id.clone()).collect();
        assert_eq!(held.len(), self.held.len(), "open reservations");
        assert!(held.iter().all(|id| self.held.contains_key(id)), "open reservations: {held:?}");
    }
}
