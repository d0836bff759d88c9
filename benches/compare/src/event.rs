//! What a host of a bare store writes: an event as JSON, typed on both sides. Externally tagged and borrowed when read,
//! because that is the fastest that `serde_json` offers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Outcome;
use crate::order::{ACTOR, Ledger, Order};

/// An event of a host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Event<'a> {
    pub(crate) ts: Timestamp,
    pub(crate) session_id: &'a str,
    pub(crate) actor: &'a str,
    #[serde(borrow)]
    pub(crate) change: Change<'a>,
}

/// What happened.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change<'a> {
    SpendRecorded { spend_id: Uuid, budget_id: &'a str, amount: u64, tool: &'a str },
}

impl Event<'static> {
    /// The event of an order that is carried out now.
    pub(crate) fn now(order: Order) -> Event<'static> {
        Event {
            ts: Timestamp::now(),
            session_id: order.session_id(),
            actor: ACTOR,
            change: Change::SpendRecorded {
                spend_id: Uuid::now_v7(),
                budget_id: order.budget_id(),
                amount: order.amount,
                tool: order.tool(),
            },
        }
    }
}

impl<'a> Event<'a> {
    pub(crate) fn encode(&self) -> Outcome<Vec<u8>> {
        let mut bytes = Vec::with_capacity(256);
        serde_json::to_writer(&mut bytes, self)?;
        Ok(bytes)
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Outcome<Event<'a>> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Events as they are read back and folded.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) ledger: Ledger,
}

impl Fold {
    pub(crate) fn line(&mut self, bytes: &[u8]) -> Outcome<()> {
        let Change::SpendRecorded { budget_id, amount, .. } = Event::decode(bytes)?.change;
        self.ledger.book(budget_id, amount);
        Ok(())
    }
}

/// The amount in an event, all of which is parsed.
pub(crate) fn amount(bytes: &[u8]) -> Outcome<u64> {
    let event = std::hint::black_box(Event::decode(bytes)?);
    let Change::SpendRecorded { amount, .. } = event.change;
    Ok(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_as_long_as_ours_and_reads_back() {
        for number in 0..1_000 {
            let order = Order::numbered(number);
            let bytes = Event::now(order).encode().unwrap();
            assert!((200..=255).contains(&bytes.len()), "{} bytes", bytes.len());
            assert_eq!(amount(&bytes).unwrap(), order.amount);
        }
    }
}
