//! Threads under a schedule: one at a time, in an order that the seed decides.

use std::sync::{Arc, Mutex};

use super::super::{Schedule, SimulatedDisk};
use crate::storage::Storage;

/// Three threads that write beside each other: who wrote when.
fn order(seed: u64) -> Vec<(usize, u64)> {
    let schedule = Schedule::new(seed);
    let storage = SimulatedDisk::new(1).scheduled_process(&schedule);
    let order = Arc::new(Mutex::new(Vec::new()));
    let work = |who: usize, storage: Arc<dyn Storage>| {
        let order = Arc::clone(&order);
        move || {
            let file = storage.create(&format!("of-{who}")).unwrap();
            for step in 0..10 {
                file.write_all_at(b"x", step).unwrap();
                // Nobody else runs: the lock is always free.
                order.try_lock().unwrap().push((who, step));
            }
        }
    };
    let threads = [1, 2].map(|who| schedule.spawn("of-a-test", work(who, Arc::clone(&storage))).unwrap());
    work(0, storage)();
    threads.into_iter().for_each(|thread| thread.join());
    let order = order.lock().unwrap().clone();
    assert_eq!(order.len(), 30, "all came to their end");
    order
}

#[test]
fn the_seed_decides_who_goes_on() {
    let orders: Vec<_> = (0..20).map(order).collect();
    assert_eq!(orders, (0..20).map(order).collect::<Vec<_>>());
    let mixed = orders.iter().filter(|order| !order.is_sorted()).count();
    assert!(mixed > 10, "the threads run beside each other in {mixed} of 20 orders");
    assert!(orders.iter().any(|order| *order != orders[0]));
}

#[test]
fn a_thread_that_panics_ends_its_turn() {
    let schedule = Schedule::new(3);
    let thread = schedule.spawn("of-a-test", || std::panic::resume_unwind(Box::new("as planned"))).unwrap();
    thread.join();
    order(3);
}

#[test]
fn a_thread_that_is_not_of_the_schedule_passes_through() {
    let schedule = Schedule::new(3);
    let storage = SimulatedDisk::new(1).scheduled_process(&schedule);
    std::thread::spawn(move || storage.create("a").map(drop)).join().unwrap().unwrap();
    assert_eq!(schedule.changes(), 0);
}

/// What a witness is shown is what a power cut at that operation leaves: the same as when it is really cut there.
#[test]
fn a_witness_sees_each_operation_cut() {
    let run = |disk: &SimulatedDisk| -> std::io::Result<()> {
        let storage = disk.process();
        let file = storage.create("a")?;
        file.write_all_at(&[7; 2_000], 0)?;
        file.sync()?;
        storage.sync_dir()?;
        storage.rename("a", "b")?;
        file.write_all_at(&[8; 2_000], 500)
    };
    let disk = SimulatedDisk::new(5);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    disk.watch(Some(Box::new(move |number, cut| kept.lock().unwrap().push((number, cut)))));
    run(&disk).unwrap();
    assert!(!disk.is_off(), "the disk itself goes on");
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    for (number, cut) in seen {
        assert!(cut.is_off());
        cut.restart(crate::storage::Survivors::Nothing);
        let really = SimulatedDisk::new(5);
        really.power_cut_at(number);
        run(&really).unwrap_err();
        really.restart(crate::storage::Survivors::Nothing);
        assert_eq!(cut.names(), really.names(), "operation {number}");
        for name in cut.names() {
            assert_eq!(cut.contents(&name).unwrap(), really.contents(&name).unwrap(), "operation {number}");
        }
    }
}
