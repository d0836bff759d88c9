//! A few cases; and histories that were tampered with.
