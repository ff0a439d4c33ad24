//! The first programs that one writes with greenlets; prints the same every time.
//!
//! `cargo run --example first_steps`

use greenlet::{Greenlet, GreenletExit, generator, suspend};

fn main() {
    there_and_back();
    two_that_know_each_other();
    squares();
    an_end_by_kill();
    a_panic_reaches_the_parent();
}

/// A body hands values to its parent and waits for the next one.
fn there_and_back() {
    let doubler = Greenlet::new(|mut x: i32| {
        while x < 100 {
            x = suspend(2 * x);
        }
        -1
    });
    for x in [4, 5, 100] {
        println!("{x} -> {}", doubler.switch::<i32, i32>(x));
    }
}

/// The first example of Python's documentation: who returns, and whose later lines never run.
fn two_that_know_each_other() {
    let (gr1, gr2) = (Greenlet::unbound(), Greenlet::unbound());
    gr1.bind({
        let gr2 = gr2.clone();
        move |(x, y): (&str, &str)| {
            let z: i32 = gr2.switch(format!("{x} {y}"));
            println!("{z}");
        }
    });
    gr2.bind({
        let gr1 = gr1.clone();
        move |u: String| {
            println!("{u}");
            gr1.switch_any(42);
            println!("never printed: gr1 ended, and nobody came back");
        }
    });
    gr1.switch_any(("hello", "world"));
    println!("gr1 dead: {}, gr2 dead: {}", gr1.is_dead(), gr2.is_dead());
}

fn squares() {
    let squares = generator(|out| {
        for n in 1_u32.. {
            out.give(n * n);
        }
    });
    println!("{:?}", squares.take(5).collect::<Vec<_>>());
}

fn an_end_by_kill() {
    struct Told;
    impl Drop for Told {
        fn drop(&mut self) {
            println!("unwound");
        }
    }
    let waiting = Greenlet::new(|()| {
        let _told = Told;
        suspend::<&str, ()>("waiting");
    });
    println!("{}", waiting.switch::<(), &str>(()));
    println!("quietly: {}", waiting.kill().is::<GreenletExit>());
}

fn a_panic_reaches_the_parent() {
    std::panic::set_hook(Box::new(|_| ()));
    let failing = Greenlet::new(|()| -> () { panic!("out of tea") });
    let error = failing.try_switch::<(), ()>(()).expect_err("a panic");
    println!("{error}");
}
