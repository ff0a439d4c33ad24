//! The gevent tutorial, "Spawning Threads": a type of its own that runs as a greenlet.

use greenlet::{JoinHandle, sleep, spawn};
use std::time::Duration;

struct MyGreenlet {
    message: &'static str,
    n: u64,
}

impl MyGreenlet {
    fn new(message: &'static str, n: u64) -> MyGreenlet {
        MyGreenlet { message, n }
    }

    fn run(self) {
        println!("{}", self.message);
        sleep(Duration::from_secs(self.n));
    }

    /// What Python inherits from `Greenlet`.
    fn start(self) -> JoinHandle<()> {
        spawn(|| self.run())
    }
}

fn main() {
    let g = MyGreenlet::new("Hi there!", 3);
    let g = g.start();
    g.wait();
}
