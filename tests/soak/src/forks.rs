//! Forks while data flows: the parent loses nothing, and the child can begin anew.

use crate::bar::Bar;
use crate::growth::Growth;
use crate::random::mixed;
use crate::{Outcome, must};
use greenlet::net::UnixStream;
use greenlet::{sleep, spawn, yield_now};
use std::cell::Cell;
use std::io::{Read, Write};
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

const PAIRS: u64 = 8;

/// Ends of a child.
const GOOD: i32 = 0;
const WAITED_IN_THE_OLD_HUB: i32 = 1;
const NEW_HUB_FAILED: i32 = 2;

pub(crate) fn run(forks: u64) -> Outcome {
    let bar = Bar::new("forks", forks);
    let mut growth = Growth::new();
    let stop = Rc::new(Cell::new(false));
    let rounds = Rc::new(Cell::new(0_u64));
    let flows: Vec<_> = (0..PAIRS)
        .map(|index| {
            let (stop, rounds) = (stop.clone(), rounds.clone());
            spawn(move || flow(index, &stop, &rounds))
        })
        .collect();
    for done in 0..forks {
        yield_now();
        match child(done)? {
            GOOD => {}
            WAITED_IN_THE_OLD_HUB => return Err("a child could wait in its parent's hub".into()),
            NEW_HUB_FAILED => return Err("a child could not make a hub".into()),
            status => return Err(format!("a child ended with status {status}")),
        }
        growth.at(done, forks);
        bar.at(done + 1);
    }
    stop.set(true);
    for flow in flows {
        flow.join().map_err(|error| error.to_string())??;
    }
    let rounds = rounds.get();
    must!(rounds > forks, "only {rounds} rounds of data");
    Ok(format!("{forks} forks, {rounds} blocks meanwhile; {}", growth.checked()?))
}

/// Sends blocks to itself and checks them, until it is told to stop.
fn flow(index: u64, stop: &Cell<bool>, rounds: &Cell<u64>) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let (mut near, mut far) = UnixStream::pair().map_err(failed)?;
    let echo = spawn(move || {
        let mut word = [0; 8];
        while far.read_exact(&mut word).is_ok() && far.write_all(&word).is_ok() {}
    });
    for number in 0.. {
        if stop.get() {
            break;
        }
        let sent = mixed(number << 8 | index);
        near.write_all(&sent.to_le_bytes()).map_err(failed)?;
        let mut answer = [0; 8];
        near.read_exact(&mut answer).map_err(failed)?;
        must!(u64::from_le_bytes(answer) == sent, "flow {index}: block {number} is not as sent");
        rounds.set(rounds.get() + 1);
    }
    drop(near);
    echo.join().map_err(|error| error.to_string())
}

/// Forks; the status with which the child ends.
fn child(number: u64) -> Result<i32, String> {
    // SAFETY: the child does only what it may: this program has one thread, so that no lock is held
    // by one that the child lacks; it ends by `_exit`.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error().to_string()),
        0 => {
            let status = in_child(number);
            // SAFETY: runs nothing of the parent's.
            unsafe { libc::_exit(status) }
        }
        child => {
            let mut status = 0;
            // SAFETY: our child, nobody else waits for it.
            while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
                sleep(Duration::from_micros(200)); // the others go on
            }
            Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -status })
        }
    }
}

/// Every tenth child makes a hub of its own and uses it; the others only learn that they have none.
fn in_child(number: u64) -> i32 {
    if !number.is_multiple_of(10) {
        std::panic::set_hook(Box::new(|_| ()));
        return match catch_unwind(|| sleep(Duration::ZERO)) {
            Err(_) => GOOD,
            Ok(()) => WAITED_IN_THE_OLD_HUB,
        };
    }
    greenlet::reinit();
    let (stop, rounds) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let flowing = {
        let (stop, rounds) = (stop.clone(), rounds.clone());
        spawn(move || flow(number, &stop, &rounds))
    };
    while rounds.get() < 5 && !flowing.is_finished() {
        yield_now();
    }
    stop.set(true);
    match flowing.join() {
        Ok(Ok(())) => GOOD,
        _ => NEW_HUB_FAILED,
    }
}
