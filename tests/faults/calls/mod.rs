//! The row `calls`: the operating system fails a call of the storage seam, any call, in any way; or two; or the disk is full.
//! The engine halts where it must and lives on where it can; nothing is answered, published or fed that is not durable; what
//! is opened again, after a power cut or not, holds all that was acknowledged, whole commands only, and goes on.
//!
//! A case is a life of a journal drawn from the seed: some sessions, and then one that is carried out once to count its
//! operations and reads, and once more for every operation with every fault and every read with `EIO` or `EINTR`.

mod aftermath;
mod life;
mod look;
mod session;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tallybook::ids::SeededEntropy;
use tallybook::storage::{Fault, Survivors};

use self::aftermath::Then;
use self::life::{Life, index};
use self::session::{End, Outcome, Script, Seen};
use self::watch::{Watch, Wrong};
use crate::driver::{Limits, Row, last_panic};
use crate::tally::Tally;

/// The row.
pub(crate) const ROW: Row = Row { name: "calls", unit: "calls failed", seeds: 24, case };

const FAULTS: [Fault; 5] =
    [Fault::Eio, Fault::Enospc, Fault::Interrupted, Fault::ShortWrite, Fault::SyncLost];

fn case(seed: u64, limits: &Limits, tally: &mut Tally) {
    Case::new(seed, limits.depth > 1).run(usize::try_from(limits.every).unwrap(), tally);
}

/// A life up to a moment, and what is to be done then.
struct Case {
    seed: u64,
    begun: Life,
    script: Script,
    /// Whether two things may go wrong in a row.
    has_pairs: bool,
}

/// What goes wrong in a session, and after it.
#[derive(Debug, Default)]
struct Plan {
    wrong: Vec<Wrong>,
    /// How many bytes the disk has room for.
    room: Option<u64>,
    /// What goes wrong at the opening after it.
    later: Option<Wrong>,
}

impl Case {
    fn new(seed: u64, has_pairs: bool) -> Case {
        let mut begun = Life::new(seed);
        for _ in 0..begun.chance.below(3) {
            begun.live_on();
        }
        let script = begun.script();
        Case { seed, begun, script, has_pairs }
    }

    /// Every `step`-th call fails.
    fn run(&self, step: usize, tally: &mut Tally) {
        let (mut life, mut script) = (self.begun.fork(self.seed, 0), self.script.clone());
        script.has_room_after = None;
        let (operations, reads) = (life.disk.operations(), life.disk.reads());
        let watch = Watch::new(&life.disk);
        let seen = session::run(&mut life, &script, &watch);
        assert_eq!((seen.outcome, seen.has_told), (Outcome::LivedOn, false), "nothing goes wrong");
        let (operations, reads) = (life.disk.operations() - operations, life.disk.reads() - reads);
        life.disk.kill();
        life.come_to_a_good_end();
        tally.add("operations of a session", operations);
        tally.add("reads of a session", reads);
        for number in (0..operations).step_by(step) {
            for fault in FAULTS {
                self.go_wrong(Wrong::Operation(number, fault), tally);
            }
        }
        for number in (0..reads).step_by(step) {
            let fault = if number % 4 == 3 { Fault::Interrupted } else { Fault::Eio };
            self.go_wrong(Wrong::Read(number, fault), tally);
        }
        let rooms = if step == 1 { 18 } else { 3 };
        for number in 0..rooms {
            let room = Some([512, 1_024, 2_048][index(number % 3)] * (number / 3));
            self.play(&Plan { room, ..Plan::default() }, number << 20, tally);
        }
    }

    /// One thing goes wrong; and perhaps another, soon after it, or at the next opening.
    fn go_wrong(&self, first: Wrong, tally: &mut Tally) {
        let number = match first {
            Wrong::Operation(number, fault) => {
                number << 3 | FAULTS.iter().position(|of| *of == fault).unwrap() as u64
            }
            Wrong::Read(number, _) => number << 3 | 7,
        };
        let chance = SeededEntropy::new(self.seed ^ number << 32);
        let mut plan = Plan { wrong: vec![first], ..Plan::default() };
        let another = |from: u64| match chance.below(6) {
            0 => Wrong::Read(from + chance.below(30), Fault::Eio),
            fault => Wrong::Operation(from + chance.below(9), FAULTS[index(fault - 1)]),
        };
        match (chance.below(4), first) {
            _ if !self.has_pairs => {}
            (0, Wrong::Operation(number, _)) => plan.wrong.push(another(number + 1)),
            (1, _) => plan.later = Some(another(0)),
            _ => {}
        }
        self.play(&plan, number, tally);
    }

    fn play(&self, plan: &Plan, number: u64, tally: &mut Tally) {
        let played = catch_unwind(AssertUnwindSafe(|| self.play_out(plan, number, tally)));
        // Which of the many it was is not to be seen otherwise.
        assert!(played.is_ok(), "{plan:?}, {:?}: {}", self.begun.terms, last_panic());
    }

