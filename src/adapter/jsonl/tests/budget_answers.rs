//! Writing answers about budgets: byte by byte, since scripts depend on them.

use super::super::*;
use super::written;
use crate::clock::ManualClock;
use crate::domain::{Allowance, Refusal};
use crate::engine::{Blocking, CommandError, Options};
use crate::event::RefusalKind;

fn refusal() -> Refusal {
    Refusal {
        kind: RefusalKind::BudgetExceeded,
        seq: Some(8),
        suppressed: false,
        budget_id: "money".into(),
        limit: Some(10),
        spent: 11,
        reserved: 2,
        amount: 1,
        reservation_id: None,
        reason: None,
    }
}

#[test]
fn a_refusal_with_its_figures() {
    assert_eq!(
        written(CommandError::Refused(Box::new(refusal()))),
        "{\"line\":9,\"refused\":{\"kind\":\"budget_exceeded\",\"seq\":8,\"budget_id\":\"money\",\
         \"limit\":\"10\",\"spent\":\"11\",\"reserved\":\"2\",\"amount\":\"1\"}}\n"
    );
    let suppressed = Refusal { seq: None, suppressed: true, ..refusal() };
    assert!(
        written(Answer::Refused(Box::new(suppressed)))
            .contains("\"seq\":null,\"suppressed\":true,\"budget_id\":\"money\"")
    );
    let gone = Refusal {
        kind: RefusalKind::ReservationGone,
        limit: None,
        reservation_id: Some("r".into()),
        reason: Some("why".into()),
        ..refusal()
    };
    assert_eq!(
        written(Answer::Refused(Box::new(gone))),
        "{\"line\":9,\"refused\":{\"kind\":\"reservation_gone\",\"seq\":8,\"budget_id\":\"money\",\"limit\":null,\
         \"spent\":\"11\",\"reserved\":\"2\",\"amount\":\"1\",\"reservation_id\":\"r\",\"reason\":\"why\"}}\n"
    );
}

#[test]
fn what_a_check_says() {
    let refused = Refusal { seq: None, suppressed: true, ..refusal() };
    assert_eq!(
        written(Answer::CheckRefused(Box::new(refused))),
        "{\"line\":9,\"refused\":{\"kind\":\"budget_exceeded\",\"budget_id\":\"money\",\"limit\":\"10\",\
         \"spent\":\"11\",\"reserved\":\"2\",\"amount\":\"1\"}}\n"
    );
    let allowed = |allowance| written(Answer::Found(QueryResult::Allowance(allowance)));
    let allowance = Allowance { remaining: Some(7), available: Some(3), exceeds: None };
    assert_eq!(
        allowed(allowance.clone()),
        "{\"line\":9,\"ok\":{\"result\":{\"allowed\":true,\"remaining\":\"7\",\"available\":\"3\"}}}\n"
    );
    let soft = Allowance { remaining: None, available: None, exceeds: Some("team".into()) };
    assert_eq!(
        allowed(soft),
        "{\"line\":9,\"ok\":{\"result\":{\"allowed\":true,\"remaining\":null,\"available\":null,\"exceeds\":\"team\"}}}\n"
    );
}

/// An engine in memory, of which lines are asked.
struct Book {
    engine: Blocking,
    clock: ManualClock,
}

impl Book {
    fn new() -> Book {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let engine = Options::new().inline().clock(clock.clone()).open_in_memory().unwrap();
        Book { engine, clock }
    }

    /// The answer, without what is the same in all.
    fn ask(&self, line: &str) -> String {
        let Line { operation, now } = parse_line(line.as_bytes(), true).unwrap();
        if let Some(now) = now {
            self.clock.set(now);
        }
        let answer = match operation {
            Operation::Command(request) => self.engine.execute(*request).into(),
            Operation::Query(query) => Answer::to_query(&query, &self.engine),
        };
        let answer = written(answer);
        answer.strip_prefix("{\"line\":9,").unwrap().strip_suffix("}\n").unwrap().to_owned()
    }

    fn do_all(&self, lines: &[&str]) {
        for line in lines {
            let answer = self.ask(line);
            assert!(answer.starts_with("\"ok\""), "{line}: {answer}");
        }
    }
}

const ALLOCATE: &str = r#"{"op":"allocate","budget_id":"b","limit":"100"}"#;
const AT_0: &str = "1970-01-01T00:00:00.000000Z";

