//! Replays the committed corpora, and what a few ten thousand random changes make of them, without a fuzzer: on any stable
//! toolchain, the same every time. `ROUNDS=1000000 cargo test --release` does more.

#![expect(clippy::disallowed_methods, reason = "the corpora are files of the repository")]

use std::path::Path;

use tallybook::ids::SeededEntropy;
use tallybook_fuzz::{check_command_lines, check_cursor, check_directory, check_frames, check_snapshot};

#[test]
fn frame_decode() {
    replay("frame_decode", check_frames, 50_000);
}

#[test]
fn open_directory() {
    replay("open_directory", check_directory, 10_000);
}

#[test]
fn snapshot() {
    replay("snapshot", check_snapshot, 5_000);
}

#[test]
fn cursor() {
    replay("cursor", check_cursor, 10_000);
}

#[test]
fn command_lines() {
    replay("command_lines", check_command_lines, 5_000);
}

fn replay(target: &str, check: fn(&[u8]), rounds: u64) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut inputs: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no corpus in {}", dir.display());
    let inputs: Vec<_> = inputs.iter().map(|path| std::fs::read(path).unwrap()).collect();
    inputs.iter().for_each(|input| check(input));
    let rounds = std::env::var("ROUNDS").map_or(rounds, |rounds| rounds.parse().unwrap());
    for seed in 0..rounds {
        let entropy = SeededEntropy::new(seed);
        let mut input = pick(&inputs, &entropy).to_vec();
        for _ in 0..=entropy.below(4) {
            change(&mut input, pick(&inputs, &entropy), &entropy);
        }
        if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
            println!("{target}: the input of round {seed} failed: {input:?}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn pick<'a>(from: &'a [Vec<u8>], entropy: &SeededEntropy) -> &'a [u8] {
    &from[usize::try_from(entropy.below(from.len() as u64)).unwrap()]
}

fn change(input: &mut Vec<u8>, other: &[u8], entropy: &SeededEntropy) {
    let at = usize::try_from(entropy.below(input.len() as u64 + 1)).unwrap();
    match entropy.below(4) {
        0 => input.insert(at, entropy.next_u64().to_le_bytes()[0]),
        1 => input.truncate(at.max(2)),
        2 => input.extend_from_slice(&other[at.min(other.len())..]),
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << entropy.below(8);
            }
        }
    }
}
