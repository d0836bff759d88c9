//! What can go wrong below the domain: the infrastructure error, whose kind says what the caller should do next.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// An infrastructure error. (A refusal or a rejected command is a value of another type: the domain said no.)
///
/// Cheap to clone, because one failed sync has many waiters.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

/// What kind of error it is, and so what the caller should do next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another writer holds the journal. Close it there, or only read here.
    Locked,
    /// What was synced is damaged, missing or foreign. Nothing was changed; restore the file from a copy, or look
    /// with `tallybook verify`.
    Damaged(Damage),
    /// A newer version of Tallybook wrote this. Upgrade; nothing is wrong with the journal.
    Unsupported,
    /// The operating system failed a call. Nothing that was acknowledged is lost; try again, or look at the disk.
    Io,
    /// There is no room on the disk. No event was written; an engine that was running lives on: free some space, retry.
    NoSpace,
    /// The inbox is full. Nothing was written: try again later, or wait in line.
    Busy,
    /// The engine halted while this command was under way: it may or may not be there after reopening. Reopen, and
    /// retry with the same idempotency key.
    OutcomeUnknown,
    /// The engine halted: a command that came after that wrote nothing. Reopen, and retry.
    Halted,
    /// The engine was shut down. Nothing was written.
    Closed,
    /// The deadline passed before the work was done; it goes on in the background.
    DeadlinePassed,
    /// An argument of the host was out of range or of the wrong form. Nothing was written: correct it.
    InvalidArgument,
    /// The cursor is of another journal, or of an event that a crash unmade. Take a new view, and go on after its
    /// cursor.
    CursorMismatch,
    /// The journal, or a proof, is not what the anchor says that it was: one of the two was changed, or they do not belong
    /// together.
    AnchorMismatch,
    /// What was asked for lies below the retention floor: it was pruned. Start from a newer state, or look into the
    /// archive.
    Pruned,
}

/// Where a journal is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, by its name in the journal's directory.
    pub file: String,
    /// The first bad byte's frame (or header, or file: then 0), in bytes from the start of the file.
    pub offset: u64,
    /// The `seq` of the first event that is affected, where it can be told.
    pub seq: Option<u64>,
}

impl Error {
    /// An error of that kind; the message says what was expected, what was found, where, and what to do.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Arc::new(Inner { kind, message: message.into(), source: None }))
    }

    /// An I/O error, with what was being done.
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Error {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ErrorKind::NoSpace
            }
            _ => ErrorKind::Io,
        };
        Error(Arc::new(Inner { kind, message: doing.into(), source: Some(source) }))
    }

    /// Damage: the message is completed with file, offset and seq.
    pub(crate) fn damaged(file: &str, offset: u64, seq: Option<u64>, found: impl fmt::Display) -> Error {
        let at_seq = seq.map_or_else(|| "seq unknown".to_owned(), |seq| format!("seq {seq}"));
        Error::new(
            ErrorKind::Damaged(Damage { file: file.to_owned(), offset, seq }),
            format!("the journal is damaged: file {file}, offset {offset}, {at_seq}: {found}"),
        )
    }

    /// The same error under another kind.
    pub(crate) fn with_kind(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.to_string())
    }

    /// The same error, with the directory that it is about.
    pub(crate) fn in_dir(&self, dir: &Path) -> Error {
        Error::new(self.0.kind.clone(), format!("{}: {self}", dir.display()))
    }

    /// What kind it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where the journal is damaged, if that is what this error says.
    pub fn damage(&self) -> Option<&Damage> {
        match &self.0.kind {
            ErrorKind::Damaged(damage) => Some(damage),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
