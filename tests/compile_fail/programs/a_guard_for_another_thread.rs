use greenlet::sync::MutexGuard;
use std::thread;

fn unlock_there(guard: MutexGuard<'static, u32>) {
    thread::spawn(move || drop(guard));
}

fn main() {}
