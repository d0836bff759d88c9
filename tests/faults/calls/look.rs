//! Looking at a journal from outside: a call that fails is an I/O error, never the end, and never damage.

use tallybook::{Blocking, Error, ErrorKind, JournalReader, StateAt};

use super::life::{Life, index};
use super::watch::Watch;

/// Somebody reads the whole journal beside its writer. Whether nothing failed.
pub(super) fn from_outside(life: &Life, watch: &Watch, engine: &Blocking) -> bool {
    let seq = engine.view().seq();
    let Some(reader) = attempt(watch, || JournalReader::with_storage(watch.process())) else { return false };
    let events = attempt(watch, || {
        let mut events = reader.events(0)?;
        let mut lines = Vec::new();
        while let Some(event) = events.next()? {
            lines.push((event.seq, event.line.to_vec()));
        }
        Ok(lines)
    });
    if let Some(lines) = &events {
        let last = lines.last().map_or(seq, |(last, _)| *last);
        assert_eq!(last, seq, "a reader took something else for the end");
        let history = life.shadow.history();
        for (seq, line) in lines {
            assert!(*line == history[index(seq - 1)].bytes, "a reader read another seq {seq}");
        }
    }
    let report = attempt(watch, || reader.verify());
    if let Some(report) = &report {
        assert_eq!(report.findings, Vec::new());
        assert_eq!((report.last_good_seq, report.is_live), (seq, true));
    }
    let state = attempt(watch, || reader.state(StateAt::End));
    if let Some(state) = &state {
        assert_eq!(state.state.state_hash(), life.shadow.projection().state.state_hash(), "law FOLD");
    }
    let oldest = attempt(watch, || {
        let before = reader.oldest_seq()? - 1;
        Ok((before, reader.state(StateAt::Seq(before))?.seq))
    });
    oldest.inspect(|(before, found)| assert_eq!(before, found));
    events.is_some() && report.is_some() && state.is_some() && oldest.is_some()
}

/// What this comes to; `None` when a call failed in it, which it told.
fn attempt<T>(watch: &Watch, act: impl FnOnce() -> Result<T, Error>) -> Option<T> {
    let hits = watch.hit_count();
    match act() {
        Ok(found) => Some(found),
        Err(error) => {
            assert!(watch.hit_count() > hits, "a reader failed by itself: {error}");
            assert_eq!(*error.kind(), ErrorKind::Io, "{error}");
            None
        }
    }
}
