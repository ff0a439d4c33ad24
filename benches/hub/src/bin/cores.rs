//! Several processors: what it costs to wake a hub from another thread, and what a second hub brings.
//!
//! ```text
//! cargo build --release -p greenlet-hub-benches --bin load      # the clients
//! cargo run --release -p greenlet-hub-benches --bin cores       # about a minute; two processors
//! cargo run --release -p greenlet-hub-benches --bin cores -- --quick
//! ```
//!
//! *wake*: a word goes there and back between two threads, each on a processor of its own, and each
//! asleep when it comes; half of that is one way. Processor time is that of both threads.
//!
//! *port*: echo of 64 bytes to 100 connections per processor; the clients of a processor run on it, too,
//! beside its hub. So one hub has one processor, and two have two.
//!
//! Both mean something only where the two processors are otherwise idle: what else runs there keeps them
//! awake, and takes from two hubs what it leaves to one.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use greenlet::net::TcpListener;
use greenlet::sync::thread::unbounded;
use greenlet::{Config, HubKind, Workers, spawn_detached, workers};
use greenlet_benches::machine;
use greenlet_hub_benches::cpu::ProcessClock;
use greenlet_hub_benches::harness::process::Running;
use greenlet_hub_benches::load::report::Report;
use greenlet_hub_benches::raw::wake::{Bell, Inlet};
use greenlet_hub_benches::stats::Median;

/// Wakes across threads, and two hubs on one port beside one.
#[derive(Parser)]
struct Options {
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Rounds per question
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
}

