//! Coroutines and gevent in detail: as `queue_put_get`, and each put is followed by a `sleep(0)`.

use greenlet::sync::queue::Queue;
use greenlet::{join_all, sleep, spawn};
use std::time::Duration;

fn main() {
    let q = Queue::unbounded();

    let func = {
        let q = q.clone();
        move || {
            for _ in 0..10 {
                println!("int the func");
                q.put("test").expect("nobody closes it");
                sleep(Duration::ZERO);
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
