//! Coroutines and gevent in detail: the first example of greenlet's documentation.

use greenlet::Greenlet;

fn main() {
    let (gr1, gr2) = (Greenlet::unbound(), Greenlet::unbound());

    let test1 = {
        let gr2 = gr2.clone();
        move |(x, y): (&'static str, &'static str)| {
            let z: i32 = gr2.switch(format!("{x}{y}"));
            println!("{z}");
        }
    };

    let test2 = {
        let gr1 = gr1.clone();
        move |u: String| {
            println!("{u}");
            gr1.switch_any(42);
        }
    };

    gr1.bind(test1);
    gr2.bind(test2);
    gr1.switch_any(("hello", "world"));
}
