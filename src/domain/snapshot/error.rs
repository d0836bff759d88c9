//! Why lines were not read as a state.

/// Why lines were not read as a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RestoreError {
    /// A part, or a version of one, that this version does not know. Nothing may be wrong with it.
    #[error(
        "line {line} of the state is of part `{part}` (v {version}), which tallybook {} does not know: \
         a newer release may; upgrade to read it",
        env!("CARGO_PKG_VERSION")
    )]
    Unsupported {
        /// Which line, from 1.
        line: u64,
        /// The name of the part (the first characters, if it is very long).
        part: String,
        /// Its version.
        version: u64,
    },
    /// No state: a line is none, or the lines contradict each other.
    #[error("{0}")]
    Invalid(String),
}
