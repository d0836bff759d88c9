//! How much history `apply` keeps, and where the rest goes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tallybook::{DirectoryArchive, Options, Retention};

use crate::cli::values;

/// The flags about retention. Any rule that is exceeded prunes.
#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    /// How many closed segments are kept; older ones are pruned, which loses no state.
    #[arg(long, value_name = "N")]
    retain_segments: Option<u64>,
    /// How many bytes of closed segments are kept [default: 536870912, unless another rule is given].
    #[arg(long, value_name = "N")]
    retain_bytes: Option<u64>,
    /// How long a closed segment is kept, by its newest event, like 30d.
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    retain_age: Option<Duration>,
    /// Prune nothing.
    #[arg(long, conflicts_with_all = ["retain_segments", "retain_bytes", "retain_age"])]
    retain_all: bool,
    /// A directory of this journal's own, into which each segment is copied before it is pruned.
    #[arg(long, value_name = "DIR2")]
    archive: Option<PathBuf>,
}

impl HistoryArguments {
    pub(super) fn apply_to(&self, options: Options) -> Options {
        let options = options.retention(self.retention());
        match &self.archive {
            Some(dir) => options.archive(DirectoryArchive::new(dir)),
            None => options,
        }
    }

    fn retention(&self) -> Retention {
        let mut retention = if self.retain_all { Retention::keep_all() } else { Retention::new() };
        if let Some(segments) = self.retain_segments {
            retention = retention.segments(segments);
        }
        if let Some(bytes) = self.retain_bytes {
            retention = retention.bytes(bytes);
        }
        if let Some(age) = self.retain_age {
            retention = retention.age(age);
        }
        retention
    }
}
