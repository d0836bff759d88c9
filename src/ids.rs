//! Identities, and the one home of randomness.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::event::value::is_printable;

/// The id of a goal: a UUID. Ids that the engine makes are version 7, so they sort by the time of their making.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoalId(pub Uuid);

/// The id of a journal: a random UUID, given once when the journal is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(pub Uuid);

/// What was not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct IdError {
    expected: &'static str,
    found: String,
}

impl IdError {
    fn new(expected: &'static str, found: &str) -> IdError {
        IdError { expected, found: found.chars().take(80).collect() }
    }
}

macro_rules! uuid_id {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads the hyphenated form, 36 characters, in either case.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError::new("a UUID of 36 characters", text);
                if text.len() != 36 {
                    return Err(error());
                }
                Uuid::try_parse(text).map($name).map_err(|_| error())
            }
        }
    };
}

uuid_id!(GoalId);
uuid_id!(JournalId);

/// The id of a budget. The budget of a goal's tokens is `goal:<goal_id>`, a prefix that is reserved for it; every
/// other budget has a name that its host gave it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetId {
    /// The token budget of a goal, `goal:<goal_id>`.
    Goal(GoalId),
    /// A budget with a name given by the host.
    Named(Arc<str>),
}

impl BudgetId {
    /// The reserved prefix of the budgets of goals.
    pub const GOAL_PREFIX: &'static str = "goal:";
    /// The longest name of a budget, in bytes.
    pub const MAX_LEN: usize = 200;
}

impl fmt::Display for BudgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BudgetId::Goal(goal) => write!(f, "{}{goal}", Self::GOAL_PREFIX),
            BudgetId::Named(name) => f.write_str(name),
        }
    }
}

impl fmt::Debug for BudgetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BudgetId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<BudgetId, IdError> {
        if let Some(goal) = text.strip_prefix(Self::GOAL_PREFIX) {
            return goal
                .parse()
                .map(BudgetId::Goal)
                .map_err(|_| IdError::new("a goal's UUID after the reserved prefix `goal:`", text));
        }
        if !is_name(text) {
            return Err(IdError::new("a budget id of 1 to 200 bytes without control characters", text));
        }
        Ok(BudgetId::Named(text.into()))
    }
}

impl From<&str> for BudgetId {
    /// The id of that text. One that can be no id (empty, too long, with control characters, or with the reserved
    /// prefix and no goal behind it) is rejected by the command that names it, as `invalid`.
    fn from(text: &str) -> BudgetId {
        text.parse().unwrap_or_else(|_| BudgetId::Named(text.into()))
    }
}

impl From<String> for BudgetId {
    fn from(text: String) -> BudgetId {
        BudgetId::from(text.as_str())
    }
}

impl From<&BudgetId> for BudgetId {
    fn from(id: &BudgetId) -> BudgetId {
        id.clone()
    }
}

impl From<GoalId> for BudgetId {
    /// The budget of the goal's tokens.
    fn from(id: GoalId) -> BudgetId {
        BudgetId::Goal(id)
    }
}

/// Whether a text can be an id that a host gives: 1 to 200 bytes without control characters.
pub(crate) fn is_name(text: &str) -> bool {
    // Most are of ASCII, which is seen at a glance.
    let is_printable = || is_printable(text.as_bytes());
    let is_free_of_controls = || !text.chars().any(char::is_control);
    !text.is_empty() && text.len() <= BudgetId::MAX_LEN && (is_printable() || is_free_of_controls())
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Arc<str>);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_name(text) { Ok($name(text.into())) } else { Err(IdError::new($expected, text)) }
            }
        }

        impl From<&str> for $name {
            /// The id of that text. One that can be no id is rejected by the command that names it, as `invalid`.
            fn from(text: &str) -> $name {
                $name(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                $name(text.into())
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> $name {
                id.clone()
            }
        }

        impl From<Uuid> for $name {
            /// The id whose text is the UUID, hyphenated and in lower case.
            fn from(id: Uuid) -> $name {
                $name((&*id.hyphenated().encode_lower(&mut Uuid::encode_buffer())).into())
            }
        }
    };
}

name_id! {
    /// The id of a spend: 1 to 200 bytes without control characters. What the engine makes is a UUID of version 7.
    SpendId, "a spend id of 1 to 200 bytes without control characters"
}
name_id! {
    /// The id of a reservation: 1 to 200 bytes without control characters. What the engine makes is a UUID of version 7.
    ReservationId, "a reservation id of 1 to 200 bytes without control characters"
}
name_id! {
    /// The id of an external meter: 1 to 200 bytes without control characters.
    MeterId, "a meter id of 1 to 200 bytes without control characters"
}
name_id! {
    /// The id of an event of the host's own: 1 to 200 bytes without control characters.
    EventId, "an event id of 1 to 200 bytes without control characters"
}

