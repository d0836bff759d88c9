//! The domain's tests: given some commands, when one more is decided and folded in, then this is what came of it.

mod harness;
mod lifecycle;
