//! Streams of bytes: what goes in comes out, and how it ends.

use crate::pair;
use std::io::Read;

#[test]
fn idle_returns_while_others_wait_for_the_kernel() {
    let (a, mut b) = pair::tcp();
    let task = greenlet::spawn(move || b.read(&mut [0; 4]).unwrap());
    greenlet::idle();
    assert!(task.is_started() && !task.is_finished());
    drop(a);
    assert_eq!(task.join().unwrap(), 0);
}
