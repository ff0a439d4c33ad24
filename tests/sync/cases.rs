//! What must be so for everything that can be waited for.

use crate::random::{Random, seeds};
use crate::trace::{Trace, raised, turns};
use greenlet::{Config, Greenlet, JoinHandle, run, shield, sleep, spawn, timeout, yield_now};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// A primitive in a state in which one has to wait.
#[derive(Clone)]
pub(crate) struct Subject {
    /// Waits, for at most so long, and gives back what it was handed; false when the time was over.
    pub(crate) wait: Rc<dyn Fn(Option<Duration>) -> bool>,
    /// Lets those who wait go on: all, or one after the other.
    pub(crate) open: Rc<dyn Fn()>,
    /// How it stands, in a few words.
    pub(crate) state: Rc<dyn Fn() -> String>,
    /// Is something handed over, rather than something told?
    pub(crate) hands_over: bool,
    /// The primitive itself.
    pub(crate) itself: Weak<dyn Any>,
}

const SHORT: Option<Duration> = Some(Duration::from_millis(1));

impl Subject {
    /// A task that waits.
    fn waiter(&self, trace: &Trace, name: &'static str, limit: Option<Duration>) -> JoinHandle<()> {
        let wait = self.wait.clone();
        trace.task(name, move || if wait(limit) { "goes on" } else { "timed out" })
    }

    fn say_state(&self, trace: &Trace) {
        trace.say((self.state)());
    }
}

pub(crate) fn contended_in_order(subject: Subject) {
    let trace = Trace::default();
    let tasks = ["a", "b", "c"].map(|name| subject.waiter(&trace, name, None));
    turns(20);
    trace.is(&[]);
    (subject.open)();
    trace.say("opened");
    turns(20);
    trace.is(&["opened", "a: goes on", "b: goes on", "c: goes on"]);
    assert!(tasks.iter().all(JoinHandle::is_success));
}

pub(crate) fn timed_out(subject: Subject) {
    let trace = Trace::default();
    let before = (subject.state)();
    let a = subject.waiter(&trace, "a", SHORT);
    let _b = subject.waiter(&trace, "b", None);
    let c = subject.waiter(&trace, "c", SHORT);
    let _d = subject.waiter(&trace, "d", Some(Duration::from_secs(60)));
    a.wait();
    c.wait();
    trace.is(&["a: timed out", "c: timed out"]);
    (subject.open)();
    turns(20);
    trace.is(&["b: goes on", "d: goes on"]);
    assert!(!before.is_empty());
}

/// The time is over in the round in which it is served: it is served.
pub(crate) fn timed_out_when_served(subject: Subject) {
    let trace = Trace::default();
    let _a = subject.waiter(&trace, "a", SHORT);
    let _b = subject.waiter(&trace, "b", SHORT);
    yield_now();
    (subject.open)();
    std::thread::sleep(Duration::from_millis(3)); // nobody runs meanwhile
    turns(20);
    trace.is(&["a: goes on", "b: goes on"]);
}

pub(crate) fn killed_while_waiting(subject: Subject) {
    let trace = Trace::default();
    let a = subject.waiter(&trace, "a", None);
    let _b = subject.waiter(&trace, "b", None);
    yield_now();
    a.kill();
    trace.is(&["a: killed"]);
    (subject.open)();
    turns(20);
    trace.is(&["b: goes on"]);
}

pub(crate) fn thrown_at(subject: Subject) {
    let trace = Trace::default();
    let a = subject.waiter(&trace, "a", None);
    let _b = subject.waiter(&trace, "b", None);
    let c = subject.waiter(&trace, "c", None);
    yield_now();
    a.kill_soon_with("a stone");
    c.greenlet().unwrap().throw::<()>("another");
    turns(20);
    trace.is(&["a: raised a stone", "c: raised another"]);
    (subject.open)();
    turns(20);
    trace.is(&["b: goes on"]);
}

/// Killed after it was served, and before it ran: what is handed over goes to the next.
pub(crate) fn killed_when_served(subject: Subject) {
    let trace = Trace::default();
    let a = subject.waiter(&trace, "a", None);
    let _b = subject.waiter(&trace, "b", None);
    yield_now();
    (subject.open)();
    a.kill_soon();
    turns(20);
    let a = if subject.hands_over { "a: killed" } else { "a: goes on" };
    trace.is(&[a, "b: goes on"]);
}

