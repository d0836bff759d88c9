//! State as a fold of events.
