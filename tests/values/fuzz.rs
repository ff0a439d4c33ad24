//! A fuzzer: twelve greenlets that switch, throw, kill, drop, re-parent and create each other at
//! random, with payloads of all sizes; at the end every payload was dropped once, whole.
//!
//! It runs in a child process, which reports end in. The seed of a failure is the last that the
//! child printed; `GREENLET_FUZZ_FIRST` and `GREENLET_FUZZ_SEEDS` say which are run.

use crate::child::in_child;
use crate::payload::{Carried, Payload, Shot, balance, made};
use crate::random::Random;
use greenlet::{
    Greenlet, GreenletExit, RaisedPayload, Received, SwitchError, WeakGreenlet, Why, current,
    set_trace, stack_remaining, suspend, try_suspend,
};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

const SLOTS: u64 = 12;
const STEPS: u32 = 120;

greenlet::greenlet_local! {
    static KEPT: RefCell<Vec<Payload<24>>> = RefCell::new(Vec::new());
}

struct World {
    random: Random,
    steps_left: Cell<u32>,
    slots: RefCell<Vec<Option<Greenlet>>>,
    weak: RefCell<Vec<WeakGreenlet>>,
}

impl World {
    fn new(seed: u64) -> Rc<World> {
        Rc::new(World {
            random: Random::new(seed),
            steps_left: Cell::new(STEPS),
            slots: RefCell::new((0..SLOTS).map(|_| None).collect()),
            weak: RefCell::default(),
        })
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn one_in(&self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick(&self) -> Option<Greenlet> {
        let index = self.below(SLOTS + 1) as usize;
        match self.slots.borrow().get(index) {
            Some(slot) => slot.clone(),
            None => Some(greenlet::root()),
        }
    }

    /// Drops what was in the slot, outside of the borrow: that may kill.
    fn put(&self, greenlet: Option<Greenlet>) {
        let index = self.below(SLOTS) as usize;
        let old = std::mem::replace(&mut self.slots.borrow_mut()[index], greenlet);
        drop(old);
    }
}

/// What crosses.
trait Item: 'static {
    fn new(world: &Rc<World>) -> Self;
    fn check(&self) {}
}

impl<const N: usize> Item for Payload<N> {
    fn new(world: &Rc<World>) -> Self {
        Payload::make(world.below(256) as u8)
    }

    fn check(&self) {
        self.tag();
    }
}

impl Item for () {
    fn new(_: &Rc<World>) {}
}

/// A payload whose drop does something, sometimes.
struct Nosy {
    world: Rc<World>,
    payload: Payload<8>,
}

impl Item for Nosy {
    fn new(world: &Rc<World>) -> Self {
        Nosy { world: world.clone(), payload: Item::new(world) }
    }

