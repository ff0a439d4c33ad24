//! What never waits: making sockets, their names, their options.

use super::faults::Faults;
use super::name::Name;
use super::random::Concern;
use super::socket::{Id, Peer, Role};
use super::table::Found;
use super::world::World;
use crate::driver::{Call, Fd, RawAddress};
use std::io;
use std::os::fd::RawFd;

impl World {
    /// Answers as the kernel would.
    ///
    /// # Errors
    /// Those of the system call; `EBADF` for descriptors that are not of this world.
    pub(super) fn call(&mut self, call: Call<'_>) -> io::Result<i32> {
        self.answer(call).map_err(io::Error::from_raw_os_error)
    }

    fn answer(&mut self, call: Call<'_>) -> Result<i32, i32> {
        match call {
            Call::Socket { family, kind } => {
                let socket = self.make(family, kind)?;
                let number = self.open(socket);
                self.note("socket", [socket.into(), number.is_ok().into(), 0]);
                number
            }
            Call::Pair { family, kind, numbers } => {
                let (a, b) = (self.make(family, kind)?, self.make(family, kind)?);
                match kind_of(kind) {
                    libc::SOCK_STREAM => self.join(a, b),
                    _ => {
                        for (one, other) in [(a, b), (b, a)] {
                            self.socket(one).role =
                                Role::Datagrams { peer: Some(Peer::Socket(other)) };
                        }
                    }
                }
                for socket in [a, b] {
                    self.socket(socket).peer_name = Some(Name::none(family));
                    self.refer(socket); // until both have a number
                }
                self.note("pair", [a.into(), b.into(), 0]);
                let first = self.open(a);
                let second = if first.is_ok() { self.open(b) } else { Err(libc::EMFILE) };
                if let (Ok(number), Err(_)) = (first, second) {
                    self.close(Fd::new(number));
                }
                self.release(a);
                self.release(b);
                *numbers = [first?, second?];
                Ok(0)
            }
            Call::Bind { fd, address } => {
                let (socket, name) = (self.named(fd)?, of_kernel(address)?);
                self.bind(socket, name).map(|()| 0)
            }
            Call::Listen { fd, backlog } => {
                let socket = self.named(fd)?;
                // As in the kernel, one more than is said; "any" is its usual limit.
                let backlog = usize::try_from(backlog).unwrap_or(4096);
                match &mut self.socket(socket).role {
                    role @ Role::New => {
                        *role = Role::Listener { queue: Default::default(), backlog };
                        Ok(0)
                    }
                    _ => Err(libc::EINVAL),
                }
            }
            Call::Associate { fd, address } => {
                let (socket, name) = (self.named(fd)?, of_kernel(address)?);
                self.associate(socket, &name).map(|()| 0)
            }
            Call::Shutdown { fd, how } => {
                let socket = self.named(fd)?;
                self.note("shutdown", [socket.into(), how as u64, 0]);
                self.shut(socket, how).map(|()| 0)
            }
            Call::Name { fd, name } => {
                let socket = self.named(fd)?;
                *name = self.socket(socket).name.encode();
                Ok(0)
            }
            Call::PeerName { fd, name } => {
                let socket = self.named(fd)?;
                *name = self.socket(socket).peer_name.as_ref().ok_or(libc::ENOTCONN)?.encode();
                Ok(0)
            }
            Call::Option { fd, level, name, value } => {
                let socket = self.named(fd)?;
                let socket = self.socket(socket);
                *value = match (level, name) {
                    (libc::SOL_SOCKET, libc::SO_ERROR) => std::mem::take(&mut socket.error),
                    key => {
                        let set = socket.options.iter().find(|(known, _)| *known == key);
                        set.map_or(default(key), |(_, value)| *value)
                    }
                };
                Ok(0)
            }
            Call::SetOption { fd, level, name, value } => {
                let socket = self.named(fd)?;
                let options = &mut self.socket(socket).options;
                options.retain(|(known, _)| *known != (level, name));
                options.push(((level, name), value));
                Ok(0)
            }
            Call::Duplicate { fd } => {
                let socket = self.named(fd)?;
                self.open(socket)
            }
        }
    }

    fn make(&mut self, family: i32, kind: i32) -> Result<Id, i32> {
        if self.strikes(Faults::MEMORY, Concern::Error) {
            return Err(libc::ENOBUFS);
        }
        let is_known = matches!(family, libc::AF_INET | libc::AF_INET6 | libc::AF_UNIX)
            && matches!(kind_of(kind), libc::SOCK_STREAM | libc::SOCK_DGRAM);
        if is_known { Ok(self.add(family, kind_of(kind))) } else { Err(libc::EAFNOSUPPORT) }
    }

    /// Gives a file one more number.
    fn open(&mut self, file: Id) -> Result<RawFd, i32> {
        self.refer(file);
        let number = match self.strikes(Faults::DESCRIPTORS, Concern::Error) {
            true => None,
            false => self.table.open(file),
        };
        if number.is_none() {
            self.release(file);
        }
        number.ok_or(libc::EMFILE)
    }

    /// What a descriptor names.
    pub(super) fn named(&mut self, fd: Fd) -> Result<Id, i32> {
        match self.table.find(fd) {
            Found::File(file) => Ok(file),
            Found::Foreign => Err(libc::EBADF),
            Found::Stale => {
                self.violated(format!("a closed descriptor was used: {}", fd.number() & 0xF_FFFF));
                Err(libc::EBADF)
            }
        }
    }

    pub(super) fn close(&mut self, fd: Fd) {
        let Ok(file) = self.named(fd) else { return };
        self.table.close(fd);
        self.note("close", [file.into(), 0, 0]);
        self.release(file);
    }
}

fn kind_of(kind: i32) -> i32 {
    kind & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
}

fn of_kernel(address: &RawAddress) -> Result<Name, i32> {
    Name::decode(address).ok_or(libc::EINVAL)
}

/// What an option says that nobody has set.
fn default(option: (i32, i32)) -> i32 {
    match option {
        (libc::IPPROTO_IP, libc::IP_TTL) => 64,
        _ => 0,
    }
}
