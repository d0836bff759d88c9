//! The thread that prints answers, in order, as they become known.

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread::JoinHandle;

use tallybook::Pending;
use tallybook::adapter::jsonl::Answer;

use super::super::outcome::Failure;
use super::super::output::stdout;
use super::flight::Flight;
use super::input::Waker;

/// A line that is to be answered.
pub(super) struct Item {
    pub(super) line: u64,
    pub(super) awaited: Awaited,
}

/// An answer, now or later.
pub(super) enum Awaited {
    Answer(Box<Answer>),
    Command(Pending),
}

/// The printing thread.
pub(super) struct Printer(JoinHandle<Result<(), Failure>>);

impl Printer {
    /// Starts printing; ends when there are no more items, or nobody reads the output any more.
    pub(super) fn start(
        items: Receiver<Vec<Item>>,
        flight: Arc<Flight>,
        waker: Waker,
    ) -> Result<Printer, Failure> {
        let print = move || {
            let printed = print(&items, &flight);
            // The reader may be waiting for a place, or for input: either would be in vain.
            flight.end();
            waker.wake();
            printed
        };
        let thread = std::thread::Builder::new().name("tallybook-printer".into()).spawn(print);
        thread
            .map(Printer)
            .map_err(|error| Failure::Input("starting the thread that prints answers".to_owned(), error))
    }

    /// Waits until all is printed.
    pub(super) fn finish(self) -> Result<(), Failure> {
        // A panic of that thread goes on in this one.
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn print(items: &Receiver<Vec<Item>>, flight: &Flight) -> Result<(), Failure> {
    let mut out = Answers { out: stdout(), flight, unflushed: 0 };
    while let Some(items) = out.next(items)? {
        for Item { line, awaited } in items {
            let answer = out.wait(awaited)?;
            out.print(line, &answer)?;
        }
    }
    out.flush()
}

/// The output, flushed whenever there is something to wait for.
struct Answers<'a, W> {
    out: W,
    flight: &'a Flight,
    /// How many answers were printed since the last flush.
    unflushed: usize,
}

impl<W: Write> Answers<'_, W> {
    fn next(&mut self, items: &Receiver<Vec<Item>>) -> Result<Option<Vec<Item>>, Failure> {
        match items.try_recv() {
            Ok(items) => return Ok(Some(items)),
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) => self.flush()?,
        }
        Ok(items.recv().ok())
    }

    fn wait(&mut self, awaited: Awaited) -> Result<Answer, Failure> {
        match awaited {
            Awaited::Answer(answer) => Ok(*answer),
            Awaited::Command(pending) => Ok(match pending.try_wait() {
                Ok(result) => result.into(),
                Err(pending) => {
                    self.flush()?;
                    pending.wait().into()
                }
            }),
        }
    }

    fn print(&mut self, line: u64, answer: &Answer) -> Result<(), Failure> {
        self.unflushed += 1;
        Ok(answer.write(line, &mut self.out)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush()?;
        self.flight.give_back(std::mem::take(&mut self.unflushed));
        Ok(())
    }
}
