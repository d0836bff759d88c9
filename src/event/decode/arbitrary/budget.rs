//! What happens to budgets as such.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{actors, amount, budget_id, goal_id, name, text, timestamp};
use crate::event::{
    BudgetAdjusted, BudgetAllocated, BudgetClosed, BudgetExhausted, BudgetTerms, EndedForgotten, Fraction,
    Payload, ProgressSet, Span, ThresholdCrossed, Window, WindowRolled,
};
use crate::ids::ReservationId;

pub(super) fn payload() -> BoxedStrategy<Payload> {
    prop_oneof![
        budget_exhausted().prop_map(Payload::BudgetExhausted),
        threshold_crossed().prop_map(Payload::ThresholdCrossed),
        budget_allocated().prop_map(Payload::BudgetAllocated),
        budget_adjusted().prop_map(Payload::BudgetAdjusted),
        (budget_id(), fraction())
            .prop_map(|(budget_id, progress)| Payload::ProgressSet(ProgressSet { budget_id, progress })),
        budget_closed().prop_map(Payload::BudgetClosed),
        window_rolled().prop_map(Payload::WindowRolled),
        (vec(goal_id(), 0..3), vec(budget_id(), 0..3))
            .prop_map(|(goals, budgets)| Payload::EndedForgotten(EndedForgotten { goals, budgets })),
    ]
    .boxed()
}

fn budget_exhausted() -> impl Strategy<Value = BudgetExhausted> {
    (budget_id(), [amount(), amount(), amount()], any::<bool>()).prop_map(
        |(budget_id, [limit, spent, overage], hard)| BudgetExhausted {
            budget_id,
            limit,
            spent,
            overage,
            hard,
        },
    )
}

fn threshold_crossed() -> impl Strategy<Value = ThresholdCrossed> {
    (budget_id(), fraction(), amount(), amount()).prop_map(|(budget_id, threshold, limit, spent)| {
        ThresholdCrossed { budget_id, threshold, limit, spent }
    })
}

fn budget_allocated() -> impl Strategy<Value = BudgetAllocated> {
    (budget_id(), text(), option::of(budget_id()), terms(), option::of(span()), actors()).prop_map(
        |(budget_id, unit, parent, terms, span, widen_by)| BudgetAllocated {
            budget_id,
            unit,
            parent,
            terms,
            span,
            widen_by,
        },
    )
}

fn budget_adjusted() -> impl Strategy<Value = BudgetAdjusted> {
    (budget_id(), terms(), terms(), option::of(span()))
        .prop_map(|(budget_id, previous, terms, span)| BudgetAdjusted { budget_id, previous, terms, span })
}

fn budget_closed() -> impl Strategy<Value = BudgetClosed> {
    let released = vec(name().prop_map(ReservationId), 0..3);
    (budget_id(), option::of(budget_id()), released)
        .prop_map(|(budget_id, by_budget, released)| BudgetClosed { budget_id, by_budget, released })
}

fn window_rolled() -> impl Strategy<Value = WindowRolled> {
    (budget_id(), span(), amount(), span()).prop_map(|(budget_id, ended, spent, span)| WindowRolled {
        budget_id,
        ended,
        spent,
        span,
    })
}

fn terms() -> impl Strategy<Value = BudgetTerms> {
    let window = option::of(window().prop_map(Arc::new));
    (option::of(amount()), any::<bool>(), vec(fraction(), 0..4), window).prop_map(
        |(limit, hard, thresholds, window)| BudgetTerms {
            limit,
            hard,
            thresholds: thresholds.into(),
            window,
        },
    )
}

fn window() -> impl Strategy<Value = Window> {
    (text(), option::of(timestamp()), option::of(text())).prop_map(|(every, anchor, tz)| Window {
        every,
        anchor,
        tz,
    })
}

fn span() -> impl Strategy<Value = Span> {
    (timestamp(), timestamp()).prop_map(|(start, end)| Span { start, end })
}

fn fraction() -> impl Strategy<Value = Fraction> {
    prop_oneof![
        (0..=Fraction::WHOLE_PPM).prop_filter_map("a part of the whole", Fraction::from_ppm),
        Just(Fraction::ZERO),
        Just(Fraction::ONE),
    ]
}
