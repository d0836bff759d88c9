//! What the events of a history have in common, kept from one event to the next while many are read in order: most name
//! a budget, a tool or an actor that others named before, and most were decided in the same second as the one before.

use std::hash::Hasher;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::event::{Fraction, Window};
use crate::hashing::Folding;

use super::reader::Texts;

/// Texts that were read lately. It only saves work: what is not found in it is made anew, so that it may forget anything
/// at any time, and takes the same room however long the history is.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names that were found to be valid ids.
    ids: Known,
    /// Any others.
    texts: Known,
    second: Second,
}

impl Names {
    /// Of fewer texts.
    pub(super) fn few() -> Names {
        let known = || Known { set_count: SETS_OF_FEW, ..Known::default() };
        Names { ids: known(), texts: known(), second: Second::default() }
    }
}

impl Texts for Names {
    fn text(&mut self, text: &str) -> Arc<str> {
        self.texts.get_or(text, |_| true).unwrap_or_else(|| text.into())
    }

    fn id(&mut self, text: &str, is_id: impl FnOnce(&str) -> bool) -> Option<Arc<str>> {
        self.ids.get_or(text, is_id)
    }

    fn own_id(&mut self, id: &str) -> Arc<str> {
        id.into()
    }

    fn remark(&mut self, text: &str) -> Arc<str> {
        text.into()
    }

    fn timestamp(&mut self, text: &[u8; 27]) -> Option<Timestamp> {
        self.second.read(text)
    }

    fn thresholds(&mut self, thresholds: Vec<Fraction>) -> Arc<[Fraction]> {
        thresholds.into()
    }

    fn window(&mut self, window: Window) -> Arc<Window> {
        window.into()
    }

    fn actors(&mut self, actors: Vec<Arc<str>>) -> Arc<[Arc<str>]> {
        actors.into()
    }
}

/// How many places there are for texts whose hashes end alike.
const WAYS: usize = 2;
/// How many such sets there are: a power of two, of 32 bytes each.
const SETS: usize = 4096;
const SETS_OF_FEW: usize = 256;
/// The longest text that is kept: what is longer is rarely said twice, and would make the whole take much room.
const MAX_KEPT_LEN: usize = 64;

/// How many texts are read before any is kept: for a few events the room would cost more than it saves.
const FEW: u32 = 64;

/// Texts, found by a hash; each has two places where it may be, and the one that was used last stays.
#[derive(Debug)]
struct Known {
    /// How many there are once anything is kept.
    set_count: usize,
    sets: Vec<[Option<Arc<str>>; WAYS]>,
    /// How many were read before there was room.
    read: u32,
}

impl Default for Known {
    fn default() -> Known {
        Known { set_count: SETS, sets: Vec::new(), read: 0 }
    }
}

impl Known {
    /// That text, if `is_valid` finds that it is, or found so before.
    fn get_or(&mut self, text: &str, is_valid: impl FnOnce(&str) -> bool) -> Option<Arc<str>> {
        let read = || is_valid(text).then(|| Arc::from(text));
        if text.len() > MAX_KEPT_LEN {
            return read();
        }
        if self.sets.is_empty() {
            self.read += 1;
            if self.read < FEW {
                return read();
            }
            self.sets = vec![[None, None]; self.set_count];
        }
        let place = hash(text.as_bytes()) % self.sets.len();
        let [first, second] = &mut self.sets[place];
        if let Some(known) = first.as_ref().filter(|known| ***known == *text) {
            return Some(Arc::clone(known));
        }
        if second.as_ref().is_none_or(|known| **known != *text) {
            *second = Some(read()?);
        }
        std::mem::swap(first, second);
        first.clone()
    }
}

/// The hash of a text. Whoever makes texts whose hashes end alike gains no more than that they are made anew.
fn hash(bytes: &[u8]) -> usize {
    let mut hasher = Folding::beginning_at(bytes.len() as u64);
    hasher.write(bytes);
    usize::try_from(hasher.finish() % SETS as u64).unwrap_or(0)
}

/// The second in which an event was decided, for the next, which most often was decided in it, too.
#[derive(Debug, Default)]
pub(crate) struct Second {
    /// As it is written, the point after it included, once one was read.
    text: Option<[u8; 20]>,
    begins_at: Timestamp,
}

