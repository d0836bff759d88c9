//! The simulated file against a much plainer model: for every byte, the values that it may have after a power cut.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
    Sync,
    FailedSync,
    PowerCut(Survivors),
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0..3000usize, prop::collection::vec(any::<u8>(), 1..1400));
    prop_oneof![
        6 => write.prop_map(|(offset, bytes)| Step::Write { offset, bytes }),
        2 => (0..4000usize).prop_map(Step::SetLen),
        2 => Just(Step::Sync),
        1 => Just(Step::FailedSync),
        2 => prop_oneof![Just(Survivors::Seeded), Just(Survivors::Nothing), Just(Survivors::Everything)]
            .prop_map(Step::PowerCut),
        1 => Just(Step::Kill),
    ]
}

/// What a process reads, and since the last sync all lengths and, for each byte, all values (0 beyond the end).
#[derive(Default)]
struct Model {
    cached: Vec<u8>,
    synced: Vec<u8>,
    lengths: BTreeSet<usize>,
    values: Vec<BTreeSet<u8>>,
}

impl Model {
    fn settle(&mut self, bytes: Vec<u8>) {
        self.lengths = BTreeSet::from([bytes.len()]);
        self.values =
            (0..8000).map(|index| BTreeSet::from([bytes.get(index).copied().unwrap_or(0)])).collect();
        self.synced.clone_from(&bytes);
        self.cached = bytes;
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.cached);
        self.lengths.insert(self.cached.len());
        for (index, values) in self.values.iter_mut().enumerate() {
            values.insert(self.cached.get(index).copied().unwrap_or(0));
        }
    }

    fn check_survivor(&self, survivors: Survivors, bytes: &[u8]) {
        match survivors {
            Survivors::Nothing => assert!(bytes == self.synced, "not what was synced"),
            Survivors::Everything => assert!(bytes == self.cached, "not what was written"),
            Survivors::Seeded => {}
        }
        let (least, most) = (self.lengths.first().unwrap(), self.lengths.last().unwrap());
        assert!((least..=most).contains(&&bytes.len()), "{} bytes, not {least} to {most}", bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            assert!(
                self.values[index].contains(byte),
                "byte {index}: {byte} not in {:?}",
                self.values[index]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_synced_is_lost_and_nothing_is_invented(
        seed: u64,
        sector in prop_oneof![Just(512), Just(4096)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let disk = SimulatedDisk::new(seed).sector(sector);
        disk.put("a", b"");
        let mut model = Model::default();
        model.settle(Vec::new());
        let mut file = disk.process().open_writable("a").unwrap();
        for step in steps {
            match step {
                Step::Write { offset, bytes } => {
                    file.write_all_at(&bytes, offset as u64).unwrap();
                    model.change(|cached| {
                        cached.resize(cached.len().max(offset + bytes.len()), 0);
                        cached[offset..offset + bytes.len()].copy_from_slice(&bytes);
                    });
                }
                Step::SetLen(len) => {
                    file.set_len(len as u64).unwrap();
                    model.change(|cached| cached.resize(len, 0));
                }
                Step::Sync => {
                    file.sync().unwrap();
                    let cached = model.cached.clone();
                    model.settle(cached);
                    prop_assert_eq!(disk.durable_contents("a").unwrap(), model.cached.clone());
                }
                Step::FailedSync => {
                    disk.fail_at(disk.operations(), Fault::Eio);
                    prop_assert!(file.sync().is_err());
                }
                Step::PowerCut(survivors) => {
                    disk.restart(survivors);
                    let survivor = disk.contents("a").unwrap();
                    model.check_survivor(survivors, &survivor);
                    model.settle(survivor);
                    file = disk.process().open_writable("a").unwrap();
                }
                Step::Kill => {
                    disk.kill();
                    file = disk.process().open_writable("a").unwrap();
                }
            }
            prop_assert_eq!(read(&*file), model.cached.clone());
        }
    }
}
