//! No store at all, but what the machine allows with the same event: a buffer that tasks append lines to, a thread that
//! writes it out in one go, syncs once and answers all of them. The file is filled with zeros ahead.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::jsonl::replay_lines;
use crate::Outcome;
use crate::event::Event;
use crate::host::Balances;
use crate::order::{Ledger, Order};
use crate::store::{Level, Receipt, Store, Tasks};

/// How much is filled with zeros at first; beyond that the file grows.
const ZEROS: usize = 64 << 20;

#[derive(Debug)]
pub(crate) struct GroupCommit {
    balances: Balances,
    shared: Arc<Shared>,
    thread: JoinHandle<std::io::Result<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    replies: Vec<oneshot::Sender<u64>>,
    is_over: bool,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("lines")
}

impl Shared {
    /// Writes, syncs and answers until it is over.
    fn drain(&self, file: &File, level: Level) -> std::io::Result<()> {
        let (mut offset, mut seq) = (0, 0);
        let mut batch = Waiting::default();
        loop {
            {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                while waiting.replies.is_empty() {
                    if waiting.is_over {
                        return Ok(());
                    }
                    waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut waiting.bytes, &mut batch.bytes);
                std::mem::swap(&mut waiting.replies, &mut batch.replies);
            }
            file.write_all_at(&batch.bytes, offset)?;
            if level == Level::Synced {
                file.sync_data()?;
            }
            offset += batch.bytes.len() as u64;
            batch.bytes.clear();
            for reply in batch.replies.drain(..) {
                seq += 1;
                // A caller that is gone is no error.
                let _ = reply.send(seq);
            }
        }
    }
}

impl Store for GroupCommit {
    fn open(dir: &Path, level: Level) -> Outcome<GroupCommit> {
        let file = OpenOptions::new().create_new(true).write(true).open(path(dir))?;
        file.write_all_at(&vec![0; ZEROS], 0)?;
        file.sync_all()?;
        let shared = Arc::new(Shared::default());
        let drained = Arc::clone(&shared);
        let drain = move || drained.drain(&file, level);
        let thread = std::thread::Builder::new().name("commit".into()).spawn(drain)?;
        Ok(GroupCommit { balances: Balances::new(), shared, thread })
    }

    fn close(self) -> Outcome<()> {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
        self.shared.filled.notify_one();
        Ok(self.thread.join().map_err(|_| "the thread of the group commit panicked")??)
    }

    fn replay(dir: &Path) -> Outcome<Ledger> {
        replay_lines(&path(dir))
    }
}

impl Tasks for GroupCommit {
    async fn spend(&self, order: Order) -> Outcome<Receipt> {
        let spent = self.balances.admit(order)?;
        let line = Event::now(order).encode()?;
        let (reply, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.bytes.extend_from_slice(&line);
            waiting.bytes.push(b'\n');
            waiting.replies.push(reply);
            if waiting.replies.len() == 1 {
                self.shared.filled.notify_one();
            }
        }
        Ok(Receipt { seq: answer.await?, spent })
    }
}
