//! The facts: [`ChangeEvent`], its payloads, and their JSON.
//!
//! # Why this form of JSON
//!
//! An event names its kind in `kind` and holds what happened in `data`, after it: a reader knows what comes before it
//! comes, and `jq .kind` works. The encoder and the reader of the canonical form are written by hand, with serde behind
//! the reader for any other form of the same object. Measured before the format was used (`cargo bench --bench codec`,
//! events of about 229 bytes, 9 rounds on 2 noisy cores): written 7.4 M/s (4.2 to 8.1) and read 3.8 M/s (2.1 to 4.1),
//! which is 3.0 and 3.6 times the fastest form that serde derives (externally tagged), in the same run. Between the forms
//! of tagging the derived code differs by a tenth in writing and by up to twice in reading; by hand it makes no difference,
//! so the choice went to the reader of the journal.

mod change_event;
mod decode;
mod encode;
mod fraction;
mod json;
mod meta;
mod number;
mod payload;
mod text;
mod upcast;

pub use change_event::{ChangeEvent, EventKey};
pub(crate) use decode::Decoder;
pub use decode::{DecodeError, decode_event};
pub(crate) use encode::Encoder;
pub use encode::encode_event;
pub use fraction::Fraction;
pub use json::{Json, JsonError};
pub use meta::{Meta, MetaError};
pub use payload::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, Charge, CommandRefused,
    EndedForgotten, EventRecorded, GoalBudgetSet, GoalCreated, GoalStatus, GoalTransitioned, KeyWindowSet,
    MeterObserved, MeterReset, Payload, ProgressSet, Quantity, Reading, RefusalKind, RefusalsSuppressed,
    ReleaseReason, ReservationExpired, ReservationMade, ReservationMarkedUnknown, ReservationReleased, Span,
    SpendDetails, SpendRecorded, SpendReversed, ThresholdCrossed, TransitionReason, TurnRecorded, Window,
    WindowRolled,
};

/// How single values stand in JSON, in whatever is written besides events: the same values, in the same words.
pub(crate) mod value {
    pub(crate) use super::decode::fields::{read_fingerprint, read_fraction};
    pub(crate) use super::decode::{Reader, Second, Texts};
    pub(crate) use super::encode::values::{
        put, put_actors, put_amount, put_boolean, put_budget_id, put_charge, put_fingerprint, put_fraction,
        put_given, put_goal_id, put_list, put_name, put_option, put_timestamp,
    };
    pub(crate) use super::number::{put_u64, put_u128, read_u128};
    pub(crate) use super::text::{is_printable, put as put_text};
}
