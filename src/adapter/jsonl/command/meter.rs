//! External meters.

use super::super::fields::Fields;
use super::super::invalid;
use super::super::op::Asked;
use crate::domain::{ObserveMeter, Rejection, ResetMeter};
use crate::event::Reading;

pub(in super::super) fn observe_meter(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let reading = match (fields.get("delta"), fields.get("cumulative")) {
        (Some(delta), None) => Reading::Delta(delta.amount()?),
        (None, Some(cumulative)) => Reading::Cumulative(cumulative.amount()?),
        (Some(_), Some(_)) => return Err(invalid("expected delta or cumulative, found both")),
        (None, None) => return Err(invalid("expected delta or cumulative, found neither")),
    };
    let observe = ObserveMeter {
        meter_id: fields.meter_id()?,
        reading,
        budget_id: fields.get("budget_id").map(|value| value.parse()).transpose()?,
    };
    Ok(Asked::Command(observe.into()))
}

pub(in super::super) fn reset_meter(fields: &Fields<'_>) -> Result<Asked, Rejection> {
    let reset = ResetMeter {
        meter_id: fields.meter_id()?,
        baseline: fields.get("baseline").map(|value| value.amount()).transpose()?.unwrap_or(0),
    };
    Ok(Asked::Command(reset.into()))
}
