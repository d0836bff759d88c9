//! The ring of live events.

use std::sync::Arc;

use uuid::Uuid;

use crate::Options;
use crate::clock::Timestamp;
use crate::engine::feed::live::{Live, LiveEvent, Look};
use crate::event::{ChangeEvent, KeyWindowSet, Payload};
use crate::ids::{Epoch, JournalId};

fn live() -> Arc<Live> {
    let live =
        Live::new(JournalId(Uuid::from_u128(1)), Epoch { counter: 1, tag: 1 }, &Options::new().inline());
    Arc::new(live)
}

fn event(seq: u64) -> LiveEvent {
    let event = ChangeEvent {
        seq,
        ts: Timestamp::UNIX_EPOCH,
        session_id: None,
        actor: None,
        key: None,
        meta: None,
        payload: Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 1, max_count: seq }),
    };
    LiveEvent { event, len: 100 }
}

/// As the writer does it.
fn publish(live: &Live, seqs: impl Iterator<Item = u64>, last: u64) {
    let announced = live.announce(seqs.map(event).collect(), last);
    live.publish(announced);
}

fn is_here(live: &Live, seq: u64) -> bool {
    match live.look(seq) {
        Look::Here(event) => {
            assert_eq!((event.event.seq, event.cursor.seq), (seq, seq));
            true
        }
        Look::Coming | Look::Elsewhere => false,
    }
}

#[test]
fn nothing_is_kept_for_nobody() {
    let live = live();
    assert!(!live.is_wanted());
    publish(&live, 1..=2, 2);
    assert!(!is_here(&live, 2));
    live.subscribe().unwrap();
    publish(&live, 3..=4, 4);
    assert!(!is_here(&live, 2) && is_here(&live, 3) && is_here(&live, 4) && !is_here(&live, 5));
    live.unsubscribe();
    assert!(!is_here(&live, 3), "the last one empties it");
}

#[test]
fn the_oldest_leave_and_nothing_is_there_across_a_gap() {
    let live = live();
    live.subscribe().unwrap();
    for batch in 0..10 {
        publish(&live, batch * 1_000 + 1..=batch * 1_000 + 1_000, batch * 1_000 + 1_000);
    }
    assert!(!is_here(&live, 5_904) && is_here(&live, 5_905) && is_here(&live, 10_000));
    // Somebody subscribed in the midst of a batch: its beginning was not kept.
    publish(&live, 10_005..=10_006, 10_006);
    assert!(!is_here(&live, 10_000) && !is_here(&live, 10_004) && is_here(&live, 10_005));
    assert!(matches!(live.look(10_003), Look::Elsewhere), "it never comes");
}

#[test]
fn what_was_announced_is_coming_until_it_is_there() {
    let live = live();
    live.subscribe().unwrap();
    let announced = live.announce((1..=3).map(event).collect(), 3);
    assert!((1..=3).all(|seq| matches!(live.look(seq), Look::Coming)));
    assert!(matches!(live.look(4), Look::Elsewhere));
    live.publish(announced);
    assert!((1..=3).all(|seq| is_here(&live, seq)));
    // What stops short of what is published is not handed over at all.
    assert!(live.announce((4..=5).map(event).collect(), 6).is_empty());
    assert!((4..=6).all(|seq| matches!(live.look(seq), Look::Elsewhere)));
    // Nor does what left the ring come back.
    live.unsubscribe();
    live.subscribe().unwrap();
    assert!((1..=3).all(|seq| matches!(live.look(seq), Look::Elsewhere)));
}

#[test]
fn long_events_make_the_ring_shorter() {
    let live = live();
    live.subscribe().unwrap();
    let long = |seq| LiveEvent { len: 1 << 20, ..event(seq) };
    for seq in 1..=20 {
        live.publish(live.announce(vec![long(seq)], seq));
    }
    assert!(!is_here(&live, 12) && is_here(&live, 13) && is_here(&live, 20));
}

#[test]
fn what_was_published_for_nobody_never_comes() {
    let live = live();
    live.subscribe().unwrap();
    publish(&live, 1..=3, 3);
    live.unsubscribe();
    publish(&live, 4..=6, 6);
    live.subscribe().unwrap();
    assert!(matches!(live.look(5), Look::Elsewhere), "it is in the journal");
    let announced = live.announce((7..=8).map(event).collect(), 8);
    assert!(matches!((live.look(5), live.look(7)), (Look::Elsewhere, Look::Coming)));
    live.publish(announced);
    assert!(matches!(live.look(5), Look::Elsewhere) && is_here(&live, 7));
}
