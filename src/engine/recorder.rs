//! Events of hosts: recorded without waiting, from anywhere, or confirmed.

use std::sync::Arc;

use super::answer::{CommandError, Receipt};
use super::blocking::Blocking;
use super::handle::Engine;
use super::inbox::{Assessed, Inbox, Work};
use super::reply::{Reply, Unconfirmed};
use crate::domain::{RecordEvent, Rejection, RejectionKind, Request};
use crate::error::{Error, ErrorKind};
use crate::event::{Json, JsonError};
use crate::ids::EventId;

/// An event as its host has it. A [`Recorder`] asks it first of all whether it is to be kept, and only then for what is
/// to be copied: an event that is not durable costs no more than that question.
///
/// For an actor or metadata give a [`RecordEvent`] to [`Engine::execute`].
pub trait HostEvent {
    /// Whether it is to be recorded at all. What only matters at the moment is not.
    fn is_durable(&self) -> bool {
        true
    }

    /// What it is called: 1 to 200 bytes without control characters.
    fn name(&self) -> &str;

    /// The session that it belongs to, where the caller does not say.
    fn session_id(&self) -> Option<&str> {
        None
    }

    /// Its id, which is an idempotency key: within the key window an event with an id is recorded once. 1 to 200 bytes
    /// without control characters.
    fn event_id(&self) -> Option<EventId> {
        None
    }

    /// What it says; [`Json::of`] makes it of whatever serde can write. No more bytes than the
    /// [rules](crate::Rules::max_event_bytes) allow, by default 64 KiB.
    ///
    /// # Errors
    /// When it cannot be put into JSON: then it is not recorded.
    fn data(&self) -> Result<Json, JsonError>;
}

/// An event that is a command already.
impl HostEvent for RecordEvent {
    fn name(&self) -> &str {
        &self.name
    }

    fn event_id(&self) -> Option<EventId> {
        self.event_id.clone()
    }

    fn data(&self) -> Result<Json, JsonError> {
        Ok(self.data.clone())
    }
}

/// Records events of the host's own, in order with everything else. For the hot paths of a host: it needs no runtime,
/// and copies can be handed to every part of it. They are handles of the same engine, and keep it open.
///
/// [`record`](Self::record) never waits and never fails its caller: what cannot be recorded is counted in
/// [`Health::dropped_events`](super::Health::dropped_events). What one thread records comes in that order.
/// [`record_confirmed`](Self::record_confirmed) answers once the event is durable.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Blocking, HostEvent, Json, JsonError};
///
/// enum Event {
///     Progress(f64),
///     ToolFinished { tool: &'static str, millis: u64 },
/// }
///
/// impl HostEvent for Event {
///     fn is_durable(&self) -> bool {
///         !matches!(self, Event::Progress(_))
///     }
///     fn name(&self) -> &str {
///         match self {
///             Event::Progress(_) => "progress",
///             Event::ToolFinished { .. } => "tool_finished",
///         }
///     }
///     fn data(&self) -> Result<Json, JsonError> {
///         match self {
///             Event::Progress(done) => Json::of(done),
///             Event::ToolFinished { tool, millis } => Json::of(&(tool, millis)),
///         }
///     }
/// }
///
/// let engine = Blocking::open(&dir)?;
/// let recorder = engine.recorder();
/// recorder.record(&Event::Progress(0.5)); // is not kept
/// recorder.record_in("session-1", &Event::ToolFinished { tool: "web.search", millis: 812 });
/// assert_eq!(engine.settled_view()?.seq(), 1);
/// assert_eq!(engine.health().dropped_events, 0);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Recorder {
    engine: Engine,
}

/// An event of the host's was recorded, and is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Where it stands in the journal.
    pub seq: u64,
    /// Whether it was recorded before, under the same id: the `seq` is that of then.
    pub retried: bool,
}

impl Recorder {
    /// Records an event, fire-and-forget. It is dropped and counted if the inbox is full, the engine has ended, or it
    /// cannot be recorded when its turn comes; one that is not durable is neither recorded nor counted.
    pub fn record<E: HostEvent + ?Sized>(&self, event: &E) {
        self.hand_over(None, event);
    }

    /// The same as part of a session, whatever session the event itself names.
    pub fn record_in<E: HostEvent + ?Sized>(&self, session_id: &str, event: &E) {
        self.hand_over(Some(session_id), event);
    }

    /// Records an event, and answers once it is durable; `None` when it is not to be kept. While the inbox is full it
    /// waits. An event with an id is recorded exactly once within the [key window](crate::Options::key_window), by default
    /// 24 hours and 65,536 ids: after an error, or a crash, record it again, and the answer is the same `seq` if it was
    /// there. Make ids UUIDs of version 7: one that is too old is then rejected (`KeyExpired`), not recorded again.
    ///
    /// # Errors
    /// See [`CommandError`]. Rejected as `Invalid` when a name, an id or the data break their rules, as `Conflict` when
    /// the id was used for another event, as `KeyExpired` when it is older than the window in which ids are remembered.
    pub fn record_confirmed<E: HostEvent + ?Sized>(
        &self,
        event: &E,
    ) -> impl Future<Output = Result<Option<Recorded>, CommandError>> + Send + use<E> {
        self.confirm(None, event)
    }

