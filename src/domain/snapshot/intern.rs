//! What many parts have in common is kept once, as in a state that has grown, and better.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::{Budget, DEFAULT_THRESHOLDS};
use crate::event::value::{Second, Texts};
use crate::event::{Fraction, Window};
use crate::hashing::Hashing;
use crate::ids::BudgetId;

type Known<T> = HashSet<Arc<T>, Hashing>;

/// Gives the same pointer for the same value.
#[derive(Debug)]
pub(super) struct Interner {
    texts: Known<str>,
    thresholds: Known<[Fraction]>,
    actors: Known<[Arc<str>]>,
    budgets: Known<[BudgetId]>,
    windows: Known<Window>,
    second: Second,
}

impl Default for Interner {
    /// One that knows what every state has.
    fn default() -> Interner {
        Interner {
            texts: Known::from_iter([Budget::tokens()]),
            thresholds: Known::from_iter([DEFAULT_THRESHOLDS.clone()]),
            actors: Known::default(),
            budgets: Known::default(),
            windows: Known::default(),
            second: Second::default(),
        }
    }
}

impl Interner {
    pub(super) fn budgets(&mut self, budgets: &[BudgetId]) -> Arc<[BudgetId]> {
        once(&mut self.budgets, budgets)
    }
}

impl Texts for Interner {
    fn text(&mut self, text: &str) -> Arc<str> {
        once(&mut self.texts, text)
    }

    fn id(&mut self, text: &str, is_id: impl FnOnce(&str) -> bool) -> Option<Arc<str>> {
        is_id(text).then(|| self.text(text))
    }

    /// A text that hardly anything has in common: that of something that named it before, or else its own.
    fn own_id(&mut self, id: &str) -> Arc<str> {
        self.texts.get(id).cloned().unwrap_or_else(|| id.into())
    }

    fn remark(&mut self, text: &str) -> Arc<str> {
        self.text(text)
    }

    fn timestamp(&mut self, text: &[u8; 27]) -> Option<Timestamp> {
        self.second.read(text)
    }

    fn thresholds(&mut self, thresholds: Vec<Fraction>) -> Arc<[Fraction]> {
        once(&mut self.thresholds, &thresholds)
    }

    fn window(&mut self, window: Window) -> Arc<Window> {
        if let Some(known) = self.windows.get(&window) {
            return known.clone();
        }
        let window = Arc::new(window);
        self.windows.insert(window.clone());
        window
    }

    fn actors(&mut self, actors: Vec<Arc<str>>) -> Arc<[Arc<str>]> {
        once(&mut self.actors, &actors)
    }
}

fn once<T>(known: &mut Known<T>, value: &T) -> Arc<T>
where
    T: Hash + Eq + ?Sized,
    Arc<T>: for<'a> From<&'a T>,
{
    if let Some(known) = known.get(value) {
        return known.clone();
    }
    let value = Arc::from(value);
    known.insert(Arc::clone(&value));
    value
}
