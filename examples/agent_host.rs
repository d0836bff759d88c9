//! A host of agents that embeds Tallybook: what it kept in a table, a log and a counter is in one journal here.
//!
//! Two sessions work on goals; one of them sends a sub-agent. A third task follows the change feed, prints what
//! happens and remembers how far it got. Run it twice on the same directory: the second run goes on where the first
//! one ended.
//!
//! ```text
//! cargo run --example agent_host [DIR]
//! ```

#![expect(clippy::disallowed_methods, reason = "a host keeps the feed's cursor in a file of its own")]
#![expect(clippy::print_stdout, reason = "the log is what this program is for")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tallybook::event::{ChangeEvent, Payload};
use tallybook::{
    BudgetGuard, CloseBudget, CommandError, Engine, FeedItem, Goal, GoalId, GoalQuery, GoalStatus, NewBudget,
    NewGoal, Request, SetGoalBudget, Spend, Start, Subscription, TransitionGoal, Ttl, Turn,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    // Lives to the end of main, and takes the directory with it.
    let temporary = tempfile::tempdir()?;
    let dir = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("book"), PathBuf::from);
    let engine = Engine::open(&dir).await?;
    let health = engine.health();
    println!("host     journal {} in {}, at seq {}", health.journal_id, dir.display(), health.seq);

    let feed = tokio::spawn(follow(engine.subscribe(start(&cursor_file(&dir))?)?, cursor_file(&dir)));
    let sessions =
        [tokio::spawn(release_session(engine.clone())), tokio::spawn(support_session(engine.clone()))];
    for session in sessions {
        session.await??;
    }
    print_goals(&engine);

    // Everything that was handed over is finished, the feed gives what is left of it, and then ends.
    engine.shutdown(Duration::from_secs(5)).await?;
    let given = feed.await??;
    println!("host     closed; the feed gave {given} events");
    Ok(())
}

/// Ships a release: a goal with a budget, work that a sub-agent does under it, and a limit that turns out too low.
async fn release_session(engine: Engine) -> Outcome<()> {
    let goal = NewGoal::new("ship release 2.0").scope("session:release").token_budget(20_000);
    let goal = engine.execute(Request::new(goal).session("release").actor("user:ada")).await?;
    let goal = goal.result.into_goal().ok_or("creating a goal answers with the goal")?;

    let notes = NewGoal::new("write the release notes").parent(goal.id).token_budget(8_000);
    let notes = engine.create_goal(notes).await?;
    tokio::join!(work(&engine, &goal.scope, 4, 1_900), work(&engine, &notes.scope, 4, 1_400));
    let notes = engine.complete_goal(notes.id).await?;
    println!("release  the sub-agent is done; it used {} tokens", notes.tokens_used);

    // The turn that uses the budget up pauses the goal; it is booked all the same, and so is one that had begun.
    work(&engine, &goal.scope, 4, 2_500).await;
    let paused = engine.flush_turns().await?.goal(goal.id).ok_or("the goal is there")?;
    println!("release  {} at {} tokens of {:?}", reason(&paused), paused.tokens_used, paused.token_budget);
    resume_with_more(&engine, goal.id, 40_000).await?;

    work(&engine, &goal.scope, 2, 2_000).await;
    engine.complete_goal(goal.id).await?;
    Ok(())
}

