//! The work: spends. An order is what a caller wants done; it follows from its number, so that what a store has to hold
//! after a run is known from how many orders were carried out.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Outcome;

/// How many budgets the spends are of.
pub(crate) const BUDGETS: usize = 1_000;
/// More than any run spends: nothing is refused.
pub(crate) const LIMIT: u64 = u64::MAX / 4;
pub(crate) const ACTOR: &str = "agent:research";

const SESSIONS: usize = 64;
const TOOLS: [&str; 8] = [
    "web.search",
    "web.fetch",
    "code.run",
    "mail.send",
    "file.read",
    "file.write",
    "image.make",
    "llm.complete",
];

static BUDGET_IDS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..BUDGETS).map(|n| format!("task-{n:04}")).collect());
static SESSION_IDS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..SESSIONS).map(|n| format!("session-{n:04}")).collect());

/// A spend to be carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) budget: usize,
    pub(crate) session: usize,
    pub(crate) tool: usize,
    pub(crate) amount: u64,
}

impl Order {
    /// The one with this number, counted from 0.
    pub(crate) fn numbered(number: u64) -> Order {
        // Neighbours are of other budgets, as those of many agents are.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let part = |of: usize, shift: u32| usize::try_from(spread >> shift).map_or(0, |n| n % of);
        Order {
            budget: part(BUDGETS, 0),
            session: part(SESSIONS, 3),
            tool: part(TOOLS.len(), 5),
            amount: 1_000 + number % 4_000,
        }
    }

    pub(crate) fn budget_id(self) -> &'static str {
        &BUDGET_IDS[self.budget]
    }

    pub(crate) fn session_id(self) -> &'static str {
        &SESSION_IDS[self.session]
    }

    pub(crate) fn tool(self) -> &'static str {
        TOOLS[self.tool]
    }
}

/// The names, for who prepares them once.
pub(crate) fn budget_ids() -> &'static [String] {
    &BUDGET_IDS
}

pub(crate) fn session_ids() -> &'static [String] {
    &SESSION_IDS
}

pub(crate) fn tools() -> &'static [&'static str] {
    &TOOLS
}

/// What was spent of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) count: u64,
    pub(crate) spent: u64,
}

/// What a store holds: every budget that was spent of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger(HashMap<Box<str>, Total>);

impl Ledger {
    pub(crate) fn book(&mut self, budget_id: &str, amount: u64) {
        match self.0.get_mut(budget_id) {
            Some(total) => *total = Total { count: total.count + 1, spent: total.spent + amount },
            None => self.set(budget_id, Total { count: 1, spent: amount }),
        }
    }

    pub(crate) fn set(&mut self, budget_id: &str, total: Total) {
        self.0.insert(budget_id.into(), total);
    }

    /// What `in_flight` callers leave who carried out so many orders each, the first of them the orders 0, `in_flight`,
    /// 2 × `in_flight` and so on.
    pub(crate) fn after(counts: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        for (first, count) in (0..).zip(counts) {
            for turn in 0..*count {
                let order = Order::numbered(first + turn * counts.len() as u64);
                ledger.book(order.budget_id(), order.amount);
            }
        }
        ledger
    }

    /// Compares with what was read back.
    pub(crate) fn expect(&self, found: &Ledger) -> Outcome<()> {
        if self == found {
            return Ok(());
        }
        let sums = |ledger: &Ledger| {
            ledger.0.values().fold((0, 0), |(count, spent), of| (count + of.count, spent + of.spent))
        };
        let ((count, spent), (found_count, found_spent)) = (sums(self), sums(found));
        Err(format!(
            "expected to read back {count} spends of {spent} in {} budgets, \
             found {found_count} of {found_spent} in {}, or others of the same sum",
            self.0.len(),
            found.0.len()
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_knows_a_missing_and_a_misplaced_spend() {
        let whole = Ledger::after(&[3, 2]);
        let mut same = Ledger::default();
        for number in [4, 3, 2, 1, 0] {
            let order = Order::numbered(number);
            same.book(order.budget_id(), order.amount);
        }
        assert!(whole.expect(&same).is_ok());
        assert!(whole.expect(&Ledger::after(&[2, 2])).is_err());
        let mut misplaced = Ledger::after(&[3, 1]);
        misplaced.book(Order::numbered(0).budget_id(), Order::numbered(3).amount);
        assert!(whole.expect(&misplaced).is_err());
    }
}
