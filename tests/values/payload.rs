//! Payloads that notice when they are lost, duplicated or torn.
//!
//! Each is filled with a pattern that begins with its tag and differs in every byte; a ledger of
//! the thread counts makes and drops per size and tag. The harness gives each test a thread of its
//! own, so each test has a ledger of its own.

use greenlet::Greenlet;
use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

/// `N` bytes, neither `Copy` nor, unless `M` is `()`, `Send`.
pub(crate) struct Bytes<const N: usize, M> {
    bytes: [u8; N],
    marker: PhantomData<M>,
}

/// What is switched.
pub(crate) type Payload<const N: usize> = Bytes<N, Rc<()>>;

/// What is thrown: it must be `Send`.
pub(crate) type Shot<const N: usize> = Bytes<N, ()>;

/// Any of the payloads.
pub(crate) trait Carried: 'static {
    fn make(tag: u8) -> Self;
    /// The tag, after a look at every byte.
    fn tag(&self) -> u8;
}

thread_local! {
    static MADE: Cell<u64> = const { Cell::new(0) };
    static DROPPED: Cell<u64> = const { Cell::new(0) };
    /// Torn ones, and drops without a make.
    static BROKEN: Cell<u64> = const { Cell::new(0) };
    static LIVE: [Cell<i64>; 256] = const { [const { Cell::new(0) }; 256] };
}

fn add(counter: &'static std::thread::LocalKey<Cell<u64>>) {
    counter.set(counter.get() + 1);
}

impl<const N: usize, M: 'static> Carried for Bytes<N, M> {
    fn make(tag: u8) -> Self {
        add(&MADE);
        LIVE.with(|live| live[usize::from(tag)].set(live[usize::from(tag)].get() + 1));
        Bytes { bytes: std::array::from_fn(|i| pattern(tag, i)), marker: PhantomData }
    }

    fn tag(&self) -> u8 {
        let tag = self.bytes[0];
        let whole = self.bytes.iter().enumerate().all(|(i, &byte)| byte == pattern(tag, i));
        assert!(whole, "torn payload of {N} bytes");
        tag
    }
}

fn pattern(tag: u8, i: usize) -> u8 {
    tag.wrapping_add((i * 7 + (i >> 8)) as u8)
}

impl<const N: usize, M> Drop for Bytes<N, M> {
    fn drop(&mut self) {
        let tag = self.bytes[0];
        let whole = self.bytes.iter().enumerate().all(|(i, &byte)| byte == pattern(tag, i));
        let left = LIVE.with(|live| {
            let left = live[usize::from(tag)].get() - 1;
            live[usize::from(tag)].set(left);
            left
        });
        if !whole || left < 0 {
            add(&BROKEN);
        }
        add(&DROPPED);
        // A second drop of the same bytes is seen as torn, where the memory was not used again.
        for byte in &mut self.bytes {
            *std::hint::black_box(byte) ^= 0x55;
        }
    }
}

/// How many payloads of this thread are alive.
pub(crate) fn alive() -> u64 {
    MADE.get() - DROPPED.get()
}

/// How many payloads of this thread were torn or dropped twice.
pub(crate) fn broken() -> u64 {
    BROKEN.get()
}

/// How many payloads this thread has made.
pub(crate) fn made() -> u64 {
    MADE.get()
}

/// Nothing lost, duplicated or torn: what was made was dropped, each once, whole.
pub(crate) fn balance() -> Result<(), String> {
    let counts = (MADE.get(), DROPPED.get(), BROKEN.get());
    let strays = LIVE.with(|live| live.iter().filter(|count| count.get() != 0).count());
    if counts.0 == counts.1 && counts.2 == 0 && strays == 0 {
        return Ok(());
    }
    let (made, dropped, broken) = counts;
    Err(format!("made {made}, dropped {dropped}, torn or twice {broken}, unbalanced tags {strays}"))
}

/// Runs `test` and looks at the ledger.
pub(crate) fn balanced(test: impl FnOnce()) {
    test();
    assert_eq!(balance(), Ok(()));
}

/// A greenlet with room for a few copies of 4 KiB in unoptimised code.
#[track_caller]
pub(crate) fn roomy<A: 'static, R: 'static>(body: impl FnOnce(A) -> R + 'static) -> Greenlet {
    Greenlet::builder().stack_size(512 << 10).create(body).expect("a stack")
}

/// As [`roomy`], with another parent.
#[track_caller]
pub(crate) fn roomy_under<A: 'static, R: 'static>(
    parent: &Greenlet,
    body: impl FnOnce(A) -> R + 'static,
) -> Greenlet {
    Greenlet::builder().stack_size(512 << 10).parent(parent).create(body).expect("a stack")
}

/// A test for each size of payload, with a balanced ledger. A `Shot` is `Send`.
macro_rules! each_size {
    ($($(#[$attribute:meta])* fn $name:ident<$T:ident: $kind:ident>() $body:block)+) => { $(
        $(#[$attribute])*
        #[test]
        fn $name() {
            use crate::payload::{balanced, $kind};
            crate::payload::each_size!(@test $T $kind $body);
            balanced(test::<$kind<1>>);
            balanced(test::<$kind<3>>);
            balanced(test::<$kind<8>>);
            balanced(test::<$kind<24>>);
            balanced(test::<$kind<100>>);
            balanced(test::<$kind<4096>>);
        }
    )+ };
    (@test $T:ident Payload $body:block) => { fn test<$T: crate::payload::Carried>() $body };
    (@test $T:ident Shot $body:block) => { fn test<$T: crate::payload::Carried + Send>() $body };
}
pub(crate) use each_size;

/// Runs a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A dead greenlet that stands for `g` without being a handle of it: so that `g` can be switched to
/// by somebody who holds none.
pub(crate) fn alias_of(g: &Greenlet) -> Greenlet {
    let dead = Greenlet::new(|()| ());
    dead.switch::<(), ()>(());
    dead.set_parent(g).expect("a parent");
    dead
}
