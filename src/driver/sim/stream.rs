//! Streams: connecting, accepting, bytes.

use super::faults::Faults;
use super::name::Name;
use super::random::Concern;
use super::socket::{Id, Piece, Role};
use super::world::World;

/// What a call brings, an errno, or `None` if it would wait.
pub(super) type Result<T> = std::result::Result<Option<T>, i32>;

impl World {
    /// connect(2) of a stream. Where it waits, it waits at the listener, which is named.
    pub(super) fn connect(&mut self, id: Id, to: &Name, waits_at: &mut Id) -> Result<()> {
        match self.socket(id).role {
            Role::New => {}
            Role::Listener { .. } => return Err(libc::EINVAL),
            _ => return Err(libc::EISCONN),
        }
        if self.strikes(Faults::ERRORS, Concern::Error) {
            return Err(libc::ECONNREFUSED);
        }
        let Some(listener) = self.bound(libc::SOCK_STREAM, to) else {
            return Err(match to {
                Name::Unix(path) if path.first().is_some_and(|first| *first != 0) => libc::ENOENT,
                _ => libc::ECONNREFUSED,
            });
        };
        let Role::Listener { queue, backlog } = &self.socket(listener).role else {
            return Err(libc::ECONNREFUSED);
        };
        if queue.len() > *backlog {
            *waits_at = listener;
            return Ok(None);
        }
        if !matches!(to, Name::Unix(_)) && self.socket(id).name.port() == 0 {
            self.bind(id, to.somewhere().with_port(0))?;
        }
        let there = match to {
            Name::Unix(_) => self.socket(listener).name.clone(),
            _ => to.somewhere(),
        };
        let family = self.socket(id).family;
        let other = self.add(family, libc::SOCK_STREAM);
        let here = self.socket(id).name.clone();
        self.join(id, other);
        self.socket(id).peer_name = Some(there.clone());
        self.socket(other).name = there;
        self.socket(other).peer_name = Some(here);
        self.refer(other);
        if let Role::Listener { queue, .. } = &mut self.socket(listener).role {
            queue.push_back(other);
        }
        self.touch(listener);
        self.touch(id);
        Ok(Some(()))
    }

    /// Makes two sockets the ends of one stream.
    pub(super) fn join(&mut self, a: Id, b: Id) {
        self.socket(a).role = Role::Stream { peer: Some(b) };
        self.socket(b).role = Role::Stream { peer: Some(a) };
    }

    /// accept(2): the connection's number and the peer's name.
    pub(super) fn accept(&mut self, id: Id) -> Result<(i32, Name)> {
        let Role::Listener { queue, .. } = &mut self.socket(id).role else {
            return Err(libc::EINVAL);
        };
        let Some(connection) = queue.front().copied() else { return Ok(None) };
        if self.strikes(Faults::DESCRIPTORS, Concern::Error) {
            return Err(libc::EMFILE);
        }
        if self.strikes(Faults::MEMORY, Concern::Error) {
            return Err(libc::ENOMEM);
        }
        let Role::Listener { queue, .. } = &mut self.socket(id).role else {
            return Err(libc::EINVAL);
        };
        queue.pop_front();
        self.touch(id); // whoever waits for room in the queue, and whoever accepts, too
        if self.strikes(Faults::ERRORS, Concern::Error) {
            self.reset_peer(connection);
            self.release(connection);
            return Err(libc::ECONNABORTED);
        }
        let name = self.socket(connection).peer_name.clone();
        let number = self.table.open(connection).ok_or(libc::EMFILE)?;
        Ok(Some((number, name.unwrap_or(Name::Unix(Vec::new())))))
    }

    /// Breaks a connection on both sides, now and then.
    fn break_now_and_then(&mut self, id: Id) {
        if matches!(self.socket(id).role, Role::Stream { .. })
            && self.strikes(Faults::ERRORS, Concern::Error)
        {
            self.reset_peer(id);
            let socket = self.socket(id);
            socket.bytes.clear();
            socket.has_ended = true;
            socket.error = libc::ECONNRESET;
            self.touch(id);
        }
    }

    /// How much of `most` is carried by this call.
    fn portion(&mut self, most: usize) -> usize {
        if most > 1 && self.strikes(Faults::SHORT, Concern::Data) {
            return match self.dice.below(Concern::Data, 2) {
                0 => 1,
                _ => 1 + self.dice.below(Concern::Data, most as u64) as usize,
            };
        }
        most
    }