    fn check(&self) {
        self.payload.tag();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.payload.tag();
        // What is thrown into a drop in the middle of unwinding must not leave it.
        let end = catch_unwind(AssertUnwindSafe(|| step(&self.world)));
        if let Err(payload) = end
            && !std::thread::panicking()
            && self.world.one_in(2)
        {
            resume_unwind(payload);
        }
    }
}

impl Item for Received {
    fn new(world: &Rc<World>) -> Self {
        let value = Payload::<100>::new(world);
        match current().try_switch_any(value) {
            Ok(received) => received,
            // Dying or unwinding: then there is nothing to be sent anyway.
            Err(SwitchError::Refused { .. }) => resume_unwind(Box::new(GreenletExit)),
            Err(SwitchError::Thrown(payload)) => payload.resume(),
            Err(_) => unreachable!("nobody else took part"),
        }
    }
}

impl Item for GreenletExit {
    fn new(_: &Rc<World>) -> Self {
        GreenletExit
    }
}

macro_rules! by_kind {
    ($kind:expr, $call:ident, [$($fixed:ident)?], $world:expr) => {
        match $kind {
            0 => $call::<Payload<1>, $($fixed)?>($world),
            1 => $call::<Payload<3>, $($fixed)?>($world),
            2 => $call::<Payload<8>, $($fixed)?>($world),
            3 => $call::<Payload<24>, $($fixed)?>($world),
            4 => $call::<Payload<100>, $($fixed)?>($world),
            5 => $call::<Payload<4096>, $($fixed)?>($world),
            6 => $call::<Nosy, $($fixed)?>($world),
            7 => $call::<(), $($fixed)?>($world),
            _ => $call::<Received, $($fixed)?>($world),
        }
    };
}
const KINDS: u64 = 9;

/// One thing at random. Never more refusals than a victim may have: its drops end there.
fn step(world: &Rc<World>) {
    let left = world.steps_left.get();
    if left == 0 || stack_remaining().is_some_and(|bytes| bytes < 300 << 10) || refusals() > 4 {
        return;
    }
    world.steps_left.set(left - 1);
    let me = current().id();
    match world.below(30) {
        0..=9 => by_kind!(world.below(KINDS), transfer, [], world),
        10..=12 => by_kind!(world.below(6), throw, [], world),
        13 => answered(world, kill(world)),
        14..=16 => world.put(None),
        17 | 18 => {
            if let (Some(child), Some(parent)) = (world.pick(), world.pick()) {
                let _ = child.set_parent(&parent);
            }
        }
        19..=22 => by_kind!(world.below(KINDS), create, [], world),
        23 => world.put(Some(current())),
        24 => {
            // Held by this frame for a while.
            let _held = (world.pick(), Nosy::new(world));
            steps(world, 3);
        }
        25 => {
            let end = catch_unwind(AssertUnwindSafe(|| {
                let _guard = Payload::<100>::new(world);
                steps(world, 3);
                resume_unwind(Box::new(Shot::<24>::make(1)));
            }));
            answered(world, Err::<(), _>(SwitchError::<()>::Thrown(end.unwrap_err().into())));
        }
        26 => trace(world),
        27 => KEPT.with(|kept| {
            let value = Item::new(world);
            kept.borrow_mut().push(value);
        }),
        28 => {
            let found = world.weak.borrow().last().and_then(WeakGreenlet::upgrade);
            world.put(found);
        }
        _ => {
            if let Some(greenlet) = world.pick() {
                world.weak.borrow_mut().push(greenlet.downgrade());
                world.put(Some(greenlet));
            }
        }
    }
    assert_eq!(current().id(), me, "in the wrong greenlet");
}

fn steps(world: &Rc<World>, count: u64) {
    for _ in 0..=world.below(count) {
        step(world);
    }
}

/// Refusals of the current greenlet for dying; counted in its user word.
fn refusals() -> usize {
    current().user_word().addr()
}

fn count_refusal() {
    let count = refusals() + 1;
    current().set_user_word(std::ptr::without_provenance_mut(count));
}

/// Looks at an answer; may keep it for a while, and raises on what was thrown.
fn answered<A, B>(world: &Rc<World>, answer: Result<B, SwitchError<A>>) {
    match answer {
        Ok(value) => {
            if world.one_in(3) {
                steps(world, 2);
            }
            drop(value);
        }
        Err(SwitchError::Refused { why, value }) => {
            if why == Why::Dying {
                count_refusal();
            }
            drop(value);
        }
        Err(SwitchError::Thrown(mut payload)) => {
            look_at(payload.get_mut());
            let quiet = payload.is::<GreenletExit>();
            // The root goes on; the others mostly end of it.
            if !current().is_root() && !std::thread::panicking() && (quiet || world.one_in(2)) {
                payload.resume();
            }
        }
        Err(SwitchError::ChildExited(exit)) => drop(exit.to_string()),
        Err(_) => unreachable!("no other error is known"),
    }
}

fn look_at(payload: &(dyn Any + Send)) {
    if let Some(shot) = payload.downcast_ref::<Shot<24>>() {
        shot.tag();
    }
    if let Some(shot) = payload.downcast_ref::<Shot<4096>>() {
        shot.tag();
    }
}

fn transfer<A: Item>(world: &Rc<World>) {
    by_kind!(world.below(KINDS), transfer_and_await, [A], world);
}

fn transfer_and_await<B: Item, A: Item>(world: &Rc<World>) {
    let value = A::new(world);
    let raising = !std::thread::panicking() && !current().is_root() && world.one_in(4);
    let parent = !current().is_root() && world.one_in(3);
    let target = if parent { None } else { world.pick() };
    let answer = match (&target, raising) {
        (None, _) if current().is_root() => return,
        (None, false) => try_suspend::<A, B>(value),
        (None, true) => Ok(suspend::<A, B>(value)),
        (Some(target), false) => target.try_switch::<A, B>(value),
        (Some(target), true) => Ok(target.switch::<A, B>(value)),
    };
    if world.one_in(2) {
        drop(target);
    }
    if let Ok(value) = &answer {
        value.check();
    }
    answered(world, answer);
}

fn throw<T: 'static>(world: &Rc<World>) {
    let _ = std::marker::PhantomData::<T>;
    let Some(target) = world.pick() else { return };
    let tag = world.below(256) as u8;
    match world.below(4) {
        0 => answered(world, target.try_throw::<Payload<8>>(Shot::<1>::make(tag))),
        1 => answered(world, target.try_throw::<Received>(Shot::<24>::make(tag))),
        2 => answered(world, target.try_throw::<T>(Shot::<4096>::make(tag))),
        _ => answered(world, target.try_throw::<T>(GreenletExit)),
    }
}

