//! The host's risk assessor: asked before something is spent or set aside, off the writer. Who does not answer is
//! against it.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::published::View;
use crate::clock::monotonic;
use crate::domain::{Command, Request};
use crate::event::{Meta, SpendDetails};
use crate::ids::BudgetId;

/// How many cases are assessed at the same time.
const THREADS: usize = 8;
/// How many cases may be open at the same time; one more is overload.
const MAX_OPEN: usize = 1_024;
/// The longest reason that is journaled, in Unicode scalar values.
const MAX_REASON_CHARS: usize = 1_000;
const CLOSED: &str = "the engine closed before the risk assessor had answered";

/// A hook of the host that may veto what is to be spent or set aside. See
/// [`Options::risk_assessor`](super::Options::risk_assessor).
///
/// ```
/// use tallybook::{RiskAssessor, RiskCase, Verdict};
///
/// struct OneDollar;
///
/// impl RiskAssessor for OneDollar {
///     fn assess(&self, case: &RiskCase) -> Verdict {
///         match case.amount {
///             0..1_000_000 => Verdict::Allow,
///             _ => Verdict::veto("more than one dollar at once"),
///         }
///     }
/// }
/// ```
pub trait RiskAssessor: Send + Sync + 'static {
    /// Judges a case. It runs on a thread of the engine's own and may block, up to the timeout; several cases may be
    /// judged at the same time.
    fn assess(&self, case: &RiskCase) -> Verdict;
}

/// What is to be spent or set aside.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RiskCase {
    /// The operation: `check`, `record_spend` or `reserve`.
    pub op: &'static str,
    /// The budget.
    pub budget_id: BudgetId,
    /// How much, in the budget's unit.
    pub amount: u128,
    /// Who asks.
    pub actor: Option<Arc<str>>,
    /// The session that it belongs to.
    pub session_id: Option<Arc<str>>,
    /// What the caller says about a spend.
    pub details: Option<SpendDetails>,
    /// Who is to hold a reservation.
    pub owner: Option<Arc<str>>,
    /// Metadata of the host.
    pub meta: Option<Meta>,
    /// The published state. It may have moved on by the time the command is decided.
    pub view: View,
}

/// What a risk assessor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing stands against it.
    Allow,
    /// It is refused, for that reason. No more than 1,000 characters of it are kept.
    Veto(Arc<str>),
}

impl Verdict {
    /// A veto for that reason.
    pub fn veto(reason: impl Into<Arc<str>>) -> Verdict {
        Verdict::Veto(reason.into())
    }
}

impl RiskCase {
    /// Whether a command has to be assessed: what is already incurred is booked whatever anybody says.
    pub(super) fn is_due_for(command: &Command) -> bool {
        command.is_admitted()
    }

    /// The case of a command; `None` if it has not to be assessed.
    pub(super) fn of_command(request: &Request, view: impl FnOnce() -> View) -> Option<RiskCase> {
        if !Self::is_due_for(&request.command) {
            return None;
        }
        let (budget_id, amount, details, owner) = match &request.command {
            Command::RecordSpend(record) => {
                let details = Some(record.spend.details.clone());
                (&record.budget_id, record.spend.amount, details, None)
            }
            Command::Reserve(new) => (&new.budget_id, new.amount, None, new.owner.clone()),
            _ => return None,
        };
        Some(RiskCase {
            op: request.command.op(),
            budget_id: budget_id.clone(),
            amount,
            actor: request.actor.clone(),
            session_id: request.session_id.clone(),
            details,
            owner,
            meta: request.meta.clone(),
            view: view(),
        })
    }

    /// The case of a check.
    pub(super) fn of_check(budget_id: &BudgetId, amount: u128, view: View) -> RiskCase {
        RiskCase {
            op: "check",
            budget_id: budget_id.clone(),
            amount,
            actor: None,
            session_id: None,
            details: None,
            owner: None,
            meta: None,
            view,
        }
    }
}

