//! The notes on eventlet, `Event`: one waits for what another sends. Prints nothing.
#![expect(clippy::disallowed_names, reason = "the page's names")]

use greenlet::spawn_detached;
use greenlet::sync::OneShotEvent;
use std::error::Error;
use std::rc::Rc;

fn main() -> Result<(), Rc<dyn Error>> {
    let evt = Rc::new(OneShotEvent::new());

    let baz = {
        let evt = evt.clone();
        move |b: i32| evt.send(b + 1).expect("sent once")
    };

    spawn_detached(move || baz(3));
    assert_eq!(evt.wait()?, 4);
    Ok(())
}
