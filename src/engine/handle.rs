//! The handle that hosts hold: the asynchronous face of the engine.

use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::answer::{CommandError, CommandResult, Receipt, writer_is_gone};
use super::blocking::Blocking;
use super::budgets::forgotten;
use super::feed::{EventFilter, Start, Subscription};
use super::health::EngineStatus;
use super::inbox::{ViewReply, Work};
use super::maintenance::is_maintenance_thread;
use super::options::Options;
use super::published::View;
use super::shared::Shared;
use super::writer::Writer;
use crate::domain::{Goal, NewGoal, RecordTurn, SetGoalBudget, TransitionGoal, Turn};
use crate::error::{Error, ErrorKind};
use crate::event::GoalStatus;
use crate::ids::GoalId;
use crate::storage::Storage;

/// A journal, open for writing, with the state it folds to. One journal is one account; a host with many opens many,
/// at the cost of a thread, a directory and the state each.
///
/// Copies are handles of the same engine; so is a [`TurnHandle`](super::TurnHandle). It closes when the last is dropped,
/// or by [`shutdown`](Self::shutdown), which does not block the thread. Closing waits for the last sync, and for what is due
/// of retention, snapshots and the archive.
///
/// Methods that return futures need no particular runtime. Without any, use [`blocking`](Self::blocking).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Engine, NewGoal, Turn};
///
/// let engine = Engine::open(&dir).await?;
/// let goal = engine.create_goal(NewGoal::new("ship 2.0").token_budget(100_000)).await?;
/// engine.record_turn(goal.id, Turn::tokens(1_500)).await?;
/// assert_eq!(engine.view().active_goal("").unwrap().tokens_used, 1_500);
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) writer: Arc<Writer>,
    /// The writer's thread; `None` where everything is done inline.
    thread: Mutex<Option<JoinHandle<()>>>,
    is_inline: bool,
}

impl Engine {
    /// Opens the journal in the directory `dir` with the default [`Options`], or makes one there.
    ///
    /// # Errors
    /// `Locked` when another writer holds it, `Damaged` when what was synced is not there any more as it was,
    /// `Unsupported` when a newer version wrote it: such a refusal leaves every segment as it is.
    /// `InvalidArgument` for options out of range, `NoSpace` when there is no room, `Io` when the operating system fails
    /// a call.
    pub async fn open(dir: impl AsRef<Path>) -> Result<Engine, Error> {
        Options::new().open(dir).await
    }

    /// The options to open an engine with.
    pub fn options() -> Options {
        Options::new()
    }

    /// Opens the journal on the thread that will write it, so that no replay stalls the host's runtime.
    pub(super) async fn start(
        options: Options,
        storage: impl FnOnce() -> Result<Arc<dyn Storage>, Error> + Send + 'static,
    ) -> Result<Engine, Error> {
        // Before anything is made on disk.
        options.journal()?;
        if !options.background.has_writer() {
            let writer = Arc::new(Writer::open(options, storage()?)?);
            return Ok(Engine {
                inner: Arc::new(Inner { writer, thread: Mutex::new(None), is_inline: true }),
            });
        }
        let (opened, open) = oneshot::channel();
        let run = move || {
            // Cancelled before it began.
            if opened.is_closed() {
                return;
            }
            let writer = storage().and_then(|storage| Writer::open(options, storage)).map(Arc::new);
            let to_run = writer.clone();
            // A caller that no longer waits drops what is sent, and by that closes the engine.
            drop(opened.send(writer.map(CloseUnlessTaken::new)));
            if let Ok(writer) = to_run {
                writer.run();
            }
        };
        let thread = std::thread::Builder::new()
            .name("tallybook-writer".into())
            .spawn(run)
            .map_err(|error| Error::io("starting the writer's thread", error))?;
        let writer = open.await.map_err(|_| writer_is_gone())??.take();
        Ok(Engine { inner: Arc::new(Inner { writer, thread: Mutex::new(Some(thread)), is_inline: false }) })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.inner.writer.shared
    }

    // ---- goals ----------------------------------------------------------------------------------------------

    /// Creates a goal; it is active, and the goal that was active in its scope is paused.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused under an exhausted budget.
    pub async fn create_goal(&self, goal: NewGoal) -> Result<Goal, CommandError> {
        goal_of(self.execute(goal).await?)
    }

    /// Pauses, resumes, completes or clears a goal.
    ///
    /// Pausing a goal pauses the active goals below it, with the reason `parent`; resuming it resumes those again.
    /// Ending it clears the open goals below it.
    ///
    /// # Errors
    /// See [`CommandError`]. `InvalidTransition` when the goal has that status already, is ended, or is to be active
    /// under a goal that is not. Resuming under an exhausted budget is refused.
    pub async fn transition_goal(&self, transition: TransitionGoal) -> Result<Goal, CommandError> {
        goal_of(self.execute(transition).await?)
    }