    /// recv(2): the bytes that come next, of which there are some; none at the end.
    pub(super) fn receive(&mut self, id: Id, room: usize, peeks: bool) -> Result<Vec<u8>> {
        let Role::Stream { peer } = self.socket(id).role else {
            return Err(if self.socket(id).kind == libc::SOCK_STREAM {
                libc::ENOTCONN
            } else {
                libc::EINVAL
            });
        };
        self.break_now_and_then(id);
        let socket = self.socket(id);
        if socket.bytes.is_empty() || room == 0 {
            if socket.error != 0 {
                return Err(std::mem::take(&mut socket.error));
            }
            let is_over = socket.has_ended || socket.read_is_shut || room == 0;
            return Ok(is_over.then(Vec::new));
        }
        let there = socket.bytes.len().min(room);
        let length = if peeks { there } else { self.portion(there) };
        let socket = self.socket(id);
        if peeks {
            return Ok(Some(socket.bytes.iter().take(length).copied().collect()));
        }
        let bytes = socket.bytes.drain(..length).collect();
        if let Some(peer) = peer {
            self.touch(peer); // there is room again
        }
        Ok(Some(bytes))
    }

    /// send(2): how many of the bytes were taken.
    pub(super) fn send(
        &mut self,
        id: Id,
        bytes: impl FnOnce(usize) -> Vec<u8>,
        length: usize,
    ) -> Result<usize> {
        self.break_now_and_then(id);
        let socket = self.socket(id);
        if socket.write_is_shut {
            return Err(libc::EPIPE);
        }
        let peer = match &socket.role {
            Role::Stream { peer } => *peer,
            _ => return Err(libc::ENOTCONN),
        };
        if socket.error != 0 {
            return Err(std::mem::take(&mut socket.error));
        }
        let Some(peer) = peer else { return Err(libc::EPIPE) };
        if self.strikes(Faults::MEMORY, Concern::Error) {
            return Err(libc::ENOBUFS);
        }
        let other = self.socket(peer);
        if other.read_is_shut && other.family == libc::AF_UNIX {
            return Err(libc::EPIPE);
        }
        let room = other.room();
        if length == 0 {
            return Ok(Some(0));
        }
        if room == 0 {
            return Ok(None);
        }
        let length = self.portion(length.min(room));
        let bytes = bytes(length);
        debug_assert_eq!(bytes.len(), length);
        self.send_piece(peer, Piece::Bytes(bytes));
        Ok(Some(length))
    }

    /// shutdown(2)
    pub(super) fn shut(&mut self, id: Id, how: i32) -> std::result::Result<(), i32> {
        let socket = self.socket(id);
        let peer = match &socket.role {
            Role::Stream { peer } => *peer,
            Role::Datagrams { peer: Some(_) } => None,
            _ => return Err(libc::ENOTCONN),
        };
        if how != libc::SHUT_WR {
            socket.read_is_shut = true;
        }
        if how != libc::SHUT_RD
            && !std::mem::replace(&mut socket.write_is_shut, true)
            && let Some(peer) = peer
        {
            self.send_piece(peer, Piece::End);
        }
        self.touch(id);
        if let Some(peer) = peer {
            self.touch(peer); // whoever waits for room
        }
        Ok(())
    }

    /// poll(2): which of `events`, and of what is always told, are there.
    pub(super) fn ready(&mut self, id: Id, events: i16) -> i16 {
        let socket = self.socket(id);
        let has_error = socket.error != 0;
        let (mut ready, peer) = match &socket.role {
            Role::New => (libc::POLLOUT | libc::POLLHUP, None),
            Role::Listener { queue, .. } => (if queue.is_empty() { 0 } else { libc::POLLIN }, None),
            Role::Stream { peer } => {
                let ended = socket.has_ended || socket.read_is_shut;
                let mut ready = 0;
                if ended || !socket.bytes.is_empty() {
                    ready |= libc::POLLIN;
                }
                if ended {
                    ready |= libc::POLLRDHUP;
                }
                if ended && (socket.write_is_shut || peer.is_none()) {
                    ready |= libc::POLLHUP;
                }
                if socket.write_is_shut || peer.is_none() {
                    ready |= libc::POLLOUT;
                }
                (ready, *peer)
            }
            Role::Datagrams { .. } => {
                let some = !socket.datagrams.is_empty() || socket.read_is_shut;
                (if some { libc::POLLIN } else { 0 }, None)
            }
        };
        if has_error {
            ready |= libc::POLLERR | libc::POLLIN | libc::POLLOUT;
        }
        if let Some(peer) = peer
            && self.socket(peer).room() > 0
        {
            ready |= libc::POLLOUT;
        }
        if matches!(self.socket(id).role, Role::Datagrams { .. }) && self.has_room_at_peer(id) {
            ready |= libc::POLLOUT;
        }
        ready & (events | libc::POLLERR | libc::POLLHUP)
    }
}
