//! Coroutines and gevent in detail: a put does not switch to the one that waits for it.

use greenlet::sync::queue::Queue;
use greenlet::{join_all, spawn};

fn main() {
    let q = Queue::unbounded();

    let func = {
        let q = q.clone();
        move || {
            for _ in 0..10 {
                println!("int the func");
                q.put("test").expect("nobody closes it");
            }
        }
    };

    let func2 = {
        let q = q.clone();
        move || {
            for _ in 0..10 {
                println!("int the func2");
                let res = q.get().expect("nobody closes it");
                println!("---> {res}");
            }
        }
    };

    join_all([spawn(func2), spawn(func)]).join();
}
