//! Live events: those published last, in a ring that all subscriptions read from.
//!
//! The writer hands a batch to the feed's thread, which puts it into the ring and wakes whoever waits. So the writer
//! pays the same for one subscription as for thousands, and nothing for none; and a subscription that lags costs it
//! nothing at all: it reads the journal until it is in the ring again. No event is in the ring that is not published
//! (law DURABLE).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::item::FeedEvent;
use crate::engine::cursor::Cursor;
use crate::engine::options::Options;
use crate::error::Error;
use crate::event::ChangeEvent;
use crate::ids::{Epoch, JournalId};
use crate::planted::{Bug, planted};

/// How long the events in the ring are together at most, as journaled, in bytes.
const RING_BYTES: usize = 8 << 20;

/// An event on its way into the ring.
#[derive(Debug)]
pub(in crate::engine) struct LiveEvent {
    pub(in crate::engine) event: ChangeEvent,
    /// How long it is as journaled, in bytes.
    pub(in crate::engine) len: usize,
}

/// What the writer hands over, and subscriptions share.
#[derive(Debug)]
pub(in crate::engine) struct Live {
    journal_id: JournalId,
    epoch: Epoch,
    is_inline: bool,
    /// How many events the ring holds at most.
    capacity: usize,
    subscriptions: AtomicUsize,
    /// The events from here to `handed_to` were handed over without a gap: what is not in the ring yet is on its way.
    handed_from: AtomicU64,
    handed_to: AtomicU64,
    queue: Mutex<Queue>,
    bell: Condvar,
    ring: RwLock<Ring>,
    published: Arc<Notify>,
}

/// What the feed's thread has to do.
#[derive(Debug, Default)]
struct Queue {
    events: Vec<LiveEvent>,
    has_rung: bool,
    /// Whether the thread has to be woken.
    is_asleep: bool,
    has_thread: bool,
    has_ended: bool,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<(Arc<FeedEvent>, usize)>,
    bytes: usize,
    /// The last event that was ever in it.
    last_seq: u64,
}

/// Where the event with a `seq` is.
#[derive(Debug)]
pub(super) enum Look {
    /// In the ring.
    Here(Arc<FeedEvent>),
    /// On its way there.
    Coming,
    /// Not here: in the journal, or yet to be published.
    Elsewhere,
}

impl Live {
    pub(in crate::engine) fn new(journal_id: JournalId, epoch: Epoch, options: &Options) -> Live {
        Live {
            journal_id,
            epoch,
            is_inline: !options.background.has_writer(),
            capacity: options.live_events,
            subscriptions: AtomicUsize::new(0),
            handed_from: AtomicU64::new(1),
            handed_to: AtomicU64::new(0),
            queue: Mutex::default(),
            bell: Condvar::new(),
            ring: RwLock::default(),
            published: Arc::new(Notify::new()),
        }
    }

    // ---- the writer's side ----------------------------------------------------------------------------------

    /// Whether anybody would read an event that is handed over.
    pub(in crate::engine) fn is_wanted(&self) -> bool {
        self.subscriptions.load(Ordering::Relaxed) > 0
    }

