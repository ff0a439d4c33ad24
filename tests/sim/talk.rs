//! One side sends a stream, the other checks that it gets exactly the beginning of it.

use super::ledger::{Ledger, Played, byte, is_fair, millis, random, task};
use super::plan::Part;
use greenlet::net::{TcpListener, TcpStream, UnixStream};
use greenlet::{sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

/// What both kinds of stream have.
pub(crate) trait Stream: 'static {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    fn read_two(&self, one: &mut [u8], other: &mut [u8]) -> io::Result<usize>;
    fn read_pooled(&self) -> io::Result<Vec<u8>>;
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    fn write_two(&self, one: &[u8], other: &[u8]) -> io::Result<usize>;
    fn limit(&self, limit: Option<Duration>);
    fn shut(&self) -> io::Result<()>;
    fn close(&self) -> io::Result<()>;
}

macro_rules! stream {
    ($type:ty) => {
        impl Stream for $type {
            fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                Read::read(&mut &*self, buffer)
            }
            fn read_two(&self, one: &mut [u8], other: &mut [u8]) -> io::Result<usize> {
                Read::read_vectored(
                    &mut &*self,
                    &mut [IoSliceMut::new(one), IoSliceMut::new(other)],
                )
            }
            fn read_pooled(&self) -> io::Result<Vec<u8>> {
                <$type>::read_pooled(self).map(|bytes| bytes.to_vec())
            }
            fn write(&self, bytes: &[u8]) -> io::Result<usize> {
                Write::write(&mut &*self, bytes)
            }
            fn write_two(&self, one: &[u8], other: &[u8]) -> io::Result<usize> {
                Write::write_vectored(&mut &*self, &[IoSlice::new(one), IoSlice::new(other)])
            }
            fn limit(&self, limit: Option<Duration>) {
                self.set_read_timeout(limit).unwrap();
            }
            fn shut(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }
            fn close(&self) -> io::Result<()> {
                <$type>::close(self)
            }
        }
    };
}

stream!(TcpStream);
stream!(UnixStream);

fn two(kind: u8, number: usize) -> io::Result<(Rc<dyn Stream>, Rc<dyn Stream>)> {
    if kind == 0 {
        let (a, b) = UnixStream::pair()?;
        return Ok((Rc::new(a), Rc::new(b)));
    }
    let listener = TcpListener::bind(("10.0.0.9", 1000 + number as u16))?;
    let address = listener.local_addr()?;
    let accept = spawn(move || listener.accept());
    let a = TcpStream::connect(address);
    if a.is_err() {
        accept.kill();
    }
    let accepted = accept.join().map_err(|_| io::Error::from(ErrorKind::NotConnected));
    Ok((Rc::new(a?), Rc::new(accepted??.0)))
}

