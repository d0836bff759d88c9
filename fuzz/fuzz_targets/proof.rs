//! Notes, proofs and spines, as text or with edited bytes.

#![no_main]
#![expect(clippy::disallowed_methods, reason = "the macro of the fuzzer opens a file of its own")]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallybook_fuzz::check_proof(bytes));
