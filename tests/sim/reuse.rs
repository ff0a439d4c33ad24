//! A number that is closed under its reader is soon another's: nothing of the one reaches the other.

use super::ledger::{Ledger, Played, is_fair, random, task};
use super::plan::Part;
use greenlet::net::UnixStream;
use greenlet::{spawn, yield_now};
use std::io::{self, Read, Write};
use std::rc::Rc;

fn round(yields: u64, is_calm: bool, ledger: &Ledger) -> io::Result<()> {
    let (reader, _writer) = UnixStream::pair()?;
    let reader = Rc::new(reader);
    let same = reader.clone();
    let waiting = spawn(move || {
        let mut heap = vec![0; 64];
        (&*same).read(&mut heap)
    });
    for _ in 0..random(yields + 1) {
        yield_now();
    }
    reader.close()?;
    let (mut one, mut other) = UnixStream::pair()?;
    let token = random(1 << 40).to_be_bytes();
    one.write_all(&token)?;
    let mut got = [0; 8];
    other.read_exact(&mut got)?;
    ledger.check(got == token, || format!("{token:?} was sent, {got:?} came"));
    match waiting.join() {
        Ok(Ok(read)) => ledger.check(false, || format!("{read} bytes came after the end")),
        Ok(Err(error)) => {
            let fair = error.kind() == io::ErrorKind::NotConnected || !is_calm && is_fair(&error);
            ledger.check(fair, || format!("closed, and told: {error}"));
        }
        Err(error) => ledger.check(error.is_killed(), || format!("the reader: {error}")),
    }
    Ok(())
}

pub(crate) fn play(part: &Part, _: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Reuse { rounds, yields } = *part else { return None };
    let ledger = ledger.clone();
    let closer = task(move || {
        for _ in 0..rounds {
            if let Err(error) = round(yields, is_calm, &ledger) {
                ledger.check(!is_calm && is_fair(&error), || format!("once more: {error}"));
            }
            ledger.step();
        }
    });
    Some(Played { tasks: vec![closer], close: None, finish: Box::new(|_| ()) })
}
