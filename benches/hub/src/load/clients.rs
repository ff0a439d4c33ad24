//! The loop of the clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use io_uring::{IoUring, opcode, squeue, types};

use super::report::{Report, microseconds};
use super::traffic::{Answer, Traffic};
use crate::cpu::ProcessClock;
use crate::raw::ring;

/// Connections that are opened before the first of them has its answer: less than any backlog.
const AT_ONCE: usize = 64;

/// Without any answer for so long, a run has failed.
const STALL: Duration = Duration::from_secs(5);

/// Marks completions of sends; they come only for failures.
const SEND: u64 = 1 << 63;

type Error = Box<dyn std::error::Error>;

struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
    came: usize,
    number: u64,
    sent: Instant,
}

/// Connected clients, each with one request answered.
pub struct Clients {
    ring: IoUring,
    traffic: Traffic,
    clients: Vec<Client>,
    last: Vec<u8>,
    outstanding: usize,
}

/// How long to run, and whose processor time to read beside our own.
pub struct Window {
    pub warm_up: Duration,
    pub length: Duration,
    pub server: Option<ProcessClock>,
}

impl Clients {
    /// Connects `count` clients and lets each ask once.
    ///
    /// # Errors
    /// When the server does not take them or answers wrongly.
    pub fn connect(address: SocketAddr, count: usize, traffic: Traffic) -> Result<Clients, Error> {
        let ring = ring::build()?;
        let mut clients = Vec::with_capacity(count);
        let mut last = Vec::new();
        while clients.len() < count {
            let first = clients.len();
            for _ in first..count.min(first + AT_ONCE) {
                let stream = TcpStream::connect_timeout(&address, STALL)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(STALL))?;
                let buffer = vec![0; traffic.room()].into_boxed_slice();
                let sent = Instant::now();
                clients.push(Client { stream, buffer, came: 0, number: 0, sent });
            }
            for (index, client) in clients.iter_mut().enumerate().skip(first) {
                client.stream.write_all(traffic.request(index, client.number))?;
            }
            for (index, client) in clients.iter_mut().enumerate().skip(first) {
                client.ask_blocking(&traffic, index, &mut last)?;
            }
        }
        Ok(Clients { ring, traffic, clients, last, outstanding: 0 })
    }

    /// Runs one window and takes the answers that are still due.
    ///
    /// # Errors
    /// When an answer is wrong, late, or a connection ends.
    pub fn run(&mut self, window: &Window) -> Result<Report, Error> {
        let mut histogram = Histogram::<u32>::new_with_bounds(1, 60_000_000_000, 3)?;
        let own = ProcessClock::own();
        let server_now = || window.server.as_ref().map_or(Ok(Duration::ZERO), ProcessClock::now);

        let begin = Instant::now();
        (0..self.clients.len()).for_each(|index| self.ask(index, begin));
        self.turn_until(begin + window.warm_up, &mut histogram)?;

        histogram.reset();
        let (began, own_before, server_before) = (Instant::now(), own.now()?, server_now()?);
        self.turn_until(began + window.length, &mut histogram)?;
        let (took, own_after, server_after) = (began.elapsed(), own.now()?, server_now()?);

        let report = Report {
            requests: histogram.len(),
            seconds: took.as_secs_f64(),
            p50_us: histogram.value_at_quantile(0.5) as f64 / 1e3,
            p99_us: histogram.value_at_quantile(0.99) as f64 / 1e3,
            own_us: microseconds(own_after - own_before),
            server_us: microseconds(server_after - server_before),
        };
        while self.outstanding > 0 {
            self.turn(false, &mut histogram)?;
        }
        Ok(report)
    }

    /// Requests that the clients ever made, the first ones left out.
    pub fn asked(&self) -> u64 {
        self.clients.iter().map(|client| client.number - 1).sum()
    }

    fn turn_until(&mut self, end: Instant, histogram: &mut Histogram<u32>) -> Result<(), Error> {
        while self.turn(true, histogram)? < end {}
        Ok(())
    }

    /// Submits, waits for an answer, takes all that came; says when that was.
    fn turn(&mut self, again: bool, histogram: &mut Histogram<u32>) -> Result<Instant, Error> {
        let limit = types::Timespec::from(STALL);
        let limit = types::SubmitArgs::new().timespec(&limit);
        match self.ring.submitter().submit_with_args(1, &limit) {
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => {
                return Err(format!("no answer for {STALL:?}").into());
            }
            Err(error) if error.raw_os_error() != Some(libc::EINTR) => return Err(error.into()),
            _ => {}
        }
        let now = Instant::now();
        let mut completions = [(0, 0); 256];
        loop {
            let mut count = 0;
            for completion in self.ring.completion().take(completions.len()) {
                completions[count] = (completion.user_data(), completion.result());
                count += 1;
            }
            if count == 0 {
                return Ok(now);
            }
            for &(word, result) in &completions[..count] {
                if word & SEND != 0 {
                    return Err(format!("a send gave {result}").into());
                }
                self.received(word as usize, result, again, now, histogram)?;
            }
        }
    }

    fn received(
        &mut self,
        index: usize,
        result: i32,
        again: bool,
        now: Instant,
        histogram: &mut Histogram<u32>,
    ) -> Result<(), Error> {
        let client = &mut self.clients[index];
        match result {
            0 => return Err("the server ended a connection".into()),
            ..0 => return Err(std::io::Error::from_raw_os_error(-result).into()),
            _ => client.came += result as usize,
        }
        let request = self.traffic.request(index, client.number);
        match self.traffic.check(request, &client.buffer[..client.came], &mut self.last)? {
            Answer::Part => self.receive(index),
            Answer::Whole => {
                self.outstanding -= 1;
                histogram.saturating_record((now - client.sent).as_nanos() as u64);
                if again {
                    self.ask(index, now);
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, index: usize, now: Instant) {
        let client = &mut self.clients[index];
        (client.came, client.sent, client.number) = (0, now, client.number + 1);
        let request = self.traffic.request(index, client.number);
        let fd = types::Fd(client.stream.as_raw_fd());
        let entry = opcode::Send::new(fd, request.as_ptr(), request.len() as u32)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS)
            .user_data(SEND);
        // SAFETY: requests live as long as the ring.
        unsafe { ring::push(&mut self.ring, &entry) };
        self.outstanding += 1;
        self.receive(index);
    }

    fn receive(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let rest = &mut client.buffer[client.came..];
        let fd = types::Fd(client.stream.as_raw_fd());
        let whole = if self.traffic.is_whole() { libc::MSG_WAITALL } else { 0 };
        let entry = opcode::Recv::new(fd, rest.as_mut_ptr(), rest.len() as u32)
            .flags(whole)
            .ioprio(POLL_FIRST)
            .build()
            .user_data(index as u64);
        // SAFETY: the buffer has its place on the heap for as long as the ring lives.
        unsafe { ring::push(&mut self.ring, &entry) };
    }
}

/// `IORING_RECVSEND_POLL_FIRST`: the answer cannot be there yet.
const POLL_FIRST: u16 = 1;

impl Client {
    fn ask_blocking(
        &mut self,
        traffic: &Traffic,
        index: usize,
        last: &mut Vec<u8>,
    ) -> Result<(), Error> {
        loop {
            match self.stream.read(&mut self.buffer[self.came..])? {
                0 => return Err("the server ended a connection at once".into()),
                length => self.came += length,
            }
            let request = traffic.request(index, self.number);
            if let Answer::Whole = traffic.check(request, &self.buffer[..self.came], last)? {
                self.number = 1;
                return Ok(());
            }
        }
    }
}
