//! Texts that come again and again: kept once, so that what is remembered does not hold each caller's own copy.

use std::sync::Arc;

use crate::event::SpendRecorded;

/// The texts that came lately. A new one takes the place of an older one, whichever its bytes lead to.
#[derive(Debug)]
pub(super) struct Texts([Option<Arc<str>>; Texts::LEN]);

impl Default for Texts {
    fn default() -> Texts {
        Texts([const { None }; Texts::LEN])
    }
}

impl Texts {
    const LEN: usize = 1 << Texts::BITS;
    const BITS: u32 = 6;
    /// What is longer is hardly said twice.
    const LONGEST: usize = 64;

    /// Makes a spend that nobody shares yet share the names in it with those before it.
    pub(super) fn share(&mut self, spend: &mut Arc<SpendRecorded>) {
        let Some(spend) = Arc::get_mut(spend) else { return };
        let details = &mut spend.details;
        [&mut details.tool, &mut details.peer].into_iter().flatten().for_each(|text| self.once(text));
    }

    fn once(&mut self, text: &mut Arc<str>) {
        if text.len() > Texts::LONGEST {
            return;
        }
        let known = &mut self.0[place(text.as_bytes())];
        match known {
            Some(known) if **known == **text => *text = Arc::clone(known),
            _ => *known = Some(Arc::clone(text)),
        }
    }
}

/// By its length, its beginning and its end: names that are much alike most often differ in these.
fn place(text: &[u8]) -> usize {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let ends = [text.first(), text.last()].into_iter().flatten();
    let short = ends.fold(text.len() as u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let bits = short ^ word(text.first_chunk()) ^ word(text.last_chunk()).rotate_left(29);
    (bits.wrapping_mul(GOLDEN) >> (u64::BITS - Texts::BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(texts: &mut Texts, text: &str) -> Arc<str> {
        let mut text = text.into();
        texts.once(&mut text);
        text
    }

    #[test]
    fn a_text_that_came_lately_is_shared_and_stays_what_it_was() {
        let mut texts = Texts::default();
        let (first, again) = (shared(&mut texts, "web.search"), shared(&mut texts, "web.search"));
        assert!(Arc::ptr_eq(&first, &again) && &*again == "web.search");
        for number in 0..1_000 {
            let text = format!("tool-{number}");
            assert_eq!(&*shared(&mut texts, &text), text);
        }
        for text in ["", "a", "ab", "ba", &"x".repeat(64), &"x".repeat(65)] {
            assert_eq!(&*shared(&mut texts, text), text);
            assert_eq!(&*shared(&mut texts, text), text);
        }
    }

    #[test]
    fn no_more_is_kept_than_there_are_places_and_nothing_long() {
        let mut texts = Texts::default();
        (0..10_000).for_each(|number| drop(shared(&mut texts, &format!("{number}-of-many"))));
        assert!(texts.0.iter().flatten().count() > Texts::LEN / 2, "they are spread");
        let long = "long ".repeat(20);
        let (first, again) = (shared(&mut texts, &long), shared(&mut texts, &long));
        assert!(!Arc::ptr_eq(&first, &again));
    }
}