/// Killed before it was served, and neither has run.
pub(crate) fn served_when_killed(subject: Subject) {
    let trace = Trace::default();
    let a = subject.waiter(&trace, "a", None);
    let _b = subject.waiter(&trace, "b", None);
    yield_now();
    a.kill_soon();
    (subject.open)();
    turns(20);
    let a = if subject.hands_over { "a: killed" } else { "a: goes on" };
    trace.is(&[a, "b: goes on"]);
}

/// Everybody who is served is killed in that moment: then it is free.
pub(crate) fn all_killed_when_served(subject: Subject) {
    let trace = Trace::default();
    let tasks = ["a", "b", "c"].map(|name| subject.waiter(&trace, name, None));
    yield_now();
    (subject.open)();
    tasks.iter().for_each(JoinHandle::kill_soon);
    turns(20);
    assert!(tasks.iter().all(JoinHandle::is_finished));
    let late = subject.waiter(&Trace::default(), "late", None);
    turns(20);
    if !late.is_finished() {
        (subject.open)(); // for those that begin anew
        turns(20);
    }
    assert!(late.is_success());
}

/// A time limit around the wait, instead of one of its own.
pub(crate) fn limited_from_outside(subject: Subject) {
    let trace = Trace::default();
    let wait = subject.wait.clone();
    let a = trace.task("a", move || {
        timeout(Duration::from_millis(1), || _ = wait(None)).map_or("elapsed", |()| "goes on")
    });
    let _b = subject.waiter(&trace, "b", None);
    a.wait();
    trace.is(&["a: elapsed"]);
    (subject.open)();
    turns(20);
    trace.is(&["b: goes on"]);
}

pub(crate) fn shielded(subject: Subject) {
    let trace = Trace::default();
    let wait = subject.wait.clone();
    let inside = trace.clone();
    let a = trace.task("a", move || {
        shield(|| _ = wait(None));
        inside.say("a: served");
        sleep(Duration::MAX);
        ""
    });
    yield_now();
    a.kill_soon();
    turns(20);
    trace.is(&[]);
    (subject.open)();
    turns(20);
    trace.is(&["a: served", "a: killed"]);
}

/// Without tasks: a raw greenlet below the root, which a task lets go on; then the root itself.
pub(crate) fn raw_greenlets_and_root(make: fn() -> Subject) {
    for limit in [None, Some(Duration::from_secs(60))] {
        let subject = make();
        let raw = Greenlet::new({
            let wait = subject.wait.clone();
            move |()| wait(limit)
        });
        let open = subject.open.clone();
        let opener = spawn(move || open());
        assert!(raw.switch::<(), bool>(()));
        opener.join().unwrap();

        let subject = make();
        let open = subject.open.clone();
        let opener = spawn(move || open());
        assert!((subject.wait)(limit));
        opener.join().unwrap();
    }
}

/// A destructor that waits while the thread unwinds is told so.
pub(crate) fn refused_while_unwinding(subject: Subject) {
    struct WaitsInDrop(Subject, Trace);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            for limit in [None, SHORT] {
                let waited = catch_unwind(AssertUnwindSafe(|| (self.0.wait)(limit)));
                let text = raised(&*waited.unwrap_err());
                self.1.say(text.split_once(" be ").unwrap().1);
            }
            self.0.say_state(&self.1);
        }
    }
    let trace = Trace::default();
    let before = (subject.state)();
    let waits = WaitsInDrop(subject.clone(), trace.clone());
    let failed = catch_unwind(AssertUnwindSafe(move || {
        let _waits = waits;
        panic!("the first");
    }));
    assert_eq!(raised(&*failed.unwrap_err()), "raised the first");
    let text = "waited for while the thread unwinds: nobody else could run";
    trace.is(&[text, text, &before]);
    let late = subject.waiter(&trace, "late", None);
    yield_now();
    (subject.open)();
    turns(20);
    assert!(late.is_success());
}

