//! How code is ended that is in the middle of something: by a time limit, by a kill, by its stack.

use super::screen::{headline, whole};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::{Greenlet, sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

const CHILD: &str = "TOUR_OVERFLOWS";

pub(crate) fn tour() {
    if let Err(error) = time_limit() {
        println!("  {error}");
    }
    kill();
    stack_overflow();
}

/// Says when it is dropped.
struct Told(&'static str);

impl Drop for Told {
    fn drop(&mut self) {
        println!("    dropped: {}", self.0);
    }
}

/// A handler reads from a client that never says anything.
fn time_limit() -> io::Result<()> {
    const LIMIT: Duration = Duration::from_millis(100);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let silent = spawn(move || -> io::Result<usize> {
        let mut stream = &TcpStream::connect(address)?;
        let mut greeting = [0; 6];
        stream.read_exact(&mut greeting)?;
        stream.read(&mut greeting) // until the other side ends
    });
    println!("  timeout({LIMIT:?}, a handler whose client is silent)");
    let (stream, _) = listener.accept()?;
    let began = Instant::now();
    let outcome = timeout(LIMIT, move || {
        let _connection = Told("the connection, deep in a handler");
        handler(&stream)
    });
    let took = began.elapsed().as_secs_f64() * 1e3;
    match outcome {
        Err(elapsed) => println!("    ended after {took:.1} ms: {elapsed}"),
        Ok(outcome) => println!("    not ended, which is wrong: {outcome:?}"),
    }
    if let Ok(Ok(0)) = silent.join() {
        println!("    the client saw the end of the stream");
    }
    Ok(())
}

fn handler(mut stream: &TcpStream) -> io::Result<()> {
    let _session = Told("the handler's session");
    stream.write_all(b"hello\n")?;
    let mut request = [0; 100];
    stream.read_exact(&mut request)
}

/// A task counts, and lets others run between its steps.
fn kill() {
    println!("  kill() of a task that counts, 50 ms after it began");
    let steps = Rc::new(Cell::new(0_u64));
    let seen = steps.clone();
    let counting = spawn(move || {
        let _file = Told("the counting task's file");
        loop {
            seen.set(seen.get() + 1);
            yield_now();
        }
    });
    sleep(Duration::from_millis(50));
    let began = Instant::now();
    counting.kill();
    let took = began.elapsed().as_secs_f64() * 1e6;
    let outcome: Result<(), _> = counting.join();
    match outcome {
        Err(error) if error.is_killed() => {
            let steps = whole(steps.get());
            println!("    after {steps} steps: {error}, and had ended {took:.0} µs later");
        }
        outcome => println!("    not killed, which is wrong: {outcome:?}"),
    }
    println!("  Code that never waits or yields cannot be ended so: nothing here preempts.");
}

/// Shown in a child process, because that is the end of it.
fn stack_overflow() {
    headline("a stack overflow is caught by a guard, and the greenlet is named");
    let program = std::env::current_exe();
    let child = program.and_then(|path| std::process::Command::new(path).env(CHILD, "1").output());
    match child {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            println!("  {}", said.trim());
            println!("  (in a child process, which ended by {})", output.status);
        }
        Err(error) => println!("  no child process to show it in: {error}"),
    }
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Calls itself until its stack ends.
pub(crate) fn overflow() {
    #[inline(never)]
    fn eat(stack: &mut [u8; 512], depth: u64) -> u64 {
        stack[depth as usize % 512] = 1;
        let deeper = if depth == u64::MAX { 0 } else { eat(&mut [stack[0]; 512], depth + 1) };
        deeper + u64::from(stack[1])
    }
    let eater = Greenlet::builder().name("eater").create(|()| eat(&mut [0; 512], 0));
    let _: u64 = eater.expect("memory for a stack").switch(());
}
