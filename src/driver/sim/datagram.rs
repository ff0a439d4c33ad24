//! Datagrams of UDP and UNIX.

use super::faults::Faults;
use super::name::Name;
use super::random::Concern;
use super::socket::{Datagram, Id, Peer, Role, Socket, UDP_LONGEST};
use super::stream::Result;
use super::world::World;

impl World {
    /// connect(2) of a datagram socket.
    pub(super) fn associate(&mut self, id: Id, to: &Name) -> std::result::Result<(), i32> {
        if !matches!(self.socket(id).role, Role::Datagrams { .. }) {
            return Err(libc::EINVAL);
        }
        let peer = match to {
            Name::Unix(_) => Peer::Socket(self.bound_datagrams(to)?),
            _ => {
                if self.socket(id).name.port() == 0 {
                    self.bind(id, to.somewhere().with_port(0))?;
                }
                Peer::Name(to.somewhere())
            }
        };
        let socket = self.socket(id);
        socket.peer_name = Some(to.somewhere());
        socket.role = Role::Datagrams { peer: Some(peer) };
        Ok(())
    }

    fn bound_datagrams(&self, name: &Name) -> std::result::Result<Id, i32> {
        self.bound(libc::SOCK_DGRAM, name).ok_or(match name {
            Name::Unix(path) if path.first().is_some_and(|first| *first != 0) => libc::ENOENT,
            _ => libc::ECONNREFUSED,
        })
    }

    /// To whom a datagram goes: nobody, if nobody is there.
    fn addressee(&mut self, id: Id, to: Option<&Name>) -> std::result::Result<Option<Id>, i32> {
        let socket = self.socket(id);
        let is_unix = socket.family == libc::AF_UNIX;
        let peer = match (&socket.role, to) {
            (_, Some(name)) => Peer::Name(name.clone()),
            (Role::Datagrams { peer: Some(peer) }, None) => peer.clone(),
            _ => return Err(if is_unix { libc::ENOTCONN } else { libc::EDESTADDRREQ }),
        };
        match peer {
            Peer::Socket(peer) if self.socket_if_any(peer).is_some() => Ok(Some(peer)),
            Peer::Socket(_) => Err(libc::ECONNREFUSED),
            Peer::Name(name) if is_unix => self.bound_datagrams(&name).map(Some),
            Peer::Name(name) => Ok(self.bound(libc::SOCK_DGRAM, &name)),
        }
    }

    /// send(2) or sendto(2) of a datagram.
    pub(super) fn send_datagram(
        &mut self,
        id: Id,
        bytes: Vec<u8>,
        to: Option<&Name>,
    ) -> Result<usize> {
        let is_unix = self.socket(id).family == libc::AF_UNIX;
        let length = bytes.len();
        if self.socket(id).write_is_shut {
            return Err(libc::EPIPE);
        }
        if self.socket(id).error != 0 {
            return Err(std::mem::take(&mut self.socket(id).error));
        }
        if !is_unix && length > UDP_LONGEST {
            return Err(libc::EMSGSIZE);
        }
        if !is_unix && self.socket(id).name.port() == 0 {
            let family = self.socket(id).family;
            self.bind(id, Name::none(family))?;
        }
        let Some(there) = self.addressee(id, to)? else {
            // Whoever has chosen a peer is told that nobody is there, by the next call.
            if to.is_none() {
                self.socket(id).error = libc::ECONNREFUSED;
                self.touch(id);
            }
            return Ok(Some(length));
        };
        if self.strikes(Faults::MEMORY, Concern::Error) {
            return Err(libc::ENOBUFS);
        }
        let from = self.socket(id).name.somewhere();
        if self.socket(there).datagram_room() == 0 {
            return if is_unix { Ok(None) } else { Ok(Some(length)) };
        }
        let mut copies = 1;
        if !is_unix && self.strikes(Faults::LOSS, Concern::Data) {
            copies = 2 * self.dice.below(Concern::Data, 2);
        }
        // A UNIX socket is a queue: nothing overtakes, and what was sent is there.
        for _ in 0..copies {
            let delay = if is_unix { 0 } else { self.delay_ns() };
            let datagram = Datagram { from: from.clone(), bytes: bytes.clone() };
            self.socket(there).flying += 1;
            match delay {
                0 => self.land(there, datagram),
                _ => self.flying.push((self.now + delay, there, datagram)),
            }
        }
        Ok(Some(length))
    }

    /// A datagram arrives; at one who has chosen another peer it is lost.
    pub(super) fn land(&mut self, id: Id, datagram: Datagram) {
        let Some(socket) = self.socket_if_any(id) else { return };
        socket.flying -= 1;
        if let Role::Datagrams { peer: Some(Peer::Name(peer)) } = &socket.role
            && *peer != datagram.from
        {
            return;
        }
        socket.datagrams.push_back(datagram);
        self.touch(id);
    }

    /// recv(2) or recvfrom(2) of a datagram.
    pub(super) fn receive_datagram(&mut self, id: Id, peeks: bool) -> Result<Datagram> {
        let socket = self.socket(id);
        if socket.error != 0 {
            return Err(std::mem::take(&mut socket.error));
        }
        let Some(first) = socket.datagrams.front() else {
            let nothing = Datagram { from: Name::none(socket.family), bytes: Vec::new() };
            return Ok(socket.read_is_shut.then_some(nothing));
        };
        if peeks {
            return Ok(Some(Datagram { from: first.from.clone(), bytes: first.bytes.clone() }));
        }
        let was_full = socket.datagram_room() == 0;
        let datagram = socket.datagrams.pop_front();
        if was_full {
            self.touch_senders();
        }
        Ok(datagram)
    }

    /// Something has changed for those who wait until they can send somewhere.
    pub(super) fn touch_senders(&mut self) {
        let sends = |socket: &Socket| {
            !socket.waiting.is_empty() && matches!(socket.role, Role::Datagrams { .. })
        };
        let senders: Vec<Id> =
            self.all_sockets().filter(|(_, socket)| sends(socket)).map(|(id, _)| id).collect();
        senders.into_iter().for_each(|sender| self.touch(sender));
    }

    /// Can a datagram be sent to the peer? Only of UNIX sockets is this ever "no".
    pub(super) fn has_room_at_peer(&mut self, id: Id) -> bool {
        match &self.socket(id).role {
            Role::Datagrams { peer: Some(Peer::Socket(peer)) } => {
                let peer = *peer;
                self.socket_if_any(peer).is_none_or(|peer| peer.datagram_room() > 0)
            }
            _ => true,
        }
    }
}
