//! The general path: any JSON text of an event, in any known version of its kind; and what is wrong with a text
//! that is none.

mod budget;
mod event;
mod goal;
mod refusal;
mod spend;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::event::upcast::{self, History};
use crate::event::{ChangeEvent, EventKey, KeyWindowSet, Meta, Payload, number};

use super::{DecodeError, fields};
use budget::{
    BudgetAdjustedForm, BudgetAllocatedForm, BudgetClosedForm, BudgetExhaustedForm, EndedForgottenForm,
    ProgressSetForm, ThresholdCrossedForm, WindowRolledForm,
};
use event::EventRecordedForm;
use goal::{GoalBudgetSetForm, GoalCreatedForm, GoalTransitionedForm, TurnRecordedForm};
use refusal::{CommandRefusedForm, RefusalsSuppressedForm};
use spend::{
    MeterObservedForm, MeterResetForm, ReservationExpiredForm, ReservationMadeForm,
    ReservationMarkedUnknownForm, ReservationReleasedForm, SpendRecordedForm, SpendReversedForm,
};

pub(super) use budget::{BudgetTermsForm, ChargeForm, SpanForm, WindowForm};
pub(super) use spend::QuantityForm;

/// The event that `line` writes, in whatever form.
pub(super) fn read(line: &[u8]) -> Result<ChangeEvent, DecodeError> {
    let envelope = read_envelope(line).map_err(|error| diagnose(line, &error))?;
    let seq = envelope.seq;
    let version = envelope.v.unwrap_or(1);
    let history = known(seq, &envelope.kind, version)?;
    let invalid = |message: String| DecodeError::Invalid { seq: Some(seq), message };
    let payload = upcast::to_current(history, version, envelope.data.get())
        .and_then(|data| read_payload(history.kind, &data).map_err(|error| error.to_string()))
        .map_err(|message| invalid(format!("in the data of {} v {version}: {message}", history.kind)))?;
    let key = match (envelope.key, envelope.key_body) {
        (Some(key), fingerprint) => Some(EventKey { key, fingerprint }),
        (None, None) => None,
        (None, Some(_)) => return Err(invalid("expected `key` beside `key_body`, found none".to_owned())),
    };
    let meta = envelope.meta.map(|meta| Meta::parse(meta.get())).transpose();
    Ok(ChangeEvent {
        seq,
        ts: envelope.ts,
        session_id: envelope.session_id,
        actor: envelope.actor,
        key,
        meta: meta.map_err(|error| invalid(error.to_string()))?,
        payload,
    })
}

fn read_envelope(line: &[u8]) -> serde_json::Result<Envelope<'_>> {
    let text = std::str::from_utf8(line).map_err(serde::de::Error::custom)?;
    fields::object(text.trim_ascii_start(), |json| Envelope::deserialize(json))
}

/// The history of a kind, if the kind and this version of it are known.
fn known(seq: u64, kind: &str, version: u64) -> Result<&'static History, DecodeError> {
    let Some(history) = upcast::history(kind) else {
        return Err(DecodeError::UnknownKind { seq, kind: kind.chars().take(80).collect(), version });
    };
    let (kind, known) = (history.kind, history.current());
    match version {
        0 => Err(DecodeError::Invalid {
            seq: Some(seq),
            message: format!("expected {kind} in a version from 1 to {known}, found v 0"),
        }),
        found if found > known => Err(DecodeError::UnsupportedVersion { seq, kind, found, known }),
        _ => Ok(history),
    }
}

/// Says what is wrong with a line whose envelope could not be read: if it names a kind or version that is not known,
/// then that, since a newer release may also have added the field that the parser stumbled over.
fn diagnose(line: &[u8], error: &serde_json::Error) -> DecodeError {
    let Ok(outline) = serde_json::from_slice::<Outline<'_>>(line) else {
        return DecodeError::Invalid { seq: leading_seq(line), message: error.to_string() };
    };
    let version = outline.v.unwrap_or(1);
    match (outline.seq, outline.kind) {
        (Some(seq), Some(kind)) => match known(seq, &kind, version) {
            Err(error) => error,
            Ok(_) => {
                DecodeError::Invalid { seq: Some(seq), message: format!("in {kind} v {version}: {error}") }
            }
        },
        (seq, _) => DecodeError::Invalid { seq, message: error.to_string() },
    }
}

