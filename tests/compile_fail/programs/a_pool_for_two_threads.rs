use greenlet::pool::Pool;
use std::thread;

fn share(pool: &Pool) {
    thread::scope(|scope| {
        scope.spawn(|| pool.spawn_detached(|| ()));
    });
}

fn main() {}
