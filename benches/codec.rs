//! The JSON of events: the hand-written codec beside what serde derives for each form of tagging.
//!
//! `cargo bench --bench codec`. Every candidate holds the same facts in the same types (amounts as strings, ids and
//! times as text, strings shared by `Arc`) and is checked to read back what it wrote. The derived forms read times with
//! the general parser of `Timestamp`; the hand-written codec reads only their canonical form, which is part of what is
//! compared. No derived form here refuses unknown fields (serde cannot, where one is flattened). All candidates run in
//! turn in every round, so that noise of the machine falls on all of them. Without `--bench` (as under `cargo test`) it
//! runs once, briefly, as a check of itself.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the monotonic clock itself")]
#![expect(clippy::print_stdout, reason = "its table is its output")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use tallybook::event::{ChangeEvent, decode_event, encode_event};

mod peers {
    //! What serde derives, in each form of tagging.

    use std::sync::Arc;

    use serde::{Deserialize, Serialize};
    use tallybook::Timestamp;
    use tallybook::event::{ChangeEvent, Payload};
    use tallybook::ids::GoalId;

    mod text {
        //! Amounts, ids and times as strings, by way of a buffer on the stack.

        use std::borrow::Cow;

        use serde::de::{Deserialize, Deserializer, Error};
        use serde::ser::Serializer;
        use tallybook::Timestamp;
        use tallybook::ids::GoalId;

        pub(crate) fn read<'de, D: Deserializer<'de>, T>(
            deserializer: D,
            parse: impl FnOnce(&str) -> Option<T>,
        ) -> Result<T, D::Error> {
            #[derive(serde::Deserialize)]
            struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);
            let text = Borrowed::deserialize(deserializer)?;
            parse(&text.0).ok_or_else(|| D::Error::custom("not of the expected form"))
        }

        pub(crate) mod amount {
            use super::{Deserializer, Serializer, read};

            pub(crate) fn serialize<S: Serializer>(amount: &u128, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(amount)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
                read(deserializer, |text| text.parse().ok())
            }
        }

        pub(crate) mod id {
            use super::{Deserializer, GoalId, Serializer, read};

            pub(crate) fn serialize<S: Serializer>(id: &GoalId, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(id.0.hyphenated().encode_lower(&mut [0; 36]))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<GoalId, D::Error> {
                read(deserializer, |text| text.parse().ok())
            }
        }

        pub(crate) mod time {
            use super::{Deserializer, Serializer, Timestamp, read};

            pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(std::str::from_utf8(&at.to_ascii()).unwrap_or_default())
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Timestamp, D::Error> {
                read(deserializer, |text| Timestamp::parse(text).ok())
            }
        }
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct GoalCreated {
        #[serde(with = "text::id")]
        goal_id: GoalId,
        scope: Arc<str>,
        text: Arc<str>,
        token_budget: Option<Arc<str>>,
        parent_goal: Option<Arc<str>>,
        budgets: Vec<Arc<str>>,
        widen_by: Option<Vec<Arc<str>>>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct GoalTransitioned {
        #[serde(with = "text::id")]
        goal_id: GoalId,
        from: Status,
        to: Status,
        reason: Reason,
        revision: u64,
        by_goal: Option<Arc<str>>,
        budget_id: Option<Arc<str>>,
        note: Option<Arc<str>>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Active,
        Paused,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Reason {
        Requested,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(crate) struct TurnRecorded {
        #[serde(with = "text::id")]
        goal_id: GoalId,
        #[serde(with = "text::amount")]
        tokens: u128,
        turns: u64,
        seconds: u64,
        late: bool,
        overage: Vec<Arc<str>>,
    }

    /// The data of an event, however tagged.
    pub(crate) trait Tagged: Sized {
        fn of(payload: &Payload) -> Self;
    }

    macro_rules! tagged {
        ($name:ident $(, $tagging:meta)*) => {
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(rename_all = "snake_case" $(, $tagging)*)]
            pub(crate) enum $name {
                GoalCreated(GoalCreated),
                GoalTransitioned(GoalTransitioned),
                TurnRecorded(TurnRecorded),
            }

            impl Tagged for $name {
                fn of(payload: &Payload) -> Self {
                    match payload {
                        Payload::GoalCreated(data) => $name::GoalCreated(GoalCreated {
                            goal_id: data.goal_id,
                            scope: data.scope.clone(),
                            text: data.text.clone(),
                            token_budget: data.token_budget.map(|amount| amount.to_string().into()),
                            parent_goal: None,
                            budgets: Vec::new(),
                            widen_by: None,
                        }),
                        Payload::GoalTransitioned(data) => $name::GoalTransitioned(GoalTransitioned {
                            goal_id: data.goal_id,
                            from: Status::Active,
                            to: Status::Paused,
                            reason: Reason::Requested,
                            revision: data.revision,
                            by_goal: None,
                            budget_id: None,
                            note: data.note.clone(),
                        }),
                        Payload::TurnRecorded(data) => $name::TurnRecorded(TurnRecorded {
                            goal_id: data.goal_id,
                            tokens: data.tokens,
                            turns: data.turns,
                            seconds: data.seconds,
                            late: data.late,
                            overage: Vec::new(),
                        }),
                        other => unreachable!("the sample holds no {}", other.kind()),
                    }
                }
            }
        };
    }

    tagged!(External);
    tagged!(Internal, tag = "kind");
    tagged!(Adjacent, tag = "kind", content = "data");

    macro_rules! envelope {
        ($name:ident $(, $placing:meta)?) => {
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            pub(crate) struct $name<P> {
                seq: u64,
                #[serde(with = "text::time")]
                ts: Timestamp,
                $(#[serde($placing)])?
                event: P,
                #[serde(skip_serializing_if = "Option::is_none")]
                session_id: Option<Arc<str>>,
                #[serde(skip_serializing_if = "Option::is_none")]
                key: Option<Arc<str>>,
            }

            impl<P: Tagged> From<&ChangeEvent> for $name<P> {
                fn from(event: &ChangeEvent) -> Self {
                    $name {
                        seq: event.seq,
                        ts: event.ts,
                        event: P::of(&event.payload),
                        session_id: event.session_id.clone(),
                        key: event.key.as_ref().map(|key| key.key.clone()),
                    }
                }
            }
        };
    }

    envelope!(Nested);
    envelope!(Flat, flatten);
}

/// One way of writing and reading the sample.
struct Candidate {
    name: &'static str,
    bytes_per_event: usize,
    /// Writes every event of the sample once.
    write: Box<dyn FnMut()>,
    /// Reads every event of the sample once.
    read: Box<dyn FnMut()>,
    write_rates: Vec<f64>,
    read_rates: Vec<f64>,
}

impl Candidate {
    fn new<T: PartialEq + 'static>(
        name: &'static str,
        sample: Vec<T>,
        write: impl Fn(&T, &mut Vec<u8>) + 'static,
        read: impl Fn(&[u8]) -> T + 'static,
    ) -> Candidate {
        let lines: Vec<Vec<u8>> = sample
            .iter()
            .map(|event| {
                let mut line = Vec::new();
                write(event, &mut line);
                assert!(
                    read(&line) == *event,
                    "{name} reads what it wrote: {}",
                    String::from_utf8_lossy(&line)
                );
                line
            })
            .collect();
        let bytes: usize = lines.iter().map(Vec::len).sum();
        let mut out = Vec::with_capacity(bytes);
        Candidate {
            name,
            bytes_per_event: bytes / lines.len(),
            write: Box::new({
                move || {
                    out.clear();
                    sample.iter().for_each(|event| write(black_box(event), &mut out));
                    black_box(&out);
                }
            }),
            read: Box::new(move || lines.iter().for_each(|line| drop(black_box(read(black_box(line)))))),
            write_rates: Vec::new(),
            read_rates: Vec::new(),
        }
    }

    fn peer<T>(name: &'static str, sample: &[ChangeEvent]) -> Candidate
    where
        T: for<'a> From<&'a ChangeEvent>
            + PartialEq
            + serde::Serialize
            + serde::de::DeserializeOwned
            + 'static,
    {
        Candidate::new(
            name,
            sample.iter().map(T::from).collect(),
            |event, out| serde_json::to_writer(out, event).expect("the types have a JSON form"),
            |line| serde_json::from_slice(line).expect("what was written is legal"),
        )
    }
}

/// Events as an agent host makes them: eight turns to a creation and a pause.
fn sample(count: u64) -> Vec<ChangeEvent> {
    let line = |seq: u64| {
        let head = format!(
            r#"{{"seq":{},"ts":"2026-11-21T01:{:02}:{:02}.{:06}Z","#,
            1_000_000 + seq,
            seq / 60 % 60,
            seq % 60,
            seq * 7919 % 1_000_000
        );
        let goal = format!("0193d0a0-5b1c-7000-8000-{:012x}", seq / 10);
        let tail = r#""session_id":"s-42""#;
        let key = if seq % 10 == 1 { format!(r#","key":"turn-{seq}""#) } else { String::new() };
        match seq % 10 {
            0 => format!(
                r#"{head}"kind":"goal_created","v":2,"data":{{"goal_id":"{goal}","scope":"s-42","text":"ship 2.0","token_budget":"100000","parent_goal":null,"budgets":[],"widen_by":null}},{tail}}}"#
            ),
            9 => format!(
                r#"{head}"kind":"goal_transitioned","data":{{"goal_id":"{goal}","from":"active","to":"paused","reason":"requested","revision":2,"by_goal":null,"budget_id":null,"note":null}},{tail}}}"#
            ),
            _ => format!(
                r#"{head}"kind":"turn_recorded","v":2,"data":{{"goal_id":"{goal}","tokens":"{}","turns":1,"seconds":{},"late":false,"overage":[]}},{tail}{key}}}"#,
                1_000 + seq * 31 % 9_000,
                seq % 40
            ),
        }
    };
    (0..count).map(|seq| decode_event(line(seq).as_bytes()).expect("the sample is legal")).collect()
}

/// The canonical line with one space in it, which sends the reader to the general path.
fn spaced(event: &ChangeEvent, out: &mut Vec<u8>) {
    let start = out.len() + 1;
    encode_event(event, out);
    out.insert(start, b' ');
}

fn candidates(sample: &[ChangeEvent]) -> Vec<Candidate> {
    use peers::{Adjacent, External, Flat, Internal, Nested};
    let read = |line: &[u8]| decode_event(line).expect("what was written is legal");
    vec![
        Candidate::new("hand-written", sample.to_vec(), encode_event, read),
        Candidate::new("hand-written, general path", sample.to_vec(), spaced, read),
        Candidate::peer::<Nested<External>>("serde, externally tagged", sample),
        Candidate::peer::<Nested<Internal>>("serde, internally tagged", sample),
        Candidate::peer::<Flat<Internal>>("serde, internally tagged, flat", sample),
        Candidate::peer::<Nested<Adjacent>>("serde, adjacently tagged", sample),
        Candidate::peer::<Flat<Adjacent>>("serde, adjacently tagged, flat", sample),
    ]
}

/// Millions of events a second, over at least `at_least`.
fn rate(events: usize, at_least: Duration, pass: &mut dyn FnMut()) -> f64 {
    pass();
    let started = Instant::now();
    let mut passes = 0;
    loop {
        pass();
        passes += 1;
        let elapsed = started.elapsed();
        if elapsed >= at_least {
            return f64::from(passes) * events as f64 / elapsed.as_secs_f64() / 1e6;
        }
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn spread(sorted: &[f64]) -> String {
    format!("{:.2}-{:.2}", sorted[0], sorted[sorted.len() - 1])
}

fn main() {
    let measured = std::env::args().any(|argument| argument == "--bench");
    let (events, rounds, at_least) =
        if measured { (2_000, 9, Duration::from_millis(60)) } else { (20, 1, Duration::ZERO) };
    let mut candidates = candidates(&sample(events));
    for _ in 0..rounds {
        for candidate in &mut candidates {
            let events = usize::try_from(events).unwrap_or(usize::MAX);
            candidate.write_rates.push(rate(events, at_least, &mut candidate.write));
            candidate.read_rates.push(rate(events, at_least, &mut candidate.read));
        }
    }
    let base =
        candidates.iter().position(|candidate| candidate.name == "serde, externally tagged").unwrap_or(0);
    let base_write = median(&mut candidates[base].write_rates);
    let base_read = median(&mut candidates[base].read_rates);
    println!(
        "{rounds} rounds; millions of events a second: median (least-most), and times `externally tagged`"
    );
    println!("{:<32} {:>5}  {:>24}  {:>24}", "form", "bytes", "write", "read");
    for candidate in &mut candidates {
        let cell = |rates: &mut Vec<f64>, base: f64| {
            let median = median(rates);
            format!("{median:.2} ({}) {:.2}x", spread(rates), median / base)
        };
        let write = cell(&mut candidate.write_rates, base_write);
        let read = cell(&mut candidate.read_rates, base_read);
        println!("{:<32} {:>5}  {write:>24}  {read:>24}", candidate.name, candidate.bytes_per_event);
    }
}
