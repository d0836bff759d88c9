//! External meters. What they measured is booked by the spend that follows.

use crate::domain::evolve::{agree, find_budget, need_budget};
use crate::domain::leaf::Leaf;
use crate::domain::{Meter, MeterKind, State};
use crate::event::{ChangeEvent, MeterObserved, MeterReset, Reading};
use crate::ids::MeterId;
use crate::planted::{Bug, planted};

pub(super) fn observed(
    state: &mut State,
    event: &ChangeEvent,
    observed: &MeterObserved,
) -> Result<(), String> {
    let MeterObserved { meter_id: id, budget_id, reading, increase, total } = observed;
    if let Some(budget_id) = budget_id {
        find_budget(state, budget_id)?;
    }
    let binds = state.meter(id).is_none_or(|meter| meter.kind.is_none());
    let meter = change_or_make(state, id, event);
    let kind = match reading {
        Reading::Cumulative(_) => MeterKind::Cumulative,
        Reading::Delta(_) => MeterKind::Delta,
    };
    if let Some(known) = meter.kind {
        // It stays what it was at its first observation.
        agree(format_args!("the kind of meter {id}"), &kind, &known)?;
        agree(format_args!("the budget of meter {id}"), budget_id, &meter.budget_id)?;
    }
    let (expected_total, expected_increase) = match *reading {
        Reading::Cumulative(total) => (Some(total), total.checked_sub(meter.total)),
        Reading::Delta(increase) => (meter.total.checked_add(increase), Some(increase)),
    };
    agree(format_args!("where meter {id} stands"), &Some(*total), &expected_total)?;
    if !planted(Bug::TotalBookedAsIncrease) {
        agree(format_args!("the increase of meter {id}"), &Some(*increase), &expected_increase)?;
    }
    if budget_id.is_some() {
        meter.booked = meter.booked.checked_add(*increase).ok_or_else(|| {
            format!("expected sums within bounds, but what was booked by meter {id} would pass them")
        })?;
    }
    meter.kind = Some(kind);
    meter.budget_id.clone_from(budget_id);
    meter.total = *total;
    meter.updated_at = event.ts;
    match budget_id {
        Some(budget_id) if binds => need_budget(state, budget_id),
        _ => Ok(()),
    }
}

pub(super) fn reset(state: &mut State, event: &ChangeEvent, reset: &MeterReset) -> Result<(), String> {
    let meter = change_or_make(state, &reset.meter_id, event);
    agree(format_args!("where meter {} stood", reset.meter_id), &reset.previous, &meter.total)?;
    meter.total = reset.baseline;
    meter.updated_at = event.ts;
    Ok(())
}

/// A meter; one that is not known begins at 0.
fn change_or_make<'a>(state: &'a mut State, id: &MeterId, event: &ChangeEvent) -> &'a mut Meter {
    let leaf = state.meters.entry(id.clone()).or_insert_with(|| {
        let id = id.clone();
        let (updated_at, meta) = (event.ts, event.meta.clone());
        Leaf::new(Meter { id, total: 0, booked: 0, kind: None, budget_id: None, updated_at, meta })
    });
    Leaf::change(leaf)
}
