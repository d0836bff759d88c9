//! What the disk allows with one write in flight: 256 bytes and an `fdatasync`, again and again, in a file that was filled
//! with zeros before.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::measure::rate;

const LEN: u64 = 16 << 20;
const BLOCK: [u8; 256] = [7; 256];
const SLICE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Probe {
    file: File,
    offset: u64,
}

impl Probe {
    pub(crate) fn new(path: &Path) -> Outcome<Probe> {
        let file = OpenOptions::new().create_new(true).write(true).open(path)?;
        file.write_all_at(&vec![0; usize::try_from(LEN)?], 0)?;
        file.sync_all()?;
        Ok(Probe { file, offset: 0 })
    }

    /// Writes a second.
    pub(crate) fn run(&mut self) -> Outcome<f64> {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed() < SLICE {
            self.file.write_all_at(&BLOCK, self.offset)?;
            self.file.sync_data()?;
            self.offset = (self.offset + BLOCK.len() as u64) % LEN;
            count += 1;
        }
        Ok(rate(count, start.elapsed()))
    }
}
