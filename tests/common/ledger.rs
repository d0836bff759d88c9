//! The second bookkeeper: adds up what the events say, and holds the state to it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::{self, Book, amount};

/// One budget, as the second bookkeeper knows it.
#[derive(Default)]
struct Account {
    parent: Option<String>,
    spent: u128,
    spent_total: u128,
    reserved: u128,
    overage_total: u128,
    entry_count: u64,
    rolled_seq: u64,
}

/// All budgets, added up from the events alone.
#[derive(Default)]
struct Ledger {
    accounts: BTreeMap<String, Account>,
    spends: BTreeMap<String, (String, u64, u128)>,
    held: BTreeMap<String, (String, u128)>,
}

impl Ledger {
    /// Budget and everything above it.
    fn path(&self, budget_id: &str) -> Vec<String> {
        let mut path = vec![budget_id.to_owned()];
        while let Some(parent) = self.accounts[path.last().unwrap()].parent.clone() {
            path.push(parent);
        }
        path
    }

    fn on_path(&mut self, budget_id: &str, change: impl Fn(&mut Account)) {
        for id in self.path(budget_id) {
            change(self.accounts.get_mut(&id).unwrap());
        }
    }

    fn book(&mut self, budget_id: &str, amount: u128) {
        self.on_path(budget_id, |account| {
            account.spent += amount;
            account.spent_total += amount;
        });
    }

    fn let_go(&mut self, reservation_id: &str) {
        if let Some((budget_id, amount)) = self.held.remove(reservation_id) {
            self.on_path(&budget_id, |account| account.reserved -= amount);
        }
    }

    fn overage(&mut self, data: &Value) {
        for passed in data["overage"].as_array().into_iter().flatten() {
            let account = self.accounts.get_mut(passed["budget_id"].as_str().unwrap()).unwrap();
            account.overage_total += amount(&passed["amount"]);
        }
    }

    fn fold(&mut self, event: &Value) {
        let (data, seq) = (&event["data"], event["seq"].as_u64().unwrap());
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let budget_id = text("budget_id").unwrap_or_default();
        match event["kind"].as_str().unwrap() {
            "goal_created" => {
                let parent = text("parent_goal").map(|goal| format!("goal:{goal}"));
                let id = format!("goal:{}", text("goal_id").unwrap());
                self.accounts.insert(id, Account { parent, ..Account::default() });
            }
            "budget_allocated" => {
                let account = Account { parent: text("parent"), ..Account::default() };
                assert!(self.accounts.insert(budget_id, account).is_none(), "made twice: {event}");
            }
            "turn_recorded" => {
                self.book(&format!("goal:{}", text("goal_id").unwrap()), amount(&data["tokens"]));
                self.overage(data);
            }
            "spend_recorded" => {
                let spent = amount(&data["amount"]);
                if let Some(reservation_id) = text("reservation_id") {
                    self.let_go(&reservation_id);
                }
                self.book(&budget_id, spent);
                self.overage(data);
                self.accounts.get_mut(&budget_id).unwrap().entry_count += 1;
                self.spends.insert(text("spend_id").unwrap(), (budget_id, seq, spent));
            }
            "spend_reversed" => {
                let back = amount(&data["amount"]);
                let (of, spent_seq, left) = self.spends.get_mut(&text("spend_id").unwrap()).unwrap();
                *left = left.checked_sub(back).unwrap_or_else(|| panic!("more than was spent: {event}"));
                let (of, spent_seq) = (of.clone(), *spent_seq);
                self.on_path(&of, |account| {
                    account.spent_total -= back;
                    if spent_seq > account.rolled_seq {
                        account.spent -= back;
                    }
                });
            }
            "reservation_made" => {
                let held = amount(&data["amount"]);
                self.on_path(&budget_id, |account| account.reserved += held);
                self.held.insert(text("reservation_id").unwrap(), (budget_id, held));
            }
            "reservation_released" | "reservation_expired" => {
                let id = text("reservation_id").unwrap();
                assert!(self.held.contains_key(&id), "given back twice: {event}");
                self.let_go(&id);
            }
            "window_rolled" => {
                let account = self.accounts.get_mut(&budget_id).unwrap();
                assert_eq!(amount(&data["spent"]), account.spent, "{event}");
                (account.spent, account.rolled_seq) = (0, seq);
            }
            "ended_forgotten" => {
                let ids = |name: &str| data[name].as_array().unwrap().iter().map(|id| id.as_str().unwrap());
                for id in ids("goals").map(|id| format!("goal:{id}")).chain(ids("budgets").map(str::to_owned))
                {
                    let forgotten = self.accounts.remove(&id).unwrap_or_else(|| panic!("{id}: {event}"));
                    assert_eq!(forgotten.reserved, 0, "{id}: {event}");
                    let is_below = |account: &Account| account.parent.as_ref() == Some(&id);
                    assert!(
                        !self.accounts.values().any(is_below),
                        "{id} goes before what is below it: {event}"
                    );
                }
            }
            _ => {}
        }
    }
}

