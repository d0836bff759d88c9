//! Lives of a writer that are ended by SIGKILL, and the dice that say when.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::time::Duration;

use crate::cli::Book;

/// The latest moment of a kill, after the start.
const LONGEST_RUN_US: u64 = 250_000;

/// SplitMix64: a seed gives the same rounds everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: expected a whole number, found {text:?}")))
}

/// The dice and the number of rounds of a run: as the environment has them, else at random and as many as given. Says how to
/// see it again.
pub(crate) fn begin(test: &str, rounds: u64) -> (Dice, u64) {
    let seed =
        from_environment("TALLYBOOK_SEED").unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let rounds = from_environment("TALLYBOOK_ROUNDS").unwrap_or(rounds);
    println!("TALLYBOOK_SEED={seed} TALLYBOOK_ROUNDS={rounds} cargo test --test {test}");
    (Dice(seed), rounds)
}

/// One life of a writer, ended by SIGKILL; the answers that it gave.
pub(crate) fn live_and_die(
    book: &Book,
    flags: &[&str],
    command: fn(u64) -> String,
    begin: u64,
    dice: &mut Dice,
) -> Vec<String> {
    let mut writer = book.writer(flags);
    let mut input = writer.take_input();
    let feeder = std::thread::spawn(move || {
        let mut commands = begin..;
        // Until nobody reads any more.
        while writeln!(input, "{}", command(commands.next().unwrap())).is_ok() {}
    });
    let mut answers = Vec::new();
    match dice.below(3) {
        // Soon after the start: in the midst of opening and recovery.
        0 => std::thread::sleep(Duration::from_micros(dice.below(40_000))),
        1 => std::thread::sleep(Duration::from_micros(dice.below(LONGEST_RUN_US))),
        _ => answers.extend((0..dice.below(400)).map_while(|_| writer.next_line())),
    }
    answers.extend(writer.kill());
    feeder.join().unwrap();
    answers
}
