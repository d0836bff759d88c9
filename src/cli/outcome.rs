//! How a command ends: exit codes, and what is said on stderr.

use std::io;

use tallybook::{Error, ErrorKind};

/// Done, or clean.
pub(super) const EXIT_DONE: u8 = 0;
/// A torn tail was found.
pub(super) const EXIT_TORN_TAIL: u8 = 1;
/// Damage was found, or the journal refuses to open.
pub(super) const EXIT_DAMAGED: u8 = 2;
/// An anchor or a proof does not match.
pub(super) const EXIT_MISMATCH: u8 = 3;
/// An I/O error.
pub(super) const EXIT_IO: u8 = 4;
/// Another writer holds the journal.
pub(super) const EXIT_LOCKED: u8 = 5;
/// Wrong usage.
pub(super) const EXIT_USAGE: u8 = 64;

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Whoever read the output has gone: that is their right, and the end is a quiet one.
    OutputClosed,
    /// The output could not be written.
    Output(io::Error),
    /// The input could not be read; what was being done.
    Input(String, io::Error),
    /// The journal or the engine.
    Journal(Error),
    /// Options that do not go together.
    Usage(String),
}

impl Failure {
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Failure::OutputClosed => EXIT_DONE,
            Failure::Output(_) | Failure::Input(..) => EXIT_IO,
            Failure::Usage(_) => EXIT_USAGE,
            Failure::Journal(error) => match error.kind() {
                ErrorKind::Damaged(_) | ErrorKind::Unsupported => EXIT_DAMAGED,
                ErrorKind::AnchorMismatch => EXIT_MISMATCH,
                ErrorKind::Locked => EXIT_LOCKED,
                ErrorKind::InvalidArgument => EXIT_USAGE,
                _ => EXIT_IO,
            },
        }
    }

    /// What to say about it.
    pub(super) fn message(&self) -> Option<String> {
        match self {
            Failure::OutputClosed => None,
            Failure::Output(error) => Some(format!("writing to stdout: {error}")),
            Failure::Input(doing, error) => Some(format!("{doing}: {error}")),
            Failure::Journal(error) => Some(error.to_string()),
            Failure::Usage(message) => Some(message.clone()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Journal(error)
    }
}

/// Errors of the output; those of the input are named where they come up.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Output(error),
        }
    }
}

/// Writing JSON fails only where the output does.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        io::Error::from(error).into()
    }
}
