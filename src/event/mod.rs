//! The facts: [`ChangeEvent`], its payloads, and their JSON.

mod change_event;
mod decode;
mod encode;
mod meta;
mod number;
mod payload;
mod text;
mod upcast;

pub use change_event::{ChangeEvent, EventKey};
pub use decode::{DecodeError, decode_event};
pub use encode::encode_event;
pub use meta::{Meta, MetaError};
pub use payload::{
    BudgetExhausted, Charge, CommandRefused, GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned,
    KeyWindowSet, Payload, RefusalKind, RefusalsSuppressed, TransitionReason, TurnRecorded,
};
