//! The bounded memory of what has an id, and where to find it.

use crate::clock::Timestamp;
use crate::domain::KeyWindow;
use crate::domain::entries::Memory;
use crate::domain::hex::read_hex;
use crate::domain::index::Index;
use crate::domain::leaf::Digest;
use crate::domain::log::Happened;

/// Something that is found by its id.
pub(super) trait Identified: Happened {
    /// Whether that is its id.
    fn is(&self, id: &str) -> bool;
}

/// What has an id, in the order of events; forgotten as [`Memory`] says.
#[derive(Debug, Clone)]
pub(super) struct Register<T> {
    memory: Memory<T>,
    /// Of those whose id does not tell their `seq` by itself.
    index: Index,
}

impl<T: Identified> Register<T> {
    /// The register of a snapshot, before anything is taken in.
    pub(super) fn restored(forgotten_through: Option<Timestamp>) -> Register<T> {
        Register { memory: Memory::restored(forgotten_through), index: Index::default() }
    }

    /// Takes in one of a snapshot, which has to come after those before it, and once.
    pub(super) fn restore(&mut self, id: &str, entry: T) -> Result<(), String> {
        let known = self.get(id).map(T::seq);
        let seq = entry.seq();
        self.memory.restore(entry)?;
        if let Some(known) = known {
            return Err(format!("expected it once, found it at seq {known}, too"));
        }
        self.index(id, seq);
        Ok(())
    }

    /// Remembers something that just happened.
    pub(super) fn push(&mut self, id: &str, entry: T) {
        let seq = entry.seq();
        self.memory.push(entry);
        self.index(id, seq);
    }

    fn index(&mut self, id: &str, seq: u64) {
        if low_bits(id) != Some(low_bits_of(seq)) {
            let oldest_seq = self.memory.first().map_or(seq, T::seq);
            self.index.insert(id, seq, oldest_seq, self.memory.len());
        }
    }

    /// What has that id.
    pub(super) fn get(&self, id: &str) -> Option<&T> {
        // Most often it is the one that was just made.
        if let Some(last) = self.memory.last().filter(|last| last.is(id)) {
            return Some(last);
        }
        let at = |seq| self.memory.get(seq).filter(|entry| entry.is(id));
        self.told_by(id).or_else(|| self.index.seqs(id).find_map(at))
    }

    /// What was remembered of the event with that `seq`.
    pub(super) fn at(&self, seq: u64) -> Option<&T> {
        self.memory.get(seq)
    }

    /// What has that id, if the id tells the low half of its `seq`: the newest of those at which it may be, then the one
    /// before it, each looked for right below the entry where the last one was not.
    fn told_by(&self, id: &str) -> Option<&T> {
        const SPAN: u64 = 1 << 32;
        let low = u64::from(low_bits(id)?);
        let mut last = self.memory.last()?.seq();
        loop {
            let high = last & !(SPAN - 1);
            let seq = if high | low <= last { high | low } else { high.checked_sub(SPAN)? | low };
            if let Some(entry) = self.memory.get(seq).filter(|entry| entry.is(id)) {
                return Some(entry);
            }
            last = self.memory.before(seq).next()?.seq();
        }
    }

    /// The same, to be changed.
    pub(super) fn change(&mut self, id: &str) -> Option<&mut T> {
        let seq = self.get(id)?.seq();
        self.memory.change(seq)
    }

    /// The newest, to be changed, if it is one that has to be.
    pub(super) fn change_last(&mut self, has_to_be: impl FnOnce(&T) -> bool) -> Option<&mut T> {
        let seq = self.memory.last().filter(|last| has_to_be(last))?.seq();
        self.memory.change(seq)
    }

    /// Forgets what is too old, and the oldest as long as there are too many; of each, `through` says up to when
    /// something is then forgotten.
    pub(super) fn forget_outside(
        &mut self,
        window: KeyWindow,
        now: Timestamp,
        through: impl Fn(&T) -> Timestamp,
    ) {
        self.memory.forget_outside(window, now, through);
        if self.memory.len() == 0 {
            self.index.clear();
        }
    }

    /// Up to when what is not known may have been.
    pub(super) fn forgotten_through(&self) -> Option<Timestamp> {
        self.memory.forgotten_through()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.memory.len()
    }

