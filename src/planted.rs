//! Bugs that are known, each of them one that some other system had or that a rule of ours keeps out, to be brought back
//! one at a time: a test that does not catch the bug that it is there for is worth nothing.
//!
//! None of it is in an ordinary build: [`planted`] is `false` there when the code is compiled. A build with
//! `--cfg planted_bugs` contains all of them, and the environment variable `TALLYBOOK_PLANTED` names the one that it has.
//! Which test has to catch which is told in `tests/planted-bugs.md`; `.ci/planted-bugs` holds them to it.

use crate::error::Error;
use crate::journal::format::SegmentName;
use crate::storage::Storage;

/// Whether that bug is to be there.
#[cfg(not(planted_bugs))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}

/// Whether that bug is to be there: `TALLYBOOK_PLANTED` names it.
#[cfg(planted_bugs)]
pub(crate) fn planted(bug: Bug) -> bool {
    static NAMED: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("TALLYBOOK_PLANTED").ok().filter(|name| !name.is_empty())?;
        let known = Bug::ALL.iter().find(|bug| format!("{bug:?}") == name);
        Some(
            *known.unwrap_or_else(|| panic!("TALLYBOOK_PLANTED: expected the name of a bug, found {name:?}")),
        )
    });
    *NAMED == Some(bug)
}

/// What no retention should do: removes a segment that lies above the floor.
pub(crate) fn remove_at_once(storage: &dyn Storage, name: SegmentName) -> Result<(), Error> {
    let removed = storage.remove(&name.to_string());
    removed.map_err(|error| Error::io(format!("removing segment {name}"), error))
}

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident,)+) => {
        /// A known bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Bug {
            $($(#[doc = $what])+ $name,)+
        }

        #[cfg(planted_bugs)]
        impl Bug {
            const ALL: &[Bug] = &[$(Bug::$name),+];
        }
    };
}

