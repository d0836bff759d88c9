//! How an engine is opened.

use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alert, AlertCallback};
use super::archive::{Archive, ArchiveHook};
use super::retention::Retention;
use super::risk::{RiskAssessor, RiskOptions};
use crate::background::Background;
use crate::clock::{Clock, SystemClock};
use crate::domain::{KeyWindow, Rules};
use crate::ids::{Entropy, SystemEntropy};

/// When a change counts as durable, so that it is answered, published and fed (law DURABLE).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Synced before the answer: it survives a power cut.
    #[default]
    Sync,
    /// Written before the answer, synced at least this often: it survives the end of the process, but a power cut
    /// may take back what was answered in the last interval.
    Interval(Duration),
}

/// How an engine is opened.
///
/// ```no_run
/// # async fn example() -> Result<(), tallybook::Error> {
/// use tallybook::{Durability, Options};
/// let engine = Options::new().durability(Durability::Sync).inbox_capacity(1_024).open("book").await?;
/// # drop(engine); Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) durability: Durability,
    pub(super) segment_bytes: Option<u64>,
    pub(super) inbox_capacity: usize,
    pub(super) rules: Rules,
    pub(super) key_window: Option<KeyWindow>,
    pub(super) forget_after: Option<Duration>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) risk: Option<RiskOptions>,
    pub(super) on_alert: Option<AlertCallback>,
    pub(super) retention: Retention,
    pub(super) archive: Option<ArchiveHook>,
    /// `None`: the default, and paced.
    pub(super) snapshot_bytes: Option<u64>,
    pub(super) background: Background,
    pub(super) live_events: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Sync,
            segment_bytes: None,
            inbox_capacity: Self::DEFAULT_INBOX_CAPACITY,
            rules: Rules::default(),
            key_window: None,
            forget_after: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            risk: None,
            on_alert: None,
            retention: Retention::new(),
            archive: None,
            snapshot_bytes: None,
            background: Background::Threads,
            live_events: Self::LIVE_EVENTS,
        }
    }
}

impl Options {
    /// How many commands the inbox holds unless told otherwise.
    pub const DEFAULT_INBOX_CAPACITY: usize = 4_096;
    /// How many of the last events all subscriptions share in memory.
    const LIVE_EVENTS: usize = 4_096;
    /// The smallest size of a segment that can be asked for, in bytes.
    pub const MIN_SEGMENT_BYTES: u64 = 4_096;
    /// The greatest size of a segment that can be asked for, in bytes: 1 GiB.
    pub const MAX_SEGMENT_BYTES: u64 = 1 << 30;
    /// After how many bytes of closed segments another snapshot is made, unless told otherwise: 12 MiB, which two segments
    /// have, or one that is larger under load. So little has to be replayed when a journal is opened, as long as the state is
    /// small; a snapshot of a small state costs next to nothing. Under a flood they are made [less often](Self::snapshot_bytes).
    pub const DEFAULT_SNAPSHOT_BYTES: u64 = 12 << 20;

    /// The defaults: synced before every answer, segments of 8 MiB (larger under load), 512 MiB of history and no archive,
    /// a snapshot after 12 MiB of closed segments, nothing forgotten, an inbox of 4096 commands, the clock of the system.
    pub fn new() -> Options {
        Options::default()
    }