/// What the options say about the assessor.
#[derive(Clone)]
pub(super) struct RiskOptions {
    pub(super) assessor: Arc<dyn RiskAssessor>,
    pub(super) timeout: Duration,
}

impl fmt::Debug for RiskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RiskOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The assessor with its threads. They are started when there is something to do, and end with the engine; one that is
/// stuck in the assessor ends when it comes back.
pub(super) struct Risk {
    cases: Arc<Cases>,
}

impl Risk {
    pub(super) fn new(options: RiskOptions) -> Risk {
        let RiskOptions { assessor, timeout } = options;
        let failures = AtomicU64::new(0);
        let queue = Mutex::default();
        Risk {
            cases: Arc::new(Cases {
                assessor,
                timeout,
                queue,
                arrived: Condvar::new(),
                timed: Condvar::new(),
                failures,
            }),
        }
    }

    /// How many cases are judged at the same time.
    pub(super) fn parallelism(&self) -> usize {
        THREADS
    }

    /// How often the assessor panicked, was too late or had too much to do.
    pub(super) fn failures(&self) -> u64 {
        self.cases.failures.load(Ordering::Relaxed)
    }

    /// Puts a case before the assessor now; the future gives the reason of the veto, if there is one.
    pub(super) fn assess(&self, case: RiskCase) -> impl Future<Output = Option<Arc<str>>> + Send + use<> {
        let verdict = self.cases.open(case);
        async move {
            match verdict.await {
                Ok(Verdict::Allow) => None,
                Ok(Verdict::Veto(reason)) => Some(shortened(reason)),
                Err(_) => Some(CLOSED.into()),
            }
        }
    }

    /// Lets the threads go. Cases that wait are answered by a veto.
    pub(super) fn close(&self) {
        let mut queue = self.cases.lock();
        queue.is_closed = true;
        queue.waiting.clear();
        for (_, case) in queue.open.drain(..) {
            case.answer(Verdict::veto(CLOSED));
        }
        drop(queue);
        self.cases.arrived.notify_all();
        self.cases.timed.notify_all();
    }
}

impl fmt::Debug for Risk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Risk").field("timeout", &self.cases.timeout).finish_non_exhaustive()
    }
}

impl Drop for Risk {
    fn drop(&mut self) {
        self.close();
    }
}

struct Cases {
    assessor: Arc<dyn RiskAssessor>,
    timeout: Duration,
    queue: Mutex<Queue>,
    /// Something to judge has arrived.
    arrived: Condvar,
    /// Something with a deadline has arrived.
    timed: Condvar,
    failures: AtomicU64,
}

#[derive(Default)]
struct Queue {
    /// Not begun.
    waiting: VecDeque<Arc<Case>>,
    /// All that may not be answered, by their deadlines: the timeout is the same for all, so that is their order.
    open: VecDeque<(Option<Instant>, Arc<Case>)>,
    idle: usize,
    threads: usize,
    has_timer: bool,
    is_closed: bool,
}

struct Case {
    case: RiskCase,
    /// Taken by whoever answers first.
    answer: Mutex<Option<oneshot::Sender<Verdict>>>,
}

impl Case {
    fn is_answered(&self) -> bool {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Answers, unless somebody else was first.
    fn answer(&self, verdict: Verdict) {
        self.answer_after(verdict, || {});
    }

    /// The same; `before` is done first, so that it is seen by who gets the answer.
    fn answer_after(&self, verdict: Verdict, before: impl FnOnce()) {
        let reply = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reply) = reply {
            before();
            // A caller that no longer waits has nothing to be told.
            let _ = reply.send(verdict);
        }
    }
}

