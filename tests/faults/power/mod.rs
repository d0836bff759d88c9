//! The row `power`: a journal lives through several sessions on the simulated disk, with rotations, snapshots, pruning and an
//! archive beside the writer, under the simulator's clock and schedule. At every operation of it, its openings and closings
//! included, the power is cut (or only the process killed), with many outcomes for what was not synced; and again at every
//! operation of the opening after that, and of the one after that, as deep as one likes.
//!
//! Checked after each: nothing acknowledged is lost (law DURABLE), nothing is altered (EVIDENCE), commands are there whole or not
//! at all (ATOMIC), `seq` has no gap (ORDER), the state is that of an oracle that carries out every command a second time
//! (FOLD, RETAIN, HONEST), no cursor is wrong, no honest journal is refused; and the journal goes on, retries book once (EXACT).

mod explore;
mod life;

use crate::driver::{Limits, Row};
use crate::tally::Tally;
use explore::Explorer;
use life::Life;

pub(crate) const ROW: Row = Row { name: "power", unit: "crashes", seeds: 40, case };

/// How many sessions a life has.
const SESSIONS: u64 = 4;

fn case(seed: u64, limits: &Limits, tally: &mut Tally) {
    live(seed, limits.depth, limits.every, tally);
}

/// One life. `every`: only every so many of the cuts are looked at.
fn live(seed: u64, depth: u32, every: u64, tally: &mut Tally) {
    let mut life = Life::new(seed);
    for _ in 0..SESSIONS {
        let cuts = life.session();
        let crash = Explorer::new(&life, depth, every, tally).explore(&cuts);
        life.end_by(crash);
    }
    life.finish();
    tally.count("lives");
    life.tally(tally);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn law_durable_the_power_is_cut_at_any_operation_and_nothing_acknowledged_is_lost() {
        let mut tally = Tally::default();
        for seed in 1..=4 {
            live(seed, 2, 23, &mut tally);
        }
        assert!(tally.get("crashes") > 100, "{tally:?}");
        for covered in [
            "archived",
            "changes between writer and upkeep",
            "cut while: a segment is made",
            "cut while: a snapshot is made",
            "cut while: segments are removed",
            "cut again while: a segment is made",
            "cut again while: a snapshot is made",
            "sectors of 512 bytes",
            "sectors of 4096 bytes",
        ] {
            assert!(tally.get(covered) > 0, "{covered}: {tally:?}");
        }
    }

    /// The same seed is the same life: its commands, its operations in their order, what every cut leaves.
    #[test]
    fn a_seed_repeats_exactly() {
        for seed in [3, 4] {
            let run = || {
                let mut life = Life::new(seed);
                let cuts = [life.session(), life.session()].concat();
                let trace: Vec<_> = cuts.iter().map(life::Cut::trace).collect();
                (trace, life.files())
            };
            let (first, second) = (run(), run());
            assert!(first.0 == second.0, "the cuts differ");
            assert!(first.1 == second.1, "the files differ");
            assert!(first.0.len() > 40, "a life worth comparing");
        }
    }
}
