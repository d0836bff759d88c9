//! A snapshot with edited lines, restored, folded on, and written again.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the macro of the fuzzer opens a file of its own")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallybook_fuzz::check_snapshot(bytes));
