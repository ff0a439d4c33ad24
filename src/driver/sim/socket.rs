//! A socket in memory: what it is, what lies in it, and what is on its way to it.

use super::name::Name;
use std::collections::VecDeque;

/// Which socket: never given out twice.
pub(super) type Id = u32;

/// What a stream holds until it is read, in bytes.
pub(super) const STREAM_ROOM: usize = 64 * 1024;
/// How many datagrams wait in a socket: of UNIX, then the sender waits; of UDP, then they are lost.
pub(super) const UNIX_ROOM: usize = 11;
pub(super) const UDP_ROOM: usize = 256;
/// The longest datagram of UDP.
pub(super) const UDP_LONGEST: usize = 65_507;

/// A part of a stream on its way.
#[derive(Debug)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    /// The sender has ended its direction.
    End,
    /// The sender is gone, and what it had not read with it.
    Reset,
}

#[derive(Debug)]
pub(super) struct Datagram {
    pub(super) from: Name,
    pub(super) bytes: Vec<u8>,
}

/// To whom datagrams go that name nobody.
#[derive(Debug, Clone)]
pub(super) enum Peer {
    Name(Name),
    Socket(Id),
}

/// What a socket does.
#[derive(Debug)]
pub(super) enum Role {
    /// Nothing yet: a stream that is not connected.
    New,
    Listener {
        queue: VecDeque<Id>,
        backlog: usize,
    },
    /// `None`: the other side is closed.
    Stream {
        peer: Option<Id>,
    },
    Datagrams {
        peer: Option<Peer>,
    },
}

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) family: i32,
    pub(super) kind: i32,
    pub(super) role: Role,
    pub(super) name: Name,
    pub(super) peer_name: Option<Name>,
    /// Numbers and operations that refer to it.
    pub(super) references: u32,
    /// Bytes that can be read.
    pub(super) bytes: VecDeque<u8>,
    /// Pieces on their way, and when they arrive.
    pub(super) under_way: VecDeque<(u64, Piece)>,
    pub(super) under_way_bytes: usize,
    /// No byte follows those that are there.
    pub(super) has_ended: bool,
    pub(super) datagrams: VecDeque<Datagram>,
    /// On their way, too.
    pub(super) flying: usize,
    /// What the next call is told, and `SO_ERROR`: an errno.
    pub(super) error: i32,
    pub(super) read_is_shut: bool,
    pub(super) write_is_shut: bool,
    pub(super) options: Vec<((i32, i32), i32)>,
    /// Operations that wait for something to change here, in the order in which they came.
    pub(super) waiting: Vec<u32>,
    pub(super) is_dirty: bool,
}

impl Socket {
    pub(super) fn new(family: i32, kind: i32) -> Socket {
        let role = match kind {
            libc::SOCK_DGRAM => Role::Datagrams { peer: None },
            _ => Role::New,
        };
        Socket {
            family,
            kind,
            role,
            name: Name::none(family),
            peer_name: None,
            references: 0,
            bytes: VecDeque::new(),
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            has_ended: false,
            datagrams: VecDeque::new(),
            flying: 0,
            error: 0,
            read_is_shut: false,
            write_is_shut: false,
            options: Vec::new(),
            waiting: Vec::new(),
            is_dirty: false,
        }
    }

    /// How many bytes of a stream may still be sent to it.
    pub(super) fn room(&self) -> usize {
        STREAM_ROOM.saturating_sub(self.bytes.len() + self.under_way_bytes)
    }

    /// How many datagrams may still be sent to it.
    pub(super) fn datagram_room(&self) -> usize {
        let most = if self.family == libc::AF_UNIX { UNIX_ROOM } else { UDP_ROOM };
        most.saturating_sub(self.datagrams.len() + self.flying)
    }
}
