//! Pure decide and evolve.
