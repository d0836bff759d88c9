//! A cursor as text or with edited parts, and what is read after it.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the macro of the fuzzer opens a file of its own")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallybook_fuzz::check_cursor(bytes));
