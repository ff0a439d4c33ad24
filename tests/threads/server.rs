//! A thread that is given tasks.

use greenlet::HubHandle;
use greenlet::sync::thread::{OneSender, one_shot};
use std::thread;

/// A thread whose hub runs what it is given until it is dropped.
pub(crate) struct Server {
    pub(crate) hub: HubHandle,
    finish: Option<OneSender<()>>,
    pub(crate) thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new() -> Server {
        let (introduce, hub) = one_shot();
        let (finish, finished) = one_shot();
        let thread = thread::spawn(|| {
            greenlet::run(move || {
                introduce.send(HubHandle::current()).unwrap();
                let _ = finished.recv();
            });
        });
        Server { hub: hub.recv().unwrap(), finish: Some(finish), thread: Some(thread) }
    }

    /// Its thread has ended when this returns.
    pub(crate) fn end(&mut self) {
        drop(self.finish.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
