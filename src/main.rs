//! The `tallybook` command line.

fn main() {}
