//! A descriptor that is open, and that nobody uses yet.
#![expect(unsafe_code, reason = "closes what nobody has claimed")]

use crate::driver::Fd;
use crate::hub::hub_if_any;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};

/// Owns a number that was just opened; closed when it is dropped.
pub(crate) struct NewFd(Fd);

impl NewFd {
    /// Owns `number`, which is open and nobody else's.
    pub(super) fn new(number: RawFd) -> NewFd {
        NewFd(Fd::new(number))
    }

    pub(super) fn fd(&self) -> Fd {
        self.0
    }

    /// Whose it is now must see to its end.
    pub(super) fn into_fd(self) -> Fd {
        let fd = self.0;
        std::mem::forget(self);
        fd
    }
}

impl Drop for NewFd {
    #[cold]
    fn drop(&mut self) {
        if self.0.is_simulated() {
            return drop(hub_if_any().map(|hub| hub.close_fd(self.0)));
        }
        // SAFETY: it is ours, and no request has named it.
        unsafe { libc::close(self.0.number()) };
    }
}

impl From<OwnedFd> for NewFd {
    fn from(fd: OwnedFd) -> NewFd {
        NewFd::new(fd.into_raw_fd())
    }
}
