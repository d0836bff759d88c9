//! A thread that reads batches of frames ahead of the one that folds them.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::batch::Batch;
use crate::background::Background;
use crate::error::Error;
use crate::event::Decoder;
use crate::journal::FramePlace;

/// How many bytes of frames go into one batch: enough that handing it over costs little, and not so much that what was
/// read of it is far from the cores when it is folded.
const BATCH_LEN: usize = 128 << 10;

/// How many batches may be on their way at once: so much is held in memory, however long the journal is.
const MAX_UNDER_WAY: usize = 4;

/// What is done with a batch that was read.
type Take<'t> = dyn FnMut(&mut Batch) -> Result<(), Error> + 't;

/// Reads batches on a thread of its own, which is started with the first that is full: a short history needs none.
#[derive(Debug)]
pub(super) struct ReadAhead {
    /// The first event that is wanted.
    from: u64,
    batch_len: usize,
    filling: Batch,
    thread: Option<ReadingThread>,
    /// How many batches were handed over and did not come back.
    under_way: usize,
    /// Batches to be filled again.
    unused: Vec<Batch>,
    /// For what is read here.
    decoder: Decoder,
}

impl ReadAhead {
    /// One that passes over the events before `from`, where there may be threads and is a core for another.
    pub(super) fn where_it_pays(from: u64, background: &Background) -> Option<ReadAhead> {
        let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
        (background.has_writer() && cores() > 1).then(|| ReadAhead::new(from, BATCH_LEN))
    }

    pub(super) fn new(from: u64, batch_len: usize) -> ReadAhead {
        ReadAhead {
            from,
            batch_len,
            filling: Batch::default(),
            thread: None,
            under_way: 0,
            unused: Vec::new(),
            decoder: Decoder::default(),
        }
    }

    /// Gives a frame to be read. `take` gets what has been read by then, in order.
    pub(super) fn give(&mut self, place: &FramePlace<'_>, take: &mut Take<'_>) -> Result<(), Error> {
        self.filling.push(place);
        if self.filling.len() < self.batch_len { Ok(()) } else { self.hand_over(take) }
    }

    /// Gives everything that is left to `take`. What was not handed over yet is read here meanwhile.
    pub(super) fn end(mut self, take: &mut Take<'_>) -> Result<(), Error> {
        let mut last = std::mem::take(&mut self.filling);
        last.read(self.from, &mut self.decoder);
        while self.under_way > 0 {
            self.take_next(take)?;
        }
        take(&mut last)
    }

    fn hand_over(&mut self, take: &mut Take<'_>) -> Result<(), Error> {
        let full = std::mem::replace(&mut self.filling, self.unused.pop().unwrap_or_default());
        if self.thread.is_none() {
            match ReadingThread::start(self.from) {
                Ok(started) => self.thread = Some(started),
                Err(error) => tracing::warn!(%error, "there was no thread to read ahead on; it is done here"),
            }
        }
        let Some(thread) = &self.thread else { return self.read_here(full, take) };
        thread.give(full);
        self.under_way += 1;
        while self.under_way >= MAX_UNDER_WAY {
            self.take_next(take)?;
        }
        while let Some(read) = self.thread.as_ref().and_then(ReadingThread::next_if_there) {
            self.took(read, take)?;
        }
        Ok(())
    }

    fn read_here(&mut self, mut batch: Batch, take: &mut Take<'_>) -> Result<(), Error> {
        batch.read(self.from, &mut self.decoder);
        self.under_way += 1;
        self.took(batch, take)
    }

    fn take_next(&mut self, take: &mut Take<'_>) -> Result<(), Error> {
        match self.thread.as_mut().map(ReadingThread::next) {
            Some(read) => self.took(read, take),
            None => Ok(()),
        }
    }

    fn took(&mut self, mut read: Batch, take: &mut Take<'_>) -> Result<(), Error> {
        self.under_way -= 1;
        take(&mut read)?;
        read.clear();
        self.unused.push(read);
        Ok(())
    }
}

/// The thread that reads.
#[derive(Debug)]
struct ReadingThread {
    /// `None` once it is to end.
    to: Option<Sender<Batch>>,
    from: Receiver<Batch>,
    thread: Option<JoinHandle<()>>,
}

impl ReadingThread {
    fn start(from_seq: u64) -> io::Result<ReadingThread> {
        let (to, batches) = channel::<Batch>();
        let (done, from) = channel();
        let read = move || {
            let mut decoder = Decoder::default();
            for mut batch in batches {
                batch.read(from_seq, &mut decoder);
                if done.send(batch).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("tallybook-replay".into()).spawn(read)?;
        Ok(ReadingThread { to: Some(to), from, thread: Some(thread) })
    }

    fn give(&self, batch: Batch) {
        // A thread that has gone is noticed when the batch is asked for.
        let _ = self.to.as_ref().map(|to| to.send(batch));
    }

    /// The next batch that was read, in the order in which they were given.
    fn next(&mut self) -> Batch {
        match self.from.recv() {
            Ok(read) => read,
            Err(_) => {
                // It can only have panicked: so does whoever relies on it.
                let panicked = self.thread.take().map(JoinHandle::join);
                std::panic::resume_unwind(panicked.and_then(Result::err).unwrap_or_else(|| Box::new(())))
            }
        }
    }

    fn next_if_there(&self) -> Option<Batch> {
        self.from.try_recv().ok()
    }
}

impl Drop for ReadingThread {
    /// No thread is left behind.
    fn drop(&mut self) {
        self.to = None;
        // What it panicked with was told where it mattered.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