    /// Pauses a goal.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn pause_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Paused)).await
    }

    /// Resumes a goal; the goal that was active in its scope is paused.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused under an exhausted budget.
    pub async fn resume_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Active)).await
    }

    /// Completes a goal, for good.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn complete_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Completed)).await
    }

    /// Clears a goal, for good.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn clear_goal(&self, id: GoalId) -> Result<Goal, CommandError> {
        self.transition_goal(TransitionGoal::new(id, GoalStatus::Cleared)).await
    }

    /// Sets, raises, lowers or removes the token budget of a goal, and resumes it if asked to.
    ///
    /// # Errors
    /// See [`CommandError`]. If it is to be resumed and a budget would still be exhausted, the whole command is refused,
    /// and the limit stays as it was.
    pub async fn set_goal_budget(&self, set: SetGoalBudget) -> Result<Goal, CommandError> {
        goal_of(self.execute(set).await?)
    }

    /// Books a turn on a goal, whatever its status: what was used was used.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn record_turn(&self, id: GoalId, turn: Turn) -> Result<Goal, CommandError> {
        goal_of(self.execute(RecordTurn::goal(id, turn)).await?)
    }

    // ---- reads ----------------------------------------------------------------------------------------------

    /// The published state, consistent at one `seq`. It includes every command whose answer was received before.
    /// Never waits, touches no disk. What is due by the clock (an expiry, a new window) is in it once the writer has
    /// journaled that; [`settled_view`](Self::settled_view) waits for it.
    pub fn view(&self) -> View {
        self.shared().view()
    }

    /// Looks at the published state in passing: the cheapest of reads, for when [`view`](Self::view) is taken only to ask
    /// one thing of it. Nothing is held on to, so that the last to look at an old state is not the one who takes it apart.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
    /// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
    /// use tallybook::{BudgetId, Engine, NewBudget, Spend};
    ///
    /// let engine = Engine::open(&dir).await?;
    /// let budget = BudgetId::from("search");
    /// engine.allocate(NewBudget::new("search").limit(100)).await?;
    /// engine.record_spend(&budget, Spend::of(30)).await?;
    /// assert_eq!(engine.read(|view| view.budget(&budget).map(|budget| budget.spent)), Some(30));
    /// # Ok(()) }) }
    /// ```
    pub fn read<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        self.shared().with_view(look)
    }

    /// The state after everything that was handed over before this call, once that is durable.
    ///
    /// # Errors
    /// `Halted`, `Closed` or `OutcomeUnknown`.
    pub async fn settled_view(&self) -> Result<View, Error> {
        self.ask(Work::View).await
    }

    /// Asks the writer for a view.
    pub(super) async fn ask(&self, work: impl FnOnce(ViewReply) -> Work) -> Result<View, Error> {
        self.shared().inbox.reserve(1).await?;
        let (reply, view) = oneshot::channel();
        self.hand_over(work(reply))?;
        view.await.map_err(|_| writer_is_gone())?
    }

    /// Waits until the event `seq` is in the published state.
    ///
    /// # Errors
    /// `Halted` or `Closed`, when it will not come any more.
    pub async fn wait_for(&self, seq: u64) -> Result<View, Error> {
        let mut watch = self.shared().watch_seq();
        loop {
            watch.borrow_and_update();
            // In this order: what was published before the end still counts.
            let is_open = self.shared().inbox.check_open();
            let view = self.view();
            if view.seq() >= seq {
                return Ok(view);
            }
            is_open?;
            watch.changed().await.map_err(|_| writer_is_gone())?;
        }
    }

    /// Follows the journal from a place on: first what is there, then live, without gap or duplicate. A cursor that
    /// cannot be gone on after (too old, of another journal, of an event that a crash unmade) is no error: the first item
    /// is a [`Reset`](super::Reset) then.
    ///
    /// Reads on this thread to find the place, a snapshot too where the journal is pruned; on a runtime use
    /// `spawn_blocking`, unless it starts with [`Start::Now`].
    ///
    /// # Errors
    /// `Io` or `Damaged` when the journal cannot be read, `Unsupported` when a newer version wrote some of it.
    pub fn subscribe(&self, start: Start) -> Result<Subscription, Error> {
        self.subscribe_to(start, EventFilter::new())
    }

    /// The same for those events only that a filter lets pass.
    ///
    /// # Errors
    /// See [`subscribe`](Self::subscribe).
    pub fn subscribe_to(&self, start: Start, filter: EventFilter) -> Result<Subscription, Error> {
        Subscription::open(self.shared(), start, filter)
    }

    /// The same engine for callers without a runtime.
    pub fn blocking(&self) -> Blocking {
        Blocking::new(self.clone())
    }

    // ---- end ------------------------------------------------------------------------------------------------

    /// Finishes what was handed over, and closes the journal cleanly. Handles that are left answer `Closed`. It waits for
    /// what is due of retention, snapshots and the archive as well; after `DeadlinePassed` the journal stays locked until
    /// they are done.
    ///
    /// # Errors
    /// `DeadlinePassed` when it was not done in time (it goes on in the background), `Halted` with the reason when
    /// the engine halted instead.
    pub async fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        let mut status = self.shared().watch_status();
        self.start_closing();
        let is_ended = {
            // There is no timer without a runtime; this one costs a thread, once in an engine's life.
            let (late, mut is_late) = oneshot::channel::<()>();
            let (_done, until_done) = std::sync::mpsc::channel::<()>();
            std::thread::spawn(move || {
                if until_done.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
                    // Nobody waits any more when it was done just now.
                    let _ = late.send(());
                }
            });
            let mut ended = std::pin::pin!(status.wait_for(|status| *status != EngineStatus::Running));
            std::future::poll_fn(|context| match ended.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending => Pin::new(&mut is_late).poll(context).map(|_| false),
            })
            .await
        };
        match (is_ended, self.shared().last_error()) {
            (false, _) => Err(Error::new(
                ErrorKind::DeadlinePassed,
                format!("the engine did not close within {deadline:?}; it goes on closing"),
            )),
            (true, Some(error)) => Err(error.with_kind(ErrorKind::Halted)),
            (true, None) => Ok(()),
        }
    }

    fn start_closing(&self) {
        self.inner.start_closing();
    }

    /// Puts work into the inbox, where its places are reserved, and sees to it that it is taken out.
    pub(super) fn hand_over(&self, work: Work) -> Result<(), Error> {
        if !self.inner.is_inline {
            return self.shared().inbox.hand_over(work);
        }
        self.shared().inbox.put(work)?;
        self.inner.writer.step_inline();
        Ok(())
    }

    /// Sees to it that what was put into the inbox is taken out.
    pub(super) fn kick(&self) {
        if self.inner.is_inline { self.inner.writer.step_inline() } else { self.shared().inbox.nudge() }
    }

    /// The same, on this thread where the writer is idle: that saves two hand-overs between threads.
    pub(super) fn kick_here(&self) {
        if self.inner.is_inline { self.inner.writer.step_inline() } else { self.inner.writer.step_here() }
    }

    /// Lets go of this handle without waiting: if it was the last, the engine closes in the background.
    pub(super) fn drop_in_background(self) {
        let Some(inner) = Arc::into_inner(self.inner) else { return };
        if !inner.is_inline {
            // Without a thread to spare it has to be waited for after all.
            let closing = std::thread::Builder::new().name("tallybook-close".into());
            drop(closing.spawn(move || drop(inner)));
        }
    }
}

