//! What a victim tells: one line each, written at once, as soon as it is so.

use std::fmt;
use std::io::Write;

use tallybook::{CommandError, Error, Receipt};

/// What comes before every line, so that nothing else on the same channel is taken for one.
const MARK: &str = "@";

/// What a victim tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It begins to open the journal.
    Opening,
    /// It could not: the kind of the error, and what it says.
    Unopened(String, String),
    /// It has opened it: the last `seq`, and the hash of the state.
    Opened(u64, String),
    /// A client has an answer to the command of that number.
    Answered(u64, u64, Answer),
    /// The engine could not carry a command out: the kind of the error.
    Failed(u64, u64, String),
    /// At the end: the last run of retention and snapshots failed, and why.
    Upkeep(String, String),
    /// It closed cleanly.
    Closed,
    /// It ended otherwise: the kind of the error, and what it says.
    Ended(String, String),
}

/// An answer, as its client has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, by these events; whether that was said to be a retry.
    Done(u64, u64, bool),
    /// Refused, by this event, or as one of too many alike.
    Refused(Option<u64>),
    /// It changed nothing, or makes no sense, which no command here does.
    Senseless,
}

impl Answer {
    /// Sorts an answer; the error where the engine could not do it.
    pub(crate) fn of(answer: Result<Receipt, CommandError>) -> Result<Answer, Error> {
        match answer {
            Ok(Receipt { first_seq: Some(first), last_seq: Some(last), retried, .. }) => {
                Ok(Answer::Done(first, last, retried))
            }
            Ok(_) | Err(CommandError::Rejected(_)) => Ok(Answer::Senseless),
            Err(CommandError::Refused(refusal)) => Ok(Answer::Refused(refusal.seq)),
            Err(CommandError::Engine(error)) => Err(error),
        }
    }
}

/// The name of a kind of error, without what it carries.
pub(crate) fn kind_of(error: &Error) -> String {
    let kind = format!("{:?}", error.kind());
    kind.split([' ', '(']).next().unwrap_or_default().to_owned()
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_line = |text: &str| text.replace('\n', " ");
        match self {
            Told::Opening => f.write_str("opening"),
            Told::Unopened(kind, message) => write!(f, "unopened {kind} {}", one_line(message)),
            Told::Opened(seq, hash) => write!(f, "opened {seq} {hash}"),
            Told::Answered(client, number, Answer::Done(first, last, retried)) => {
                write!(f, "done {client} {number} {first} {last} {retried}")
            }
            Told::Answered(client, number, Answer::Refused(seq)) => {
                write!(f, "refused {client} {number} {}", seq.unwrap_or(0))
            }
            Told::Answered(client, number, Answer::Senseless) => write!(f, "senseless {client} {number}"),
            Told::Failed(client, number, kind) => write!(f, "failed {client} {number} {kind}"),
            Told::Upkeep(kind, message) => write!(f, "upkeep {kind} {}", one_line(message)),
            Told::Closed => f.write_str("closed"),
            Told::Ended(kind, message) => write!(f, "ended {kind} {}", one_line(message)),
        }
    }
}

impl Told {
    /// Tells it. Whoever is killed after this has told it.
    pub(crate) fn tell(&self) {
        // One write, and shorter than what a pipe takes at once: lines of several threads do not mix.
        let line = format!("{MARK}{self}\n");
        if std::io::stderr().write_all(line.as_bytes()).is_err() {
            // Nobody listens any more.
            std::process::exit(3);
        }
    }

    /// Reads a line; `None` when it is something else, or the beginning of one.
    pub(crate) fn parse(line: &str) -> Option<Told> {
        let (what, rest) = match line.strip_prefix(MARK)?.split_once(' ') {
            Some((what, rest)) => (what, rest),
            None => (line.strip_prefix(MARK)?, ""),
        };
        let words: Vec<&str> = rest.split(' ').collect();
        let number = |index: usize| words.get(index)?.parse::<u64>().ok();
        let message = || rest.split_once(' ').map(|(kind, message)| (kind.to_owned(), message.to_owned()));
        let answered = |answer| Some(Told::Answered(number(0)?, number(1)?, answer));
        match what {
            "opening" => Some(Told::Opening),
            "unopened" => message().map(|(kind, message)| Told::Unopened(kind, message)),
            "opened" => Some(Told::Opened(number(0)?, (*words.get(1)?).to_owned())),
            "done" => answered(Answer::Done(number(2)?, number(3)?, words.get(4)?.parse().ok()?)),
            "refused" => answered(Answer::Refused(number(2).map(|seq| (seq > 0).then_some(seq))?)),
            "senseless" => answered(Answer::Senseless),
            "failed" => Some(Told::Failed(number(0)?, number(1)?, (*words.get(2)?).to_owned())),
            "upkeep" => message().map(|(kind, message)| Told::Upkeep(kind, message)),
            "closed" => Some(Told::Closed),
            "ended" => message().map(|(kind, message)| Told::Ended(kind, message)),
            _ => None,
        }
    }
}
