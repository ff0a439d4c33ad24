use greenlet::Timeout;
use std::thread;
use std::time::Duration;

fn main() {
    let limit = Timeout::start(Duration::from_secs(1));
    thread::spawn(move || drop(limit));
}