    /// The same as part of a session, whatever session the event itself names.
    ///
    /// # Errors
    /// See [`record_confirmed`](Self::record_confirmed).
    pub fn record_confirmed_in<E: HostEvent + ?Sized>(
        &self,
        session_id: &str,
        event: &E,
    ) -> impl Future<Output = Result<Option<Recorded>, CommandError>> + Send + use<E> {
        self.confirm(Some(session_id), event)
    }

    /// [`record_confirmed`](Self::record_confirmed) for callers without a runtime.
    ///
    /// # Errors
    /// See [`record_confirmed`](Self::record_confirmed).
    pub fn record_blocking<E: HostEvent + ?Sized>(
        &self,
        event: &E,
    ) -> Result<Option<Recorded>, CommandError> {
        self.confirm_blocking(None, event)
    }

    /// [`record_confirmed_in`](Self::record_confirmed_in) for callers without a runtime.
    ///
    /// # Errors
    /// See [`record_confirmed`](Self::record_confirmed).
    pub fn record_blocking_in<E: HostEvent + ?Sized>(
        &self,
        session_id: &str,
        event: &E,
    ) -> Result<Option<Recorded>, CommandError> {
        self.confirm_blocking(Some(session_id), event)
    }

    fn hand_over<E: HostEvent + ?Sized>(&self, session_id: Option<&str>, event: &E) {
        if !event.is_durable() {
            return;
        }
        let shared = self.engine.shared();
        let unconfirmed = Unconfirmed::new(shared);
        // The place first: for an event that finds none, nothing is copied.
        let place = match Place::take(&shared.inbox) {
            Ok(place) => place,
            Err(error) => return unconfirmed.dropped(&error),
        };
        let request = match request_of(session_id, event) {
            Ok(request) => request,
            Err(rejection) => return unconfirmed.dropped(&rejection.message),
        };
        let assessed = Assessed { request, veto: None };
        match place.fill(Work::Command(assessed, Reply::Event(unconfirmed))) {
            Ok(()) => self.engine.kick(),
            // It was counted with the work that it was part of.
            Err(_closed) => {}
        }
    }

    fn confirm<E: HostEvent + ?Sized>(
        &self,
        session_id: Option<&str>,
        event: &E,
    ) -> impl Future<Output = Result<Option<Recorded>, CommandError>> + Send + use<E> {
        // Read before the first wait, so that the event may go.
        let request = event.is_durable().then(|| request_of(session_id, event));
        let engine = self.engine.clone();
        async move {
            let Some(request) = request else { return Ok(None) };
            recorded(engine.execute(request?).await?).map(Some)
        }
    }

    fn confirm_blocking<E: HostEvent + ?Sized>(
        &self,
        session_id: Option<&str>,
        event: &E,
    ) -> Result<Option<Recorded>, CommandError> {
        if !event.is_durable() {
            return Ok(None);
        }
        recorded(self.engine.blocking().execute(request_of(session_id, event)?)?).map(Some)
    }
}

/// A place in the inbox that is taken and not filled yet; given back if it never is.
struct Place<'a>(&'a Inbox);

impl<'a> Place<'a> {
    fn take(inbox: &'a Inbox) -> Result<Place<'a>, Error> {
        inbox.try_reserve().map(|()| Place(inbox))
    }

    fn fill(self, work: Work) -> Result<(), Error> {
        self.0.put(work)?;
        // It is given back when the work is taken out.
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// The command that records an event. The session of the caller goes before the event's own.
fn request_of<E: HostEvent + ?Sized>(session_id: Option<&str>, event: &E) -> Result<Request, Rejection> {
    let data = event.data().map_err(|error| Rejection {
        kind: RejectionKind::Invalid,
        message: format!("data: {error}"),
        max: None,
        goal: None,
    })?;
    let record = RecordEvent { name: event.name().into(), data, event_id: event.event_id() };
    let session_id = session_id.or_else(|| event.session_id()).map(Arc::from);
    Ok(Request { session_id, ..Request::from(record) })
}

fn recorded(receipt: Receipt) -> Result<Recorded, CommandError> {
    match receipt.first_seq {
        Some(seq) => Ok(Recorded { seq, retried: receipt.retried }),
        None => Err(Error::new(ErrorKind::InvalidArgument, "the command recorded no event").into()),
    }
}

impl Engine {
    /// What records events of the host's own, from anywhere and without waiting.
    pub fn recorder(&self) -> Recorder {
        Recorder { engine: self.clone() }
    }

    /// Records an event of the host's own, and answers once it is durable. To record it as part of a session,
    /// [`execute`](Self::execute) a [`Request`] that names it, or take a [`recorder`](Self::recorder).
    ///
    /// # Errors
    /// See [`Recorder::record_confirmed`].
    pub async fn record_event(&self, event: RecordEvent) -> Result<Recorded, CommandError> {
        recorded(self.execute(event).await?)
    }
}

impl Blocking {
    /// What records events of the host's own, from anywhere and without waiting. See [`Engine::recorder`].
    pub fn recorder(&self) -> Recorder {
        self.engine().recorder()
    }

    /// Records an event of the host's own. See [`Engine::record_event`].
    ///
    /// # Errors
    /// See [`Recorder::record_confirmed`].
    pub fn record_event(&self, event: RecordEvent) -> Result<Recorded, CommandError> {
        recorded(self.execute(event)?)
    }
}
