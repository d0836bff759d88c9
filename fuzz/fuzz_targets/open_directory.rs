//! Arbitrary files, opened as a journal.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallybook_fuzz::check_directory(bytes));
