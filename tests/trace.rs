//! A day of requests to a language model, applied whole: the sums are those of an independent computation, whatever is
//! done to the engine in between.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use tallybook::domain::Request;
use tallybook::{
    Blocking, CommandError, GoalStatus, JournalReader, NewGoal, RecordTurn, SetGoalBudget, TransitionGoal,
    Turn, View,
};

#[path = "common/trace.rs"]
mod trace;

use trace::{Trace, TraceCommand, TraceOp};

#[test]
fn a_whole_trace_gives_the_sums_of_an_independent_computation() {
    check(&Trace::load(env!("CARGO_MANIFEST_DIR")), 1);
}

#[test]
fn reopening_in_between_and_asking_twice_changes_no_sum() {
    check(&Trace::load_sample(env!("CARGO_MANIFEST_DIR")), 7);
}

/// Applies the trace in so many parts, each by an engine of its own that first is given the last part again (law EXACT).
fn check(trace: &Trace, parts: usize) {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("book");
    let requests: Vec<Request> = trace.commands.iter().map(request).collect();
    let (mut refused, mut without_goal) = (0, 0);
    let mut journaled: Vec<Request> = Vec::new();
    for part in requests.chunks(requests.len().div_ceil(parts)) {
        let engine = Blocking::open(&book).unwrap();
        check_retries(&engine, std::mem::take(&mut journaled));
        for (request, pending) in part.iter().zip(engine.submit_all(part.to_vec()).unwrap()) {
            let seq = match pending.wait() {
                Ok(receipt) => {
                    without_goal += u64::from(receipt.first_seq.is_none());
                    receipt.first_seq
                }
                Err(CommandError::Refused(refusal)) => {
                    refused += 1;
                    refusal.seq
                }
                Err(error) => panic!("{error}"),
            };
            // What left no event is not remembered: asked again, it is a new command.
            journaled.extend(seq.map(|_| request.clone()));
        }
    }
    assert_eq!(refused, trace.expected.refused, "refused commands of {}", trace.source.display());
    assert_eq!(without_goal, trace.expected.turns_without_goal, "turns where no goal was active");
    check_book(&book, trace);
}

fn check_retries(engine: &Blocking, journaled: Vec<Request>) {
    let seq = engine.view().seq();
    for pending in engine.submit_all(journaled).unwrap() {
        match pending.wait() {
            Ok(receipt) => assert!(receipt.retried, "carried out twice: {receipt:?}"),
            Err(CommandError::Refused(refusal)) => assert!(refusal.seq.is_some_and(|then| then <= seq)),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(engine.view().seq(), seq);
}

/// What is in the book: the expected sums, in the same state that its events fold to, without a gap.
fn check_book(book: &Path, trace: &Trace) {
    let engine = Blocking::open(book).unwrap();
    let view = engine.view();
    check_goals(&view, trace);
    let reader = JournalReader::open(book).unwrap();
    let read = reader.state(tallybook::StateAt::End).unwrap();
    assert_eq!(read.state.state_hash(), view.state_hash());
    let mut events = reader.events(1).unwrap();
    let mut last_seq = 0;
    while let Some(event) = events.next().unwrap() {
        assert_eq!(event.seq, last_seq + 1);
        last_seq = event.seq;
    }
    assert_eq!(last_seq, view.seq());
}

fn check_goals(view: &View, trace: &Trace) {
    let expected = &trace.expected;
    assert_eq!(view.goal_count(), expected.goals.len());
    let (mut tokens, mut turns) = (0, 0);
    for goal in view.goals() {
        let found = trace::ExpectedGoal {
            status: goal.status.name(),
            pause_reason: goal.pause_reason.map(tallybook::event::TransitionReason::name),
            token_budget: goal.token_budget,
            tokens_used: goal.tokens_used,
            tokens_own: goal.tokens_own,
            turns_used: goal.turns_used,
            seconds_used: goal.seconds_used,
        };
        assert_eq!(Some(&found), expected.goals.get(&goal.id.to_string()), "goal {}", goal.id);
        tokens += goal.tokens_own;
        turns += goal.turns_used;
    }
    assert_eq!((tokens, turns), (expected.tokens, expected.turns));
}

fn request(command: &TraceCommand) -> Request {
    let id = |text: &String| text.parse().unwrap();
    let turn = |tokens: &u64, seconds: &u64| Turn::tokens(u128::from(*tokens)).seconds(*seconds);
    let request: Request = match &command.op {
        TraceOp::CreateGoal { goal_id, scope, token_budget, parent_goal } => NewGoal {
            scope: scope.as_deref().map(Into::into),
            token_budget: *token_budget,
            parent_goal: parent_goal.as_ref().map(id),
            ..NewGoal::new(format!("goal {goal_id}")).id(id(goal_id))
        }
        .into(),
        TraceOp::RecordTurnOnGoal { goal_id, tokens, seconds } => {
            RecordTurn::goal(id(goal_id), turn(tokens, seconds)).into()
        }
        TraceOp::RecordTurnInScope { scope, tokens, seconds } => {
            RecordTurn::scope(scope.as_str(), turn(tokens, seconds)).into()
        }
        TraceOp::CompleteGoal { goal_id } => TransitionGoal::new(id(goal_id), GoalStatus::Completed).into(),
        TraceOp::ResumeGoal { goal_id } => TransitionGoal::new(id(goal_id), GoalStatus::Active).into(),
        TraceOp::RaiseBudget { goal_id, token_budget } => {
            SetGoalBudget::new(id(goal_id), Some(*token_budget)).resume().into()
        }
    };
    request.key(command.key.as_str())
}

#[test]
fn the_traces_have_something_of_everything() {
    for trace in [Trace::load(env!("CARGO_MANIFEST_DIR")), Trace::load_sample(env!("CARGO_MANIFEST_DIR"))] {
        let with = |wanted: fn(&trace::ExpectedGoal) -> bool| {
            trace.expected.goals.values().filter(|goal| wanted(goal)).count()
        };
        let counts = [
            with(|goal| goal.token_budget.is_none()),
            with(|goal| goal.token_budget.is_some()),
            with(|goal| goal.tokens_used > goal.tokens_own),
            with(|goal| goal.status == "active"),
            with(|goal| goal.status == "completed"),
            with(|goal| goal.status == "cleared"),
            with(|goal| goal.pause_reason == Some("superseded")),
            with(|goal| goal.pause_reason == Some("budget_exhausted")),
        ];
        assert!(counts.iter().all(|&count| count > 0), "{}: {counts:?}", trace.source.display());
        assert!(trace.expected.refused > 0 && trace.expected.turns_without_goal > 0);
    }
}
