//! The notes on eventlet, `Event.send`: the waiter runs when the sender gives way.

use greenlet::sync::OneShotEvent;
use greenlet::{sleep, spawn};
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let evt = Rc::new(OneShotEvent::new());

    let waiter = {
        let evt = evt.clone();
        move || {
            println!("about to wait");
            let result = evt.wait();
            println!("waited for {}", result.expect("no error is sent"));
        }
    };

    let _ = spawn(waiter);
    sleep(Duration::ZERO);
    evt.send("a")?;
    sleep(Duration::ZERO);
    Ok(())
}
