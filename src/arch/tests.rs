//! Two contexts on plain heap memory, free of greenlets.

use super::*;

struct Pair {
    header: Header,
    _stack: Vec<u128>,
}

fn pair(run: Run) -> Box<Pair> {
    let mut stack = vec![0_u128; 16 * 1024];
    let top = stack.as_mut_ptr_range().end.cast::<u8>();
    let pair = Box::new(Pair {
        header: Header { saved_sp: Cell::new(std::ptr::null_mut()), up: Cell::new(END_OF_WALK) },
        _stack: stack,
    });
    // SAFETY: the boxed header stays where it is, and the stack is this pair's own.
    unsafe { prepare(&raw const pair.header, top, run) };
    pair
}

fn here() -> Header {
    Header { saved_sp: Cell::new(std::ptr::null_mut()), up: Cell::new(END_OF_WALK) }
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

unsafe extern "C" fn count_once(
    payload: Word,
    tag: usize,
    from: *const Header,
    me: *const Header,
) -> ! {
    // SAFETY: `from` waits in its switch; nobody switches here any more.
    unsafe { leave(me, from, word(number(payload) + 1), tag + 1) }
}

#[test]
fn one_who_leaves_for_ever_brings_the_same() {
    let root = here();
    for round in 0..100 {
        let other = pair(count_once);
        // SAFETY: `other` is prepared, and abandoned when it has left.
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
    retired.stay();
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
fn a_stack_that_has_not_begun_is_walked_into_the_linked_one() {
    #[inline(never)]
    fn waits(other: &Pair, root: &Header, errand: &mut Errand) {
        // SAFETY: `other` is prepared, and is given what it takes.
        unsafe { switch(root, &other.header, Word::new((&raw mut *errand).cast()), 0) };
    }
    let (other, unstarted, middle) = (pair(walks_from), pair(count), pair(count));
    let root = here();
    let links = [Link::new(), Link::new()];
    links[0].set_header(&root);
    links[1].set_header(&middle.header);
    links[1].up.set(&links[0]);
    middle.header.up.set(&links[0]);
    unstarted.header.up.set(&links[1]);
    let mut errand = Errand { frame: unstarted.header.saved_sp.get(), text: String::new() };
    waits(&other, &root, &mut errand);
    let text = errand.text;
    assert_eq!(text.matches("greenlet_entry").count(), 2, "both that have not begun: {text}");
    assert!(text.contains("waits"), "the one above them: {text}");
}

/// A walk to be made, and what it finds.
struct Errand {
    frame: *const Frame,
    text: String,
}

/// Walks while its resumer waits.
unsafe extern "C" fn walks_from(
    payload: Word,
    _: usize,
    from: *const Header,
    me: *const Header,
) -> ! {
    // SAFETY: the test sends an errand with the frame of a prepared context, and waits.
    unsafe {
        let errand = &mut *payload.assume_init().cast::<Errand>();
        walk(errand.frame, visit, (&raw mut errand.text).cast());
    }
    // SAFETY: `from` waits in its switch; nobody switches here any more.
    unsafe { leave(me, from, word(0), 0) }
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
