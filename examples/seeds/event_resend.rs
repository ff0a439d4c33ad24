//! The notes on eventlet, `Event.send`: an event happens once, and a second time is an error.

use greenlet::sync::OneShotEvent;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let evt = OneShotEvent::new();
    evt.send("a")?;

    if let Err(error) = evt.send("whoops") {
        println!("AssertionError: {error}");
    }
    Ok(())
}