fn kill(world: &Rc<World>) -> Result<GreenletExit, SwitchError<RaisedPayload>> {
    match world.pick() {
        Some(target) => target.try_throw(GreenletExit),
        None => Ok(GreenletExit),
    }
}

fn create<A: Item>(world: &Rc<World>) {
    by_kind!(world.below(KINDS), create_returning, [A], world);
}

fn create_returning<R: Item, A: Item>(world: &Rc<World>) {
    let inner = world.clone();
    let captured = (Payload::<24>::new(world), world.one_in(3).then(|| Nosy::new(world)));
    let body = move |first: A| {
        first.check();
        let kept = inner.one_in(2).then_some(first);
        captured.0.tag();
        steps(&inner, 8);
        if inner.one_in(6) {
            resume_unwind(Box::new(Shot::<100>::make(3)));
        }
        if let Some(kept) = &kept {
            kept.check();
        }
        // Rust loses a finished result when a local's drop panics after it (rust-lang/rust#47949).
        drop((captured, kept));
        R::new(&inner)
    };
    let mut builder = Greenlet::builder().stack_size(1 << 20);
    if let Some(parent) = world.pick().filter(|_| world.one_in(3)) {
        builder = builder.parent(&parent);
    }
    let greenlet = if world.one_in(8) {
        let greenlet = builder.create_unbound().expect("a stack");
        world.put(Some(greenlet.clone()));
        greenlet.bind(body);
        greenlet
    } else {
        builder.create(body).expect("a stack")
    };
    world.put(Some(greenlet));
}

fn trace(world: &Rc<World>) {
    let in_callback = world.clone();
    let held = Payload::<100>::new(world);
    let tracer: Option<greenlet::Tracer> = match world.below(3) {
        0 => None,
        kind => Some(Rc::new(move |event: &greenlet::TraceEvent<'_>| {
            held.tag();
            assert_eq!(*event.target, current());
            if kind == 2 && in_callback.one_in(4) {
                step(&in_callback);
            }
            if in_callback.one_in(30) {
                resume_unwind(Box::new(Shot::<24>::make(2)));
            }
        })),
    };
    drop(set_trace(tracer));
}

/// One seed; how many payloads it made.
fn run(seed: u64) -> u64 {
    let before = made();
    let world = World::new(seed);
    greenlet::run(|| {
        while world.steps_left.get() > 0 {
            let end = catch_unwind(AssertUnwindSafe(|| step(&world)));
            drop(end);
        }
        set_trace(None);
        for index in 0..SLOTS as usize {
            let last = world.slots.borrow_mut()[index].take();
            drop(last);
        }
    });
    // What the last ones left behind in their cleanup is dead.
    drop(world.slots.take());
    KEPT.with(|kept| kept.take());
    set_trace(None);
    assert_eq!(greenlet::all().len(), 1, "seed {seed}: greenlets are left");
    assert!(!std::thread::panicking(), "seed {seed}");
    for weak in world.weak.borrow_mut().drain(..) {
        assert!(weak.upgrade().is_none_or(|g| g.is_root()), "seed {seed}: a handle is left");
    }
    assert_eq!(Rc::strong_count(&world), 1, "seed {seed}: the world is still held");
    assert_eq!(balance(), Ok(()), "seed {seed}");
    let alive = Greenlet::new(|x: u8| x + 1).try_switch::<u8, u8>(1);
    assert_eq!(alive.ok(), Some(2), "seed {seed}: the thread still refuses");
    made() - before
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_transfers_lose_duplicate_and_tear_nothing() {
    let case = || {
        let seeds = from_environment("GREENLET_FUZZ_SEEDS").unwrap_or(1_000);
        let first = from_environment("GREENLET_FUZZ_FIRST").unwrap_or(1);
        std::panic::set_hook(Box::new(|info| {
            if info.payload().is::<String>() && !info.to_string().contains("cannot switch") {
                println!("{info}");
            }
        }));
        let fuzz = move || {
            let mut made = 0;
            for seed in first..first + seeds {
                println!("seed {seed}");
                made += run(seed);
            }
            println!("{made} payloads");
        };
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(fuzz);
        assert!(thread.expect("a thread").join().is_ok(), "the last seed above");
    };
    let outcome = in_child("fuzz::random_transfers_lose_duplicate_and_tear_nothing", case);
    let report = outcome.done();
    assert!(!report.contains("is leaked"), "{report}");
}
