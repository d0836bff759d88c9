//! What this machine does of a plain piece of work, so that figures of different machines can be held against each other.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

/// A spend, as a program would write it that keeps a log of JSON lines.
#[derive(Serialize)]
struct Event<'a> {
    seq: u64,
    ts: &'a str,
    kind: &'a str,
    data: Spend<'a>,
}

#[derive(Serialize)]
struct Spend<'a> {
    spend_id: &'a str,
    budget_id: &'a str,
    amount: &'a str,
    tool: &'a str,
}

/// `serde_json` writing one typed event after the other.
pub(crate) struct Yardstick;

impl Yardstick {
    pub(crate) const NAME: &str = "yardstick: serde_json, one event";

    /// Events a second on one thread.
    pub(crate) fn rate(slice: Duration) -> f64 {
        let (start, mut seq, mut line) = (Instant::now(), 0_u64, Vec::with_capacity(256));
        while start.elapsed() < slice {
            for _ in 0..256 {
                line.clear();
                serde_json::to_writer(&mut line, &black_box(event(seq))).unwrap();
                black_box(&line);
                seq += 1;
            }
        }
        super::rate(seq, start)
    }
}

fn event(seq: u64) -> Event<'static> {
    Event {
        seq,
        ts: "2026-11-21T01:15:22.000000Z",
        kind: "spend_recorded",
        data: Spend {
            spend_id: "019a9f3d-2222-7000-8000-000000000003",
            budget_id: "budget-0000007",
            amount: "241500",
            tool: "web.search",
        },
    }
}
