//! `tallybook events` and `tallybook follow`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tallybook::{Cursor, Events, JournalReader, JournaledEvent};

use super::filter::FilterArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::signals::{StopFlag, stop_on_signal};

/// How long a follower waits before it looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Print events, one JSON object a line, exactly as journaled.
#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    #[command(flatten)]
    which: WhichArguments,
}

/// Print events from the oldest on, and go on live as the writer appends.
#[derive(Debug, Args)]
pub(super) struct FollowArguments {
    #[command(flatten)]
    which: WhichArguments,
}

#[derive(Debug, Args)]
struct WhichArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// From this seq on.
    #[arg(long, value_name = "SEQ", conflicts_with = "after")]
    from: Option<u64>,
    /// Up to this seq.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// After the event of this cursor, which --raw prints.
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Add file, offset, length and CRC of the event's frame, its epoch, and its cursor.
    #[arg(long)]
    raw: bool,
}

impl WhichArguments {
    fn open(&self) -> Result<Events, Failure> {
        let reader = JournalReader::open(&self.dir)?;
        Ok(match &self.after {
            Some(cursor) => reader.events_after(cursor)?,
            None => reader.events(self.from.unwrap_or(1))?,
        })
    }

    /// Prints what there is, until it is told to stop; whether there may be more to come.
    fn print_available(
        &self,
        events: &mut Events,
        out: &mut impl Write,
        stop: &StopFlag,
    ) -> Result<bool, Failure> {
        let to = self.to.unwrap_or(u64::MAX);
        while !stop.is_set()
            && let Some(event) = events.next()?
        {
            if event.seq > to {
                return Ok(false);
            }
            if self.filter.is_empty() || self.filter.matches(&event.decode()?) {
                if self.raw {
                    write_raw(&event, out)?
                } else {
                    out.write_all(event.line)?
                }
                out.write_all(b"\n")?;
            }
            if event.seq == to {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The event with members for what only the journal knows.
fn write_raw(event: &JournaledEvent<'_>, out: &mut impl Write) -> io::Result<()> {
    let location = event.location();
    // A journaled event is an object with members, so its end is a place to go on.
    out.write_all(event.line.strip_suffix(b"}").unwrap_or(event.line))?;
    write!(
        out,
        ",\"file\":\"{}\",\"offset\":{},\"length\":{},\"crc\":\"{:08x}\",\"epoch\":\"{}\",\"cursor\":\"{}\"}}",
        location.file,
        location.offset,
        location.length,
        location.crc,
        event.epoch,
        event.cursor()
    )
}

pub(super) fn run(arguments: &EventsArguments) -> Result<u8, Failure> {
    let which = &arguments.which;
    let mut out = stdout();
    let mut events = which.open()?;
    let printed = which.print_available(&mut events, &mut out, &StopFlag::default());
    // What was read before an error is worth having.
    finish(printed.map(drop), &mut out)
}

pub(super) fn follow(arguments: &FollowArguments) -> Result<u8, Failure> {
    let which = &arguments.which;
    let stop = StopFlag::default();
    stop_on_signal(&stop, || {})?;
    let mut out = stdout();
    let mut events = which.open()?;
    while !stop.is_set() {
        match which.print_available(&mut events, &mut out, &stop) {
            Ok(true) => out.flush()?,
            ended => return finish(ended.map(drop), &mut out),
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    finish(Ok(()), &mut out)
}

fn finish(printed: Result<(), Failure>, out: &mut BufWriter<impl Write>) -> Result<u8, Failure> {
    let flushed = out.flush();
    printed?;
    flushed?;
    Ok(EXIT_DONE)
}
