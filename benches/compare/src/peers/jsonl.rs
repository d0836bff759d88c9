//! A file of JSON lines, the way feeds are kept: a mutex, a line, an fsync.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::Outcome;
use crate::event::{Event, Fold, amount};
use crate::host::fill;
use crate::order::{Ledger, Order};
use crate::store::{Bare, Chronicle, Level, Store};

const READ_BUFFER: usize = 1 << 16;

#[derive(Debug)]
pub(crate) struct Jsonl {
    level: Level,
    path: PathBuf,
    file: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    count: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("events.jsonl")
}

/// Adds up what is in the lines of a file. They end where the file does, or where nothing was written over its zeros.
pub(super) fn replay_lines(path: &Path) -> Outcome<Ledger> {
    let mut reader = BufReader::with_capacity(READ_BUFFER, File::open(path)?);
    let (mut fold, mut line) = (Fold::default(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 && line[0] != 0 {
        fold.line(&line)?;
        line.clear();
    }
    Ok(fold.ledger)
}

impl Store for Jsonl {
    fn open(dir: &Path, level: Level) -> Outcome<Jsonl> {
        let path = path(dir);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Jsonl { level, path, file: Mutex::new(Lines { file, count: 0 }) })
    }

    fn close(self) -> Outcome<()> {
        Ok(())
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        replay_lines(&path(dir))
    }
}

impl Bare for Jsonl {
    type Row = Vec<u8>;

    fn row(order: Order) -> Outcome<Vec<u8>> {
        let mut line = Event::now(order).encode()?;
        line.push(b'\n');
        Ok(line)
    }

    fn store(&self, rows: &mut [Vec<u8>]) -> Outcome<u64> {
        let mut lines = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        match rows {
            [line] => lines.file.write_all(line)?,
            _ => lines.file.write_all(&rows.concat())?,
        }
        if self.level == Level::Synced {
            lines.file.sync_all()?;
        }
        let first = lines.count + 1;
        lines.count += rows.len() as u64;
        Ok(first)
    }
}

impl Chronicle for Jsonl {
    fn fill(&self, orders: impl Iterator<Item = Order>) -> Outcome<()> {
        fill(self, orders)
    }

    /// A feed file has no index: the lines before are passed over, one by one.
    fn read(&mut self, number: u64, count: u64) -> Outcome<u64> {
        let mut reader = BufReader::with_capacity(READ_BUFFER, File::open(&self.path)?);
        for _ in 0..number {
            reader.skip_until(b'\n')?;
        }
        let (mut sum, mut line) = (0, Vec::new());
        for _ in 0..count {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            sum += amount(&line)?;
        }
        Ok(sum)
    }
}
