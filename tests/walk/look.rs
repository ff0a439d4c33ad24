//! One look at the stack: the names on it, and the number of frames until the unwinder ends.

use std::backtrace::Backtrace;
use std::ffi::c_void;
use std::fmt;

/// More frames than any stack of these tests has.
const TOO_MANY: usize = 5_000;

unsafe extern "C" {
    fn _Unwind_Backtrace(
        visit: extern "C" fn(*mut c_void, *mut c_void) -> i32,
        data: *mut c_void,
    ) -> i32;
}
const GO_ON: i32 = 0; // _URC_NO_REASON
const END_OF_STACK: i32 = 5; // _URC_END_OF_STACK

/// What a walk showed.
pub(crate) struct Look {
    text: String,
    pub(crate) frames: usize,
}

/// Walks the stack from here to its end.
///
/// # Panics
/// When the walk does not end, or ends with an error.
#[inline(never)]
pub(crate) fn look() -> Look {
    let frames = count();
    Look { text: Backtrace::force_capture().to_string(), frames }
}

/// Frames from here to the end, as the unwinder alone sees them.
#[inline(never)]
pub(crate) fn count() -> usize {
    extern "C" fn visit(_: *mut c_void, frames: *mut c_void) -> i32 {
        // SAFETY: called with the counter below.
        let frames = unsafe { &mut *frames.cast::<usize>() };
        *frames += 1;
        if *frames < TOO_MANY { GO_ON } else { END_OF_STACK }
    }
    let mut frames = 0_usize;
    // SAFETY: the visitor is called with the counter, and does not unwind.
    let end = unsafe { _Unwind_Backtrace(visit, (&raw mut frames).cast()) };
    assert!(frames < TOO_MANY, "the walk does not end");
    assert_eq!(end, END_OF_STACK, "the walk ends with an error after {frames} frames");
    frames
}

impl Look {
    pub(crate) fn of(text: &Backtrace) -> Look {
        Look { text: text.to_string(), frames: 0 }
    }

    /// The functions on the stack, innermost first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter_map(|line| {
            let (number, name) = line.trim_start().split_once(": ")?;
            number.parse::<usize>().is_ok().then_some(name)
        })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names().position(|found| names(found, name))
    }

    /// Each of these functions is on the stack once, in this order, innermost first.
    #[track_caller]
    pub(crate) fn shows(&self, wanted: &[&str]) {
        let places: Vec<_> = wanted.iter().map(|name| self.place(name)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{wanted:?} in\n{self}");
        for name in wanted {
            let times = self.names().filter(|found| names(found, name)).count();
            assert_eq!(times, 1, "{name} in\n{self}");
        }
    }

    /// None of these functions is on the stack.
    #[track_caller]
    pub(crate) fn hides(&self, unwanted: &[&str]) {
        for name in unwanted {
            assert_eq!(self.place(name), None, "{name} in\n{self}");
        }
    }
}

/// Is `found`, a path, that of the function `name` itself, not of a closure in it?
fn names(found: &str, name: &str) -> bool {
    let path = match found.rsplit_once("::<") {
        Some((path, arguments)) if arguments.ends_with('>') => path,
        _ => found,
    };
    path == name || path.ends_with(&format!("::{name}"))
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames\n{}", self.frames, self.text)
    }
}