/// The direction that is checked, and a short answer the other way.
pub(crate) fn play(part: &Part, number: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Talk { kind, chunks, reader, buffer, ending, pause_ms } = part.clone() else {
        return None;
    };
    let (a, b) = match two(kind, number) {
        Ok(two) => two,
        Err(error) => {
            ledger.check(!is_calm && is_fair(&error), || format!("connecting: {error}"));
            return None;
        }
    };
    let stream = number as u64 + 77;
    let (sent, got, clean) =
        (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let total: usize = chunks.iter().sum();
    let sender = {
        let (a, ledger, sent) = (a.clone(), ledger.clone(), sent.clone());
        task(move || {
            for chunk in chunks {
                if pause_ms > 0 {
                    sleep(millis(random(pause_ms)));
                }
                if let Err(error) = send(&*a, stream, &sent, chunk) {
                    ledger.check(!is_calm && is_fair(&error), || format!("sending: {error}"));
                    return;
                }
                ledger.step();
            }
            let ended = match ending {
                0 => a.shut(),
                1 => a.close(),
                _ => Ok(()),
            };
            if let Err(error) = ended {
                ledger.check(!is_calm && is_fair(&error), || format!("ending: {error}"));
            }
        })
    };
    let receiver = {
        let (b, ledger, got, clean) = (b.clone(), ledger.clone(), got.clone(), clean.clone());
        task(move || receive(&*b, stream, reader, buffer, is_calm, &ledger, &got, &clean))
    };
    let close = {
        let b = b.clone();
        Rc::new(move || drop(b.close()))
    };
    // Only the two tasks hold the ends from now on, so that a killed one ends the stream; and who closes.
    drop((a, b));
    let finish = Box::new(move |ledger: &Ledger| {
        let (sent, got) = (sent.get(), got.get());
        ledger.check(got <= sent, || format!("{got} bytes of {sent} were received"));
        if clean.get() {
            ledger.check(got == sent, || format!("the end came after {got} bytes of {sent}"));
        }
        if is_calm {
            ledger.check(got == total as u64, || format!("{got} bytes arrived of {total}"));
        }
    });
    Some(Played { tasks: vec![sender, receiver], close: Some(close), finish })
}

fn send(to: &dyn Stream, stream: u64, sent: &Cell<u64>, chunk: usize) -> io::Result<()> {
    let bytes: Vec<u8> = (0..chunk as u64).map(|at| byte(stream, sent.get() + at)).collect();
    let mut left = &bytes[..];
    while !left.is_empty() {
        let wrote = match random(4) {
            0 => {
                let (one, other) = left.split_at(left.len() / 3);
                to.write_two(one, other)?
            }
            1 => match timeout(millis(1 + random(10)), || to.write(left)) {
                Ok(wrote) => wrote?,
                Err(_) => continue, // none was sent
            },
            _ => to.write(left)?,
        };
        sent.set(sent.get() + wrote as u64);
        left = &left[wrote..];
        if random(8) == 0 {
            yield_now();
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn receive(
    from: &dyn Stream,
    stream: u64,
    reader: u8,
    size: usize,
    is_calm: bool,
    ledger: &Ledger,
    got: &Cell<u64>,
    clean: &Cell<bool>,
) {
    let mut heap = vec![0; size];
    let mut stack = [0; 500];
    if reader == 3 {
        from.limit(Some(millis(3)));
    }
    loop {
        let bytes = match reader {
            0 => from.read(&mut heap).map(|read| &heap[..read]),
            1 => from.read(&mut stack).map(|read| &stack[..read]),
            2 => match from.read_pooled() {
                Ok(bytes) => {
                    heap = bytes;
                    Ok(&heap[..])
                }
                Err(error) => Err(error),
            },
            3 => match from.read(&mut stack) {
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    stack.fill(0xEE); // it is ours again
                    continue;
                }
                read => read.map(|read| &stack[..read]),
            },
            4 => {
                let (one, other) = stack.split_at_mut(7);
                from.read_two(one, other).map(|read| &stack[..read])
            }
            5 => match timeout(millis(1 + random(8)), || from.read(&mut heap)) {
                Ok(read) => read.map(|read| &heap[..read]),
                Err(_) => {
                    heap.fill(0xDD);
                    continue;
                }
            },
            _ => match timeout(millis(1 + random(3)), || {
                let mut deep = [0; 300];
                from.read(&mut deep).map(|read| deep[..read].to_vec())
            }) {
                Ok(Ok(bytes)) => {
                    heap = bytes;
                    Ok(&heap[..])
                }
                Ok(Err(error)) => Err(error),
                Err(_) => continue,
            },
        };
        ledger.step();
        match bytes {
            Ok([]) => return clean.set(true),
            Ok(bytes) => {
                for (at, value) in bytes.iter().enumerate() {
                    let at = got.get() + at as u64;
                    if *value != byte(stream, at) {
                        ledger.check(false, || format!("byte {at} of stream {stream} is another"));
                        return;
                    }
                }
                got.set(got.get() + bytes.len() as u64);
            }
            Err(error) => {
                return ledger.check(!is_calm && is_fair(&error), || format!("receiving: {error}"));
            }
        }
        if reader == 2 || reader == 6 {
            heap = vec![0; size];
        }
    }
}
