//! All timers out at once.

use super::super::near::NONE;
use super::Wheel;

impl Wheel {
    /// Unlinks all timers, as the wheel's end would.
    pub(crate) fn clear(&self) {
        self.near.clear();
        self.lists.clear();
        self.occupied.iter().chain([&self.mixed]).for_each(|lists| lists.set(0));
        self.len.set(0);
        self.ahead.set(NONE);
    }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "links timers")]
mod tests {
    use super::*;
    use crate::list::Timer;
    use std::ptr::null;

    #[test]
    fn a_wheel_that_was_cleared_is_as_a_new_one() {
        let timers = [const { Timer::new(null()) }; 600];
        let wheel = Wheel::new(0);
        let insert = |timer: &Timer, deadline_ns| {
            // SAFETY: it is unlinked, and stays until the wheel is dropped.
            unsafe { wheel.insert(timer, deadline_ns) };
        };
        for _ in 0..2 {
            // Some in each list, and against the order of their deadlines.
            for (n, timer) in timers.iter().enumerate().rev() {
                insert(timer, u64::MAX.checked_shr(n as u32 % 70).unwrap_or(n as u64));
            }
            wheel.look_ahead(3, |_, _| ());
            wheel.clear();
            assert!(timers.iter().all(|timer| !timer.is_linked()));
            assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
        }
        insert(&timers[1], 2);
        insert(&timers[0], 1);
        let mut fired = Vec::new();
        assert!(!wheel.advance(5, usize::MAX, |timer| fired.push(timer.deadline_ns())));
        assert_eq!(fired, [1, 2]);
    }
}
