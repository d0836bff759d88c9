//! Which lines may tell of a subject, by their bytes.

use std::collections::HashSet;

use memchr::{memchr, memmem};

use super::subject::Subject;
use crate::event::decode_event;
use crate::ids::BudgetId;

/// Lets pass what may tell of a subject, and all that cannot be told by its bytes.
#[derive(Debug)]
pub(super) struct Sieve {
    /// The id, as it stands in a line, and that of the goal whose budget it is.
    needles: Vec<memmem::Finder<'static>>,
    /// The ids of budgets and goals below, as they stand in a line.
    below: HashSet<Box<[u8]>>,
    learns: bool,
}

impl Sieve {
    pub(super) fn new(subject: &Subject) -> Sieve {
        let mut needles = vec![memmem::Finder::new(subject.id.as_bytes()).into_owned()];
        for root in subject.roots() {
            if let BudgetId::Goal(goal) = root {
                needles.push(memmem::Finder::new(goal.to_string().as_bytes()).into_owned());
            }
        }
        let mut sieve = Sieve { needles, below: HashSet::new(), learns: subject.has_families() };
        subject.below().for_each(|budget| sieve.add(budget));
        sieve
    }

    fn add(&mut self, budget: &BudgetId) {
        if let BudgetId::Goal(goal) = budget {
            self.below.insert(goal.to_string().into_bytes().into());
        }
        self.below.insert(budget.to_string().into_bytes().into());
    }

    /// Whether the line may tell of the subject. What is made below it is learnt.
    pub(super) fn wants(&mut self, line: &[u8], subject: &mut Subject) -> bool {
        // With an escape in it, an id may stand there in another form.
        let is_plain = memchr(b'\\', line).is_none();
        if !is_plain || self.learns && makes_budget(line) {
            // What cannot be read is told of where it is wanted.
            let Ok(event) = decode_event(line) else { return true };
            if let Some(made) = subject.learn(&event.payload) {
                self.add(&made);
            }
            return !subject.roles(&event).is_empty();
        }
        self.needles.iter().any(|needle| needle.find(line).is_some()) || self.is_below(line)
    }

    /// Whether an id in the line is one of those below.
    fn is_below(&self, line: &[u8]) -> bool {
        const BEFORE_ID: &[u8] = b"_id\":\"";
        if self.below.is_empty() {
            return false;
        }
        memmem::find_iter(line, BEFORE_ID).any(|at| {
            let rest = &line[at + BEFORE_ID.len()..];
            let id = &rest[..memchr(b'"', rest).unwrap_or(rest.len())];
            self.below.contains(id)
        })
    }
}

/// Whether a budget is made by the event.
fn makes_budget(line: &[u8]) -> bool {
    let has = |kind: &[u8]| memmem::find(line, kind).is_some();
    has(b"\"goal_created\"") || has(b"\"budget_allocated\"")
}