/// The `seq` of a line that is not even JSON, if it begins as an event does.
fn leading_seq(line: &[u8]) -> Option<u64> {
    let (seq, rest) = number::split_u64(line.strip_prefix(br#"{"seq":"#)?)?;
    // At the end of a cut line, more digits may be missing.
    (!rest.is_empty()).then_some(seq)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    seq: u64,
    #[serde(deserialize_with = "fields::timestamp")]
    ts: Timestamp,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    v: Option<u64>,
    #[serde(borrow)]
    data: &'a RawValue,
    session_id: Option<Arc<str>>,
    actor: Option<Arc<str>>,
    key: Option<Arc<str>>,
    #[serde(default, deserialize_with = "fields::nullable_fingerprint")]
    key_body: Option<u64>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

/// As much of an event as an error message names.
#[derive(Deserialize)]
struct Outline<'a> {
    seq: Option<u64>,
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    v: Option<u64>,
}

fn read_payload(kind: &str, data: &str) -> serde_json::Result<Payload> {
    fields::object(data, |json| {
        Ok(match kind {
            "goal_created" => Payload::GoalCreated(GoalCreatedForm::deserialize(json)?),
            "goal_transitioned" => Payload::GoalTransitioned(GoalTransitionedForm::deserialize(json)?),
            "goal_budget_set" => Payload::GoalBudgetSet(GoalBudgetSetForm::deserialize(json)?),
            "turn_recorded" => Payload::TurnRecorded(TurnRecordedForm::deserialize(json)?),
            "budget_exhausted" => Payload::BudgetExhausted(BudgetExhaustedForm::deserialize(json)?),
            "threshold_crossed" => Payload::ThresholdCrossed(ThresholdCrossedForm::deserialize(json)?),
            "budget_allocated" => Payload::BudgetAllocated(BudgetAllocatedForm::deserialize(json)?),
            "budget_adjusted" => Payload::BudgetAdjusted(BudgetAdjustedForm::deserialize(json)?),
            "progress_set" => Payload::ProgressSet(ProgressSetForm::deserialize(json)?),
            "budget_closed" => Payload::BudgetClosed(BudgetClosedForm::deserialize(json)?),
            "window_rolled" => Payload::WindowRolled(WindowRolledForm::deserialize(json)?),
            "ended_forgotten" => Payload::EndedForgotten(EndedForgottenForm::deserialize(json)?),
            "spend_recorded" => {
                Payload::SpendRecorded(Arc::new(SpendRecordedForm::deserialize(json)?.into()))
            }
            "spend_reversed" => Payload::SpendReversed(SpendReversedForm::deserialize(json)?),
            "reservation_made" => Payload::ReservationMade(ReservationMadeForm::deserialize(json)?),
            "reservation_released" => {
                Payload::ReservationReleased(ReservationReleasedForm::deserialize(json)?)
            }
            "reservation_expired" => Payload::ReservationExpired(ReservationExpiredForm::deserialize(json)?),
            "reservation_marked_unknown" => {
                Payload::ReservationMarkedUnknown(ReservationMarkedUnknownForm::deserialize(json)?)
            }
            "meter_observed" => Payload::MeterObserved(MeterObservedForm::deserialize(json)?.try_into()?),
            "meter_reset" => Payload::MeterReset(MeterResetForm::deserialize(json)?),
            "event_recorded" => Payload::EventRecorded(EventRecordedForm::deserialize(json)?),
            "command_refused" => Payload::CommandRefused(CommandRefusedForm::deserialize(json)?),
            "refusals_suppressed" => Payload::RefusalsSuppressed(RefusalsSuppressedForm::deserialize(json)?),
            "key_window_set" => Payload::KeyWindowSet(KeyWindowSetForm::deserialize(json)?),
            _ => return Err(serde::de::Error::custom(format_args!("no reader for kind `{kind}`"))),
        })
    })
}

// How the data of each kind stand in JSON. Serde checks these forms against the types of the same fields in
// `payload/`.

#[derive(Deserialize)]
#[serde(remote = "KeyWindowSet", deny_unknown_fields)]
struct KeyWindowSetForm {
    max_age_ms: u64,
    max_count: u64,
}
