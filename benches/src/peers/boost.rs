//! boost.context: the door to `cpp/boost.cpp`.

/// Where the C++ rows come from; none when boost.context is not installed.
pub struct Boost;

#[cfg(boost)]
pub(super) use installed::version;
#[cfg(not(boost))]
pub(super) use missing::version;

#[cfg(boost)]
mod installed {
    use std::ffi::{CStr, CString, c_char, c_void};
    use std::hint::black_box;

    use super::Boost;
    use crate::measure::{Case, Stopwatch};
    use crate::slab::{GUARD, STRIDE, Slot};

    #[link(name = "bench_boost", kind = "static")]
    #[link(name = "stdc++")]
    unsafe extern "C" {
        fn bench_boost_version() -> *const c_char;
        fn bench_boost_new(what: *const c_char, size: usize) -> *mut c_void;
        fn bench_boost_run(case: *mut c_void, laps: u64) -> usize;
        fn bench_boost_free(case: *mut c_void);
    }

    #[unsafe(no_mangle)]
    extern "C" fn bench_stack_take(bytes: &mut usize) -> usize {
        let slot = Slot::take();
        *bytes = slot.top() - slot.limit() - GUARD;
        debug_assert!(*bytes <= STRIDE - GUARD);
        slot.into_top()
    }

    #[unsafe(no_mangle)]
    extern "C" fn bench_stack_give(top: usize) {
        // SAFETY: boost gives back once what it took.
        drop(unsafe { Slot::from_top(top) });
    }

    pub(in super::super) fn version() -> String {
        // SAFETY: the function returns a literal.
        let version = unsafe { CStr::from_ptr(bench_boost_version()) };
        version.to_string_lossy().replace('_', ".")
    }

    struct Live(*mut c_void);

    impl Drop for Live {
        fn drop(&mut self) {
            // SAFETY: `bench_boost_new` made it, and nobody else frees it.
            unsafe { bench_boost_free(self.0) }
        }
    }

    impl Boost {
        /// The C++ loop for this question, if there is one.
        pub fn case(what: &str, size: usize, per_lap: usize) -> Option<Case> {
            let what = CString::new(what).expect("names have no zero byte");
            // SAFETY: the name ends with a zero byte.
            let live = Live(unsafe { bench_boost_new(what.as_ptr(), size) });
            if live.0.is_null() {
                return None;
            }
            Some(Case::new("boost.context", per_lap, move |laps| {
                // The whole of `live`, so that it lives as long as the case.
                let live = &live;
                let start = Stopwatch::start();
                // SAFETY: it is a live case of this thread, and cases do not nest.
                black_box(unsafe { bench_boost_run(live.0, laps) });
                start.elapsed()
            }))
        }
    }
}

#[cfg(not(boost))]
mod missing {
    use super::Boost;
    use crate::measure::Case;

    pub(in super::super) fn version() -> String {
        format!("not installed ({})", env!("BENCH_BOOST_MISSING"))
    }

    impl Boost {
        /// No loop: boost.context is not installed.
        pub fn case(_: &str, _: usize, _: usize) -> Option<Case> {
            None
        }
    }
}
