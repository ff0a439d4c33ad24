//! Servers, in worlds where things go wrong.

use greenlet::net::{TcpStream, UdpSocket};
use greenlet::server::{DatagramServer, StreamServer};
use greenlet::sim::{self, Faults, Sim};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

const PLACES: usize = 3;
const CLIENTS: u64 = 8;
const HOUR: Duration = Duration::from_secs(3600);

fn milliseconds(below: u64) -> Duration {
    Duration::from_millis(sim::random_below(below))
}

/// Everything but jumps of the clock, by which any grace may be over at once.
const TROUBLE: Faults = Faults::all().without(Faults::CLOCK);

/// One handler that runs.
struct Inside(Rc<Cell<usize>>);

impl Inside {
    fn new(now: &Rc<Cell<usize>>) -> Inside {
        now.set(now.get() + 1);
        assert!(now.get() <= PLACES, "more handlers than places");
        Inside(now.clone())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        greenlet::sleep(milliseconds(50));
        stream.write_all(&buffer[..read])?;
    }
}

fn ask(text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect("10.0.0.1:7")?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    // Whatever came before an error is looked at, too.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8(answer).expect("what was sent"))
}

/// The kernel may take longer to let go of an operation than a stop waits for who was killed.
fn all_end(running: impl Fn() -> usize) {
    let late = sim::elapsed() + HOUR;
    while running() > 0 {
        assert!(sim::elapsed() < late, "{} live for ever", running());
        greenlet::sleep(Duration::from_millis(10));
    }
}

/// Clients come, some in time; the server is stopped some time, and begins again. How many were
/// answered in full.
fn serve_and_stop(stops_early: bool) -> usize {
    let now = Rc::new(Cell::new(0));
    let server = StreamServer::builder().concurrency(PLACES).bind("10.0.0.1:7", {
        let now = now.clone();
        move |stream, _| {
            let _inside = Inside::new(&now);
            echo(stream)
        }
    });
    // Perhaps there was no descriptor.
    let Ok(server) = server else { return 0 };
    if server.start().is_err() {
        return 0;
    }
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            greenlet::spawn_later(milliseconds(300), move || {
                let text = format!("client {number} says {}", sim::random_below(1 << 40));
                let answer = ask(&text).unwrap_or_default();
                assert!(text.starts_with(&answer), "{answer:?} is not of {text:?}");
                usize::from(answer == text)
            })
        })
        .collect();
    let mut answered = 0;
    if stops_early {
        greenlet::sleep(milliseconds(400));
        server.stop(milliseconds(200));
        all_end(|| server.running());
        assert_eq!(now.get(), 0, "all have ended or were killed");
        // What still came has found nobody, or one that begins again.
        if sim::random_below(2) == 0 && server.start().is_ok() {
            greenlet::sleep(milliseconds(500));
        }
        server.close();
    }
    for client in clients {
        answered += client.join().unwrap();
    }
    server.stop(HOUR);
    all_end(|| server.running());
    assert_eq!(now.get(), 0);
    answered
}

#[test]
fn whatever_the_order_everybody_is_answered() {
    for seed in 0..300 {
        let (answered, report) =
            Sim::new(seed).faults(Faults::timing()).run(|| serve_and_stop(false));
        assert_eq!(answered, CLIENTS as usize, "seed {seed}");
        assert_eq!((report.open_descriptors, report.greenlets), (0, 0), "seed {seed}");
    }
}

#[test]
fn whatever_goes_wrong_a_stop_leaves_nothing_behind() {
    let mut answered = 0;
    for seed in 0..500 {
        let (some, report) = Sim::new(seed).faults(TROUBLE).run(|| serve_and_stop(true));
        assert_eq!((report.open_descriptors, report.greenlets), (0, 0), "seed {seed}");
        assert!(report.virtual_time < HOUR, "seed {seed}: the last stop waits for nobody");
        answered += some;
    }
    assert!(answered > 100, "{answered}: the world is not that bad");
}

#[test]
fn datagrams_are_answered_or_lost_but_nothing_is_left() {
    for seed in 0..200 {
        let program = || {
            let server = DatagramServer::bind("10.0.0.1:7", |bytes, from, socket| {
                greenlet::sleep(milliseconds(20));
                socket.send_to(bytes, from).map(drop)
            });
            let Ok(server) = server else { return };
            if server.start().is_err() {
                return;
            }
            let Ok(client) = UdpSocket::bind("10.0.0.2:0") else { return };
            client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            for number in 0..5 {
                let mut answer = [0; 9];
                if client.send_to(&[number], "10.0.0.1:7").is_ok()
                    && let Ok((length, _)) = client.recv_from(&mut answer)
                {
                    assert!(length == 1 && answer[0] <= number, "{answer:?}");
                }
            }
            server.stop(milliseconds(30));
            all_end(|| server.running());
        };
        let ((), report) = Sim::new(seed).faults(TROUBLE).run(program);
        assert_eq!((report.open_descriptors, report.greenlets), (0, 0), "seed {seed}");
    }
}
