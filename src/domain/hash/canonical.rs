//! The canonical bytes of values, written into the hash function.

use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::domain::leaf::Digest;
use crate::ids::{BudgetId, GoalId};

/// Writes canonical bytes into the hash function.
pub(super) struct Canonical {
    hash: Sha256,
    /// What the hash function has not had yet: it works on 64 bytes, and most values have a few.
    bytes: Vec<u8>,
}

/// So many bytes are gathered for the hash function.
const GATHERED: usize = 4_096;

impl Canonical {
    pub(super) fn new() -> Canonical {
        Canonical { hash: Sha256::new(), bytes: Vec::with_capacity(512) }
    }

    pub(super) fn digest(mut self) -> Digest {
        self.hash.update(&self.bytes);
        self.hash.finalize().into()
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Canonical {
        if self.bytes.len() >= GATHERED {
            self.hash.update(&self.bytes);
            self.bytes.clear();
        }
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Canonical {
        self.u64(u64::from(value))
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Canonical {
        self.u128(u128::from(value))
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest seven bits are cut out on purpose")]
    pub(super) fn u128(&mut self, mut value: u128) -> &mut Canonical {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes(&[value as u8])
    }

    pub(super) fn len(&mut self, len: usize) -> &mut Canonical {
        self.u64(u64::try_from(len).unwrap_or(u64::MAX))
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Canonical {
        self.len(text.len()).bytes(text.as_bytes())
    }

    pub(super) fn time(&mut self, time: Timestamp) -> &mut Canonical {
        self.bytes(&time.as_micros().to_le_bytes())
    }

    pub(super) fn goal_id(&mut self, id: GoalId) -> &mut Canonical {
        self.bytes(id.0.as_bytes())
    }

    pub(super) fn budget_id(&mut self, id: &BudgetId) -> &mut Canonical {
        match id {
            BudgetId::Goal(goal) => self.bytes(&[0]).goal_id(*goal),
            BudgetId::Named(name) => self.bytes(&[1]).text(name),
        }
    }

    pub(super) fn bool(&mut self, value: bool) -> &mut Canonical {
        self.bytes(&[u8::from(value)])
    }

    pub(super) fn list<T>(
        &mut self,
        values: &[T],
        mut write: impl FnMut(&mut Canonical, &T),
    ) -> &mut Canonical {
        self.len(values.len());
        values.iter().for_each(|value| write(self, value));
        self
    }

    pub(super) fn option<T>(
        &mut self,
        value: Option<T>,
        write: impl FnOnce(&mut Canonical, T) -> &mut Canonical,
    ) -> &mut Canonical {
        match value {
            None => self.bytes(&[0]),
            Some(value) => write(self.bytes(&[1]), value),
        }
    }
}
