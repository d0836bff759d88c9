//! Arbitrary bytes, read as frames, headers, records and events.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallybook_fuzz::check_frames(bytes));
