//! The notes on eventlet, `Event.wait`: what was sent before anybody waits is not lost.

use greenlet::sync::OneShotEvent;
use greenlet::{sleep, spawn};
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let evt = Rc::new(OneShotEvent::new());

    let wait_on = {
        let evt = evt.clone();
        move || {
            let retval = evt.wait();
            println!("waited for {}", retval.expect("no error is sent"));
        }
    };

    let _ = spawn(wait_on);
    evt.send("result")?;
    sleep(Duration::ZERO);
    Ok(())
}
