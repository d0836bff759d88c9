//! Many commands in flight: what was read together is handed over together, and answered by another thread.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use tallybook::Request;
use tallybook::adapter::jsonl::{Answer, Line, Operation};

use super::super::outcome::Failure;
use super::super::signals::StopFlag;
use super::commands::Commands;
use super::flight::Flight;
use super::input::{Batches, InputLine};
use super::printer::{Awaited, Item, Printer};

/// Answers every line. An engine that has halted says so to each that is left.
pub(super) fn run(
    commands: &Commands,
    batches: &Batches,
    stop: &StopFlag,
    window: usize,
) -> Result<(), Failure> {
    let flight = Arc::new(Flight::new(window));
    let (to_printer, items) = channel();
    let printer = Printer::start(items, Arc::clone(&flight), batches.waker())?;
    let mut pipeline = Pipeline { commands, flight: &flight, to_printer, places: 0, gathered: Vec::new() };
    let read = pipeline.run(batches, stop);
    // The printer ends once it has answered what it was given.
    drop(pipeline);
    printer.finish()?;
    read
}

struct Pipeline<'a> {
    commands: &'a Commands,
    flight: &'a Flight,
    to_printer: Sender<Vec<Item>>,
    /// Places in flight that are taken, but not used yet.
    places: usize,
    /// Lines that are dealt with, but not handed over yet.
    gathered: Vec<Gathered>,
}

struct Gathered {
    line: u64,
    what: What,
}

enum What {
    Answer(Box<Answer>),
    Command(Box<Request>),
}

impl Pipeline<'_> {
    fn run(&mut self, batches: &Batches, stop: &StopFlag) -> Result<(), Failure> {
        while let Some(batch) = batches.next(|| stop.is_set() || self.flight.is_over())? {
            for line in batch.lines() {
                if stop.is_set() || !self.take_place() {
                    break;
                }
                let what = self.deal_with(&line);
                self.gathered.push(Gathered { line: line.number, what });
            }
            // Whether more comes, and when, is not known: nothing waits for it.
            self.hand_over();
            self.flight.give_back(std::mem::take(&mut self.places));
        }
        Ok(())
    }

    /// Takes a place in flight; `false` when nobody answers any more.
    fn take_place(&mut self) -> bool {
        if self.places == 0 {
            self.hand_over();
            match self.flight.take() {
                Some(places) => self.places = places,
                None => return false,
            }
        }
        self.places -= 1;
        true
    }

    fn deal_with(&mut self, line: &InputLine<'_>) -> What {
        let Line { operation, now } = match self.commands.parse(line) {
            Ok(line) => line,
            Err(rejection) => return What::Answer(Box::new(rejection.into())),
        };
        if self.commands.moves_clock(now) {
            self.hand_over();
            self.commands.settle();
        }
        if let Err(rejection) = self.commands.move_clock(now) {
            return What::Answer(Box::new(rejection.into()));
        }
        match operation {
            Operation::Command(request) => What::Command(request),
            Operation::Query(query) => {
                self.hand_over();
                What::Answer(Box::new(self.commands.query(&query)))
            }
        }
    }

    /// Hands over what is gathered, all at once.
    fn hand_over(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let mut requests = Vec::with_capacity(self.gathered.len());
        let mut lines = Vec::with_capacity(self.gathered.len());
        for Gathered { line, what } in self.gathered.drain(..) {
            lines.push((
                line,
                match what {
                    What::Answer(answer) => Some(answer),
                    What::Command(request) => {
                        requests.push(*request);
                        None
                    }
                },
            ));
        }
        let mut submitted = self.commands.engine.submit_all(requests).map(Vec::into_iter);
        let items = lines.into_iter().map(|(line, answer)| {
            let awaited = match (answer, &mut submitted) {
                (Some(answer), _) => Awaited::Answer(answer),
                (None, Ok(pending)) => Awaited::Command(
                    pending.next().expect("every request that was handed over has an answer"),
                ),
                (None, Err(error)) => Awaited::Answer(Box::new(error.clone().into())),
            };
            Item { line, awaited }
        });
        // A printer that has gone has said that it is over.
        let _ = self.to_printer.send(items.collect());
    }
}
