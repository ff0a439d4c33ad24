//! Everything that there is in a simulated world: sockets, their names and numbers, the clock.
//!
//! - **A file lives as long as it is referred to**: by numbers, and by operations that have reached the
//!   kernel. What happens at its end happens then, as in the kernel.

use super::faults::{Faults, Ratios};
use super::name::Name;
use super::random::{Concern, Dice};
use super::socket::{Datagram, Id, Piece, Role, Socket};
use super::table::Table;
use super::trace::Trace;
use std::collections::BTreeMap;

pub(super) struct World {
    pub(super) now: u64,
    pub(super) dice: Dice,
    pub(super) ratios: Ratios,
    pub(super) trace: Trace,
    pub(super) table: Table,
    /// How many faults have struck.
    pub(super) struck: u64,
    /// Rules that were broken, in words.
    pub(super) violations: Vec<String>,
    /// What arrives at which socket, to be entered among the events.
    pub(super) arrivals: Vec<(u64, Id)>,
    /// Datagrams on their way.
    pub(super) flying: Vec<(u64, Id, Datagram)>,
    /// Sockets at which something has changed.
    pub(super) dirty: Vec<Id>,
    sockets: Vec<Option<Box<Socket>>>,
    /// Bound sockets, by what they carry.
    names: BTreeMap<(i32, Name), Id>,
}

/// The first port that is given to those who do not name one.
const FIRST_PORT: u16 = 32_768;

impl World {
    pub(super) fn new(seed: u64, faults: Faults, keeps_lines: bool) -> World {
        let mut dice = Dice::new(seed);
        let ratios = Ratios::draw(&mut dice, faults);
        World {
            // Somewhere in the first fortnight, so that every level of every wheel has its turn.
            now: 1_000_000_000 + dice.below(Concern::World, 1 << 50),
            dice,
            ratios,
            trace: Trace::new(keeps_lines),
            table: Table::new(),
            struck: 0,
            violations: Vec::new(),
            arrivals: Vec::new(),
            flying: Vec::new(),
            dirty: Vec::new(),
            sockets: Vec::new(),
            names: BTreeMap::new(),
        }
    }

    /// Does a fault of this group strike?
    pub(super) fn strikes(&mut self, group: Faults, concern: Concern) -> bool {
        let strikes = self.dice.happens(concern, self.ratios.of(group));
        self.struck += u64::from(strikes);
        strikes
    }

    /// How long something takes that takes no time without faults.
    pub(super) fn delay_ns(&mut self) -> u64 {
        if self.strikes(Faults::DELAY, Concern::Time) { self.dice.delay_ns() } else { 0 }
    }

    pub(super) fn note(&mut self, what: &'static str, values: [u64; 3]) {
        self.trace.note(what, values, self.now);
    }

    pub(super) fn violated(&mut self, text: String) {
        self.trace.say(&text, self.now);
        self.violations.push(text);
    }

    // Sockets.

    pub(super) fn add(&mut self, family: i32, kind: i32) -> Id {
        self.sockets.push(Some(Box::new(Socket::new(family, kind))));
        self.sockets.len() as Id - 1
    }

    /// One that is referred to.
    pub(super) fn socket(&mut self, id: Id) -> &mut Socket {
        self.sockets[id as usize].as_mut().expect("a file lives as long as it is referred to")
    }

    pub(super) fn socket_if_any(&mut self, id: Id) -> Option<&mut Socket> {
        self.sockets[id as usize].as_deref_mut()
    }

    pub(super) fn all_sockets(&self) -> impl Iterator<Item = (Id, &Socket)> {
        let numbered = self.sockets.iter().enumerate();
        numbered.filter_map(|(id, socket)| Some((id as Id, &**socket.as_ref()?)))
    }

    /// Something has changed: those who wait there look again.
    pub(super) fn touch(&mut self, id: Id) {
        if let Some(socket) = self.sockets[id as usize].as_mut()
            && !socket.is_dirty
            && !socket.waiting.is_empty()
        {
            socket.is_dirty = true;
            self.dirty.push(id);
        }
    }

    pub(super) fn refer(&mut self, id: Id) {
        self.socket(id).references += 1;
    }

