//! Datagrams: whole or not at all; of UNIX sockets each of them, in order.

use super::ledger::{Ledger, Played, byte, is_fair, millis, random, task};
use super::plan::Part;
use greenlet::net::{UdpSocket, UnixDatagram};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Udp(socket) => socket.send(bytes),
            Socket::Unix(socket) => socket.send(bytes),
        }
    }

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Udp(socket) => socket.recv(buffer),
            Socket::Unix(socket) => socket.recv(buffer),
        }
    }
}

fn two(unix: bool, number: usize) -> io::Result<(Socket, Socket)> {
    let patience = Some(millis(60_000));
    if unix {
        let (a, b) = UnixDatagram::pair()?;
        b.set_read_timeout(patience)?;
        return Ok((Socket::Unix(a), Socket::Unix(b)));
    }
    let (port, host) = (3000 + number as u16, "10.0.0.7");
    let (a, b) = (UdpSocket::bind((host, 0))?, UdpSocket::bind((host, port))?);
    a.connect((host, port))?;
    b.set_read_timeout(patience)?;
    Ok((Socket::Udp(a), Socket::Udp(b)))
}

fn length(sender: usize, turn: usize) -> usize {
    3 + (sender * 31 + turn * 17) % 200
}

fn datagram(sender: usize, turn: usize) -> Vec<u8> {
    let mut bytes = vec![sender as u8, turn as u8];
    let stream = (sender << 8 | turn) as u64;
    bytes.extend((2..length(sender, turn) as u64).map(|at| byte(stream, at)));
    bytes
}

pub(crate) fn play(part: &Part, number: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Post { unix, count, senders, receivers } = *part else { return None };
    let (a, b) = match two(unix, number) {
        Ok((a, b)) => (Rc::new(a), Rc::new(b)),
        Err(error) => {
            ledger.check(!is_calm && is_fair(&error), || format!("binding: {error}"));
            return None;
        }
    };
    let sent = Rc::new(RefCell::new(BTreeMap::<(usize, usize), u32>::new()));
    let got = Rc::new(RefCell::new(Vec::new()));
    let mut tasks = Vec::new();
    for sender in 0..senders {
        let (a, ledger, sent) = (a.clone(), ledger.clone(), sent.clone());
        tasks.push(task(move || {
            for turn in 0..count {
                let bytes = datagram(sender, turn);
                // Noted before it is on its way; taken back if it never was.
                sent.borrow_mut().insert((sender, turn), 1);
                match a.send(&bytes) {
                    Ok(length) => {
                        ledger.check(length == bytes.len(), || "a datagram was cut".to_owned());
                    }
                    Err(error) => {
                        sent.borrow_mut().remove(&(sender, turn));
                        ledger.check(!is_calm && is_fair(&error), || format!("posting: {error}"));
                    }
                }
                ledger.step();
                if random(4) == 0 {
                    greenlet::sleep(millis(random(3)));
                }
            }
        }));
    }
    drop(a);
    for _ in 0..receivers {
        let (b, ledger, got) = (b.clone(), ledger.clone(), got.clone());
        tasks.push(task(move || {
            let mut buffer = [0; 300];
            loop {
                match b.recv(&mut buffer) {
                    Ok(0..3) => ledger.check(false, || "a datagram from nobody".to_owned()),
                    Ok(length) => {
                        let (sender, turn) = (usize::from(buffer[0]), usize::from(buffer[1]));
                        let whole = buffer[..length] == datagram(sender, turn);
                        ledger.check(whole, || format!("datagram {sender}.{turn} is another"));
                        got.borrow_mut().push((sender, turn));
                    }
                    Err(error) if error.kind() == ErrorKind::TimedOut => return,
                    Err(error) => {
                        ledger.check(!is_calm && is_fair(&error), || format!("fetching: {error}"));
                        return;
                    }
                }
                ledger.step();
            }
        }));
    }
    let finish = Box::new(move |ledger: &Ledger| {
        let (sent, got) = (sent.borrow(), got.borrow());
        let strays = got.iter().filter(|datagram| !sent.contains_key(datagram)).count();
        ledger.check(strays == 0, || format!("{strays} datagrams came that nobody had sent"));
        if unix {
            let mut seen = got.clone();
            seen.sort_unstable();
            seen.dedup();
            ledger.check(seen.len() == got.len(), || "a datagram came twice".to_owned());
            if receivers == 1 {
                for sender in 0..senders {
                    let turns =
                        got.iter().filter(|(from, _)| *from == sender).map(|(_, turn)| turn);
                    ledger.check(turns.is_sorted(), || format!("those of {sender} changed places"));
                }
            }
        }
        if unix && is_calm {
            let (sent, got) = (sent.len(), got.len());
            ledger.check(sent == got, || format!("{got} datagrams of {sent} came"));
        }
    });
    Some(Played { tasks, close: None, finish })
}