    /// Says that these events, the last of which is about to be published as `seq`, will be handed over. To be called
    /// before they are published, so that nobody looks for them in the journal; what it gives back, to
    /// [`publish`](Self::publish) afterwards.
    pub(in crate::engine) fn announce(&self, events: Vec<LiveEvent>, seq: u64) -> Vec<LiveEvent> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return events };
        if last.event.seq != seq || !self.is_wanted() {
            return Vec::new();
        }
        if first.event.seq != self.handed_to.load(Ordering::Relaxed) + 1 {
            self.handed_from.store(first.event.seq, Ordering::Release);
        }
        // After that, so that whoever sees this end sees that beginning.
        self.handed_to.store(seq, Ordering::Release);
        events
    }

    /// Hands over what was announced and is published now, and has everybody woken who waits.
    pub(in crate::engine) fn publish(&self, announced: Vec<LiveEvent>) {
        // Either a new subscription is seen here, or it sees what was just published.
        fence(Ordering::SeqCst);
        if announced.is_empty() && !self.is_wanted() {
            return;
        }
        if self.is_inline {
            self.put(announced);
            return self.wake();
        }
        let mut queue = self.queue();
        if !queue.has_thread {
            return;
        }
        if let Some(first) = announced.first().filter(|_| queue.events.len() > self.capacity) {
            // The thread cannot keep up; what would not stay in the ring for long is left to the journal.
            self.handed_from.store(first.event.seq, Ordering::Release);
            queue.events.clear();
        }
        queue.events.extend(announced);
        queue.has_rung = true;
        if queue.is_asleep {
            self.bell.notify_one();
        }
    }

    /// Wakes everybody for the last time.
    pub(in crate::engine) fn end(&self) {
        let mut queue = self.queue();
        queue.has_ended = true;
        if queue.has_thread {
            self.bell.notify_one();
        }
        drop(queue);
        self.wake();
    }

    // ---- the feed's thread ----------------------------------------------------------------------------------

    fn run(&self) {
        while let Some(events) = self.next_batch() {
            self.put(events);
            self.wake();
        }
        self.wake();
    }

    /// Waits for a batch; `None` at the end.
    fn next_batch(&self) -> Option<Vec<LiveEvent>> {
        let mut queue = self.queue();
        while !queue.has_rung {
            if queue.has_ended {
                return None;
            }
            queue.is_asleep = true;
            queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.is_asleep = false;
        }
        queue.has_rung = false;
        Some(std::mem::take(&mut queue.events))
    }

    fn put(&self, events: Vec<LiveEvent>) {
        let cursor_of = |seq| Cursor { journal_id: self.journal_id, epoch: self.epoch, seq };
        let shared = |LiveEvent { event, len }| {
            let cursor = cursor_of(event.seq);
            (Arc::new(FeedEvent { event, cursor }), len)
        };
        let events: Vec<_> = events.into_iter().map(shared).collect();
        let mut left = Vec::new();
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        for (event, len) in events {
            ring.put(event, len, self.capacity, &mut left);
        }
        drop(ring);
        // What nobody holds any more is freed here, while nobody waits for the ring.
        drop(left);
    }

    fn wake(&self) {
        // A waker is code of the host.
        if catch_unwind(AssertUnwindSafe(|| self.published.notify_waiters())).is_err() {
            tracing::error!("a waker of a subscription panicked");
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the side of subscriptions --------------------------------------------------------------------------

    /// Counts a subscription in, and starts the feed's thread where there is none yet. What is published after this
    /// wakes it.
    pub(super) fn subscribe(self: &Arc<Live>) -> Result<(), Error> {
        let mut queue = self.queue();
        if !self.is_inline && !queue.has_thread && !queue.has_ended {
            let live = Arc::clone(self);
            std::thread::Builder::new()
                .name("tallybook-feed".into())
                .spawn(move || live.run())
                .map_err(|error| Error::io("starting the thread of the feed", error))?;
            queue.has_thread = true;
        }
        self.subscriptions.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// Counts it out; after the last one the ring is emptied.
    pub(super) fn unsubscribe(&self) {
        if self.subscriptions.fetch_sub(1, Ordering::SeqCst) == 1 {
            let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
            let emptied = std::mem::take(&mut ring.events);
            ring.bytes = 0;
            drop(ring);
            drop(emptied);
        }
    }

    pub(super) fn look(&self, seq: u64) -> Look {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let oldest = ring.events.front().map_or(0, |(oldest, _)| oldest.event.seq);
        let seq = if planted(Bug::LagSkipsEvents) { seq.max(oldest) } else { seq };
        if let Some(event) = ring.get(seq) {
            return Look::Here(Arc::clone(event));
        }
        let is_past = seq <= ring.last_seq;
        drop(ring);
        let is_handed =
            seq <= self.handed_to.load(Ordering::Acquire) && seq >= self.handed_from.load(Ordering::Acquire);
        if is_handed && !is_past { Look::Coming } else { Look::Elsewhere }
    }

    /// Wakes at the next publication after this call, or at the end.
    pub(super) fn listen(&self) -> OwnedNotified {
        Arc::clone(&self.published).notified_owned()
    }
}

impl Ring {
    /// Puts an event in, and into `left` what has to leave for it.
    fn put(&mut self, event: Arc<FeedEvent>, len: usize, capacity: usize, left: &mut Vec<Arc<FeedEvent>>) {
        let has_gap = self.last_seq + 1 != event.cursor.seq;
        self.last_seq = event.cursor.seq;
        self.events.push_back((event, len));
        self.bytes += len;
        let kept = if has_gap { 1 } else { capacity };
        while self.events.len() > kept || self.bytes > RING_BYTES {
            let Some((event, len)) = self.events.pop_front() else { break };
            self.bytes -= len;
            left.push(event);
        }
    }

    fn get(&self, seq: u64) -> Option<&Arc<FeedEvent>> {
        let (first, _) = self.events.front()?;
        let index = usize::try_from(seq.checked_sub(first.cursor.seq)?).ok()?;
        self.events.get(index).map(|(event, _)| event)
    }
}
