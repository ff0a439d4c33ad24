//! What a thread leaves behind: nothing, or something that is reported, never something that runs.

use crate::destructors::{FIRST, SECOND, at_exit};
use crate::in_child::{in_child, tell, this_test};
use crate::log::Log;
use crate::ms;
use greenlet::net::UnixStream;
use greenlet::{
    Greenlet, HubKind, Timeout, current, idle, root, run, shield, sleep, spawn, spawn_detached,
    stats, timeout, yield_now,
};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

pub(crate) fn thread(f: impl FnOnce() + Send + 'static) {
    std::thread::spawn(f).join().unwrap();
}

/// Counts its drops.
#[derive(Clone, Default)]
struct Drops(Arc<AtomicUsize>);

struct Counted(Arc<AtomicUsize>);

impl Drops {
    fn one(&self) -> Counted {
        Counted(self.0.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn nothing_is_said_when_everything_is_finished() {
    let outcome = in_child(this_test!(), || {
        thread(|| spawn(|| sleep(ms(1))).join().unwrap());
        thread(|| run(|| spawn(|| sleep(ms(1))).join().unwrap()));
    });
    outcome.exited_with(0).says_only(&[]);
}

#[test]
fn tasks_that_are_left_are_reported_and_leaked() {
    let outcome = in_child(this_test!(), || {
        let drops = Drops::default();
        let seen = drops.clone();
        thread(move || {
            for n in 0..10 {
                let one = seen.one();
                spawn_detached(move || {
                    let _one = one;
                    sleep(Duration::from_secs(3600 + n));
                });
            }
            let one = seen.one();
            sleep(ms(1));
            spawn_detached(move || drop(one)); // never begins
        });
        tell("drops", &[drops.count()]);
    });
    outcome.exited_with(0).says_only(&[
        "greenlet: a thread ended with 11 unfinished greenlets: never unwound, leaked with all \
         that they own (wrap the thread's work in greenlet::run)",
    ]);
    assert_eq!(outcome.numbers("drops"), [0]);
}

#[test]
fn everything_is_unwound_in_run() {
    let outcome = in_child(this_test!(), || {
        let drops = Drops::default();
        for n in 0..20 {
            let seen = drops.clone();
            thread(move || {
                run(|| {
                    for k in 0..20 {
                        let (one, two) = (seen.one(), seen.one());
                        spawn_detached(move || {
                            let _one = one;
                            let inner = Greenlet::new(move |()| {
                                let _two = two;
                                sleep(Duration::MAX);
                            });
                            if k % 2 == 0 { inner.switch(()) } else { sleep(Duration::MAX) }
                        });
                    }
                    if n % 2 == 0 {
                        sleep(ms(1));
                    }
                });
            });
        }
        tell("drops", &[drops.count()]);
    });
    outcome.exited_with(0).says_only(&[]);
    assert_eq!(outcome.numbers("drops"), [20 * 40]);
}

#[test]
fn run_waits_for_those_that_hold_their_exit_back() {
    let drops = Drops::default();
    let seen = drops.clone();
    thread(move || {
        run(|| {
            let one = seen.one();
            spawn_detached(move || {
                let _one = one;
                shield(|| sleep(ms(30)));
            });
            let one = seen.one();
            spawn_detached(move || {
                let _one = one;
                for _ in 0..5 {
                    let _ = catch_unwind(|| sleep(ms(5)));
                }
                shield(|| sleep(ms(20)));
            });
            yield_now();
        });
    });
    assert_eq!(drops.count(), 2);
}

/// Whoever will not end is given up, and the thread still ends in order.
#[test]
fn run_gives_up_at_last() {
    let outcome = in_child(this_test!(), || {
        thread(|| {
            run(|| {
                spawn_detached(|| {
                    loop {
                        let _ = catch_unwind(|| sleep(ms(1)));
                    }
                });
                spawn_detached(|| shield(|| sleep(Duration::from_secs(3600))));
                yield_now();
            });
        });
        tell("ended", &[]);
    });
    outcome
        .exited_with(0)
        .says("2 greenlets do not end and are left")
        .says("a thread ended with 2");
    assert!(outcome.told("ended"));
}

#[test]
fn run_again_and_again_on_one_thread() {
    thread(|| {
        let drops = Drops::default();
        for round in 1..=50 {
            let one = drops.one();
            let answer = run(|| {
                spawn_detached(move || {
                    let _one = one;
                    sleep(Duration::MAX);
                });
                spawn(|| {
                    sleep(Duration::from_micros(50));
                    7
                })
                .join()
                .unwrap()
            });
            assert_eq!((answer, drops.count()), (7, round));
        }
        sleep(ms(1)); // and without it
    });
}

/// A hub is in use further out while `run` ends what is inside.
#[test]
fn run_inside_a_limit_leaves_the_hub_to_those_who_use_it() {
    thread(|| {
        for _ in 0..10 {
            let seven = timeout(Duration::from_secs(60), || run(|| spawn(|| 7).join().unwrap()));
            assert_eq!(seven, Ok(7));
        }
        let limit = Timeout::start(Duration::from_secs(60));
        run(|| spawn(|| ()).join().unwrap());
        assert!(limit.is_pending());
        let late = timeout(ms(2), || {
            run(|| ());
            sleep(Duration::from_secs(60));
        });
        assert!(late.is_err());
        let nested = run(|| run(|| spawn(run_is_refused_in_a_task).join().unwrap()));
        assert!(nested);
    });
}

fn run_is_refused_in_a_task() -> bool {
    catch_unwind(|| run(|| ())).is_err()
}

#[test]
fn a_panic_in_run_comes_through_when_everything_is_unwound() {
    thread(|| {
        let drops = Drops::default();
        let one = drops.one();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            run(|| {
                spawn_detached(move || {
                    let _one = one;
                    sleep(Duration::MAX);
                });
                yield_now();
                std::panic::resume_unwind(Box::new(5_i32));
            })
        }));
        assert_eq!(ended.unwrap_err().downcast_ref(), Some(&5));
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn handles_outlive_run() {
    thread(|| {
        let (task, g) = run(|| {
            let task = spawn(|| sleep(Duration::MAX));
            let g = Greenlet::new(|()| sleep(Duration::MAX));
            let shared = g.clone();
            spawn_detached(move || shared.switch(()));
            yield_now();
            (task, g)
        });
        assert!(task.is_finished() && g.is_dead());
        assert!(task.join().unwrap_err().is_killed());
    });
}

/// A task that was suspended in a switch when it was killed, and would not die: its handle still
/// stands for something.
#[test]
fn handles_of_what_was_leaked_can_be_asked() {
    let outcome = in_child(this_test!(), || {
        thread(|| {
            let task = run(|| {
                let task = spawn(|| {
                    loop {
                        let root = root();
                        let _ = catch_unwind(AssertUnwindSafe(|| root.switch::<(), ()>(())));
                    }
                });
                Greenlet::new(|()| sleep(Duration::MAX)).switch::<(), ()>(());
                task
            });
            tell("alive", &[usize::from(task.greenlet().is_some())]);
            task.kill_soon();
            drop(task);
        });
    });
    outcome.exited_with(0).says("is leaked with all that it owns");
    assert_eq!(outcome.numbers("alive"), [0]);
}

/// A thread that C has started: its function calls us from several places, and returns to C between.
#[test]
fn a_thread_of_c_may_call_from_several_places() {
    #[inline(never)]
    fn first() {
        sleep(Duration::from_micros(10));
    }
    #[inline(never)]
    fn second() -> usize {
        let task = spawn(|| sleep(ms(1)));
        usize::from(task.join().is_ok())
    }
    extern "C" fn body(_: *mut libc::c_void) -> *mut libc::c_void {
        first();
        let mut joined = std::hint::black_box(second());
        joined += std::hint::black_box(second());
        std::ptr::without_provenance_mut(joined)
    }
    let mut thread = 0;
    let mut joined = std::ptr::null_mut();
    // SAFETY: the function fits, and needs no argument.
    unsafe {
        let failed =
            libc::pthread_create(&raw mut thread, std::ptr::null(), body, std::ptr::null_mut());
        assert_eq!(failed, 0);
        assert_eq!(libc::pthread_join(thread, &raw mut joined), 0);
    }
    assert_eq!(joined.addr(), 2);
}

#[test]
fn exit_in_a_task_ends_the_process() {
    let outcome = in_child(this_test!(), || {
        SECOND.with(|_| ());
        at_exit(&SECOND, || sleep(ms(1)));
        let task = spawn(|| std::process::exit(3));
        task.wait();
    });
    outcome.exited_with(3);
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_kib() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

#[test]
fn two_thousand_threads_leave_files_and_memory_flat() {
    let outcome = in_child(this_test!(), || {
        let some = |count: usize| {
            for n in 0..count {
                thread(move || {
                    if n % 3 == 0 {
                        at_exit(&FIRST, || sleep(Duration::from_micros(1)));
                    }
                    let work = || {
                        let tasks: Vec<_> = (0..5).map(|n| spawn(move || n)).collect();
                        let sum: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
                        assert_eq!(sum, 10);
                    };
                    if n % 2 == 0 { run(work) } else { work() }
                });
            }
        };
        some(100);
        let (files, kib) = (open_files(), resident_kib());
        some(2000);
        let (files, kib) = (open_files() - files, resident_kib().saturating_sub(kib));
        // Emulators keep some memory for each thread that there was.
        let before = resident_kib();
        (0..2000).for_each(|_| thread(|| ()));
        tell("grown", &[files, kib, resident_kib().saturating_sub(before)]);
    });
    let grown = outcome.exited_with(0).numbers("grown");
    assert_eq!(grown[0], 0, "file descriptors");
    assert!(grown[1] < 2048 + grown[2], "{} KiB, plain threads {} KiB", grown[1], grown[2]);
}

#[test]
fn current_is_the_root_again_after_run() {
    thread(|| {
        let log = Log::default();
        run(|| {
            let log = log.clone();
            spawn_detached(move || {
                let _end = log.at_end("unwound");
                sleep(Duration::MAX);
            });
        });
        assert_eq!(current(), root());
        assert!(log.lines().is_empty(), "it never began");
    });
}

/// The kernel gives up what is in flight some time after the thread has ended.
#[test]
fn buffers_that_the_kernel_may_still_fill_stay_mapped() {
    let outcome = in_child(this_test!(), || {
        let page = std::thread::spawn(|| {
            let (near, mut far) = UnixStream::pair().unwrap();
            far.write_all(b"x").unwrap();
            let bytes = near.read_pooled().unwrap().as_ptr();
            spawn_detached(move || {
                let _ = near.read_pooled();
                drop(far);
            });
            idle();
            let uses_a_ring = stats().hub == HubKind::Uring;
            uses_a_ring.then(|| bytes.addr() & !0xfff)
        });
        if let Some(page) = page.join().unwrap() {
            let page = std::ptr::with_exposed_provenance_mut(page);
            // SAFETY: it only asks whether the page is mapped.
            assert_eq!(unsafe { libc::msync(page, 4096, libc::MS_ASYNC) }, 0);
        }
    });
    outcome.exited_with(0);
}