/// One run of a writer on a journal: a number that grows by one with every opening, and a random tag that tells
/// apart two histories that went different ways from the same number (a copied or restored directory).
///
/// Written as `counter-tag`, the tag as eight hexadecimal digits: `3-9f86d081`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch {
    /// How many times the journal has been opened for writing; 0 only in [`Epoch::NONE`].
    pub counter: u32,
    /// The random tag.
    pub tag: u32,
}

impl Epoch {
    /// The epoch of no event: what stands before the first one.
    pub const NONE: Epoch = Epoch { counter: 0, tag: 0 };

    /// Both parts in one number, the counter in the upper half.
    pub const fn to_bits(self) -> u64 {
        ((self.counter as u64) << 32) | self.tag as u64
    }

    /// The inverse of [`to_bits`](Self::to_bits).
    #[expect(clippy::cast_possible_truncation, reason = "the halves are cut out on purpose")]
    pub const fn from_bits(bits: u64) -> Epoch {
        Epoch { counter: (bits >> 32) as u32, tag: bits as u32 }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.counter, self.tag)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Epoch, IdError> {
        let error = || IdError::new("an epoch like `3-9f86d081`", text);
        let (counter, tag) = text.split_once('-').ok_or_else(error)?;
        if tag.len() != 8 || counter.starts_with('+') || tag.starts_with('+') {
            return Err(error());
        }
        Ok(Epoch {
            counter: counter.parse().map_err(|_| error())?,
            tag: u32::from_str_radix(tag, 16).map_err(|_| error())?,
        })
    }
}

/// Where an engine gets its randomness from: ids and epoch tags. Never used for anything that replay has to
/// repeat (law FOLD).
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// Sixteen random bytes.
    fn bytes(&self) -> [u8; 16];

    /// Fills `out` with random bytes: for a source to which many at once cost less than sixteen at a time.
    fn fill(&self, out: &mut [u8]) {
        for part in out.chunks_mut(16) {
            part.copy_from_slice(&self.bytes()[..part.len()]);
        }
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// 122 of the bits are random: the rest mark a version 4 UUID, which is good enough for ids and tags.
    #[expect(clippy::disallowed_methods, reason = "this is the one home of randomness")]
    fn bytes(&self) -> [u8; 16] {
        Uuid::new_v4().into_bytes()
    }

    /// With one system call, and every bit of them random.
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system has randomness");
    }
}

/// Randomness that repeats from a seed, for tests (the SplitMix64 generator of Steele, Lea and Flood, 2014).
#[derive(Debug)]
pub struct SeededEntropy(std::sync::atomic::AtomicU64);

impl SeededEntropy {
    /// A source that gives the same bytes for the same seed.
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy(std::sync::atomic::AtomicU64::new(seed))
    }

    /// Sixty-four pseudo-random bits.
    pub fn next_u64(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(GAMMA, std::sync::atomic::Ordering::Relaxed).wrapping_add(GAMMA);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A pseudo-random number below `bound` (0 when `bound` is 0).
    pub fn below(&self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next_u64()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}

impl Entropy for SeededEntropy {
    fn bytes(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.next_u64().to_le_bytes());
        out[8..].copy_from_slice(&self.next_u64().to_le_bytes());
        out
    }
}

/// Where a writer takes new ids from. Randomness costs a system call, so it is fetched in blocks.
#[derive(Debug)]
pub(crate) struct IdSource {
    entropy: Arc<dyn Entropy>,
    block: [u8; IdSource::BLOCK],
    /// How many bytes of the block are used up.
    used: usize,
}

impl IdSource {
    /// How many random bytes are fetched at once.
    const BLOCK: usize = 768;
    /// How many of them an id takes: 42 of their bits.
    const BYTES_PER_ID: usize = 6;

    pub(crate) fn new(entropy: Arc<dyn Entropy>) -> IdSource {
        IdSource { entropy, block: [0; Self::BLOCK], used: Self::BLOCK }
    }

