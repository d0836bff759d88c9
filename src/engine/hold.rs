//! Holds: reservations with a guard, which gives them back when it is dropped.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::answer::CommandError;
use super::budgets::{reservation_of, spend_of};
use super::handle::Engine;
use super::shared::Shared;
use crate::domain::{
    MarkUnknown, Release, Request, Reservation, ReservationStatus, Settle, Spend, SpendRecord,
};
use crate::error::ErrorKind;
use crate::event::RefusalKind;
use crate::ids::ReservationId;

/// A reservation that is given back when this is dropped, unless it was ended before.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Engine, NewBudget, Spend, Ttl};
///
/// let engine = Engine::open(&dir).await?;
/// engine.allocate(NewBudget::new("task-7").unit("usd-micro").limit(10_000_000)).await?;
/// let hold = engine.reserve("task-7", 250_000, Ttl::secs(60)).await?;
/// hold.settle(Spend::of(241_500).tool("web.search")).await?;
/// # Ok(()) }) }
/// ```
///
/// **Dropping** it while it is open hands the release over to the writer and waits for nobody: not for a place in the
/// inbox, not for the disk, nor, if it held the last handle of the engine, for the engine's closing, which then goes on
/// in the background. A release that cannot be handed over, or may not have been done when the engine halted, is counted
/// in [`Health::dropped_releases`](super::Health::dropped_releases); the reservation's time to live covers it. Where the
/// reservation has expired, was closed with its budget or is marked unknown by then, nothing is written.
///
/// **After an error** of [`settle`](Self::settle) the guard is as before: it can be tried again, and dropping it
/// releases what was not settled. Only when the outcome is unknown (the engine halted meanwhile) dropping it leaves the
/// reservation as it is: it may be settled already. What was really spent can still be settled by the
/// [id](Self::id) after a release, as late.
///
/// Settling, releasing and marking carry the actor and the session of the reserving; the release of a dropped hold, which
/// nobody asked for, carries none.
///
/// A future of [`Engine::reserve`] that is dropped before it has given its guard releases what it reserved, too.
///
/// **When the process dies** nothing is dropped: the reservation stays until its time to live is over, or for ever with
/// [`Ttl::NEVER`](crate::Ttl::NEVER). After a restart it is found by
/// [`State::list_reservations`](crate::State::list_reservations), by its owner say, and ended by its id; asking for it
/// again with the same key or reservation id gives its guard again.
#[derive(Debug)]
#[must_use = "a hold that is dropped is released"]
pub struct Hold {
    claim: Claim,
    by: OnBehalf,
    engine: LightHandle,
}

/// Who reserved, and in which session: whoever ends the reservation by its hold does so on their behalf.
#[derive(Debug)]
pub(super) struct OnBehalf {
    pub(super) actor: Option<Arc<str>>,
    pub(super) session_id: Option<Arc<str>>,
}

impl Hold {
    pub(super) fn new(engine: Engine, by: OnBehalf, claim: Claim) -> Hold {
        claim.arm();
        Hold { claim, by, engine: LightHandle(Some(engine)) }
    }

    /// The reservation's id.
    pub fn id(&self) -> &ReservationId {
        &self.claim.reservation.id
    }

    /// How much is set aside.
    pub fn amount(&self) -> u128 {
        self.claim.reservation.amount
    }

    /// The reservation, as it was when this guard was made.
    pub fn reservation(&self) -> &Reservation {
        &self.claim.reservation
    }

    /// Books what was really spent, which may be less than was set aside, or more, whatever the limits; the reservation
    /// ends by it. If it has ended before (expired, say), it is booked as late.
    ///
    /// # Errors
    /// See [`CommandError`], and the section on errors [above](Hold).
    pub async fn settle(&self, spend: Spend) -> Result<SpendRecord, CommandError> {
        self.ended(self.engine.execute(self.settling(spend)).await.and_then(spend_of))
    }

    /// Gives the reservation back, and answers once that is durable.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `reservation_gone` when it has ended before.
    pub async fn release(&self) -> Result<Reservation, CommandError> {
        self.ended(self.engine.execute(self.releasing()).await.and_then(reservation_of))
    }

    /// Marks its outcome as unknown: it outlives its time to live, until it is settled or released by its id.
    ///
    /// # Errors
    /// See [`CommandError`]. Refused as `reservation_gone` when it has ended before.
    pub async fn mark_unknown(&self) -> Result<Reservation, CommandError> {
        self.ended(self.engine.execute(self.marking_unknown()).await.and_then(reservation_of))
    }

    /// Keeps the reservation without the guard: it is to be settled or released by its id, or expires.
    pub fn keep(self) -> ReservationId {
        self.claim.disarm();
        self.id().clone()
    }

    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn settling(&self, spend: Spend) -> Request {
        self.request(Settle { reservation_id: self.id().clone(), spend })
    }

    fn releasing(&self) -> Request {
        self.request(Release { reservation_id: self.id().clone() })
    }

