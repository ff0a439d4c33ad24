//! One look at whether an operation can end, as the kernel takes it.
#![expect(unsafe_code, reason = "reads and writes behind requests")]

use super::flight::Flight;
use super::name::Name;
use super::pool::Pool;
use super::random::Concern;
use super::socket::Id;
use super::world::World;
use super::{Faults, stream};
use crate::driver::Request;
use crate::driver::token::BUFFER;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It would wait.
    Waits,
    /// Its last completion: result and flags.
    Ends(i32, u32),
    /// One of several completions; to be tried again.
    Brings(i32),
}

use Outcome::{Brings, Ends, Waits};

/// As system calls say it.
fn answer(result: stream::Result<i32>) -> Outcome {
    match result {
        Ok(Some(result)) => Ends(result, 0),
        Ok(None) => Waits,
        Err(errno) => Ends(-errno, 0),
    }
}

impl World {
    /// Tries an operation that refers to `file`.
    ///
    /// # Safety
    /// - **Kernel holds until completion**
    pub(super) unsafe fn attempt(
        &mut self,
        flight: &mut Flight,
        file: Id,
        pool: &mut Pool,
    ) -> Outcome {
        if self.strikes(Faults::ENTER, Concern::Error) && self.dice.below(Concern::Error, 8) == 0 {
            return Ends(-libc::EINTR, 0); // a signal, before anything was transferred
        }
        flight.waits_at = Some(file);
        // SAFETY: forwarded.
        let outcome = unsafe { self.attempt_calmly(flight, file, pool) };
        let waits_not = match flight.request {
            Request::Recv { flags, .. }
            | Request::RecvPooled { flags, .. }
            | Request::Send { flags, .. }
            | Request::RecvMessage { flags, .. }
            | Request::SendMessage { flags, .. } => flags & libc::MSG_DONTWAIT != 0,
            _ => false,
        };
        if waits_not && outcome == Waits { Ends(-libc::EAGAIN, 0) } else { outcome }
    }

    unsafe fn attempt_calmly(&mut self, flight: &mut Flight, file: Id, pool: &mut Pool) -> Outcome {
        let room = flight.buffers.length();
        match flight.request {
            Request::Nop => Ends(0, 0),
            Request::Accept { address, length, .. } => {
                let accepted = self.accept(file);
                if let Ok(Some((_, name))) = &accepted
                    && !address.is_null()
                {
                    // SAFETY: room for an address, as `length` says.
                    unsafe { write_name(name, address, length) };
                }
                answer(accepted.map(|accepted| accepted.map(|(number, _)| number)))
            }
            Request::AcceptMany { .. } => match self.accept(file) {
                Ok(Some((number, _))) => {
                    match self.strikes(Faults::MULTISHOT, Concern::Data) {
                        true => Ends(number, 0), // it must be asked again, without an error
                        false => Brings(number),
                    }
                }
                other => answer(other.map(|_| None)),
            },
            Request::Connect { address, length, .. } => {
                // SAFETY: the caller's promise.
                let Some(to) = (unsafe { Name::read(address, length) }) else {
                    return Ends(-libc::EINVAL, 0);
                };
                if self.socket(file).kind == libc::SOCK_DGRAM {
                    return answer(self.associate(file, &to).map(|()| Some(0)));
                }
                let mut waits_at = file;
                let connected = self.connect(file, &to, &mut waits_at);
                flight.waits_at = Some(waits_at);
                answer(connected.map(|connected| connected.map(|()| 0)))
            }
            Request::RecvPooled { flags, .. } => {
                let peeks = flags & libc::MSG_PEEK != 0;
                // A buffer is taken only when there is something to put into it.
                if self.ready(file, libc::POLLIN) == 0 {
                    return Waits;
                }
                let Some(number) = pool.take() else { return Ends(-libc::ENOBUFS, 0) };
                let received = match self.socket(file).kind {
                    libc::SOCK_DGRAM => {
                        self.receive_datagram(file, peeks).map(|datagram| datagram.map(|d| d.bytes))
                    }
                    _ => self.receive(file, pool.bytes(), peeks),
                };
                match received {
                    Ok(Some(bytes)) if !bytes.is_empty() => {
                        let length = pool.fill(number, &bytes);
                        Ends(length as i32, BUFFER | u32::from(number) << 16)
                    }
                    other => {
                        pool.put_back(number);
                        answer(other.map(|bytes| bytes.map(|_| 0)))
                    }
                }
            }
            Request::Recv { .. } | Request::Read { .. } => {
                let flags = match flight.request {
                    Request::Recv { flags, .. } => flags,
                    _ => 0,
                };
                let received = self.take(file, room, flags);
                // SAFETY: forwarded.
                unsafe { give(flight, received) }
            }
            Request::RecvMessage { message, flags, .. } => {
                let received = self.take(file, room, flags);
                if let Ok(Some((_, from))) = &received {
                    // SAFETY: the message is valid, and has room for an address if it says so.
                    unsafe { message_from(message, from.as_ref()) };
                }
                // SAFETY: forwarded.
                unsafe { give(flight, received) }
            }
            Request::Send { .. } | Request::Write { .. } => {
                // SAFETY: forwarded.
                unsafe { self.put(flight, file, None) }
            }
            Request::SendMessage { message, .. } => {
                // SAFETY: the message is valid, and so is the address that it names.
                let to = unsafe {
                    let message = &*message;
                    match message.msg_name.is_null() {
                        true => None,
                        false => Some(Name::read(message.msg_name.cast(), message.msg_namelen)),
                    }
                };
                match to {
                    Some(None) => Ends(-libc::EINVAL, 0),
                    // SAFETY: forwarded.
                    to => unsafe { self.put(flight, file, to.flatten().as_ref()) },
                }
            }
            Request::Poll { events, .. } => match self.ready(file, events) {
                0 => Waits,
                ready => Ends(ready.into(), 0),
            },
        }
    }

