use greenlet::JoinHandle;
use std::thread;

fn join_there(task: JoinHandle<u32>) {
    thread::spawn(move || task.join().is_ok());
}

fn main() {}