impl Cases {
    fn open(self: &Arc<Cases>, case: RiskCase) -> oneshot::Receiver<Verdict> {
        let (reply, verdict) = oneshot::channel();
        let case = Arc::new(Case { case, answer: Mutex::new(Some(reply)) });
        let mut queue = self.lock();
        if queue.is_closed {
            return verdict;
        }
        if queue.open.len() >= MAX_OPEN {
            queue.open.retain(|(_, case)| !case.is_answered());
        }
        if queue.waiting.len() >= MAX_OPEN {
            // Those that were too late, while every thread is stuck.
            queue.waiting.retain(|case| !case.is_answered());
        }
        if queue.open.len() >= MAX_OPEN {
            drop(queue);
            self.fail(&case, format!("the risk assessor has too much to do: {MAX_OPEN} cases wait for it"));
            return verdict;
        }
        if let Err(error) = self.start_threads(&mut queue) {
            drop(queue);
            self.fail(&case, format!("the risk assessor has no thread to run on: {error}"));
            return verdict;
        }
        queue.open.push_back((monotonic().checked_add(self.timeout), Arc::clone(&case)));
        queue.waiting.push_back(case);
        if queue.open.len() == 1 {
            self.timed.notify_one();
        }
        drop(queue);
        self.arrived.notify_one();
        verdict
    }

    /// Sees to it that somebody judges one case more, and that somebody looks at the time.
    fn start_threads(self: &Arc<Cases>, queue: &mut Queue) -> std::io::Result<()> {
        if !queue.has_timer {
            self.start("tallybook-risk-timer", |cases| cases.watch_the_time())?;
            queue.has_timer = true;
        }
        if queue.waiting.len() >= queue.idle && queue.threads < THREADS {
            match self.start("tallybook-risk", |cases| cases.judge()) {
                Ok(()) => queue.threads += 1,
                // The others come to it in time, or it is too late for it.
                Err(error) if queue.threads == 0 => return Err(error),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn start(self: &Arc<Cases>, name: &str, run: fn(&Cases)) -> std::io::Result<()> {
        let cases = Arc::clone(self);
        std::thread::Builder::new().name(name.into()).spawn(move || run(&cases)).map(drop)
    }

    /// A thread that judges, until the engine ends.
    fn judge(&self) {
        while let Some(case) = self.next() {
            if case.is_answered() {
                continue;
            }
            match catch_unwind(AssertUnwindSafe(|| self.assessor.assess(&case.case))) {
                Ok(verdict) => case.answer(verdict),
                Err(_) => self.fail(&case, "the risk assessor panicked".to_owned()),
            }
        }
    }

    fn next(&self) -> Option<Arc<Case>> {
        let mut queue = self.lock();
        loop {
            if let Some(case) = queue.waiting.pop_front() {
                return Some(case);
            }
            if queue.is_closed {
                return None;
            }
            queue.idle += 1;
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }

    /// The thread that answers in place of an assessor that is too late, until the engine ends.
    fn watch_the_time(&self) {
        let mut queue = self.lock();
        while !queue.is_closed {
            let (now, mut next) = (monotonic(), None);
            while let Some((deadline, case)) = queue.open.front() {
                if !case.is_answered() {
                    if deadline.is_none_or(|at| at > now) {
                        next = deadline.map(|at| at - now);
                        break;
                    }
                    let timeout = self.timeout;
                    self.fail(case, format!("the risk assessor did not answer within {timeout:?}"));
                }
                queue.open.pop_front();
            }
            queue = match next {
                None => self.timed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(next) => self.timed.wait_timeout(queue, next).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Who does not answer is against it.
    fn fail(&self, case: &Case, why: String) {
        let (op, budget_id) = (case.case.op, &case.case.budget_id);
        case.answer_after(Verdict::veto(why.as_str()), || {
            tracing::warn!(op, %budget_id, %why, "vetoed without the risk assessor");
            self.failures.fetch_add(1, Ordering::Relaxed);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shortened(reason: Arc<str>) -> Arc<str> {
    match reason.char_indices().nth(MAX_REASON_CHARS) {
        Some((end, _)) => reason[..end].into(),
        None => reason,
    }
}
