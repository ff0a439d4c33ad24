//! What may go wrong, or only differently, in a simulated world.

use super::random::{Concern, Dice};
use std::fmt;

/// A set of kinds of faults that may happen in a simulated world. How often each happens is drawn from the seed;
/// with about half of the seeds, never.
///
/// ```
/// use greenlet::sim::Faults;
/// let faults = Faults::timing().with(Faults::LOSS).without(Faults::DELAY);
/// assert!(faults.has(Faults::LOSS) && !faults.has(Faults::DELAY));
/// assert_eq!(Faults::ERRORS.to_string(), "errors");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Faults(u32);

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal,)*) => {
        impl Faults {
            $($(#[$doc])* pub const $name: Faults = Faults(1 << $number);)*

            /// Every group with its name, in a fixed order.
            pub const NAMES: &[(&str, Faults)] = &[$(($text, Faults::$name),)*];
        }
    };
}

faults! {
    /// Operations end in another order than the one in which they could.
    ORDER = 0 "order",
    /// Operations and what is sent take time: from nothing to seconds.
    DELAY = 1 "delay",
    /// Only some of the completions that are ready arrive at a time.
    BATCH = 2 "batch",
    /// Streams carry fewer bytes in a call than they could, down to one.
    SHORT = 3 "short",
    /// Operations that can end at once do so, as on readiness hubs.
    INLINE = 4 "inline",
    /// Cancellations find their operation in every state that there is.
    CANCEL = 5 "cancel",
    /// Waiting ends early and brings nothing: signals, a busy kernel.
    ENTER = 6 "enter",
    /// Operations reach the kernel late, or earlier than usual because a queue was full.
    LATE = 7 "late",
    /// The queue of completions is short, and overflows.
    OVERFLOW = 8 "overflow",
    /// What accepts or receives many times has to be asked again, now and then.
    MULTISHOT = 9 "multishot",
    /// Receive buffers are written to while their operations last; that they stay, and that what is
    /// being sent stays as it is, is checked.
    BUFFERS = 10 "buffers",
    /// The clock jumps forward while nobody looks, up to 30 days.
    CLOCK = 11 "clock",
    /// Connections break, connects are refused, devices fail.
    ERRORS = 12 "errors",
    /// Datagrams over UDP are lost, doubled, or overtake others.
    LOSS = 13 "loss",
    /// There is no descriptor left (`EMFILE`).
    DESCRIPTORS = 14 "descriptors",
    /// There is no memory left (`ENOMEM`, `ENOBUFS`).
    MEMORY = 15 "memory",
}

impl Faults {
    /// No fault: everything happens in order, at once, and works.
    pub const fn none() -> Faults {
        Faults(0)
    }

    /// What every correct program survives: another order, delays, short transfers, and whatever kernels do below
    /// the surface of a call.
    pub const fn timing() -> Faults {
        Faults(Faults::CLOCK.0 - 1)
    }

    /// Everything, including jumps of the clock, errors and losses.
    pub const fn all() -> Faults {
        Faults((1 << Faults::NAMES.len()) - 1)
    }

    /// These and `other`.
    pub const fn with(self, other: Faults) -> Faults {
        Faults(self.0 | other.0)
    }

    /// These without `other`.
    pub const fn without(self, other: Faults) -> Faults {
        Faults(self.0 & !other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Faults) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for Faults {
    /// The names, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names =
            Faults::NAMES.iter().filter(|(_, one)| self.has(*one)).map(|(name, _)| *name);
        f.write_str(names.next().unwrap_or("none"))?;
        names.try_for_each(|name| write!(f, ",{name}"))
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults({self})")
    }
}

/// How often each group strikes, in 65,536 times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratios([u16; Faults::NAMES.len()]);

impl Ratios {
    /// Draws them: the same numbers whatever is among `faults`, so that switching one off leaves the
    /// others as they are.
    pub(super) fn draw(dice: &mut Dice, faults: Faults) -> Ratios {
        let mut ratios = [0; Faults::NAMES.len()];
        for ((_, group), ratio) in Faults::NAMES.iter().zip(&mut ratios) {
            let is_on = dice.below(Concern::World, 2) == 1;
            let often = match dice.below(Concern::World, 4) {
                0 => 40_000, // more often than not
                1 | 2 => 8_000,
                _ => 800,
            };
            if is_on && faults.has(*group) {
                *ratio = match *group {
                    // One of these ends a connection, or the program's progress: rarer.
                    Faults::ERRORS | Faults::DESCRIPTORS | Faults::MEMORY | Faults::CLOCK => {
                        often / 16
                    }
                    _ => often,
                };
            }
        }
        Ratios(ratios)
    }

    pub(super) fn none() -> Ratios {
        Ratios([0; Faults::NAMES.len()])
    }

    pub(super) fn of(&self, group: Faults) -> u16 {
        self.0[group.0.trailing_zeros() as usize]
    }
}
