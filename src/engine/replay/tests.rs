//! Read ahead or not, a replay comes to the same state, or says the same of the first thing that is wrong.

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::event::{KeyWindowSet, Payload, encode_event};
use crate::journal::format::{Frame, FrameHeader, FrameKind, WriterVersion};

/// A frame of events, and what is wrong with it.
#[derive(Debug, Clone, Copy)]
struct Script {
    events: u32,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy)]
enum Wrong {
    Nothing,
    /// A line is no event.
    Line(u32),
    /// A line is an event of a kind that is not known.
    Kind(u32),
    /// A line is the event of another place.
    Seq(u32),
    /// An event was decided before the one before it.
    Time(u32),
    /// The header counts one event more.
    Count,
    /// The last line does not end.
    End,
}

fn scripts() -> impl Strategy<Value = Vec<Script>> {
    let wrong = prop_oneof![
        60 => Just(Wrong::Nothing),
        1 => (0u32..3).prop_map(Wrong::Line),
        1 => (0u32..3).prop_map(Wrong::Kind),
        1 => (0u32..3).prop_map(Wrong::Seq),
        1 => (0u32..3).prop_map(Wrong::Time),
        1 => Just(Wrong::Count),
        1 => Just(Wrong::End),
    ];
    let frame = (1u32..4, wrong).prop_map(|(events, wrong)| Script { events, wrong });
    prop::collection::vec(frame, 0..60)
}

/// The times of events ascend by a second.
fn time_of(seq: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(seq).unwrap() * 1_000_000)
}

fn line(seq: u64, at: Timestamp) -> String {
    let payload = Payload::KeyWindowSet(KeyWindowSet { max_age_ms: 1_000, max_count: seq });
    let event = ChangeEvent { seq, ts: at, session_id: None, actor: None, key: None, meta: None, payload };
    let mut out = Vec::new();
    encode_event(&event, &mut out);
    String::from_utf8(out).unwrap()
}

/// The payload of a frame whose first event has that `seq`, and how many events its header says that it holds.
fn payload(script: Script, first_seq: u64) -> (String, u32) {
    let mut text = String::new();
    for index in 0..script.events {
        let seq = first_seq + u64::from(index);
        let good = line(seq, time_of(seq));
        text += &match script.wrong {
            Wrong::Line(at) if at == index => "no event".to_owned(),
            Wrong::Kind(at) if at == index => good.replace("key_window_set", "of_a_newer_release"),
            Wrong::Seq(at) if at == index => line(seq + 7, time_of(seq)),
            Wrong::Time(at) if at == index => line(seq, Timestamp::from_micros(-1)),
            _ => good,
        };
        text += "\n";
    }
    if matches!(script.wrong, Wrong::End) {
        text.pop();
    }
    (text, script.events + u32::from(matches!(script.wrong, Wrong::Count)))
}

/// What a replay comes to: the last `seq`, its epoch, and whether the point was reached; or what is wrong.
type Outcome = Result<(u64, Option<Epoch>, bool), String>;

fn run(scripts: &[Script], at: StateAt, mut replay: Replay<'_>) -> Outcome {
    let mut first_seq = 1;
    let mut give = || {
        for (index, &script) in scripts.iter().enumerate() {
            let (text, event_count) = payload(script, first_seq);
            let header = FrameHeader {
                kind: FrameKind::Events,
                handed_over: false,
                payload_len: u32::try_from(text.len()).unwrap(),
                event_count,
                first_seq,
                durable_through: 0,
                epoch: Epoch { counter: u32::try_from(index / 5).unwrap() + 1, tag: 0 },
            };
            let offset = u64::try_from(index).unwrap() * 1_000;
            let frame = Frame { header, offset, length: 1_000, payload_crc: 0, payload: text.as_bytes() };
            let file = if index < 20 { "the first" } else { "the second" };
            replay.frame(&FramePlace { file, frame, written_by: WriterVersion::current() })?;
            if replay.is_reached() || matches!(at, StateAt::Seq(wanted) if header.next_seq() > wanted) {
                break;
            }
            first_seq += u64::from(script.events);
        }
        replay.end()
    };
    let given = give();
    if let Err(error) = given {
        let error = replay.first_error(error);
        if !replay.is_reached() {
            return Err(error.to_string());
        }
    }
    let (last_epoch, is_reached) = (replay.last_epoch(), replay.is_reached());
    Ok((replay.into_projection().seq, last_epoch, is_reached))
}

fn read_ahead(at: StateAt, batch_len: usize) -> Replay<'static> {
    let replay = Replay::up_to(Projection::default(), at, &Background::Inline);
    Replay { ahead: Some(ReadAhead::new(replay.from, batch_len)), ..replay }
}

#[test]
fn an_error_of_the_journal_behind_a_frame_that_does_not_fit_comes_second() {
    let behind = || Error::new(crate::error::ErrorKind::Io, "the disk is gone");
    for (wrong, expected) in
        [(Wrong::Seq(0), "the event says that it is seq 8"), (Wrong::Nothing, "the disk")]
    {
        let mut replay = read_ahead(StateAt::End, 1 << 20);
        let (text, event_count) = payload(Script { events: 1, wrong }, 1);
        let header = FrameHeader {
            kind: FrameKind::Events,
            handed_over: false,
            payload_len: 0,
            event_count,
            first_seq: 1,
            durable_through: 0,
            epoch: Epoch::NONE,
        };
        let frame = Frame { header, offset: 0, length: 0, payload_crc: 0, payload: text.as_bytes() };
        replay.frame(&FramePlace { file: "it", frame, written_by: WriterVersion::current() }).unwrap();
        let error = replay.first_error(behind()).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn inline_and_on_a_single_core_nothing_is_read_ahead() {
    assert!(Replay::new(Projection::default(), &Background::Inline).ahead.is_none());
}

proptest! {
    #[test]
    fn what_is_read_ahead_is_folded_in_order(
        scripts in scripts(),
        point in 0u64..120,
        kind in 0..3,
        batch_len in prop_oneof![Just(1usize), 100usize..2_000, Just(1 << 20)],
    ) {
        let at = match kind {
            0 => StateAt::End,
            1 => StateAt::Seq(point),
            _ => StateAt::Time(time_of(point)),
        };
        let inline = run(&scripts, at, Replay::up_to(Projection::default(), at, &Background::Inline));
        prop_assert_eq!(run(&scripts, at, read_ahead(at, batch_len)), inline);
    }
}