/// Resuming under a used-up budget is refused with its figures; raising it and resuming is one command.
async fn resume_with_more(engine: &Engine, id: GoalId, limit: u128) -> Outcome<()> {
    match engine.resume_goal(id).await {
        Err(CommandError::Refused(refusal)) => {
            println!("release  refused: {refusal}");
            // The key makes it safe to ask again when an answer gets lost: it is done once.
            let raise = SetGoalBudget::new(id, Some(limit)).resume();
            let raise = Request::new(raise).key(format!("raise-{id}-{limit}")).actor("user:ada");
            engine.execute(raise.clone()).await?;
            let again = engine.execute(raise).await?;
            println!("release  raised to {limit} and resumed; asked twice, done once: {}", again.retried);
            Ok(())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err("expected the budget to be used up".into()),
    }
}

/// Answers tickets: a second goal takes over from the first, and a turn that began before is booked where it belongs.
async fn support_session(engine: Engine) -> Outcome<()> {
    let scope = "session:support";
    let first = engine.create_goal(NewGoal::new("answer ticket 4711").scope(scope)).await?;
    work(&engine, scope, 3, 600).await;

    let turn = engine.begin_turn(scope).ok_or("a goal is active")?;
    let urgent = engine.create_goal(NewGoal::new("answer ticket 4712, urgent").scope(scope)).await?;
    turn.finish(Turn::tokens(450).seconds(1)).await?;
    println!("support  the turn that began on {} was booked there, late", short(first.id));

    work(&engine, scope, 2, 800).await;
    search_with_money(&engine, urgent.id).await?;
    let urgent = engine.complete_goal(urgent.id).await?;
    engine.resume_goal(first.id).await?;
    let blocked = TransitionGoal::new(first.id, GoalStatus::Paused).blocked().note("waits for the customer");
    // Compare-and-set: only if nobody has changed the goal's status meanwhile.
    let stale = blocked.clone().expected_revision(first.revision);
    if let Err(CommandError::Rejected(rejection)) = engine.transition_goal(stale).await {
        println!("support  not done, {}: {}", rejection.kind.name(), rejection.message);
    }
    let first = engine.transition_goal(blocked).await?;
    println!(
        "support  {} is {}, {} is {}",
        short(urgent.id),
        reason(&urgent),
        short(first.id),
        reason(&first)
    );
    Ok(())
}

/// Gives a tool money, and only as much as it may use: what it does with it is on the budget's account.
async fn search_with_money(engine: &Engine, goal_id: GoalId) -> Outcome<()> {
    let id = format!("search:{}", short(goal_id));
    engine.allocate(NewBudget::new(id.as_str()).unit("usd-micro").limit(600_000)).await?;
    let money = engine.guard(id.as_str());
    for query in ["how tickets are answered", "who answers tickets", "what a ticket is"] {
        match search(query, &*money).await {
            Ok(cost) => println!("support  asked {query:?} for {cost} usd-micro"),
            Err(CommandError::Refused(refusal)) => println!("support  did not ask {query:?}: {refusal}"),
            Err(error) => return Err(error.into()),
        }
    }
    let report = engine.close_budget(CloseBudget::new(id.as_str())).await?;
    println!(
        "support  {} entries, {} usd-micro spent of {:?}",
        report.entry_count,
        report.spent,
        report.limit()
    );
    Ok(())
}

/// A tool that knows nothing of engines: it sets the most that it can cost aside, and settles what it did cost. Should it
/// fail in between, the hold is dropped, and the money is free again.
async fn search(query: &str, money: &dyn BudgetGuard) -> Result<u128, CommandError> {
    let hold = money.reserve(250_000, Ttl::secs(30)).await?;
    // Here the tool would do what costs money.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let spend = hold.settle(Spend::of(210_000).tool("web.search").reason(query)).await?;
    Ok(spend.amount)
}

/// So many turns of the goal that is active in the scope, if any; accounted without waiting for the disk.
async fn work(engine: &Engine, scope: &str, turns: u32, tokens: u128) {
    for _ in 0..turns {
        let Some(turn) = engine.begin_turn(scope) else { continue };
        // Here the agent would call its model.
        tokio::time::sleep(Duration::from_millis(40)).await;
        turn.account(Turn::tokens(tokens).seconds(2));
    }
}

/// Prints what the feed gives, and keeps its cursor, until the engine is shut down.
async fn follow(mut feed: Subscription, cursor_file: PathBuf) -> Outcome<u64> {
    if let Some(state) = feed.snapshot() {
        println!("feed     begins with the state at seq {}", state.seq());
    }
    let mut given = 0;
    while let Some(item) = feed.next().await {
        let item = item?;
        match &item {
            FeedItem::Event(event) => {
                given += 1;
                println!("feed     {:>4}  {}", event.event.seq, describe(&event.event));
            }
            FeedItem::CaughtUp(_) => println!("feed     caught up, live from here on"),
            // What a client has built up from events before is void: it begins anew with the state in here.
            FeedItem::Reset(reset) => println!("feed     begins anew at seq {}", reset.view.seq()),
            // Newer versions of Tallybook may give other items.
            _ => {}
        }
        if let Some(cursor) = item.cursor() {
            keep(&cursor_file, &cursor.to_string())?;
        }
    }
    Ok(given)
}

/// Where the feed goes on: after the cursor that was kept; without any from now on, with the state of now.
fn start(cursor_file: &Path) -> Outcome<Start> {
    let kept = match std::fs::read_to_string(cursor_file) {
        Ok(cursor) => Some(cursor),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Start::after_or_now(kept.as_deref())?)
}

/// Beside the journal's directory, which is the engine's alone.
fn cursor_file(dir: &Path) -> PathBuf {
    dir.with_extension("cursor")
}

/// Replaces the cursor as a whole, so that a kill in between leaves the old one.
fn keep(cursor_file: &Path, cursor: &str) -> std::io::Result<()> {
    let new = cursor_file.with_extension("cursor.new");
    std::fs::write(&new, cursor)?;
    std::fs::rename(new, cursor_file)
}

fn describe(event: &ChangeEvent) -> String {
    match &event.payload {
        Payload::GoalCreated(new) => format!("{} created: {}", short(new.goal_id), new.text),
        Payload::GoalTransitioned(change) => {
            format!("{} {}, {}", short(change.goal_id), change.to.name(), change.reason.name())
        }
        Payload::GoalBudgetSet(set) => {
            format!("{} may use {:?} tokens", short(set.goal_id), set.token_budget)
        }
        Payload::TurnRecorded(turn) => {
            let late = if turn.late { ", late" } else { "" };
            format!("{} used {} tokens{late}", short(turn.goal_id), turn.tokens)
        }
        Payload::BudgetExhausted(budget) => format!("{} of {} is used up", budget.spent, budget.limit),
        Payload::BudgetAllocated(made) => {
            format!("{} may use {:?} {}", made.budget_id, made.terms.limit, made.unit)
        }
        Payload::SpendRecorded(spend) => format!("{} spent of {}", spend.amount, spend.budget_id),
        Payload::ThresholdCrossed(crossed) => {
            format!("{} has reached {} of its limit", crossed.budget_id, crossed.threshold)
        }
        Payload::CommandRefused(refused) => format!("{} refused, {}", refused.op, refused.refusal),
        other => other.kind().to_owned(),
    }
}

fn print_goals(engine: &Engine) {
    let view = engine.view();
    for goal in view.list_goals(&GoalQuery { limit: 4, ..GoalQuery::default() }) {
        let Goal { tokens_used, tokens_own, turns_used, .. } = goal;
        println!(
            "goals    {}  {:<28} {tokens_used:>6} tokens, {tokens_own:>6} own, {turns_used} turns, {}",
            short(goal.id),
            goal.text,
            reason(&goal)
        );
    }
    println!("goals    as of seq {}, state {}", view.seq(), view.state_hash());
}

fn reason(goal: &Goal) -> String {
    match goal.pause_reason {
        Some(reason) => format!("{} ({})", goal.status.name(), reason.name()),
        None => goal.status.name().to_owned(),
    }
}

/// The end of an id, where ids made in the same second differ.
fn short(id: GoalId) -> String {
    let text = id.to_string();
    text[text.len() - 6..].to_owned()
}
