//! Reading the operations on budgets: what is taken.

use std::time::Duration;

use super::super::*;
use super::{GOAL, command, query};
use crate::domain::{
    AdjustBudget, BudgetQuery, BudgetStatus, CloseBudget, MarkUnknown, NewBudget, NewReservation,
    ObserveMeter, RecordSpend, Release, ReservationQuery, ReservationStatus, ResetMeter, ReverseSpend,
    SetProgress, Settle, Spend, SpendQuery, Ttl,
};
use crate::event::{Fraction, Window};
use crate::ids::{BudgetId, MeterId};

fn fraction(ppm: u32) -> Fraction {
    Fraction::from_ppm(ppm).unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A spend with all that it may have, and the fields that say so.
fn full_spend() -> (Spend, &'static str) {
    let spend = Spend::of(u128::MAX)
        .id("s-1")
        .peer("0xabc")
        .tool("web.search")
        .reason("é \"quoted\"")
        .quantity("out put", 812)
        .quantity("", 0)
        .occurred_at(time("2026-11-21T09:00:00Z"));
    let fields = r#""amount":"340282366920938463463374607431768211455","spend_id":"s-1","peer":"0xabc","tool":"web.search","reason":"\u00e9 \"quoted\"","quantities":{"out put":"812","":0},"occurred_at":"2026-11-21T10:00:00+01:00""#;
    (spend, fields)
}

#[test]
fn a_budget_is_allocated_with_all_it_may_have() {
    let line = r#"{"op":"allocate","budget_id":"team/é","limit":"340282366920938463463374607431768211455","unit":"usd-micro","parent":"company","hard":false,"thresholds":[0.5,1,9.5e-1,0.000001],"window":{"every":"month","anchor":"2026-01-31T00:00:00Z","tz":"Europe/Berlin"},"widen_by":["ada","bob"]}"#;
    let window = Window {
        every: "month".into(),
        anchor: Some(time("2026-01-31T00:00:00Z")),
        tz: Some("Europe/Berlin".into()),
    };
    let expected = NewBudget::new("team/é")
        .limit(u128::MAX)
        .unit("usd-micro")
        .parent("company")
        .soft()
        .thresholds([500_000, 1_000_000, 950_000, 1].map(fraction))
        .window(window)
        .widen_by(["ada", "bob"]);
    assert_eq!(command(line), expected.into());
}

#[test]
fn a_limit_left_out_or_0_is_the_default_and_null_is_none() {
    for line in [
        r#"{"op":"allocate","budget_id":"b"}"#,
        r#"{"op":"allocate","budget_id":"b","limit":0}"#,
        r#"{"op":"allocate","budget_id":"b","limit":"0","unit":null,"parent":null,"hard":null,"thresholds":null,"window":null,"widen_by":null}"#,
        r#"{"op":"allocate","budget_id":"b","unit":"units","hard":true}"#,
    ] {
        assert_eq!(command(line), NewBudget::new("b").into(), "{line}");
    }
    assert_eq!(
        command(r#"{"op":"allocate","budget_id":"b","limit":null}"#),
        NewBudget::new("b").unlimited().into()
    );
    let line = r#"{"op":"allocate","budget_id":"b","limit":7,"thresholds":[],"widen_by":[],"window":{"every":"P1D","anchor":null,"tz":null}}"#;
    let window = Window { every: "P1D".into(), anchor: None, tz: None };
    let nobody: [&str; 0] = [];
    let expected = NewBudget::new("b").limit(7).thresholds([]).widen_by(nobody).window(window);
    assert_eq!(command(line), expected.into());
}

#[test]
fn spends_are_recorded_settled_and_reversed() {
    let (spend, fields) = full_spend();
    assert_eq!(
        command(&format!(r#"{{"op":"record_spend","budget_id":"b",{fields}}}"#)),
        RecordSpend::new("b", spend.clone()).into()
    );
    assert_eq!(
        command(r#"{"op":"record_spend","budget_id":"b","amount":5,"incurred":true,"quantities":{}}"#),
        RecordSpend::incurred("b", Spend::of(5)).into()
    );
    assert_eq!(
        command(&format!(r#"{{"op":"settle","reservation_id":"r",{fields}}}"#)),
        Settle { reservation_id: "r".into(), spend }.into()
    );
    assert_eq!(
        command(r#"{"op":"settle","reservation_id":"r","amount":0,"spend_id":null,"quantities":null}"#),
        Settle { reservation_id: "r".into(), spend: Spend::of(0) }.into()
    );
    assert_eq!(
        command(r#"{"op":"reverse_spend","spend_id":"s","amount":"3","reason":"refund"}"#),
        ReverseSpend::part("s", 3).reason("refund").into()
    );
    assert_eq!(command(r#"{"op":"reverse_spend","spend_id":"s"}"#), ReverseSpend::whole("s").into());
}

#[test]
fn reservations_are_made_released_and_marked() {
    assert_eq!(
        command(
            r#"{"op":"reserve","budget_id":"goal:GOAL","amount":9,"reservation_id":"r","ttl_ms":1,"owner":"o"}"#
        ),
        NewReservation::new(format!("goal:{GOAL}"), 9).id("r").ttl(Ttl::millis(1)).owner("o").into()
    );
    assert_eq!(
        command(r#"{"op":"reserve","budget_id":"b","amount":"9","ttl_ms":null}"#),
        NewReservation::new("b", 9).into()
    );
    assert_eq!(
        command(r#"{"op":"release","reservation_id":"r"}"#),
        Release { reservation_id: "r".into() }.into()
    );
    assert_eq!(
        command(r#"{"op":"mark_unknown","reservation_id":"r"}"#),
        MarkUnknown { reservation_id: "r".into() }.into()
    );
}

#[test]
fn an_adjustment_tells_what_is_left_out_from_null() {
    let adjust = || AdjustBudget::new("b");
    let day = Window { every: "day".into(), anchor: None, tz: Some("UTC".into()) };
    for (fields, expected) in [
        ("", adjust()),
        (r#","hard":null,"thresholds":null"#, adjust()),
        (r#","limit":null"#, adjust().unlimited()),
        (r#","limit":"0""#, adjust().limit(0)),
        (r#","limit":5,"hard":false"#, adjust().limit(5).hard(false)),
        (r#","hard":true,"thresholds":[0.25]"#, adjust().hard(true).thresholds([fraction(250_000)])),
        (r#","thresholds":[]"#, adjust().thresholds([])),
        (r#","window":null"#, adjust().window(None)),
        (r#","window":{"every":"day","tz":"UTC"}"#, adjust().window(Some(day))),
    ] {
        let line = format!(r#"{{"op":"adjust_budget","budget_id":"b"{fields}}}"#);
        assert_eq!(command(&line), expected.into(), "{line}");
    }
}

#[test]
fn progress_is_set_and_a_budget_closed() {
    for (progress, ppm) in
        [("0", 0), ("1", 1_000_000), ("1.0", 1_000_000), ("0.333333", 333_333), ("1e-3", 1_000)]
    {
        let line = format!(r#"{{"op":"set_progress","budget_id":"b","progress":{progress}}}"#);
        let expected = SetProgress { budget_id: "b".into(), progress: fraction(ppm) };
        assert_eq!(command(&line), expected.into(), "{line}");
    }
    for fields in ["", r#","children":null"#, r#","children":"refuse""#] {
        let line = format!(r#"{{"op":"close_budget","budget_id":"b"{fields}}}"#);
        assert_eq!(command(&line), CloseBudget::new("b").into(), "{line}");
    }
    assert_eq!(
        command(r#"{"op":"close_budget","budget_id":"b","children":"close"}"#),
        CloseBudget::new("b").with_children().into()
    );
}

#[test]
fn meters_are_observed_one_way_or_the_other_and_reset() {
    assert_eq!(
        command(r#"{"op":"observe_meter","meter_id":"m","delta":"5","budget_id":"b"}"#),
        ObserveMeter::delta("m", 5).budget("b").into()
    );
    assert_eq!(
        command(r#"{"op":"observe_meter","meter_id":"m","cumulative":0,"delta":null}"#),
        ObserveMeter::cumulative("m", 0).into()
    );
    assert_eq!(
        command(r#"{"op":"reset_meter","meter_id":"m"}"#),
        ResetMeter { meter_id: "m".into(), baseline: 0 }.into()
    );
    assert_eq!(
        command(r#"{"op":"reset_meter","meter_id":"m","baseline":"7"}"#),
        ResetMeter { meter_id: "m".into(), baseline: 7 }.into()
    );
}

#[test]
fn queries_about_budgets_are_read() {
    let budget = || BudgetId::from("b");
    assert_eq!(
        query(r#"{"op":"check","budget_id":"b","amount":"1"}"#),
        Query::Check { budget_id: budget(), amount: 1 }
    );
    assert_eq!(query(r#"{"op":"get_budget","budget_id":"b"}"#), Query::Budget(budget()));
    assert_eq!(
        query(r#"{"op":"burn_rate","budget_id":"b"}"#),
        Query::BurnRate { budget_id: budget(), span: None }
    );
    assert_eq!(
        query(r#"{"op":"burn_rate","budget_id":"b","span_ms":60000}"#),
        Query::BurnRate { budget_id: budget(), span: Some(Duration::from_secs(60)) }
    );
    assert_eq!(query(r#"{"op":"get_meter","meter_id":"m"}"#), Query::Meter(MeterId::from("m")));
}

#[test]
fn lists_are_narrowed_and_paged() {
    assert_eq!(query(r#"{"op":"list_budgets"}"#), Query::Budgets(BudgetQuery::default()));
    assert_eq!(
        query(r#"{"op":"list_budgets","limit":2,"before":"x","parent":"p","unit":"u","status":"exhausted"}"#),
        Query::Budgets(BudgetQuery {
            limit: 2,
            before: Some("x".into()),
            parent: Some("p".into()),
            unit: Some("u".into()),
            status: Some(BudgetStatus::Exhausted),
        })
    );
    assert_eq!(query(r#"{"op":"list_reservations"}"#), Query::Reservations(ReservationQuery::default()));
    assert_eq!(
        query(
            r#"{"op":"list_reservations","limit":0,"before":"r","budget_id":"b","owner":"o","status":"unknown"}"#
        ),
        Query::Reservations(ReservationQuery {
            limit: 0,
            before: Some("r".into()),
            budget_id: Some("b".into()),
            owner: Some("o".into()),
            status: Some(ReservationStatus::Unknown),
        })
    );
    assert_eq!(query(r#"{"op":"list_spends"}"#), Query::Spends(SpendQuery::default()));
    assert_eq!(
        query(r#"{"op":"list_spends","limit":18446744073709551615,"before":"s","budget_id":"b"}"#),
        Query::Spends(SpendQuery {
            limit: usize::MAX,
            before: Some("s".into()),
            budget_id: Some("b".into())
        })
    );
}
