//! `tallybook events` and `tallybook follow`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tallybook::{Cursor, Events, FeedItem, Follower, JournalReader, JournaledEvent, Reset, Start, Timestamp};

use super::archive::ArchiveArguments;
use super::filter::FilterArguments;
use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;
use super::signals::{StopFlag, stop_on_signal};
use super::state::StateJson;
use super::values;

/// How long a follower waits before it looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Print events, one JSON object a line, exactly as journaled.
#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    #[command(flatten)]
    which: WhichArguments,
    /// Only events decided at or after this time (RFC 3339), or no longer ago than this (-2h, -3d).
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true, conflicts_with = "after")]
    since: Option<Timestamp>,
    /// Only events decided at or before this time, or so long ago.
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    #[command(flatten)]
    archive: ArchiveArguments,
}

/// Print events from the oldest on, and go on live as the writer appends.
///
/// Where it cannot go on from the cursor, or pruning overtakes it, it prints {"reset":…} with the cause, the state to begin
/// anew with and its cursor, and goes on after that. Causes: below_retention, foreign_journal, unmade_future.
#[derive(Debug, Args)]
pub(super) struct FollowArguments {
    #[command(flatten)]
    which: WhichArguments,
    /// Also print {"caught_up":CURSOR} once everything there was is printed, and {"bookmark":CURSOR} where events that
    /// are filtered out have passed: places to go on after.
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, Args)]
struct WhichArguments {
    /// The journal's directory.
    dir: PathBuf,
    /// From this seq on [default: from the oldest that is retained]. One that was pruned is an error of events; follow
    /// begins with a reset then. It may be yet to come.
    #[arg(long, value_name = "SEQ", conflicts_with = "after")]
    from: Option<u64>,
    /// Up to this seq.
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// After the event of this cursor, as --raw, --progress, a reset or the operation head gives it. Where that cannot be,
    /// it is an error of events, and follow begins with a reset.
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Add file, offset, length and CRC of the event's frame, its epoch, and its cursor.
    #[arg(long)]
    raw: bool,
}

impl WhichArguments {
    fn follow(&self) -> Result<Follower, Failure> {
        let start = self.after.map_or(Start::From(self.from.unwrap_or(0)), Start::After);
        Ok(JournalReader::open(&self.dir)?.follow(start, self.filter.to_filter()?)?)
    }

    fn ends_before(&self, seq: u64) -> bool {
        self.to.is_some_and(|to| to < seq)
    }

    fn ends_with(&self, seq: u64) -> bool {
        self.to.is_some_and(|to| to <= seq)
    }

    fn write(&self, event: &JournaledEvent<'_>, out: &mut impl Write) -> io::Result<()> {
        if self.raw {
            write_raw(event, out)?;
        } else {
            out.write_all(event.line)?;
        }
        out.write_all(b"\n")
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

/// What `follow` prints beside events.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Notice<'a> {
    CaughtUp(Option<String>),
    Bookmark(String),
    Reset { cause: &'static str, seq: u64, cursor: Option<String>, state: StateJson<'a> },
}

impl Notice<'_> {
    fn of(reset: &Reset) -> Notice<'_> {
        let seq = reset.view.seq();
        Notice::Reset {
            cause: reset.cause.name(),
            seq,
            cursor: reset.cursor().map(|cursor| cursor.to_string()),
            state: StateJson::new(seq, reset.view.state()),
        }
    }

    fn write(&self, out: &mut impl Write) -> Result<(), Failure> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(out.write_all(b"\n")?)
    }
}

impl EventsArguments {
    fn events(&self) -> Result<Events, Failure> {
        let which = &self.which;
        let reader = self.archive.open(&which.dir)?;
        let events = match (&which.after, self.since) {
            (Some(cursor), _) => reader.events_after(cursor)?,
            (None, Some(since)) => reader.events(self.seq_since(&reader, since)?)?,
            (None, None) => reader.events(which.from.unwrap_or(0))?,
        };
        let events = events.filter(which.filter.to_filter()?).up_to(which.to.unwrap_or(u64::MAX));
        Ok(match self.until {
            Some(until) => events.until(until),
            None => events,
        })
    }

    /// Where to begin. What was pruned of a range is said, for nobody would miss it.
    fn seq_since(&self, reader: &JournalReader, since: Timestamp) -> Result<u64, Failure> {
        let (seq, oldest) = (reader.seq_since(since)?, reader.oldest_seq()?);
        if seq == oldest && oldest > 1 && self.which.from.is_none() {
            let note = format!("tallybook: events before seq {oldest} were pruned; some may be of that time");
            // Nobody is left to be told when this cannot be printed.
            let _ = writeln!(io::stderr().lock(), "{note}");
        }
        Ok(self.which.from.map_or(seq, |from| from.max(seq)))
    }
}

pub(super) fn run(arguments: &EventsArguments) -> Result<u8, Failure> {
    let which = &arguments.which;
    let mut out = stdout();
    let mut events = arguments.events()?;
    let printed = print(which, &mut events, &mut out);
    // What was read before an error is worth having.
    finish(printed, &mut out)
}

fn print(which: &WhichArguments, events: &mut Events, out: &mut impl Write) -> Result<(), Failure> {
    while let Some(event) = events.next()? {
        which.write(&event, out)?;
    }
    Ok(())
}

pub(super) fn follow(arguments: &FollowArguments) -> Result<u8, Failure> {
    let stop = StopFlag::default();
    stop_on_signal(&stop, || {})?;
    let mut out = stdout();
    let mut follower = arguments.which.follow()?;
    while !stop.is_set() {
        match arguments.print_available(&mut follower, &mut out, &stop) {
            Ok(true) => out.flush()?,
            ended => return finish(ended.map(drop), &mut out),
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    finish(Ok(()), &mut out)
}

impl FollowArguments {
    /// Prints what there is, until it is told to stop; whether there may be more to come.
    fn print_available(
        &self,
        follower: &mut Follower,
        out: &mut impl Write,
        stop: &StopFlag,
    ) -> Result<bool, Failure> {
        while !stop.is_set()
            && let Some(item) = follower.try_next_journaled()?
        {
            let passed = match item {
                FeedItem::Event(event) if self.which.ends_before(event.seq) => return Ok(false),
                FeedItem::Event(event) => {
                    self.which.write(&event, out)?;
                    Some(event.cursor())
                }
                FeedItem::Reset(reset) => {
                    Notice::of(&reset).write(out)?;
                    reset.cursor()
                }
                FeedItem::CaughtUp(cursor) => {
                    self.tell(&Notice::CaughtUp(cursor.map(|cursor| cursor.to_string())), out)?;
                    cursor
                }
                FeedItem::Bookmark(cursor) => {
                    self.tell(&Notice::Bookmark(cursor.to_string()), out)?;
                    Some(cursor)
                }
                _ => None,
            };
            if passed.is_some_and(|cursor| self.which.ends_with(cursor.seq)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tell(&self, notice: &Notice<'_>, out: &mut impl Write) -> Result<(), Failure> {
        if self.progress { notice.write(out) } else { Ok(()) }
    }
}

fn finish(printed: Result<(), Failure>, out: &mut BufWriter<impl Write>) -> Result<u8, Failure> {
    let flushed = out.flush();
    printed?;
    flushed?;
    Ok(EXIT_DONE)
}
