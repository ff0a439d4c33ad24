//! A small program that makes every system call of the crate, for `failures`.
//!
//! It ends with 0 when all went well, with [`TOLD`] and a line when a call of ours answered with an
//! error, and in no other way.

use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use greenlet::{Greenlet, offload, sleep, spawn, suspend, timeout, try_spawn};
use std::io::{self, Read, Write};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Duration;

/// The status of an end that a failed system call explains.
pub(crate) const TOLD: u8 = 3;

/// A system call that nobody else makes: what comes before it is the start of the process, not ours.
pub(crate) const MARK: &str = "getpriority";

pub(crate) fn run() -> ExitCode {
    // SAFETY: takes two numbers and changes nothing.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    match program() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("told: {error}");
            ExitCode::from(TOLD)
        }
    }
}

fn program() -> Result<(), String> {
    trees().map_err(|error| format!("greenlets: {error}"))?;
    greenlet::Config::new().apply().map_err(|error| format!("hub: {error}"))?;
    tasks().map_err(|error| format!("tasks: {error}"))?;
    threads().map_err(|error| format!("threads: {error}"))?;
    sockets().map_err(|error| format!("sockets: {error}"))
}

/// Another thread, which wakes this one's hub.
fn threads() -> Result<(), String> {
    match catch_unwind(|| offload(|| 6 * 7)) {
        Ok(42) => Ok(()),
        Ok(wrong) => panic!("{wrong} is not what the thread said"),
        Err(payload) => Err(payload.downcast().map_or("a panic".into(), |text| *text)),
    }
}

/// Stacks in slabs of their own, and more of them than one slab has.
fn trees() -> Result<(), String> {
    let greenlets: Result<Vec<Greenlet>, _> =
        (0..200).map(|_| Greenlet::try_new(|()| suspend::<(), ()>(()))).collect();
    let greenlets = greenlets.map_err(|error| error.to_string())?;
    greenlets.iter().for_each(|greenlet| greenlet.switch(()));
    Ok(())
}

fn tasks() -> Result<(), String> {
    let tasks: Result<Vec<_>, _> = (0..100)
        .map(|number| {
            try_spawn(move || {
                sleep(Duration::from_micros(number));
                number
            })
        })
        .collect();
    let ends = tasks.map_err(|error| error.to_string())?.into_iter().map(|task| task.join());
    let sum: u64 = ends.map(|end| end.map_err(|error| error.to_string())).sum::<Result<_, _>>()?;
    if sum == 4950 { Ok(()) } else { Err(format!("the sum is {sum}")) }
}

fn sockets() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = spawn(move || -> io::Result<()> {
        for _ in 0..5 {
            let (mut stream, _) = listener.accept()?;
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes)?;
            stream.write_all(&bytes)?;
        }
        Ok(())
    });
    // Whoever fails leaves the others waiting for what never comes.
    let clients = timeout(Duration::from_secs(5), || -> io::Result<()> {
        for number in 0..5_u8 {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(&[number; 5])?;
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes)?;
            if bytes != [number; 5] {
                panic!("wrong bytes: {bytes:?}");
            }
        }
        Ok(())
    });
    if server.is_finished() {
        server.join().map_err(|error| io::Error::other(error.to_string()))??;
    }
    clients.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let (mut near, mut far) = UnixStream::pair()?;
    near.write_all(b"pair")?;
    far.read_exact(&mut [0; 4])?;
    let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    a.send_to(b"datagram", b.local_addr()?)?;
    b.recv(&mut [0; 9])?;
    let never = timeout(Duration::from_millis(2), || near.read(&mut [0; 1]));
    if never.is_ok() { Err(io::Error::other("bytes from nowhere")) } else { Ok(()) }
}