    fn play_out(&self, plan: &Plan, number: u64, tally: &mut Tally) {
        let chance = SeededEntropy::new(self.seed.rotate_left(17) ^ number);
        let mut life = self.begun.fork(self.seed, chance.next_u64());
        let watch = Watch::new(&life.disk);
        plan.wrong.iter().for_each(|wrong| watch.plan(*wrong));
        life.set_room(plan.room);
        let mut script = self.script.clone();
        if plan.room.is_none() || chance.below(2) == 0 {
            script.has_room_after = None;
        }
        let seen = session::run(&mut life, &script, &watch);
        let is_hit = plan.wrong.is_empty() || plan.room.is_some() || !watch.hits().is_empty();
        assert!(is_hit, "what was to fail was never called");
        note(seen, &watch, tally);
        let is_over = watch.hits().len() == plan.wrong.len() && script.ends_by == End::Close;
        let any_then = |is_over: bool| match Then::ALL[index(chance.below(5))] {
            Then::Again if !is_over => Then::Killed,
            then => then,
        };
        life.happen(any_then(is_over));
        // With the room that there is, or with one more thing that goes wrong.
        if plan.later.is_some() || (life.is_full() && chance.below(2) == 0) {
            let watch = Watch::new(&life.disk);
            plan.later.iter().for_each(|wrong| watch.plan(*wrong));
            let script =
                Script { batches: vec![1, 3], looks: None, has_room_after: None, ends_by: End::Close };
            let seen = session::run(&mut life, &script, &watch);
            note(seen, &watch, tally);
            life.happen(any_then(watch.hits().len() == usize::from(plan.later.is_some())));
        }
        life.set_room(None);
        let seen = life.come_to_a_good_end();
        tally.add("commands", seen.commands);
        tally.count("lives that came to a good end");
    }
}

/// Counts what failed and how it ended.
fn note(seen: Seen, watch: &Watch, tally: &mut Tally) {
    watch.hits().iter().for_each(|hit| hit.count(tally));
    tally.count(match seen.outcome {
        Outcome::NotOpened => "ended: not opened",
        Outcome::Halted => "ended: halted",
        Outcome::LivedOn => "ended: lived on",
    });
    tally.add("commands", seen.commands);
    tally.add("commands refused for want of room", seen.refused);
    tally.add("sessions that told of a failed upkeep", u64::from(seen.has_told));
    tally.add("readers and feeds that failed", seen.readers_failed);
}

impl Life {
    /// A session in which nothing goes wrong, and what happens to the journal after it.
    fn live_on(&mut self) {
        let script = self.script();
        let watch = Watch::new(&self.disk);
        let seen = session::run(self, &script, &watch);
        assert_eq!(seen.outcome, Outcome::LivedOn, "nothing goes wrong");
        match self.chance.below(6) {
            0 => {}
            1 => self.disk.kill(),
            2 => self.crash(Survivors::Everything),
            3 if script.ends_by == End::Kill => self.live_on_torn(),
            _ => self.crash([Survivors::Nothing, Survivors::Seeded][index(self.chance.below(2))]),
        }
    }

    /// The same when bytes of no meaning come behind the end of the newest segment.
    fn live_on_torn(&mut self) {
        self.disk.kill();
        let torn = crate::retained::tear(&self.disk);
        let script = Script { batches: vec![1], looks: None, has_room_after: None, ends_by: End::Close };
        let watch = Watch::new(&self.disk);
        let seen = session::run(self, &script, &watch);
        assert_eq!(seen.outcome, Outcome::LivedOn, "nothing goes wrong");
        self.note_torn(&torn);
    }

    /// What may be done in a session.
    fn script(&self) -> Script {
        let batches = (0..self.any(2..=7)).map(|_| [1, 1, 2, 3, 5][index(self.chance.below(5))]);
        let batches: Vec<u64> = batches.collect();
        let any_of_them = || Some(index(self.chance.below(batches.len() as u64)));
        Script {
            looks: any_of_them(),
            has_room_after: any_of_them(),
            ends_by: if self.chance.below(4) == 0 { End::Kill } else { End::Close },
            batches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Laws HALT, DURABLE, ATOMIC, EXACT, RETAIN and EVIDENCE, where calls fail.
    #[test]
    fn law_halt_a_life_in_which_calls_fail_comes_to_a_good_end() {
        let mut tally = Tally::default();
        let has_pairs = Limits::of_a_test().depth > 1;
        for seed in [1, 2] {
            Case::new(seed, has_pairs).run(53, &mut tally);
        }
        let lived_on = tally.get("ended: lived on");
        let (halted, not_opened) = (tally.get("ended: halted"), tally.get("ended: not opened"));
        assert!(lived_on > 3 && halted > 3 && not_opened > 0, "{tally:?}");
    }
}
