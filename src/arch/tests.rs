//! Two contexts on plain heap memory, free of greenlets.

use super::*;

struct Pair {
    header: Header,
    body: Body,
    _stack: Vec<u128>,
}

fn pair(run: Run) -> Box<Pair> {
    let mut stack = vec![0_u128; 16 * 1024];
    let top = stack.as_mut_ptr_range().end.cast::<u8>();
    let pair = Box::new(Pair {
        header: Header {
            saved_sp: Cell::new(std::ptr::null_mut()),
            up: Cell::new(END_OF_WALK),
            body: Cell::new(std::ptr::null()),
        },
        body: Body { run },
        _stack: stack,
    });
    pair.header.body.set(&raw const pair.body);
    // SAFETY: the boxed header stays where it is, and the stack is this pair's own.
    unsafe { prepare(&raw const pair.header, top) };
    pair
}

fn here() -> Header {
    Header {
        saved_sp: Cell::new(std::ptr::null_mut()),
        up: Cell::new(END_OF_WALK),
        body: Cell::new(std::ptr::null()),
    }
}

fn word(value: usize) -> Word {
    Word::new(std::ptr::without_provenance_mut(value))
}

fn number(word: Word) -> usize {
    // SAFETY: every word of these tests is initialised.
    unsafe { word.assume_init() }.addr()
}

unsafe extern "C" fn count(
    mut payload: Word,
    mut tag: usize,
    from: *const Header,
    me: *const Header,
) -> ! {
    loop {
        // SAFETY: `from` waits in its switch, and gets back what it sent, each plus one.
        let back = unsafe { switch(me, from, word(number(payload) + 1), tag + 1) };
        (payload, tag) = (back.payload, back.tag);
    }
}

#[test]
fn payload_and_tag_cross_both_ways() {
    let other = pair(count);
    let root = here();
    for round in 0..10_000 {
        // SAFETY: `other` is suspended in `count` or prepared.
        let back = unsafe { switch(&root, &other.header, word(round), round * 2) };
        assert_eq!((number(back.payload), back.tag), (round + 1, round * 2 + 1));
        assert_eq!(back.from, &raw const other.header);
    }
}

unsafe extern "C" fn alignment(_: Word, _: usize, from: *const Header, me: *const Header) -> ! {
    let aligned = 0_u128;
    let address = std::hint::black_box(&raw const aligned).addr();
    loop {
        // SAFETY: `from` waits in its switch.
        unsafe { switch(me, from, word(address), 0) };
    }
}

#[test]
fn the_first_frame_is_aligned() {
    let other = pair(alignment);
    // SAFETY: `other` is prepared.
    let back = unsafe { switch(&here(), &other.header, word(0), 0) };
    assert_eq!(number(back.payload) % 16, 0);
}

unsafe extern "C" fn capture(_: Word, _: usize, from: *const Header, me: *const Header) -> ! {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let trace = Box::into_raw(Box::new(trace));
    loop {
        // SAFETY: `from` waits in its switch and takes the text over.
        unsafe { switch(me, from, Word::new(trace.cast()), 0) };
    }
}

fn taken(word: Word) -> String {
    // SAFETY: `capture` sent a box of a string, once.
    unsafe { *Box::from_raw(word.assume_init().cast::<String>()) }
}

#[test]
fn a_walk_ends_at_the_first_frame_of_an_unlinked_stack() {
    let other = pair(capture);
    // SAFETY: `other` is prepared.
    let trace = taken(unsafe { switch(&here(), &other.header, word(0), 0) }.payload);
    assert!(trace.contains("capture"), "{trace}");
    assert!(!trace.contains("a_walk_ends_at"), "{trace}");
}

/// A frame of its own, also where the compiler would make it part of its caller's.
#[inline(never)]
fn traced_from_here(other: &Pair, root: &Header) -> String {
    // SAFETY: `other` is prepared.
    taken(unsafe { switch(root, &other.header, word(0), 0) }.payload)
}

#[test]
fn a_walk_goes_on_in_the_linked_stack_past_retired_links() {
    let other = pair(capture);
    let root = here();
    let (alive, retired) = (Link::new(), Link::new());
    alive.set_header(&root);
    retired.up.set(&alive);
    retired.retire();
    other.header.up.set(&retired);
    let trace = traced_from_here(&other, &root);
    assert!(trace.contains("capture"), "{trace}");
    assert!(trace.contains("traced_from_here"), "{trace}");
}

extern "C" fn visit(data: *mut ()) {
    // SAFETY: the test below passes a string.
    let text = unsafe { &mut *data.cast::<String>() };
    *text = std::backtrace::Backtrace::force_capture().to_string();
}

#[test]
fn a_suspended_stack_is_walked_from_outside() {
    let other = pair(count);
    let mut text = String::new();
    // SAFETY: `other` is prepared, then suspended inside `count`.
    unsafe {
        switch(&here(), &other.header, word(0), 0);
        walk(other.header.saved_sp.get(), visit, (&raw mut text).cast());
    }
    assert!(text.contains("count"), "{text}");
    assert!(!text.contains("is_walked_from_outside"), "{text}");
}