/// The last handles are those of the waiters, who are killed.
pub(crate) fn dropped_with_waiters(subject: Subject) {
    let itself = subject.itself.clone();
    let trace = Trace::default();
    let tasks = ["a", "b", "c"].map(|name| subject.waiter(&trace, name, None));
    yield_now();
    let Subject { wait, open, state, .. } = subject;
    drop((wait, state));
    tasks.iter().for_each(JoinHandle::kill);
    drop((tasks, open));
    trace.is(&["a: killed", "b: killed", "c: killed"]);
    assert!(itself.upgrade().is_none());
}

/// As above, by the end of the thread's run.
pub(crate) fn wound_up_with_waiters(make: fn() -> Subject) {
    let itself = std::thread::spawn(move || {
        let itself = run(|| {
            let subject = make();
            let trace = Trace::default();
            for name in ["a", "b"] {
                drop(subject.waiter(&trace, name, None));
            }
            yield_now();
            subject.itself.clone()
        });
        itself.upgrade().is_some()
    });
    assert!(!itself.join().unwrap());
}

/// Rounds of waiters of all kinds, some of which are killed or time out: whoever is left goes on, in
/// order, and nothing is lost.
pub(crate) fn at_random(make: fn() -> Subject) {
    seeds(150, |seed| {
        let random = Random::new(seed);
        let subject = make();
        let served = Rc::new(RefCell::new(Vec::new()));
        let (mut tasks, mut harmed) = (Vec::new(), Vec::new());
        for index in 0..1 + random.below(9) as usize {
            let limit = random.one_in(3).then(|| Duration::from_micros(random.below(1500)));
            harmed.push(limit.is_some());
            let (wait, served) = (subject.wait.clone(), served.clone());
            tasks.push(spawn(move || {
                if wait(limit) {
                    served.borrow_mut().push(index);
                }
            }));
            if random.one_in(3) {
                yield_now();
            }
            if random.one_in(4) {
                let victim = random.below(tasks.len() as u64) as usize;
                tasks[victim].kill_soon();
                harmed[victim] = true;
            }
        }
        yield_now();
        if random.one_in(3) {
            sleep(Duration::from_micros(random.below(1500)));
        }
        let late = random.below(tasks.len() as u64) as usize;
        let early = random.one_in(2);
        for step in 0..2 {
            if (step == 0) == early {
                tasks[late].kill_soon();
                harmed[late] = true;
            } else {
                (subject.open)();
            }
        }
        for task in &tasks {
            assert!(task.wait_timeout(Duration::from_secs(60)), "one waits for ever");
        }
        let served = served.take();
        // One that was woken by its time limit or a kill, and served before it ran, runs early.
        assert!(served.iter().filter(|index| !harmed[**index]).is_sorted(), "{served:?}");
        for (index, harmed) in harmed.iter().enumerate() {
            assert!(*harmed || served.contains(&index), "{index} of {served:?} is lost");
        }
    });
}

/// `uncontended` makes one and uses it where nobody has to wait: then there is no hub.
pub(crate) fn without_hub(uncontended: fn()) {
    std::thread::spawn(move || {
        uncontended();
        Config::new().apply().expect("there was no hub");
    })
    .join()
    .unwrap();
}

/// The cases of all, for a function that makes a [`Subject`] and one that uses it uncontended.
macro_rules! cases {
    ($make:expr, $uncontended:expr) => {
        $crate::cases::cases!($make; contended_in_order, timed_out, timed_out_when_served,
            killed_while_waiting, thrown_at, killed_when_served, served_when_killed,
            all_killed_when_served, limited_from_outside, shielded, refused_while_unwinding,
            dropped_with_waiters);

        #[test]
        fn raw_greenlets_and_root() {
            $crate::cases::raw_greenlets_and_root($make);
        }

        #[test]
        fn wound_up_with_waiters() {
            $crate::cases::wound_up_with_waiters($make);
        }

        #[test]
        fn at_random() {
            $crate::cases::at_random($make);
        }

        #[test]
        fn uncontended_without_hub() {
            $crate::cases::without_hub($uncontended);
        }
    };
    ($make:expr; $($case:ident),*) => {
        $(#[test]
        fn $case() {
            $crate::cases::$case($make());
        })*
    };
}
pub(crate) use cases;
