//! The notes on eventlet, `Event.send_exception`: who waits gets the error; with the place where it was
//! made, if that is sent too.

use greenlet::sync::OneShotEvent;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

fn main() -> Result<(), Box<dyn Error>> {
    let evt = OneShotEvent::<()>::new();
    evt.send_err(Rc::new(RuntimeError))?;

    if let Err(error) = evt.wait() {
        println!("{error}");
    }

    // As `sys.exc_info()` does, an error may know where it comes from.
    let evt = OneShotEvent::<(), (RuntimeError, &Location<'_>)>::default();
    if let Err(exc_info) = raise(RuntimeError) {
        evt.send_err(exc_info)?;
    }

    if let Err((error, at)) = evt.wait() {
        println!("{error}");
        assert_eq!(at.file(), file!());
    }
    Ok(())
}

#[derive(Debug, Clone)]
struct RuntimeError;

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RuntimeError")
    }
}

impl Error for RuntimeError {}

#[track_caller]
fn raise<E>(error: E) -> Result<(), (E, &'static Location<'static>)> {
    Err((error, Location::caller()))
}
