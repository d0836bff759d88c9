//! Alerts: a callback of the host for what it may have to act upon, run off the writer.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::feed::{EventFilter, FeedItem, Start, Subscription};
use super::shared::Shared;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::event::{ChangeEvent, Fraction, Payload, Span};
use crate::ids::{BudgetId, ReservationId};

/// Something about a budget that a host may have to act upon. See [`Options::on_alert`](super::Options::on_alert).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// The `seq` of its event.
    pub seq: u64,
    /// When it was decided.
    pub ts: Timestamp,
    /// The budget.
    pub budget_id: BudgetId,
    /// What happened, with the figures of then.
    pub kind: AlertKind,
}

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlertKind {
    /// What is spent has reached a threshold of the budget.
    ThresholdCrossed {
        /// The threshold, as a fraction of the limit.
        threshold: Fraction,
        /// The limit.
        limit: u128,
        /// What is spent.
        spent: u128,
    },
    /// What is spent has reached the limit.
    Exhausted {
        /// The limit.
        limit: u128,
        /// What is spent.
        spent: u128,
        /// What of that is beyond the limit.
        overage: u128,
        /// Whether the limit is a hard one: then every goal below is paused.
        hard: bool,
    },
    /// A window ended, and what is spent begins anew: goals that were paused can be resumed.
    WindowRolled {
        /// What was spent in the window that ended.
        spent: u128,
        /// The window that began.
        span: Span,
    },
    /// A reservation was given back because its time to live was over: what it was made for may still come, late.
    ReservationExpired {
        /// The reservation.
        reservation_id: ReservationId,
        /// How much was set aside.
        amount: u128,
    },
}

impl Alert {
    /// The alert that an event is, if it is one.
    fn of(event: &ChangeEvent) -> Option<Alert> {
        let (budget_id, kind) = match &event.payload {
            Payload::ThresholdCrossed(crossed) => {
                let (threshold, limit, spent) = (crossed.threshold, crossed.limit, crossed.spent);
                (&crossed.budget_id, AlertKind::ThresholdCrossed { threshold, limit, spent })
            }
            Payload::BudgetExhausted(exhausted) => {
                let (limit, spent) = (exhausted.limit, exhausted.spent);
                let (overage, hard) = (exhausted.overage, exhausted.hard);
                (&exhausted.budget_id, AlertKind::Exhausted { limit, spent, overage, hard })
            }
            Payload::WindowRolled(rolled) => {
                (&rolled.budget_id, AlertKind::WindowRolled { spent: rolled.spent, span: rolled.span })
            }
            Payload::ReservationExpired(expired) => {
                let (reservation_id, amount) = (expired.reservation_id.clone(), expired.amount);
                (&expired.budget_id, AlertKind::ReservationExpired { reservation_id, amount })
            }
            _ => return None,
        };
        Some(Alert { seq: event.seq, ts: event.ts, budget_id: budget_id.clone(), kind })
    }
}

/// The host's callback.
#[derive(Clone)]
pub(super) struct AlertCallback(pub(super) Arc<dyn Fn(&Alert) + Send + Sync>);

impl fmt::Debug for AlertCallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AlertCallback")
    }
}

/// Starts the thread that follows the feed from now on. It shares no handle of the engine, so it keeps it from nothing.
pub(super) fn start(shared: &Arc<Shared>, callback: AlertCallback) -> Result<(), Error> {
    let feed = Subscription::open(shared, Start::Now, filter()?)?;
    let shared = Arc::clone(shared);
    std::thread::Builder::new()
        .name("tallybook-alerts".into())
        .spawn(move || follow(feed, &shared, &callback))
        .map(drop)
        .map_err(|error| Error::io("starting the thread for alerts", error))
}

/// Lets pass what may be an [`Alert`].
fn filter() -> Result<EventFilter, Error> {
    let kinds = ["threshold_crossed", "budget_exhausted", "window_rolled", "reservation_expired"];
    kinds.into_iter().try_fold(EventFilter::new(), EventFilter::kind)
}

fn follow(mut feed: Subscription, shared: &Shared, callback: &AlertCallback) {
    while let Some(item) = feed.next_blocking() {
        let alert = match item {
            Ok(FeedItem::Event(item)) => Alert::of(&item.event),
            Ok(FeedItem::Reset(reset)) => {
                tracing::error!(cause = %reset.cause, seq = reset.view.seq(), "alerts were missed: the callback was too slow, and events were pruned");
                shared.count_alert_failure();
                None
            }
            Ok(_) => None,
            Err(error) => {
                // After this the feed is over: the engine has halted, or the journal cannot be read.
                tracing::error!(%error, "no more alerts");
                None
            }
        };
        let Some(alert) = alert else { continue };
        if catch_unwind(AssertUnwindSafe(|| callback.0(&alert))).is_err() {
            tracing::error!(seq = alert.seq, budget_id = %alert.budget_id, "the callback for alerts panicked");
            shared.count_alert_failure();
        }
    }
}