impl Inner {
    fn start_closing(&self) {
        self.writer.shared.inbox.start_closing();
        if self.is_inline {
            self.writer.step_inline();
        }
    }
}

impl Drop for Inner {
    /// The last handle is gone: close cleanly, and give up the lock before anyone can reopen.
    fn drop(&mut self) {
        self.start_closing();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The writer waits for the maintenance, a hook of which may have dropped this.
        let may_wait = |thread: &JoinHandle<()>| {
            thread.thread().id() != std::thread::current().id() && !is_maintenance_thread()
        };
        if let Some(thread) = thread.filter(may_wait) {
            // A panic of the writer was reported to those who waited for it.
            let _ = thread.join();
        }
    }
}

/// A writer on its way to whoever opened it. If that one has gone in the meantime (a cancelled future), nobody could
/// ever close the engine: so it closes itself.
struct CloseUnlessTaken(Option<Arc<Writer>>);

impl CloseUnlessTaken {
    fn new(writer: Arc<Writer>) -> CloseUnlessTaken {
        CloseUnlessTaken(Some(writer))
    }

    fn take(mut self) -> Arc<Writer> {
        self.0.take().expect("it is taken once, here")
    }
}

impl Drop for CloseUnlessTaken {
    fn drop(&mut self) {
        if let Some(writer) = &self.0 {
            writer.shared.inbox.start_closing();
        }
    }
}

/// The goal that a command was about.
pub(super) fn goal_of(receipt: Receipt) -> Result<Goal, CommandError> {
    match receipt.result {
        CommandResult::Goal(goal) => Ok(*goal),
        _ => Err(forgotten("goal", receipt.first_seq)),
    }
}
