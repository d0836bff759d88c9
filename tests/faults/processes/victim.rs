//! The victim: a process of its own with a real engine and several clients, which tells every answer as soon as it has it,
//! and may be killed at any moment.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tallybook::{
    Blocking, DirectoryArchive, Durability, Engine, Error, ErrorKind, Options, Request, Retention,
};

use super::commands::{CLIENTS, OF_STEWARD, STEWARD, command};
use super::told::{Answer, Told, kind_of};
use crate::driver::now;

/// Where a victim finds its orders.
pub(super) const ORDERS: &str = "TALLYBOOK_VICTIM";
/// How long closing may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a client waits before it gives a command again.
const PAUSE: Duration = Duration::from_millis(2);

/// How much history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keep {
    All,
    Segments(u64),
    Bytes(u64),
}

/// What a victim is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) dir: PathBuf,
    pub(crate) archive: Option<PathBuf>,
    pub(crate) keep: Keep,
    /// Synced before every answer, or so often.
    pub(crate) interval_ms: Option<u64>,
    /// A fixed size of segments, where there is one.
    pub(crate) segment_bytes: Option<u64>,
    pub(crate) snapshot_bytes: u64,
    /// How many commands a client with a runtime hands over at once.
    pub(crate) window: u64,
    /// From which of its commands on each client begins; the first is the steward.
    pub(crate) begin: Vec<u64>,
    /// How many commands each client gives; without it they go on until they are killed.
    pub(crate) commands: Option<u64>,
    /// For how long a client gives a command again for which there is no room.
    pub(crate) patience_ms: u64,
}

impl Orders {
    /// How the engine is opened.
    pub(crate) fn options(&self) -> Options {
        let durability =
            self.interval_ms.map_or(Durability::Sync, |ms| Durability::Interval(Duration::from_millis(ms)));
        let retention = match self.keep {
            Keep::All => Retention::keep_all(),
            Keep::Segments(segments) => Retention::new().segments(segments),
            Keep::Bytes(bytes) => Retention::new().bytes(bytes),
        };
        let options =
            Options::new().durability(durability).retention(retention).snapshot_bytes(self.snapshot_bytes);
        let options = self.segment_bytes.into_iter().fold(options, Options::segment_bytes);
        self.archive.iter().map(DirectoryArchive::new).fold(options, Options::archive)
    }

    fn begin_of(&self, client: u64) -> u64 {
        self.begin[usize::try_from(client).unwrap()]
    }

    fn end_of(&self, client: u64) -> u64 {
        if client == STEWARD {
            return OF_STEWARD;
        }
        self.commands.map_or(u64::MAX, |commands| self.begin_of(client) + commands)
    }

    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap()
    }

    /// The directory of the journal.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Does what this process was ordered to, if it was.
pub(crate) fn run_if_ordered() -> bool {
    let Ok(text) = std::env::var(ORDERS) else { return false };
    run(&serde_json::from_str(&text).expect("orders of this program"));
    true
}

fn run(orders: &Orders) {
    Told::Opening.tell();
    let engine = match orders.options().open_blocking(orders.dir()) {
        Ok(engine) => engine,
        Err(error) => return Told::Unopened(kind_of(&error), error.to_string()).tell(),
    };
    let head = engine.view().head();
    Told::Opened(head.seq, head.state_hash.to_string()).tell();
    if (Client { engine: &engine, orders, id: STEWARD }).one_by_one() {
        std::thread::scope(|scope| {
            for id in 1..=CLIENTS {
                let client = Client { engine: &engine, orders, id };
                // Half of them on a runtime, many commands at once; half of them without, one after the other.
                scope.spawn(move || if id % 2 == 0 { client.in_windows() } else { client.one_by_one() });
            }
        });
    }
    let ended = engine.shutdown(DEADLINE);
    if let Some(error) = engine.health().last_upkeep_error {
        Told::Upkeep(kind_of(&error), error.to_string()).tell();
    }
    match ended {
        Ok(()) => Told::Closed.tell(),
        Err(error) => Told::Ended(kind_of(&error), error.to_string()).tell(),
    }
}

struct Client<'a> {
    engine: &'a Blocking,
    orders: &'a Orders,
    id: u64,
}

impl Client<'_> {
    fn tell(&self, number: u64, answer: Answer) {
        Told::Answered(self.id, number, answer).tell();
    }

    /// Tells of an error, the first time; whether the command may be given again, having been given in vain since then.
    fn tell_error(&self, number: u64, error: &Error, since: &mut Option<Instant>) -> bool {
        let is_first = since.is_none();
        let waited = since.get_or_insert_with(now).elapsed();
        let may_go_on = matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::Busy)
            && waited < Duration::from_millis(self.orders.patience_ms);
        if is_first || !may_go_on {
            Told::Failed(self.id, number, kind_of(error)).tell();
        }
        may_go_on
    }

    /// Whether it came to its end.
    fn one_by_one(&self) -> bool {
        (self.orders.begin_of(self.id)..self.orders.end_of(self.id)).all(|number| {
            let mut since = None;
            loop {
                match Answer::of(self.engine.execute(command(self.id, number))) {
                    Ok(answer) => {
                        self.tell(number, answer);
                        return true;
                    }
                    Err(error) if !self.tell_error(number, &error, &mut since) => return false,
                    Err(_) => std::thread::sleep(PAUSE),
                }
            }
        })
    }

    fn in_windows(&self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (mut number, mut since) = (self.orders.begin_of(self.id), None);
            let end = self.orders.end_of(self.id);
            while number < end {
                let window = number..end.min(number.saturating_add(self.orders.window.max(1)));
                let requests = window.clone().map(|number| command(self.id, number)).collect();
                match self.hand_over(self.engine.engine(), window.clone(), requests).await {
                    None => (number, since) = (window.end, None),
                    Some((at, error)) => {
                        since = since.filter(|_| at == number);
                        number = at;
                        if !self.tell_error(number, &error, &mut since) {
                            return false;
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
            true
        })
    }

    /// Hands a window over; the number of the first command that could not be carried out, and why. What comes after that
    /// may make no sense, or be done all the same.
    async fn hand_over(
        &self,
        engine: &Engine,
        window: std::ops::Range<u64>,
        requests: Vec<Request>,
    ) -> Option<(u64, Error)> {
        let pending = match engine.submit_all(requests).await {
            Ok(pending) => pending,
            Err(error) => return Some((window.start, error)),
        };
        let mut first_error = None;
        for (number, pending) in window.zip(pending) {
            match Answer::of(pending.await) {
                Ok(Answer::Senseless) if first_error.is_some() => {}
                Ok(answer) => self.tell(number, answer),
                Err(error) => {
                    first_error.get_or_insert((number, error));
                }
            }
        }
        first_error
    }
}