    fn marking_unknown(&self) -> Request {
        self.request(MarkUnknown { reservation_id: self.id().clone() })
    }

    fn request(&self, command: impl Into<Request>) -> Request {
        let OnBehalf { actor, session_id } = &self.by;
        Request { actor: actor.clone(), session_id: session_id.clone(), ..command.into() }
    }

    /// Takes note of how an end was answered.
    fn ended<T>(&self, answer: Result<T, CommandError>) -> Result<T, CommandError> {
        let is_over = match &answer {
            Ok(_) => true,
            Err(CommandError::Refused(refusal)) => refusal.kind == RefusalKind::ReservationGone,
            Err(CommandError::Rejected(_)) => false,
            Err(CommandError::Engine(error)) => *error.kind() == ErrorKind::OutcomeUnknown,
        };
        if is_over {
            self.claim.disarm();
        }
        answer
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.claim.let_go() {
            self.engine.kick();
        }
    }
}

/// The same for callers without a runtime: see [`Hold`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?; let dir = dir.path().join("book");
/// use tallybook::{Blocking, NewBudget, Ttl};
///
/// let engine = Blocking::open(&dir)?;
/// engine.allocate(NewBudget::new("task-7").limit(100))?;
/// let hold = engine.reserve("task-7", 40, Ttl::secs(60))?;
/// drop(hold);
/// assert_eq!(engine.settled_view()?.budget(&"task-7".into()).unwrap().reserved, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a hold that is dropped is released"]
pub struct BlockingHold(Hold);

impl BlockingHold {
    pub(super) fn new(hold: Hold) -> BlockingHold {
        BlockingHold(hold)
    }

    /// The reservation's id.
    pub fn id(&self) -> &ReservationId {
        self.0.id()
    }

    /// How much is set aside.
    pub fn amount(&self) -> u128 {
        self.0.amount()
    }

    /// The reservation, as it was when this guard was made.
    pub fn reservation(&self) -> &Reservation {
        self.0.reservation()
    }

    /// Books what was really spent. See [`Hold::settle`].
    ///
    /// # Errors
    /// See [`Hold::settle`].
    pub fn settle(&self, spend: Spend) -> Result<SpendRecord, CommandError> {
        self.0.ended(self.0.engine().blocking().execute(self.0.settling(spend)).and_then(spend_of))
    }

    /// Gives the reservation back. See [`Hold::release`].
    ///
    /// # Errors
    /// See [`Hold::release`].
    pub fn release(&self) -> Result<Reservation, CommandError> {
        self.0.ended(self.0.engine().blocking().execute(self.0.releasing()).and_then(reservation_of))
    }

    /// Marks its outcome as unknown. See [`Hold::mark_unknown`].
    ///
    /// # Errors
    /// See [`Hold::mark_unknown`].
    pub fn mark_unknown(&self) -> Result<Reservation, CommandError> {
        self.0.ended(self.0.engine().blocking().execute(self.0.marking_unknown()).and_then(reservation_of))
    }

    /// Keeps the reservation without the guard. See [`Hold::keep`].
    pub fn keep(self) -> ReservationId {
        self.0.keep()
    }
}

/// What has to be released when it is dropped. It is on its way to a [`Hold`], or in one.
#[derive(Debug)]
pub(super) struct Claim {
    shared: Arc<Shared>,
    reservation: Reservation,
    is_armed: AtomicBool,
}

impl Claim {
    /// What a retry found is armed only once somebody holds it: it was not made for that caller, or not now.
    pub(super) fn new(shared: &Arc<Shared>, reservation: Reservation, retried: bool) -> Claim {
        Claim { shared: Arc::clone(shared), reservation, is_armed: AtomicBool::new(!retried) }
    }

    fn arm(&self) {
        self.is_armed.store(self.reservation.status == ReservationStatus::Open, Ordering::Release);
    }

    fn disarm(&self) {
        self.is_armed.store(false, Ordering::Release);
    }

    /// Hands the release over, once. Whether there was something to release.
    fn let_go(&self) -> bool {
        if !self.is_armed.swap(false, Ordering::AcqRel) {
            return false;
        }
        let id = self.reservation.id.clone();
        if let Err(why) = self.shared.inbox.put_release(id.clone()) {
            self.shared.count_dropped_release(&id, &why);
        }
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.let_go() {
            self.shared.inbox.wake();
        }
    }
}

/// A handle of the engine whose dropping waits for nobody, even if it was the last.
#[derive(Debug)]
struct LightHandle(Option<Engine>);

impl Deref for LightHandle {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.0.as_ref().expect("it is taken only when it is dropped")
    }
}

impl Drop for LightHandle {
    fn drop(&mut self) {
        if let Some(engine) = self.0.take() {
            engine.drop_in_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_can_go_from_thread_to_thread() {
        fn is_shareable<T: Send + Sync + 'static>() {}
        is_shareable::<Hold>();
        is_shareable::<BlockingHold>();
    }
}
