//! The engine from outside: what a host does first.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use tallybook::{
    Blocking, Engine, FeedItem, GoalStatus, JournalReader, NewGoal, Start, StateAt, TransitionGoal, Turn,
};

#[test]
fn what_was_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("book");
    let engine = Blocking::open(&book).unwrap();
    let goal = engine.create_goal(NewGoal::new("ship 2.0").token_budget(10_000)).unwrap();
    for _ in 0..5 {
        engine.record_turn(goal.id, Turn::tokens(1_500).seconds(2)).unwrap();
    }
    let before = engine.view().head();
    drop(engine);
    let engine = Blocking::open(&book).unwrap();
    let after = engine.view().head();
    assert_eq!(
        (before.seq, &before.state_hash, before.journal_id),
        (after.seq, &after.state_hash, after.journal_id)
    );
    assert_eq!(engine.view().goal(goal.id).unwrap().tokens_used, 7_500);
    assert_ne!(before.epoch, after.epoch);
    let read = JournalReader::open(&book).unwrap().state(StateAt::End).unwrap();
    assert_eq!(read.state.state_hash(), after.state_hash);
}

#[tokio::test]
async fn a_subscription_goes_over_to_live() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path()).await.unwrap();
    let goal = engine.create_goal(NewGoal::new("one")).await.unwrap();
    let mut feed = engine.subscribe(Start::Beginning).unwrap();
    let FeedItem::Event(first) = feed.next().await.unwrap().unwrap() else { panic!("no event") };
    assert_eq!(first.event.seq, 1);
    assert!(
        matches!(feed.next().await.unwrap().unwrap(), FeedItem::CaughtUp(Some(cursor)) if cursor.seq == 1)
    );
    let live = tokio::spawn(async move {
        let mut seqs = Vec::new();
        while let Some(item) = feed.next().await {
            if let FeedItem::Event(event) = item.unwrap() {
                seqs.push(event.event.seq);
            }
        }
        seqs
    });
    for _ in 0..20 {
        engine.record_turn(goal.id, Turn::tokens(1)).await.unwrap();
    }
    engine.transition_goal(TransitionGoal::new(goal.id, GoalStatus::Completed)).await.unwrap();
    engine.shutdown(Duration::from_secs(10)).await.unwrap();
    assert_eq!(live.await.unwrap(), (2..=22).collect::<Vec<_>>());
}