impl Second {
    /// The time that a text writes in the canonical form.
    pub(crate) fn read(&mut self, text: &[u8; 27]) -> Option<Timestamp> {
        let (second, fraction) = text.split_first_chunk()?;
        if self.text.as_ref() != Some(second) {
            let read = Timestamp::from_ascii(text)?;
            // The second has no fraction: what is written behind the point is what is added to it.
            let micros = micros(fraction)?;
            self.begins_at = Timestamp::from_micros(read.as_micros() - i64::from(micros));
            self.text = Some(*second);
            return Some(read);
        }
        let micros = micros(fraction)?;
        Some(Timestamp::from_micros(self.begins_at.as_micros() + i64::from(micros)))
    }
}

/// What six digits and a `Z` write.
fn micros(fraction: &[u8]) -> Option<u32> {
    let digits = fraction.strip_suffix(b"Z").filter(|digits| digits.len() == 6)?;
    digits.iter().try_fold(0, |value, digit| match digit.wrapping_sub(b'0') {
        digit @ 0..=9 => Some(value * 10 + u32::from(digit)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names that have read so much that they keep what they read.
    fn names() -> Names {
        let mut names = Names::default();
        for _ in 0..FEW {
            names.text("");
            names.id("id", |_| true);
        }
        names
    }

    #[test]
    fn what_is_said_again_is_the_same_text_and_not_another_of_the_same_words() {
        let mut names = names();
        let first = names.text("web.search");
        assert!(Arc::ptr_eq(&first, &names.text("web.search")));
        assert_eq!(&*names.text("web.fetch"), "web.fetch");
        assert!(Arc::ptr_eq(&first, &names.text("web.search")));
    }

    /// Whatever was read as a text has still to be judged as an id.
    #[test]
    fn an_id_is_judged_although_the_same_was_read_as_a_text() {
        let mut names = names();
        assert_eq!(&*names.text("a\x7f"), "a\x7f");
        assert_eq!(names.id("a\x7f", |_| false), None);
        assert_eq!(names.id("a", |_| true).as_deref(), Some("a"));
        assert_eq!(names.id("a", |_| panic!("it was judged before")).as_deref(), Some("a"));
    }

    #[test]
    fn no_time_is_read_of_what_is_none() {
        let mut text = [0; 27];
        text[20..].copy_from_slice(b"123456Z");
        assert_eq!(Second::default().read(&text), None);
    }

    #[test]
    fn any_number_of_texts_takes_the_same_room_and_each_is_read_as_it_is() {
        let mut names = names();
        for number in 0..50_000 {
            let text = format!("{number}-{}", "x".repeat(number % 100));
            assert_eq!(&*names.text(&text), text);
            assert_eq!(&*names.text(&text), text);
        }
        assert_eq!(names.texts.sets.len(), SETS);
        let longest = names.texts.sets.iter().flatten().flatten().map(|text| text.len()).max();
        assert_eq!(longest, Some(MAX_KEPT_LEN));
    }

    #[test]
    fn texts_that_are_much_alike_have_places_of_their_own() {
        for texts in [
            (0..1_000).map(|number| format!("budget-{number}")).collect::<Vec<_>>(),
            (0..1_000).map(|number| format!("session-{number:04}-of-a-day")).collect(),
        ] {
            let places: std::collections::HashSet<usize> =
                texts.iter().map(|text| hash(text.as_bytes())).collect();
            assert!(places.len() > 800, "{}: {}", texts[0], places.len());
        }
    }

    proptest! {
        /// Times in any order, many of the same second, and what is no time: as read one by one.
        #[test]
        fn times_are_read_as_if_each_were_alone(
            texts in prop::collection::vec("2026-0[12]-2[89]T23:59:[56][09](\\.|:)[0-9]{5}[0-9:]Z", 1..40)
        ) {
            let mut names = Names::default();
            for text in texts {
                let text = text.as_bytes().try_into().unwrap();
                prop_assert_eq!(names.timestamp(text), Timestamp::from_ascii(text));
            }
        }
    }
}
