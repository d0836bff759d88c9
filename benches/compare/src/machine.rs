//! What it was run on, with a few figures that tell how fast its processor is.

use std::hint::black_box;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::event::{Event, amount};
use crate::order::Order;

const YARDSTICK: Duration = Duration::from_millis(60);
const BLOCK: [u8; 256] = [7; 256];

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    /// Of the directory that everything is written to.
    pub(crate) file_system: String,
    /// The length of the event that hosts of bare stores write, and nanoseconds for writing and parsing one.
    pub(crate) event_bytes: usize,
    pub(crate) event_write_ns: f64,
    pub(crate) event_parse_ns: f64,
    /// Nanoseconds for 256 bytes.
    pub(crate) sha256_ns: f64,
    pub(crate) crc32_ns: f64,
}

impl Machine {
    pub(crate) fn look(dir: &Path) -> Outcome<Machine> {
        let event = Event::now(Order::numbered(1));
        let bytes = event.encode()?;
        let mut buffer = Vec::with_capacity(256);
        let event_write_ns = nanoseconds(|| {
            buffer.clear();
            serde_json::to_writer(&mut buffer, black_box(&event)).is_ok()
        });
        Ok(Machine {
            cores: available_parallelism()?.get(),
            cpu: cpu()?,
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system(dir)?,
            event_bytes: bytes.len(),
            event_write_ns,
            event_parse_ns: nanoseconds(|| amount(black_box(&bytes))),
            sha256_ns: nanoseconds(|| Sha256::digest(black_box(&BLOCK))),
            crc32_ns: nanoseconds(|| crc32fast::hash(black_box(&BLOCK))),
        })
    }
}

/// How long one call takes, of as many as fit into the time.
fn nanoseconds<T>(mut call: impl FnMut() -> T) -> f64 {
    const AT_ONCE: u32 = 100;
    let (start, mut calls) = (Instant::now(), 0.0);
    loop {
        for _ in 0..AT_ONCE {
            black_box(call());
        }
        calls += f64::from(AT_ONCE);
        let elapsed = start.elapsed();
        if elapsed > YARDSTICK {
            return elapsed.as_secs_f64() * 1e9 / calls;
        }
    }
}

fn cpu() -> Outcome<String> {
    let facts = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = facts.lines().find_map(|line| line.strip_prefix("model name"));
    Ok(model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':'])).to_owned())
}

/// The type of what is mounted deepest above the directory.
fn file_system(dir: &Path) -> Outcome<String> {
    let (dir, mounts) = (dir.canonicalize()?, std::fs::read_to_string("/proc/mounts")?);
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounted.filter(|(place, _)| dir.starts_with(place)).max_by_key(|(place, _)| place.len());
    Ok(above.map_or("unknown", |(_, kind)| kind).to_owned())
}
