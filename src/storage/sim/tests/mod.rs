//! What the simulated disk promises to the fault tests, and that it really does the harm it promises.

use std::collections::BTreeSet;

use super::{Fault, SimulatedDisk, Survivors};
use crate::storage::StorageFile;

mod contents;
mod faults;
mod locks;
mod model;
mod names;
mod schedule;

/// What `look` sees after a power cut, over many seeds.
fn outcomes<T: Ord>(disk: &SimulatedDisk, look: impl Fn(&SimulatedDisk) -> T) -> BTreeSet<T> {
    (0..400)
        .map(|seed| {
            let fork = disk.fork(seed);
            fork.restart(Survivors::Seeded);
            look(&fork)
        })
        .collect()
}

fn read(file: &dyn StorageFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
