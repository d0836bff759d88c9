//! Damage to what lies on the disk: every bit of every file flipped, every length, every sector zeroed, stale, or another
//! one's, every file deleted, swapped, doubled. A journal that has it is refused, by name, and left as it is; or nothing is
//! lost by it. Readers give the truth or say that it is damaged, and `verify` finds it.

mod book;
mod expect;
mod kinds;
mod look;

use book::Book;
use kinds::{Portion, do_all};
use look::Look;

use crate::driver::{Limits, Row};
use crate::tally::Tally;

pub(crate) const ROW: Row = Row { name: "damage", unit: "damages", seeds: 3, case };

/// A journal, and all damage to it.
fn case(seed: u64, limits: &Limits, tally: &mut Tally) {
    run(seed, Portion { step: usize::try_from(limits.every).unwrap() }, tally);
}

fn run(seed: u64, portion: Portion, tally: &mut Tally) {
    let book = Book::new(seed);
    tally.add("bytes of journals", book.files.values().map(|bytes| bytes.len() as u64).sum());
    let mut look = Look::new(&book, tally);
    look.at_the_honest_journal();
    do_all(&book, &mut look, seed, portion);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_refused_or_loses_nothing() {
        let mut tally = Tally::default();
        for seed in 1..=3 {
            run(seed, Portion { step: 997 }, &mut tally);
        }
        assert!(tally.get("refused") > 500 && tally.get("found by verify") > 500, "{tally:?}");
        assert!(tally.get("opened, nothing lost") > 100, "{tally:?}");
        assert!(tally.get("opened, the unproven end lost") > 0, "{tally:?}");
    }
}