    /// A new UUID of version 7 (RFC 9562) that carries `now`. Its last 32 bits are those of `seq`, the position of the event
    /// with which it was asked for, which most often is the one that makes what it is the id of (that of a spend always is):
    /// so whoever has such an id knows where to look first. The other 42 bits are random, and tell apart the ids of
    /// journals that were written in the same millisecond, and those of a `seq` that was used again after a crash.
    pub(crate) fn next(&mut self, now: Timestamp, seq: u64) -> Uuid {
        let millis = u128::try_from(now.as_millis()).unwrap_or(0) & ((1 << 48) - 1);
        let [a, b, c, d, e, f] = self.random().map(u128::from);
        let high = (a << 8 | b) & 0xfff;
        let low = (c << 24 | d << 16 | e << 8 | f) & 0x3fff_ffff;
        let seq = u128::from(seq) & 0xffff_ffff;
        Uuid::from_u128(millis << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low << 32 | seq)
    }

    fn random(&mut self) -> [u8; Self::BYTES_PER_ID] {
        if self.used + Self::BYTES_PER_ID > Self::BLOCK {
            self.entropy.fill(&mut self.block);
            self.used = 0;
        }
        let mut random = [0; Self::BYTES_PER_ID];
        random.copy_from_slice(&self.block[self.used..self.used + Self::BYTES_PER_ID]);
        self.used += Self::BYTES_PER_ID;
        random
    }
}

/// A new journal id.
pub(crate) fn new_journal_id(entropy: &dyn Entropy) -> JournalId {
    JournalId(uuid::Builder::from_random_bytes(entropy.bytes()).into_uuid())
}

/// A new random epoch tag.
pub(crate) fn new_epoch_tag(entropy: &dyn Entropy) -> u32 {
    let random = entropy.bytes();
    u32::from_le_bytes([random[0], random[1], random[2], random[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_prints_as_it_parses_and_packs() {
        let epoch = Epoch { counter: 3, tag: 0x0f86_d081 };
        assert_eq!(epoch.to_string(), "3-0f86d081");
        assert_eq!("3-0f86d081".parse::<Epoch>().unwrap(), epoch);
        assert_eq!(Epoch::from_bits(epoch.to_bits()), epoch);
        for bad in ["", "3", "3-", "3-9f86d0811", "-1-9f86d081", "+3-9f86d081", "3-+f86d081"] {
            assert!(bad.parse::<Epoch>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_prefix_of_goal_budgets_is_reserved() {
        let goal = GoalId(ids(1).next(Timestamp::UNIX_EPOCH, 1));
        let id = BudgetId::Goal(goal);
        assert_eq!(id.to_string().parse::<BudgetId>().unwrap(), id);
        assert!("goal:mine".parse::<BudgetId>().is_err());
        assert!("".parse::<BudgetId>().is_err());
        assert_eq!("money".parse::<BudgetId>().unwrap(), BudgetId::Named("money".into()));
    }

    fn ids(seed: u64) -> IdSource {
        IdSource::new(Arc::new(SeededEntropy::new(seed)))
    }

    #[test]
    fn goal_ids_sort_by_time_and_are_version_7() {
        let mut ids = ids(7);
        let early = GoalId(ids.next(Timestamp::from_micros(1_000_000), 9));
        let late = GoalId(ids.next(Timestamp::from_micros(2_000_000), 2));
        assert!(early < late);
        assert_eq!((early.0.get_version_num(), early.0.get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(early.to_string().parse::<GoalId>().unwrap(), early);
    }

    #[test]
    fn an_id_tells_the_time_and_the_low_bits_of_the_seq_and_the_rest_is_random() {
        for entropy in [Arc::new(SystemEntropy) as Arc<dyn Entropy>, Arc::new(SeededEntropy::new(3))] {
            let mut ids = IdSource::new(entropy);
            let (mut zeros, mut ones) = (0, 0);
            // More than a block has.
            for seq in (0..1_000).map(|n| (n << 32) + 0xffff_fc00 + n) {
                let id = ids.next(Timestamp::from_micros(1_700_000_000_123_456), seq);
                assert_eq!(u64::try_from(id.as_u128() & 0xffff_ffff).unwrap(), seq & 0xffff_ffff);
                let (secs, nanos) = id.get_timestamp().unwrap().to_unix();
                assert_eq!((secs, nanos), (1_700_000_000, 123_000_000));
                (zeros, ones) = (zeros | !id.as_u128(), ones | id.as_u128());
            }
            let random = (0xfff << 64) | (0x3fff_ffff << 32);
            assert_eq!(
                (zeros & random, ones & random),
                (random, random),
                "every bit of them is ever 0, and ever 1"
            );
        }
    }

    #[test]
    fn a_spend_id_of_a_uuid_is_its_text() {
        let id = ids(5).next(Timestamp::from_micros(1), 2);
        assert_eq!(SpendId::from(id), SpendId::from(id.to_string()));
    }
}