    /// Gives up a reference; with the last one the file ends.
    pub(super) fn release(&mut self, id: Id) {
        let socket = self.socket(id);
        socket.references -= 1;
        if socket.references > 0 {
            return;
        }
        debug_assert!(socket.waiting.is_empty(), "an operation that waits refers to it");
        let key = (socket.kind, socket.name.clone());
        if self.names.get(&key) == Some(&id) {
            self.names.remove(&key);
        }
        self.note("end", [id.into(), 0, 0]);
        let Some(socket) = self.sockets[id as usize].take() else { return };
        match socket.role {
            Role::Listener { queue, .. } => {
                for connection in queue {
                    self.reset_peer(connection);
                    self.release(connection);
                }
            }
            Role::Stream { peer: Some(peer) } => {
                let unread = !socket.bytes.is_empty() || socket.under_way_bytes > 0;
                let last = if unread { Piece::Reset } else { Piece::End };
                if let Some(other) = self.socket_if_any(peer) {
                    other.role = Role::Stream { peer: None };
                    self.send_piece(peer, last);
                    self.touch(peer); // whoever waits for room
                }
            }
            Role::Datagrams { .. } => self.touch_senders(),
            _ => {}
        }
    }

    /// Breaks a connection for the other side.
    pub(super) fn reset_peer(&mut self, id: Id) {
        let Role::Stream { peer } = &mut self.socket(id).role else { return };
        let Some(peer) = peer.take() else { return };
        if let Some(other) = self.socket_if_any(peer) {
            other.role = Role::Stream { peer: None };
            self.send_piece(peer, Piece::Reset);
            self.touch(peer);
        }
    }

    // What is on its way.

    /// Sends a piece of a stream, which arrives behind those that were sent before.
    pub(super) fn send_piece(&mut self, to: Id, piece: Piece) {
        let due = self.now + self.delay_ns();
        let socket = self.socket(to);
        let due = socket.under_way.back().map_or(due, |(last, _)| due.max(*last));
        if let Piece::Bytes(bytes) = &piece {
            socket.under_way_bytes += bytes.len();
        }
        socket.under_way.push_back((due, piece));
        if due <= self.now { self.arrive(to) } else { self.arrivals.push((due, to)) }
    }

    /// Takes in what has arrived at a stream by now.
    pub(super) fn arrive(&mut self, id: Id) {
        let now = self.now;
        let Some(socket) = self.socket_if_any(id) else { return };
        while socket.under_way.front().is_some_and(|(due, _)| *due <= now) {
            match socket.under_way.pop_front() {
                Some((_, Piece::Bytes(bytes))) => {
                    socket.under_way_bytes -= bytes.len();
                    socket.bytes.extend(bytes);
                }
                Some((_, Piece::End)) => socket.has_ended = true,
                Some((_, Piece::Reset)) => {
                    socket.error = libc::ECONNRESET;
                    socket.has_ended = true;
                    socket.bytes.clear();
                }
                None => {}
            }
        }
        self.touch(id);
    }

    // Names.

    /// Who has that name, or that of every interface.
    pub(super) fn bound(&self, kind: i32, name: &Name) -> Option<Id> {
        let exact = self.names.get(&(kind, name.somewhere()));
        exact.or_else(|| self.names.get(&(kind, name.everywhere()))).copied()
    }

    /// Gives a socket a name; where no port is named, the lowest that is free.
    ///
    /// # Errors
    /// `EINVAL` if it has one, `EADDRINUSE` if another has.
    pub(super) fn bind(&mut self, id: Id, name: Name) -> Result<(), i32> {
        let kind = self.socket(id).kind;
        let has_name = match &self.socket(id).name {
            Name::Unix(path) => !path.is_empty(),
            name => name.port() != 0,
        };
        if has_name {
            return Err(libc::EINVAL);
        }
        let name = match name {
            Name::Unix(path) if path.is_empty() => {
                let free = |number: &u32| {
                    !self.names.contains_key(&(kind, Name::Unix(format!("\0{number:05x}").into())))
                };
                let number = (0..=u32::MAX).find(free).ok_or(libc::EADDRINUSE)?;
                Name::Unix(format!("\0{number:05x}").into())
            }
            Name::Unix(_) => name,
            name if name.port() == 0 => {
                let free = |port: &u16| self.is_free(kind, &name.with_port(*port));
                let port = (FIRST_PORT..=u16::MAX).find(free).ok_or(libc::EADDRINUSE)?;
                name.with_port(port)
            }
            name => name,
        };
        if !self.is_free(kind, &name) {
            return Err(libc::EADDRINUSE);
        }
        self.names.insert((kind, name.clone()), id);
        self.socket(id).name = name;
        Ok(())
    }

    fn is_free(&self, kind: i32, name: &Name) -> bool {
        let taken = |name: Name| self.names.contains_key(&(kind, name));
        let clashes = match name == &name.everywhere() && name.port() != 0 {
            true => taken(name.somewhere()),
            false => taken(name.everywhere()),
        };
        !clashes && !taken(name.clone())
    }
}