    /// All of them, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.memory.iter()
    }

    /// Those from before that event, the newest first.
    pub(super) fn before(&self, seq: u64) -> impl Iterator<Item = &T> {
        self.memory.before(seq)
    }

    /// Hands over the digests of all of them, by chunks.
    pub(super) fn digests(&self, compute: impl Fn(&[T]) -> Digest, each: impl FnMut(&Digest)) {
        self.memory.digests(compute, each);
    }
}

impl<T> Default for Register<T> {
    fn default() -> Register<T> {
        Register { memory: Memory::default(), index: Index::default() }
    }
}

/// What the last eight digits of a UUID say: in an id that the engine made, the low half of the `seq` of its event. Any
/// other id may look so, too: whoever asks compares it as a whole, and looks it up in the index besides.
fn low_bits(id: &str) -> Option<u32> {
    let (_, digits) = id.as_bytes().split_last_chunk::<8>().filter(|_| id.len() == 36)?;
    read_hex(u64::from_be_bytes(*digits))
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low_bits_of(seq: u64) -> u32 {
    seq as u32
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Named(u64, Arc<str>);

    impl Happened for Named {
        fn seq(&self) -> u64 {
            self.0
        }

        fn at(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    impl Identified for Named {
        fn is(&self, id: &str) -> bool {
            *self.1 == *id
        }
    }

    fn telling(seq: u64) -> String {
        format!("019a9f3c-5b1c-7000-8000-ab01{:08x}", low_bits_of(seq))
    }

    fn push(register: &mut Register<Named>, seq: u64, id: &str) {
        register.push(id, Named(seq, id.into()));
    }

    /// However far the entries lie apart: it is the entries that are looked at, not the numbers between them.
    #[test]
    fn an_id_that_is_not_there_is_soon_not_found() {
        let mut register = Register::default();
        for seq in [14, 1 << 40, u64::MAX - 1] {
            push(&mut register, seq, &telling(seq));
        }
        assert_eq!(register.get(&telling(15)), None);
        assert_eq!(register.get(&telling(14)).map(Happened::seq), Some(14));
    }

    #[test]
    fn an_id_that_tells_its_seq_is_found_without_the_index() {
        let mut register = Register::default();
        for seq in [3, 0xffff_fffe, (1 << 32) + 7, (1 << 33) + 3, (1 << 33) + 9] {
            push(&mut register, seq, &telling(seq).replace("ab01", &format!("{:04x}", seq >> 32)));
        }
        assert_eq!(format!("{:?}", register.index), format!("{:?}", Index::default()));
        for seq in [3, 0xffff_fffe, (1 << 32) + 7, (1 << 33) + 3, (1 << 33) + 9] {
            let id = telling(seq).replace("ab01", &format!("{:04x}", seq >> 32));
            assert_eq!(register.get(&id).map(Named::seq), Some(seq), "{id}");
        }
        assert_eq!(register.get(&telling(3)), None, "it has to be the id as a whole");
        assert_eq!(register.get(&telling(10)), None);
    }

    /// Ids of callers, and ids that tell a `seq` that is not theirs: one that is another's, is still to come, or is gone.
    #[test]
    fn every_other_id_is_found_by_the_index() {
        let mut register = Register::default();
        let window = KeyWindow { max_age_ms: 1, max_count: 4 };
        push(&mut register, 5, &telling(5));
        push(&mut register, 6, &telling(5).replace("ab01", "ab02"));
        push(&mut register, 7, &telling(9));
        push(&mut register, 8, "call-8");
        push(&mut register, 9, &telling(2));
        let find = |register: &Register<Named>, id: &str| register.get(id).map(Named::seq);
        assert_eq!(find(&register, &telling(5).replace("ab01", "ab02")), Some(6));
        assert_eq!(find(&register, &telling(9)), Some(7));
        assert_eq!(find(&register, "call-8"), Some(8));
        assert_eq!(find(&register, &telling(2)), Some(9));
        register.forget_outside(window, Timestamp::UNIX_EPOCH, Named::at);
        assert_eq!((register.len(), find(&register, &telling(5))), (4, None));
        assert_eq!(find(&register, &telling(9)), Some(7));
        push(&mut register, 10, &telling(5));
        assert_eq!(find(&register, &telling(5)), Some(10), "it is new again");
        let narrow = KeyWindow { max_count: 0, ..window };
        register.forget_outside(narrow, Timestamp::UNIX_EPOCH, Named::at);
        assert_eq!((register.len(), find(&register, "call-8")), (0, None));
        push(&mut register, 11, "call-8");
        assert_eq!(find(&register, "call-8"), Some(11));
    }
}
