//! What holds for windows of every kind, at every moment.

use jiff::tz::TimeZoneDatabase;
use jiff::{ToSpan, Zoned};
use proptest::prelude::*;

use super::*;

#[test]
fn around_every_change_of_every_zone_windows_join() {
    let from = jiff::Timestamp::from_second(-5_000_000_000).unwrap();
    let zones = TimeZoneDatabase::bundled();
    let mut changes = 0;
    for (turn, name) in zones.available().enumerate() {
        // In every other zone an anchor, each at another time of day.
        let anchor = Timestamp::from_micros(1_000_000_000 * i64::try_from(turn * 37).unwrap());
        let windows = [("hour", None), ("day", Some(anchor).filter(|_| turn % 2 == 0))]
            .map(|(every, anchor)| Window { every: every.into(), anchor, tz: Some(name.as_str().into()) });
        let zone = zones.get(name.as_str()).unwrap();
        for change in zone.following(from).take_while(|change| change.timestamp().as_second() < 2_000_000_000)
        {
            let change = Timestamp::from_micros(change.timestamp().as_microsecond());
            for window in &windows {
                check_around(window, change).unwrap();
            }
            changes += 1;
        }
    }
    assert!(changes > 20_000, "only {changes}");
}

fn moments() -> impl Strategy<Value = Timestamp> {
    let all = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    // Every other one in our times, where clocks are set.
    let ours = at("1850-01-01T00:00:00Z").as_micros()..at("2100-01-01T00:00:00Z").as_micros();
    prop_oneof![ours, all, any::<i64>()].prop_map(Timestamp::from_micros)
}

fn zones() -> impl Strategy<Value = String> {
    let names: Vec<_> = TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect();
    prop::sample::select(names)
}

fn periods() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(&[
            "hour", "day", "week", "month", "P1Y", "PT1S", "P100Y", "P36524D", "P1M1DT1H"
        ])
        .prop_map(str::to_owned),
        (0..100_u32, 0..12_u32, 0..5_u32, 0..40_u32, 0..50_u32, 1..90_u32)
            .prop_map(|(y, m, w, d, h, s)| format!("P{y}Y{m}M{w}W{d}DT{h}H{s}S")),
        (1..1_200_u32).prop_map(|months| format!("P{months}M")),
        (1..800_u32).prop_map(|days| format!("P{days}D")),
    ]
}

proptest! {
    #[test]
    fn windows_join_at_every_moment(
        every in periods(), tz in zones(), anchor in prop::option::of(moments()), moment in moments()
    ) {
        let window = Window { every: every.into(), anchor, tz: Some(tz.into()) };
        // The longest of them pass 100 years by their months, weeks and so on.
        if check(&window).is_ok() {
            let checked = check_around(&window, moment);
            prop_assert!(checked.is_ok(), "{:?}", checked);
        }
        if let Some(anchor) = anchor {
            prop_assert!(span_at(&window, anchor).is_ok_and(|span| span.start == anchor) || check(&window).is_err());
        }
    }

    #[test]
    fn windows_start_where_the_general_calendar_steps_to(
        tz in zones(), anchor in 0..4_000_000_000_i64,
        (months, days, hours) in (0..30_i64, 0..40_i64, 0..30_i64), k in -40..40_i64
    ) {
        prop_assume!(months + days + hours > 0);
        let zone = TimeZoneDatabase::bundled().get(&tz).unwrap();
        let anchor = Zoned::new(jiff::Timestamp::from_second(anchor).unwrap(), zone);
        let start = |k: i64| {
            let steps = (months * k).months().days(days * k).hours(hours * k);
            Timestamp::from_micros(anchor.checked_add(steps).unwrap().timestamp().as_microsecond())
        };
        let every = format!("P{months}M{days}DT{hours}H");
        let every = every.trim_end_matches("T0H").into();
        let window = Window { every, anchor: Some(at(&anchor.timestamp().to_string())), tz: Some(tz.into()) };
        // A day that was left out has no window.
        prop_assume!(start(k) < start(k + 1));
        prop_assert_eq!(span_at(&window, start(k)), Ok(Span { start: start(k), end: start(k + 1) }));
    }

    #[test]
    fn no_text_and_no_moment_is_too_much(
        every in prop_oneof![".*", "P[0-9YMWD]{0,24}(T[0-9HMS]{0,24})?"],
        tz in prop::option::of(prop_oneof![".*".boxed(), zones().boxed()]),
        anchor in prop::option::of(moments()), moment in moments()
    ) {
        let window = Window { every: every.into(), anchor, tz: tz.map(Into::into) };
        prop_assert_eq!(span_at(&window, moment).err(), check(&window).err());
    }
}