fn main() {
    let options = Options::parse();
    let cpus = machine::allowed_cpus();
    let [one, two, ..] = cpus[..] else {
        println!("cores: not asked, there is one processor");
        return;
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("CPUs     {one} and {two}, load {}", load.split(' ').next().unwrap_or_default());
    if cfg!(debug_assertions) {
        println!("WARNING  not a release build: the figures mean nothing");
    }
    let (rounds, trips, window) = if options.quick { (3, 500, 60) } else { (15, 3_000, 300) };
    let rounds = options.rounds.map_or(rounds, usize::from);
    wakes(rounds, trips, [one, two]);
    if let Err(why) = ports(rounds, Duration::from_millis(window), [one, two]) {
        println!("port: not asked: {why}");
    }
}

/// Nanoseconds one way: on the clock, and of processor time.
type Way = (f64, f64);

/// One way of sending a word there and back, so many times.
type Trips = fn([usize; 2], u32) -> Way;

const WAKES: [(&str, Trips); 6] = [
    ("eventfd, epoll: raw", by_eventfd),
    ("message to a ring: raw", by_rings),
    ("std channel", by_std),
    ("hub, message to its ring", |cpus, trips| by_hubs(HubKind::Uring, "", cpus, trips)),
    ("hub, eventfd in its ring", |cpus, trips| {
        by_hubs(HubKind::Uring, "sync_msg_ring", cpus, trips)
    }),
    ("hub, eventfd in epoll", |cpus, trips| by_hubs(HubKind::Epoll, "", cpus, trips)),
];

fn wakes(rounds: usize, trips: u32, cpus: [usize; 2]) {
    println!(
        "\nwake: one way from a processor to another, {rounds} rounds of {trips} there and back"
    );
    let mut figures = vec![(Vec::new(), Vec::new()); WAKES.len()];
    for _ in 0..rounds {
        for ((_, trip), (clock, cpu)) in WAKES.iter().zip(&mut figures) {
            let (ns, cpu_ns) = trip(cpus, trips);
            clock.push(ns / 1000.0);
            cpu.push(cpu_ns / 1000.0);
        }
    }
    let (clock, cpu) = figures[0].clone();
    for ((name, _), (own, own_cpu)) in WAKES.iter().zip(&figures) {
        println!(
            "  {name:26} {} us   CPU {} us   x raw {} / {}",
            spread(Median::of(own.iter().copied()), 1),
            spread(Median::of(own_cpu.iter().copied()), 1),
            spread(Median::of_ratios(own, &clock), 2),
            spread(Median::of_ratios(own_cpu, &cpu), 2),
        );
    }
    println!("  bar: a message to the ring is at most 0.85 of the eventfd");
}

fn spread(median: Option<Median>, digits: usize) -> String {
    let Some(Median { low, median, high }) = median else { return "-".into() };
    format!("{median:.digits$} [{low:.digits$}..{high:.digits$}]")
}

/// Runs `there` and `back` on a processor each; `there` gives its time for so many ways.
fn measured(
    cpus: [usize; 2],
    trips: u32,
    there: impl FnOnce() -> (Duration, Duration) + Send,
    back: impl FnOnce() + Send,
) -> Way {
    thread::scope(|scope| {
        scope.spawn(move || {
            machine::pin(cpus[1]).expect("a processor that is allowed");
            back();
        });
        let there = scope.spawn(move || {
            machine::pin(cpus[0]).expect("a processor that is allowed");
            there()
        });
        let (clock, cpu) = there.join().expect("no panic");
        let ways = f64::from(2 * trips);
        (clock.as_nanos() as f64 / ways, cpu.as_nanos() as f64 / ways)
    })
}

/// Trips before those that are timed.
const WARM_UP: u32 = 50;

/// The time of `trip`, called so often after it was called a few times: on the clock, of the process.
fn timed(trips: u32, mut trip: impl FnMut()) -> (Duration, Duration) {
    (0..WARM_UP).for_each(|_| trip());
    let clock = ProcessClock::own();
    let (began, cpu) = (Instant::now(), clock.now().expect("our own clock"));
    (0..trips).for_each(|_| trip());
    (began.elapsed(), clock.now().expect("our own clock") - cpu)
}

fn by_eventfd(cpus: [usize; 2], trips: u32) -> Way {
    let (to, back) = (&Bell::new(), &Bell::new());
    measured(
        cpus,
        trips,
        || {
            timed(trips, || {
                to.ring();
                back.wait();
            })
        },
        || {
            for _ in 0..WARM_UP + trips {
                to.wait();
                back.ring();
            }
        },
    )
}

fn by_rings(cpus: [usize; 2], trips: u32) -> Way {
    let (tell, to) = mpsc::channel();
    let (tell_back, back) = mpsc::channel();
    measured(
        cpus,
        trips,
        move || {
            let mut inlet = Inlet::new().expect("a ring");
            tell_back.send(inlet.address()).expect("the other is there");
            let to = to.recv().expect("the other is there");
            timed(trips, || {
                inlet.send(to);
                inlet.wait();
            })
        },
        move || {
            let mut inlet = Inlet::new().expect("a ring");
            tell.send(inlet.address()).expect("the other is there");
            let back = back.recv().expect("the other is there");
            for _ in 0..WARM_UP + trips {
                inlet.wait();
                inlet.send(back);
            }
            inlet.flush();
        },
    )
}

fn by_std(cpus: [usize; 2], trips: u32) -> Way {
    let (to, from) = mpsc::channel();
    let (back, answers) = mpsc::channel();
    measured(
        cpus,
        trips,
        move || {
            timed(trips, || {
                to.send(1).expect("the other is there");
                answers.recv().expect("the other is there");
            })
        },
        move || from.into_iter().try_for_each(|n: u8| back.send(n)).unwrap_or_default(),
    )
}

fn by_hubs(kind: HubKind, disable: &'static str, cpus: [usize; 2], trips: u32) -> Way {
    let (to, from) = unbounded();
    let (back, answers) = unbounded();
    let on_hub = move || Config::new().hub(kind).disable(disable).apply().expect("this hub");
    measured(
        cpus,
        trips,
        move || {
            on_hub();
            greenlet::run(|| {
                timed(trips, || {
                    to.send(1).expect("the other is there");
                    answers.recv().expect("the other is there");
                })
            })
        },
        move || {
            on_hub();
            greenlet::run(|| from.iter().try_for_each(|n: u8| back.send(n)).unwrap_or_default());
        },
    )
}

/// Echo servers on the first `count` processors, at one address.
fn serve(count: usize, steered: bool) -> std::io::Result<(Workers<()>, SocketAddr)> {
    let port = TcpListener::builder().reuse_port(true).bind("127.0.0.1:0")?;
    let address = port.local_addr()?;
    let (ready, all) = unbounded();
    let crew = workers(count, move |worker| {
        let mut builder = TcpListener::builder().reuse_port(true).backlog(4096);
        if let Some(cpu) = worker.cpu().filter(|_| steered) {
            builder = builder.incoming_cpu(cpu);
        }
        let listener = builder.bind(address).expect("a shared port");
        ready.send(()).expect("somebody waits");
        spawn_detached(move || {
            for stream in listener.incoming() {
                spawn_detached(move || drop(echo(&stream.expect("a client"))));
            }
        });
        worker.wait_for_stop();
    })?;
    all.iter().take(count).for_each(drop);
    drop(port); // it has kept the number until the others had it, too
    Ok((crew, address))
}

fn echo(mut stream: &greenlet::net::TcpStream) -> std::io::Result<()> {
    use std::io::{Read, Write};
    let mut buffer = [0; 4096];
    stream.set_nodelay(true)?;
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

fn ports(rounds: usize, window: Duration, cpus: [usize; 2]) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let cases = [
        ("one hub", 1, true),
        ("two hubs, SO_INCOMING_CPU", 2, true),
        ("two hubs, by hash", 2, false),
    ];
    let mut crews = Vec::new();
    for (name, count, steered) in cases {
        crews.push((name, serve(count, steered).map_err(text)?, count, Vec::new()));
    }
    println!("\nport: requests a second in thousands, {rounds} rounds of {window:?}");
    for _ in 0..rounds {
        for (_, (_, address), count, figures) in &mut crews {
            figures.push(requests(*address, &cpus[..*count], window)? / 1000.0);
        }
    }
    let base = crews[0].3.clone();
    for (name, (crew, _), _, figures) in crews {
        println!(
            "  {name:26} {}   x one {}",
            spread(Median::of(figures.iter().copied()), 0),
            spread(Median::of_ratios(&figures, &base), 2),
        );
        drop(crew.stop(Duration::from_secs(1)));
    }
    println!("  bar: two hubs bring at least 1.9 times as much as one");
    Ok(())
}

/// Requests a second of one load on each of these processors.
fn requests(address: SocketAddr, cpus: &[usize], window: Duration) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut loads = Vec::new();
    for &cpu in cpus {
        let mut command = Command::new(program.with_file_name("load"));
        command.args(["echo", &address.to_string(), "--connections", "100", "--warm-up", "50"]);
        command.args(["--milliseconds", &window.as_millis().to_string(), "--hold"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        loads.push(Running::start(&mut command, cpu).map_err(|error| format!("load: {error}"))?);
    }
    for load in &mut loads {
        load.line(Duration::from_secs(20))?; // connected
    }
    loads.iter_mut().try_for_each(Running::go_on)?;
    let mut sum = 0.0;
    for load in &mut loads {
        let line = load.line(window + Duration::from_secs(20))?;
        sum += Report::parse(&line).ok_or(line)?.rate();
    }
    Ok(sum)
}