    /// Bytes out of a stream or of a datagram, and from whom.
    fn take(
        &mut self,
        file: Id,
        room: usize,
        flags: i32,
    ) -> stream::Result<(Vec<u8>, Option<Name>)> {
        let peeks = flags & libc::MSG_PEEK != 0;
        match self.socket(file).kind {
            libc::SOCK_DGRAM => {
                let datagram = self.receive_datagram(file, peeks)?;
                Ok(datagram.map(|datagram| (datagram.bytes, Some(datagram.from))))
            }
            _ => Ok(self.receive(file, room, peeks)?.map(|bytes| (bytes, None))),
        }
    }

    unsafe fn put(&mut self, flight: &Flight, file: Id, to: Option<&Name>) -> Outcome {
        // SAFETY: forwarded.
        let bytes = |most: usize| unsafe { flight.buffers.read(most) };
        let sent = match self.socket(file).kind {
            libc::SOCK_DGRAM => self.send_datagram(file, bytes(usize::MAX), to),
            _ => self.send(file, bytes, flight.buffers.length()),
        };
        answer(sent.map(|sent| sent.map(|length| length as i32)))
    }
}

/// Hands over what was received.
unsafe fn give(flight: &mut Flight, received: stream::Result<(Vec<u8>, Option<Name>)>) -> Outcome {
    match received {
        // SAFETY: the caller's promise.
        Ok(Some((bytes, _))) => Ends(unsafe { flight.buffers.write(&bytes) } as i32, 0),
        Ok(None) => Waits,
        Err(errno) => Ends(-errno, 0),
    }
}

unsafe fn write_name(name: &Name, to: *mut libc::sockaddr, length: *mut libc::socklen_t) {
    let raw = name.encode();
    // SAFETY: the caller's promise.
    unsafe {
        let room = (*length).min(raw.1) as usize;
        std::ptr::copy_nonoverlapping((&raw const raw.0).cast::<u8>(), to.cast(), room);
        *length = raw.1;
    }
}

unsafe fn message_from(message: *mut libc::msghdr, from: Option<&Name>) {
    // SAFETY: the caller's promise.
    unsafe {
        match from {
            Some(name) if !(*message).msg_name.is_null() => {
                let mut length = (*message).msg_namelen;
                write_name(name, (*message).msg_name.cast(), &mut length);
                (*message).msg_namelen = length;
            }
            _ => (*message).msg_namelen = 0,
        }
    }
}
