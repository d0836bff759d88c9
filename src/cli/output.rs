//! Standard output, with a buffer of its own, so that a line does not cost a system call.

use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use super::outcome::Failure;

const BUFFER_LEN: usize = 64 * 1024;

/// Standard output, locked. Flushed only when asked to.
pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(BUFFER_LEN, io::stdout().lock())
}

/// Prints one JSON value, and that is all.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = stdout();
    serde_json::to_writer(&mut out, value)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}