/// Holds every budget of the state to what the events add up to, and to the identities of budgets:
/// `limit + overage = spent + reserved + remaining`, `available` the least that remains on the path, children that sum
/// to their parent. Returns the state.
#[track_caller]
pub(crate) fn expect_conserved(book: &Book) -> Value {
    let (events, state) = (book.events(&[]), book.state(&[]));
    cli::expect_gapless(&events);
    let mut ledger = Ledger::default();
    for event in &events {
        ledger.fold(event);
    }
    let budgets = state["budgets"].as_array().unwrap();
    let remaining: BTreeMap<&str, Option<u128>> =
        budgets.iter().map(|budget| (budget["budget_id"].as_str().unwrap(), figures(budget))).collect();
    for budget in budgets {
        let id = budget["budget_id"].as_str().unwrap();
        let account = ledger.accounts.get(id).unwrap_or_else(|| panic!("no event made {budget}"));
        for (name, expected) in [
            ("spent", account.spent),
            ("spent_total", account.spent_total),
            ("reserved", account.reserved),
            ("overage_total", account.overage_total),
        ] {
            assert_eq!(amount(&budget[name]), expected, "{name} of {budget}");
        }
        if !id.starts_with("goal:") {
            assert_eq!(budget["parent"].as_str(), account.parent.as_deref(), "{budget}");
            assert_eq!(budget["entry_count"], account.entry_count, "{budget}");
        }
        let path = ledger.path(id);
        let available = path.iter().filter_map(|id| remaining.get(id.as_str()).copied().flatten()).min();
        assert_eq!(budget["available"].as_str().map(|text| text.parse().unwrap()), available, "{budget}");
    }
    let named = ledger.accounts.keys().filter(|id| !id.starts_with("goal:")).count();
    assert!(budgets.len() >= named, "every budget is in the state");
    for goal in state["goals"].as_array().unwrap() {
        let account = &ledger.accounts[&format!("goal:{}", goal["goal_id"].as_str().unwrap())];
        assert_eq!(amount(&goal["tokens_used"]), account.spent, "{goal}");
    }
    let listed: BTreeMap<&str, (String, u128)> =
        state["reservations"].as_array().unwrap().iter().map(held).collect();
    let held: BTreeMap<&str, (String, u128)> =
        ledger.held.iter().map(|(id, held)| (id.as_str(), held.clone())).collect();
    assert_eq!(listed, held, "open reservations");
    state
}

fn held(reservation: &Value) -> (&str, (String, u128)) {
    assert!(["open", "unknown"].contains(&reservation["status"].as_str().unwrap()), "{reservation}");
    let budget_id = reservation["budget_id"].as_str().unwrap().to_owned();
    (reservation["reservation_id"].as_str().unwrap(), (budget_id, amount(&reservation["amount"])))
}

/// Holds one budget to the identities of its own figures; what remains of it.
#[track_caller]
fn figures(budget: &Value) -> Option<u128> {
    let [spent, reserved, overage] = ["spent", "reserved", "overage"].map(|name| amount(&budget[name]));
    let limit = budget["limit"].as_str().map(|limit| limit.parse::<u128>().unwrap());
    let exhausted = limit.is_some_and(|limit| spent >= limit);
    let status = budget["status"].as_str().unwrap();
    assert!(status == "closed" || status == if exhausted { "exhausted" } else { "active" }, "{budget}");
    let Some(limit) = limit else {
        assert_eq!((&budget["remaining"], overage), (&json!(null), 0), "{budget}");
        return None;
    };
    let remaining = amount(&budget["remaining"]);
    assert_eq!(limit + overage, spent + reserved + remaining, "{budget}");
    assert!(overage == 0 || remaining == 0, "{budget}");
    Some(remaining)
}
