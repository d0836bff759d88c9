//! The `tallybook` command line: a thin face of the crate. Whatever it can do, a host can do through the public API.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