#[test]
fn a_budget_says_all_there_is_to_say() {
    let book = Book::new();
    let json = format!(
        r#"{{"budget_id":"b","unit":"units","limit":"100","spent":"0","spent_total":"0","reserved":"0","remaining":"100","available":"100","overage":"0","overage_total":"0","status":"active","hard":true,"parent":null,"progress":null,"entry_count":0,"thresholds":[0.5,0.8,0.95],"crossed":[],"window":null,"widen_by":null,"created_at":"{AT_0}","updated_at":"{AT_0}","closed_at":null,"meta":null}}"#
    );
    assert_eq!(book.ask(ALLOCATE), format!(r#""ok":{{"first_seq":1,"last_seq":1,"result":{json}}}"#));
    assert_eq!(book.ask(r#"{"op":"get_budget","budget_id":"b"}"#), format!(r#""ok":{{"result":{json}}}"#));
    assert_eq!(book.ask(r#"{"op":"list_budgets"}"#), format!(r#""ok":{{"result":[{json}]}}"#));

    book.do_all(&[
        r#"{"op":"allocate","budget_id":"c","parent":"b","limit":"20","hard":false,"thresholds":[1,0.000001],"window":{"every":"day","anchor":"1970-01-01T06:00:00Z","tz":"UTC"},"widen_by":["ada"],"meta":{"b":1.0}}"#,
        r#"{"op":"record_spend","budget_id":"c","amount":"25"}"#,
        r#"{"op":"reserve","budget_id":"c","amount":"5"}"#,
        r#"{"op":"set_progress","budget_id":"c","progress":0.25}"#,
    ]);
    let json = format!(
        r#"{{"budget_id":"c","unit":"units","limit":"20","spent":"25","spent_total":"25","reserved":"5","remaining":"0","available":"0","overage":"10","overage_total":"5","status":"exhausted","hard":false,"parent":"b","progress":0.25,"entry_count":1,"thresholds":[0.000001,1],"crossed":[0.000001,1],"window":{{"every":"day","anchor":"1970-01-01T06:00:00.000000Z","tz":"UTC","start":"1969-12-31T06:00:00.000000Z","end":"1970-01-01T06:00:00.000000Z"}},"widen_by":["ada"],"created_at":"{AT_0}","updated_at":"{AT_0}","closed_at":null,"meta":{{"b":1.0}}}}"#
    );
    assert_eq!(book.ask(r#"{"op":"get_budget","budget_id":"c"}"#), format!(r#""ok":{{"result":{json}}}"#));
    let unlimited = book.ask(r#"{"op":"allocate","budget_id":"u","limit":null,"thresholds":[]}"#);
    assert!(unlimited.contains(r#""limit":null,"#), "{unlimited}");
    assert!(unlimited.contains(r#""remaining":null,"available":null,"overage":"0""#), "{unlimited}");
    assert!(unlimited.contains(r#""thresholds":[],"crossed":[]"#), "{unlimited}");
}

#[test]
fn a_spend_says_what_was_given() {
    let book = Book::new();
    book.do_all(&[ALLOCATE]);
    let plain = format!(
        r#"{{"spend_id":"s","budget_id":"b","amount":"1","reversed":"0","late":false,"incurred":false,"overage":[],"reservation_id":null,"goal_id":null,"meter_id":null,"peer":null,"tool":null,"reason":null,"quantities":{{}},"occurred_at":null,"seq":2,"created_at":"{AT_0}","meta":null}}"#
    );
    let record = r#"{"op":"record_spend","budget_id":"b","amount":1,"spend_id":"s"}"#;
    assert_eq!(book.ask(record), format!(r#""ok":{{"first_seq":2,"last_seq":2,"result":{plain}}}"#));
    assert_eq!(
        book.ask(record),
        format!(r#""ok":{{"first_seq":2,"last_seq":2,"result":{plain},"retried":true}}"#)
    );
    book.do_all(&[r#"{"op":"reserve","budget_id":"b","amount":9,"reservation_id":"r"}"#]);
    let full = format!(
        r#"{{"spend_id":"t","budget_id":"b","amount":"109","reversed":"0","late":false,"incurred":false,"overage":[{{"budget_id":"b","amount":"10"}}],"reservation_id":"r","goal_id":null,"meter_id":null,"peer":"p","tool":"t","reason":"w","quantities":{{"in":"3","a \"b\"":"0"}},"occurred_at":"1969-12-31T23:00:00.000000Z","seq":4,"created_at":"{AT_0}","meta":{{"n":1.0}}}}"#
    );
    let settle = r#"{"op":"settle","reservation_id":"r","amount":109,"spend_id":"t","peer":"p","tool":"t","reason":"w","quantities":{"in":3,"a \"b\"":"0"},"occurred_at":"1970-01-01T00:00:00+01:00","meta":{"n":1.0}}"#;
    let answer = book.ask(settle);
    assert!(answer.contains(&full), "{answer}");
    assert_eq!(
        book.ask(r#"{"op":"list_spends","budget_id":"b"}"#),
        format!(r#""ok":{{"result":[{full},{plain}]}}"#)
    );
    let reversed = book.ask(r#"{"op":"reverse_spend","spend_id":"s"}"#);
    assert!(reversed.contains(r#""spend_id":"s","budget_id":"b","amount":"1","reversed":"1""#), "{reversed}");
}

#[test]
fn a_reservation_says_what_became_of_it() {
    let book = Book::new();
    book.do_all(&[ALLOCATE]);
    let open = format!(
        r#"{{"reservation_id":"r","budget_id":"b","amount":"9","owner":"o","status":"open","expires_at":"1970-01-01T00:01:00.000000Z","spend_id":null,"created_at":"{AT_0}","ended_at":null,"meta":{{}}}}"#
    );
    let reserve = r#"{"op":"reserve","budget_id":"b","amount":9,"reservation_id":"r","ttl_ms":60000,"owner":"o","meta":{}}"#;
    assert_eq!(book.ask(reserve), format!(r#""ok":{{"first_seq":2,"last_seq":2,"result":{open}}}"#));
    assert_eq!(book.ask(r#"{"op":"list_reservations"}"#), format!(r#""ok":{{"result":[{open}]}}"#));
    let marked = book.ask(r#"{"op":"mark_unknown","reservation_id":"r"}"#);
    assert!(marked.contains(r#""status":"unknown""#), "{marked}");
    let released = book.ask(r#"{"op":"release","reservation_id":"r"}"#);
    assert!(released.contains(r#""status":"released""#), "{released}");
    assert!(released.contains(&format!(r#""ended_at":"{AT_0}""#)), "{released}");
    assert_eq!(
        book.ask(r#"{"op":"release","reservation_id":"r"}"#),
        r#""refused":{"kind":"reservation_gone","seq":5,"budget_id":"b","limit":"100","spent":"0","reserved":"0","amount":"9","reservation_id":"r","reason":"it was released before"}"#
    );
}

#[test]
fn what_expires_between_two_lines_is_seen_by_the_next() {
    let book = Book::new();
    book.do_all(&[
        ALLOCATE,
        r#"{"op":"reserve","budget_id":"b","amount":9,"reservation_id":"r","ttl_ms":1000}"#,
    ]);
    let open = book.ask(r#"{"op":"list_reservations","status":"open","now":"1970-01-01T00:00:00.999999Z"}"#);
    assert!(open.contains(r#""reservation_id":"r""#), "{open}");
    let open = book.ask(r#"{"op":"list_reservations","status":"open","now":"1970-01-01T00:00:01Z"}"#);
    assert_eq!(open, r#""ok":{"result":[]}"#);
    let budget = book.ask(r#"{"op":"get_budget","budget_id":"b"}"#);
    assert!(budget.contains(r#""reserved":"0""#), "{budget}");
}

#[test]
fn a_meter_says_where_it_stands() {
    let book = Book::new();
    assert_eq!(
        book.ask(r#"{"op":"get_meter","meter_id":"m"}"#),
        r#""ok":{"result":{"meter_id":"m","total":"0","budget_id":null,"kind":null,"booked":"0","updated_at":null,"meta":null}}"#
    );
    book.do_all(&[ALLOCATE, r#"{"op":"observe_meter","meter_id":"m","cumulative":7,"budget_id":"b"}"#]);
    book.do_all(&[r#"{"op":"reset_meter","meter_id":"m","baseline":3}"#]);
    assert_eq!(
        book.ask(r#"{"op":"get_meter","meter_id":"m"}"#),
        format!(
            r#""ok":{{"result":{{"meter_id":"m","total":"3","budget_id":"b","kind":"cumulative","booked":"7","updated_at":"{AT_0}","meta":null}}}}"#
        )
    );
}

#[test]
fn a_closing_is_answered_with_a_report() {
    let book = Book::new();
    book.do_all(&[
        ALLOCATE,
        r#"{"op":"record_spend","budget_id":"b","amount":40}"#,
        r#"{"op":"reserve","budget_id":"b","amount":9,"reservation_id":"r"}"#,
    ]);
    let report = r#"{"budget_id":"b","limit":"100","spent":"40","spent_total":"40","entry_count":1,"duration_ms":90500,"status":"closed","released":["r"],"meta":null}"#;
    assert_eq!(
        book.ask(r#"{"op":"close_budget","budget_id":"b","key":"k","now":"1970-01-01T00:01:30.5Z"}"#),
        format!(r#""ok":{{"first_seq":4,"last_seq":5,"result":{report}}}"#)
    );
    assert_eq!(
        book.ask(r#"{"op":"close_budget","budget_id":"b","key":"k"}"#),
        format!(r#""ok":{{"first_seq":4,"last_seq":5,"result":{report},"retried":true}}"#)
    );
    let closed = book.ask(r#"{"op":"get_budget","budget_id":"b"}"#);
    assert!(closed.contains(r#""status":"closed""#), "{closed}");
    assert!(closed.contains(r#""closed_at":"1970-01-01T00:01:30.500000Z""#), "{closed}");
    let refused = book.ask(r#"{"op":"check","budget_id":"b","amount":1}"#);
    assert!(
        refused.starts_with(r#""refused":{"kind":"budget_closed","budget_id":"b","limit":"100""#),
        "{refused}"
    );
}

#[test]
fn how_fast_a_budget_is_spent() {
    let book = Book::new();
    book.do_all(&[ALLOCATE, r#"{"op":"record_spend","budget_id":"b","amount":7}"#]);
    assert_eq!(
        book.ask(r#"{"op":"burn_rate","budget_id":"b"}"#),
        r#""ok":{"result":{"per_minute":"0","amount":"7","span_ms":0}}"#
    );
    book.do_all(&[r#"{"op":"record_spend","budget_id":"b","amount":4,"now":"1970-01-01T00:02:00Z"}"#]);
    assert_eq!(
        book.ask(r#"{"op":"burn_rate","budget_id":"b"}"#),
        r#""ok":{"result":{"per_minute":"5","amount":"11","span_ms":120000}}"#
    );
    assert_eq!(
        book.ask(r#"{"op":"burn_rate","budget_id":"b","span_ms":30000}"#),
        r#""ok":{"result":{"per_minute":"8","amount":"4","span_ms":30000}}"#
    );
}

#[test]
fn what_is_asked_for_has_to_be_there() {
    let book = Book::new();
    book.do_all(&[ALLOCATE]);
    for line in [
        r#"{"op":"get_budget","budget_id":"x"}"#,
        r#"{"op":"check","budget_id":"x","amount":1}"#,
        r#"{"op":"burn_rate","budget_id":"x"}"#,
        r#"{"op":"list_budgets","before":"x"}"#,
        r#"{"op":"list_reservations","before":"x"}"#,
        r#"{"op":"release","reservation_id":"x"}"#,
        r#"{"op":"settle","reservation_id":"x","amount":0}"#,
        r#"{"op":"reverse_spend","spend_id":"x"}"#,
        r#"{"op":"record_spend","budget_id":"x","amount":1}"#,
    ] {
        let answer = book.ask(line);
        assert!(answer.starts_with(r#""error":{"kind":"not_found","message":""#), "{line}: {answer}");
    }
    for (op, filter) in [
        ("list_budgets", "unit"),
        ("list_budgets", "parent"),
        ("list_reservations", "owner"),
        ("list_reservations", "budget_id"),
        ("list_spends", "budget_id"),
    ] {
        let line = format!(r#"{{"op":"{op}","{filter}":"x"}}"#);
        assert_eq!(book.ask(&line), r#""ok":{"result":[]}"#, "{line}");
    }
    let nothing = book.ask(r#"{"op":"check","budget_id":"b","amount":0}"#);
    assert!(nothing.starts_with(r#""error":{"kind":"invalid""#), "{nothing}");
}
