//! A hub in a simulated world.

use super::Hub;
use crate::driver::sim::Sim;
use crate::driver::{Driver, Wait};
use crate::greenlet::{Block, fatal};

impl Hub {
    /// Calls `f` with the world, if it is simulated.
    pub(crate) fn simulated<R>(&self, f: impl FnOnce(&mut Sim) -> R) -> Option<R> {
        match &mut *self.driver.borrow_mut() {
            Driver::Sim(sim) => Some(f(sim)),
            _ => None,
        }
    }

    /// Says whether somebody waits for another thread, and whether one may come unasked.
    #[inline]
    pub(super) fn tell_of_others(&self, driver: &mut Driver) {
        if let Driver::Sim(sim) = driver {
            sim.set_others(self.waits_for_others(), self.awaits_others());
        }
    }

    /// Ends a program that has come to rest for ever, or has broken a rule.
    #[inline]
    pub(super) fn judge(&self, wait: Wait, in_place: Option<&Block>) {
        let sentence = self.simulated(|sim| (sim.is_at_rest(), sim.take_violation()));
        let Some((is_at_rest, violation)) = sentence else { return };
        match violation {
            Some(text) if in_place.is_none() => self.tell_root(Box::new(text)),
            _ if is_at_rest && wait == Wait::ForEver => {
                if self.simulated(|sim| sim.is_told_in_vain()).unwrap_or(false) {
                    fatal(format_args!(
                        "the world is at rest, and the root greenlet cannot be told"
                    ));
                }
                self.report_deadlock(in_place);
            }
            _ => {}
        }
    }
}
