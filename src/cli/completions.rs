//! `tallybook completions`.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, generate};

use super::outcome::{EXIT_DONE, Failure};
use super::output::stdout;

/// Print a script with which a shell completes commands, options and their values.
///
/// For bash: `tallybook completions bash > ~/.local/share/bash-completion/completions/tallybook`; for fish:
/// `tallybook completions fish > ~/.config/fish/completions/tallybook.fish`; for zsh: to `_tallybook` in a directory of `$fpath`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments, mut command: clap::Command) -> Result<u8, Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "tallybook", &mut script);
    let mut out = stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(EXIT_DONE)
}