bugs! {
    // ---- opening ---------------------------------------------------------------------------------------------
    /// Zeros where a frame's header should be are taken for the end, whatever follows.
    ZeroedLengthIsTheEnd,
    /// The log ends at the first bad frame: nobody looks whether what follows proves that it was synced.
    TruncatedAtTheFirstBadBatch,
    /// Any valid frame after a bad one counts as damage, one of the same unacknowledged batch too.
    ValidFrameAfterABadOneIsDamage,
    /// However much lies behind the last valid frame is taken for a torn tail.
    TornTailOfAnyLength,
    /// A segment of a newer format is reported as damaged.
    NewerVersionIsCorruption,
    /// A snapshot of a newer format is reported as damaged.
    NewerSnapshotIsCorruption,
    /// A read that fails is taken for the end of the log.
    FailedReadIsTheEnd,
    /// Damage below what was synced before a segment got its name counts as torn.
    BirthNotChecked,
    /// Damage in a closed segment ends it, instead of refusing.
    ClosedSegmentTorn,
    /// A closed segment that is shorter than its successor says is taken as it is.
    ClosedSegmentCut,
    /// A segment that is missing is not missed.
    MissingSegmentBelieved,
    /// A segment of another journal is taken for one of this.
    ForeignSegmentBelieved,
    /// A segment under another's name is taken for that.
    SwappedSegmentBelieved,
    /// Nobody compares the CRC of a segment's header.
    SegmentHeaderCrcUnchecked,
    /// Nobody compares the CRC of a frame's header.
    FrameHeaderCrcUnchecked,
    /// Nobody compares the CRC of a frame's payload.
    FramePayloadCrcUnchecked,
    /// The CRCs of a frame do not cover its offset.
    OffsetNotInTheCrc,
    /// The CRCs of a frame do not cover the number of its segment.
    SegmentNumberNotInTheCrc,
    /// The CRCs of a frame do not cover the id of its journal.
    JournalIdNotInTheCrc,
    /// `seq` starts again at 1 when the newest segment holds only a torn line.
    SeqStartsAgainAtOne,

    // ---- recovering ------------------------------------------------------------------------------------------
    /// The frames past what is known to be synced are dropped instead of handed over.
    DroppedPastD,
    /// Valid frames past what is known to be synced are believed where they are, since they can be read.
    ReadableIsDurable,
    /// A seal is believed though no successor says so.
    SealBelieved,
    /// The recovery cuts the torn bytes off the old segment.
    TornBytesOverwritten,
    /// What the recovery handed over counts as of the new epoch.
    EpochChangedOnHandOver,
    /// Two openings may have the same epoch: it is a bare number.
    EpochIsABareNumber,
    /// The new segment gets its name before its bytes are synced.
    RenamedBeforeSync,
    /// The directory is not synced when an opening names a segment.
    DirectoryNotSyncedAtAnOpening,
    /// A segment is named after one whose own name may be in the page cache only.
    BuiltUponAnUnsyncedName,

    // ---- writing ---------------------------------------------------------------------------------------------
    /// Frames say that nothing before them was synced, so that damage cannot be told from a torn tail.
    SyncedOffsetStaysZero,
    /// Frames say that what is only being written with them was synced.
    SyncedOffsetRunsAhead,
    /// A batch may be of any length, whatever the header says of the most that is ever unsynced.
    NoMaxUnsynced,
    /// A sync that failed is made again, and believed when it says that all is well.
    FailedSyncTriedAgain,
    /// Nobody looks whether a sync failed.
    FailedSyncIgnored,
    /// After a failure the writer goes on with the same file.
    FailureDoesNotHalt,
    /// At a rotation the next segment gets its name before the seal is synced.
    SuccessorNamedBeforeTheSeal,
    /// The directory is not synced when a rotation names a segment.
    DirectoryNotSyncedAtARotation,

    // ---- answering and feeding -------------------------------------------------------------------------------
    /// State and feed run ahead of the disk.
    PublishedBeforeDurable,
    /// A command is answered though the sync failed.
    AnsweredThoughTheSyncFailed,
    /// An event is fed though its append failed.
    FedThoughTheAppendFailed,
    /// Those who wait when a sync fails wait for ever.
    WaitersHangAfterAFailedSync,
    /// The feed of a subscriber that lags goes on with what is in the ring.
    LagSkipsEvents,
    /// A cursor of a future that a crash unmade is gone on after.
    UnmadeCursorBelieved,

    // ---- retention -------------------------------------------------------------------------------------------
    /// Segments are removed that no snapshot covers.
    PrunedWithoutASnapshot,
    /// A snapshot becomes the base that nobody has read again.
    BaseNotVerified,
    /// Another snapshot than the one before what is kept becomes the base.
    WrongBasePicked,
    /// Segments are removed before the new floor is set.
    RemovedBeforeTheFloorIsSet,
    /// The new floor is not synced before segments are removed.
    FloorNotSynced,
    /// A floor whose sync failed is gone on with.
    FailedFloorBelieved,
    /// A segment that could not be archived is removed.
    ArchiveErrorIgnored,
    /// Every second segment is not archived.
    ArchiveSkipsASegment,
    /// Torn bytes are removed with their segment.
    TornBytesNotKept,
    /// Torn bytes that could not be copied are removed with their segment.
    TornCopyErrorIgnored,

    // ---- snapshots -------------------------------------------------------------------------------------------
    /// A snapshot gets its name, and nobody ever syncs it.
    SnapshotNotSynced,
    /// A snapshot lacks the last segment that it claims to hold.
    SnapshotOneSegmentShort,
    /// Nobody compares the state hash of a snapshot.
    StateHashNotCompared,
    /// Nobody compares the CRC of a snapshot's lines.
    SnapshotCrcUnchecked,
    /// Nobody compares the CRC of a snapshot's header.
    SnapshotHeaderCrcUnchecked,
    /// Nobody compares the length of a snapshot.
    SnapshotLengthUnchecked,
    /// A snapshot of another journal, or of a future that was unmade, is believed.
    ForeignSnapshotBelieved,
    /// A snapshot of a newer fold is believed.
    NewerFoldBelieved,
    /// An opening that fails on the newest snapshot tries no older one.
    NoOlderSnapshotTried,
    /// The time of the last event is lost with the segments before a snapshot, so that time may go back.
    LastTimeLost,

    // ---- proof -----------------------------------------------------------------------------------------------
    /// A leaf of the Merkle tree is the event's line alone: it proves nothing about its place.
    LeafWithoutSeq,
    /// A head of the spine does not depend on the one before it.
    ChainWithoutPreviousHead,
    /// Verification believes the roots that the spine states, and makes none from the events.
    RootNotRecomputed,
    /// Segments are pruned before the spine has their entries.
    PrunedBeforeTheSpine,

    // ---- budgets ---------------------------------------------------------------------------------------------
    /// A hard limit is checked only where the amount is asked for.
    LimitCheckedAtTheLeafOnly,
    /// What is set aside counts against no limit.
    HoldsNotCounted,
    /// What is spent is booked only where it is asked for.
    ParentNotBooked,
    /// Exhaustion pauses only the goal whose budget it is.
    ExhaustionPausesOneGoal,
    /// A threshold is told each time.
    ThresholdToldTwice,
    /// A hold that was released gives back its amount once more when it is released again.
    ReleasedTwice,
    /// A hold that has expired still counts.
    ExpiredHoldCounts,
    /// A settlement that comes late is dropped.
    LateSettlementDropped,
    /// More is taken back than was spent.
    MoreReversedThanSpent,
    /// What passes a limit is not said to.
    OverageNotTyped,
    /// A spend that is retried with the same id is booked once more.
    RetriedSpendBookedTwice,
    /// A command that is retried with the same key is carried out once more.
    RetriedKeyBookedTwice,
    /// The total of a cumulative meter is booked as an increase.
    TotalBookedAsIncrease,
    /// A window rolls, and no event says so.
    WindowRollsWithoutEvent,
    /// A refusal is answered, and no event says so.
    RefusalWithoutEvent,

    // ---- goals -----------------------------------------------------------------------------------------------
    /// Usage that arrives after the pause of its goal is dropped.
    LateTurnDropped,
    /// Charging a goal makes a compare-and-set stale.
    ChargingMovesTheRevision,
    /// A goal can be resumed though its budget is exhausted.
    ResumedThoughExhausted,
    /// A second goal becomes active in a scope that has one.
    TwoActiveInAScope,
}