    /// When a change counts as durable.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Options {
        self.durability = durability;
        self
    }

    /// A fixed size of segments, in bytes, instead of one that follows the load.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Options {
        self.segment_bytes = Some(bytes);
        self
    }

    /// How many commands may wait; further callers wait for a place, or are told that the engine is busy.
    #[must_use]
    pub fn inbox_capacity(mut self, commands: usize) -> Options {
        self.inbox_capacity = commands;
        self
    }

    /// The limits that commands are held to.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Options {
        self.rules = rules;
        self
    }

    /// How long and how many idempotency keys, spends and ended reservations are remembered. A change is recorded in
    /// the journal. Without this it stays what the journal says, at first [`KeyWindow::DEFAULT`].
    #[must_use]
    pub fn key_window(mut self, window: KeyWindow) -> Options {
        self.key_window = Some(window);
        self
    }

    /// Forgets goals that ended and budgets that closed when nothing of them has changed for longer than this, nor for
    /// longer than [keys are remembered](Self::key_window), and nothing remembered needs them: a goal below, a goal that
    /// names the budget, a meter that is bound to it. It is journaled; memory and the time of an opening then follow what
    /// is still of use. Their events stay until [retention](Self::retention) prunes them; after that only an
    /// [archive](Self::archive) has them. It has to be given at every opening: unlike the key window it is not recorded.
    /// Without this they are never forgotten.
    ///
    /// Who asks for a goal that was forgotten is told so where its id tells its age, as those that the engine makes do:
    /// [`Forgotten`](crate::RejectionKind::Forgotten), otherwise [`NotFound`](crate::RejectionKind::NotFound). What its
    /// late turns used can no longer be booked. The id of a forgotten budget can be given to another.
    #[must_use]
    pub fn forget_after(mut self, age: Duration) -> Options {
        self.forget_after = Some(age);
        self
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Options {
        self.clock = Arc::new(clock);
        self
    }

    /// Asks a hook of the host before anything is spent or set aside: by `check`, by `record_spend` (unless it is
    /// incurred) and by `reserve`. A veto refuses the command as `risk`, with its reason, and is journaled (law
    /// HONEST), unless it is of a `check`. The assessor is asked before the command is handed over, on up to 8 threads
    /// of its own, so that it delays nobody but its caller. If it panics, does not answer within `timeout` (time spent
    /// waiting for a thread included), or 1,024 cases are open already, the answer is no.
    ///
    /// A retry that is recognised by its key or id is answered as such, whatever the assessor says. What is settled,
    /// charged by a turn, measured by a meter or incurred has happened already: it is not assessed.
    #[must_use]
    pub fn risk_assessor(mut self, assessor: impl RiskAssessor, timeout: Duration) -> Options {
        self.risk = Some(RiskOptions { assessor: Arc::new(assessor), timeout });
        self
    }

    /// Calls back for every [`Alert`] that comes from now on, what came due while the journal was closed included: a
    /// threshold crossed, a budget exhausted, a window rolled, a reservation expired. The callback runs on a thread of
    /// its own, which follows the feed. A slow one delays nobody; it is merely behind, and misses alerts only if retention
    /// prunes events before it has come to them, which [`Health::alert_failures`](super::Health::alert_failures) counts
    /// once for each such gap. One that panics is called again for the next alert, and counted there, too. It ends with the
    /// engine, after the last alert, unless the process ends first: a host that may miss none follows the feed itself, from
    /// a cursor that it keeps.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
    /// use tallybook::{AlertKind, NewBudget, Options, Spend};
    ///
    /// let (alerts, received) = std::sync::mpsc::channel();
    /// let on_alert = move |alert: &tallybook::Alert| drop(alerts.send(alert.clone()));
    /// let engine = Options::new().on_alert(on_alert).open_blocking(&dir)?;
    /// engine.allocate(NewBudget::new("task-7").limit(100))?;
    /// engine.record_spend("task-7", Spend::of(60))?;
    /// assert!(matches!(received.recv()?.kind, AlertKind::ThresholdCrossed { spent: 60, .. }));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn on_alert(mut self, callback: impl Fn(&Alert) + Send + Sync + 'static) -> Options {
        self.on_alert = Some(AlertCallback(Arc::new(callback)));
        self
    }

    /// How much history is kept, instead of 512 MiB of it. Looked at when the journal is opened, whenever a segment is full,
    /// and when the disk is; what is no longer kept is pruned in the background, oldest first.
    ///
    /// What was pruned is gone from the feed, from `events` and from the states of the past, not from the state: a
    /// snapshot of it is made durable, read again and compared before anything goes (law RETAIN).
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Options {
        self.retention = retention;
        self
    }

    /// Hands each segment over before it is pruned; one that cannot be archived stays. See [`Archive`], and
    /// [`DirectoryArchive`](super::DirectoryArchive) for one that copies files into a directory.
    #[must_use]
    pub fn archive(mut self, archive: impl Archive) -> Options {
        self.archive = Some(ArchiveHook::new(archive));
        self
    }

    /// After how many bytes of closed segments another snapshot of the state is made, in the background; or after
    /// twice the size of the last, if that is more. 0: twice the size of the last, however little that is. Opening reads the
    /// newest snapshot and what comes after it.
    ///
    /// Without this: [`DEFAULT_SNAPSHOT_BYTES`](Self::DEFAULT_SNAPSHOT_BYTES), but under a flood of commands no more often
    /// than that snapshots take a tenth of the time, as long as no more than 128 MiB of closed segments wait for one. What
    /// was put off is made when its time has come, or when the engine is closed.
    #[must_use]
    pub fn snapshot_bytes(mut self, bytes: u64) -> Options {
        self.snapshot_bytes = Some(bytes);
        self
    }

    /// Where randomness comes from: ids and epoch tags.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn entropy(mut self, entropy: impl Entropy) -> Options {
        self.entropy = Arc::new(entropy);
        self
    }

    /// How many of the last events all subscriptions share in memory, so that a test need not publish thousands until
    /// one of them has to read the journal.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn live_events(mut self, events: usize) -> Options {
        self.live_events = events;
        self
    }

    /// Without a thread: everything is done by the call that asks for it, so that simulated faults repeat exactly.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn inline(mut self) -> Options {
        self.background = Background::Inline;
        self
    }

    /// Without a thread of the writer; what works beside it (retention, snapshots, the making of segments ahead) does so under
    /// that schedule, so that it repeats exactly. For storages of the
    /// [same schedule](crate::storage::SimulatedDisk::scheduled_process).
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn schedule(mut self, schedule: &crate::storage::Schedule) -> Options {
        self.background = Background::Scheduled(schedule.clone());
        self
    }
}
