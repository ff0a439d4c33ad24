//! Bugs on purpose, to see whether the checkers of `tests/sim` find them. They exist only where the crate
//! is built with `--cfg planted`, and strike only once one was chosen; otherwise every [`is`] is `false`
//! at compile time.

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(planted), allow(dead_code, reason = "only asked for"))]
pub(crate) enum Bug {
    /// An operation that was cancelled is not waited for.
    SkipTheWait = 1,
    /// Now and then a completion is thrown away.
    DropACompletion,
    /// All limits have the same number, so that one takes another's end for its own.
    WrongGeneration,
    /// A wake that is for one reaches two.
    DoubleWake,
    /// Deadlines pass 2 ms before their moment.
    EarlyTimer,
    /// Letters from other threads are there, and nobody is told.
    LostInboxWake,
    /// A descriptor is closed before what names it was submitted.
    CloseBeforeFlush,
    /// A stream that has ended is taken for one that goes on.
    StaleMultishot,
    /// What an operation brought in the moment of its limit is forgotten.
    ForgetTheResult,
    /// A descriptor is not closed while others wait at it.
    LeakADescriptor,
    /// Of those who wait, the one that came last is served first.
    NewestFirst,
    /// One that is killed in the moment in which it is served does not hand on what it got.
    KeepTheTurn,
    /// Whoever comes while others were promised something takes that.
    Overtake,
}

/// The bugs and the names by which they are chosen.
#[cfg(planted)]
pub(crate) const NAMES: &[(&str, Bug)] = &[
    ("skip the wait after cancel", Bug::SkipTheWait),
    ("drop a completion", Bug::DropACompletion),
    ("wrong generation", Bug::WrongGeneration),
    ("double wake", Bug::DoubleWake),
    ("early timer", Bug::EarlyTimer),
    ("lost inbox wake", Bug::LostInboxWake),
    ("close before flush", Bug::CloseBeforeFlush),
    ("stale multishot", Bug::StaleMultishot),
    ("forget the result", Bug::ForgetTheResult),
    ("leak a descriptor", Bug::LeakADescriptor),
    ("newest first", Bug::NewestFirst),
    ("keep the turn", Bug::KeepTheTurn),
    ("overtake", Bug::Overtake),
];

#[cfg(planted)]
static CHOSEN: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// From now on this bug is there, in the whole process; `None`: none is.
#[cfg(planted)]
pub(crate) fn choose(bug: Option<Bug>) {
    CHOSEN.store(bug.map_or(0, |bug| bug as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Is this bug there?
#[inline(always)]
pub(crate) fn is(bug: Bug) -> bool {
    #[cfg(planted)]
    return CHOSEN.load(std::sync::atomic::Ordering::Relaxed) == bug as u8;
    #[cfg(not(planted))]
    {
        let _ = bug;
        false
    }
}

/// Is this bug there, and does it strike this time?
#[inline(always)]
pub(crate) fn is_now_and_then(bug: Bug) -> bool {
    #[cfg(planted)]
    {
        static TIMES: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let time = || TIMES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return is(bug) && time() % 64 == 63;
    }
    #[cfg(not(planted))]
    is(bug)
}
