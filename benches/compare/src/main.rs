//! Tallybook and its peers on the same work, in one run, in interleaved rounds, next to a probe of the disk. See the
//! README for what is compared, and how.

#![expect(clippy::disallowed_methods, reason = "a program of its own, which measures time and keeps files")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints a table, and how far it has come")]

mod arguments;
mod contestants;
mod event;
mod host;
mod machine;
mod measure;
mod order;
mod peers;
mod probe;
mod report;
mod store;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::arguments::Arguments;
use crate::contestants::{durables, historians, is_asked};
use crate::machine::Machine;
use crate::probe::Probe;
use crate::report::{DURABLE, Figure, Report, Work, lines, table};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T> = Result<T, Failure>;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    // The callers' tasks; stores that have threads of their own find another core.
    let workers = std::thread::available_parallelism()?.get().div_ceil(2);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let _entered = runtime.enter();
    let dir = tempfile::tempdir_in(std::env::var_os("TALLYBOOK_BENCH_DIR").unwrap_or_else(|| ".".into()))?;
    let (start, machine) = (Instant::now(), Machine::look(dir.path())?);
    let mut ground = Ground { probe: Probe::new(&dir.path().join("probe"))?, dir, figures: Vec::new() };
    for round in 0..arguments.rounds {
        eprintln!("durable commands, round {} of {} ({:.0?})", round + 1, arguments.rounds, start.elapsed());
        ground.durable_round(arguments, round)?;
    }
    for round in 0..arguments.history_rounds {
        eprintln!("histories, round {} of {} ({:.0?})", round + 1, arguments.history_rounds, start.elapsed());
        ground.history_round(arguments, round)?;
    }
    eprintln!("done ({:.0?})", start.elapsed());
    let lines = lines(&ground.figures);
    print!("{}", table(&machine, &lines));
    if let Some(path) = &arguments.json {
        let report = Report { machine: &machine, settings: arguments, lines, rounds: &ground.figures };
        serde_json::to_writer_pretty(File::create(path)?, &report)?;
    }
    Ok(())
}

/// Where it is run, and what came of it so far.
struct Ground {
    dir: TempDir,
    probe: Probe,
    figures: Vec<Figure>,
}

impl Ground {
    /// Each has a turn at each number of commands in flight. With one in flight each has a probe just before; with more,
    /// when the disk is not all that counts, all share one.
    fn durable_round(&mut self, arguments: &Arguments, round: usize) -> Outcome<()> {
        for (work, in_flight, face) in DURABLE {
            let mut probe = self.probe.run()?;
            let mut all = durables();
            all.retain(|one| is_asked(&arguments.only, one.name) && face.is_none_or(|face| face == one.face));
            for one in rotated(&all, round) {
                if in_flight == 1 {
                    probe = self.probe.run()?;
                }
                let value =
                    self.in_a_directory(one.name, |dir| (one.run)(dir, in_flight, arguments.slice))?;
                let (contestant, role) = (one.name, one.role);
                self.figures.push(Figure { work, contestant, role, round, value, probe: Some(probe) });
            }
        }
        Ok(())
    }

    fn history_round(&mut self, arguments: &Arguments, round: usize) -> Outcome<()> {
        let mut all = historians();
        all.retain(|one| is_asked(&arguments.only, one.name));
        for one in rotated(&all, round) {
            let history = self.in_a_directory(one.name, |dir| (one.run)(dir, arguments.events))?;
            let values = [
                (Work::Fill, history.filled),
                (Work::Replay, history.replayed),
                (Work::ReadFirst, history.first),
                (Work::ReadThousand, history.thousand),
            ];
            for (work, value) in values {
                let (contestant, role) = (one.name, one.role);
                self.figures.push(Figure { work, contestant, role, round, value, probe: None });
            }
        }
        Ok(())
    }

    /// Runs it in a directory of its own, which is gone, and synced to be gone, before the next one begins.
    fn in_a_directory<T>(&self, name: &str, run: impl FnOnce(&Path) -> Outcome<T>) -> Outcome<T> {
        let dir = self.dir.path().join(name);
        std::fs::create_dir(&dir)?;
        let outcome = run(&dir).map_err(|error| format!("{name}: {error}"))?;
        std::fs::remove_dir_all(&dir)?;
        File::open(self.dir.path())?.sync_all()?;
        Ok(outcome)
    }
}

/// In each round another one is first.
fn rotated<T>(all: &[T], round: usize) -> impl Iterator<Item = &T> {
    all.iter().cycle().skip(round % all.len().max(1)).take(all.len())
}
