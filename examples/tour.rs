//! A tour of the tree in a few seconds: what a switch costs, what a greenlet weighs, how one ends.
//!
//! `cargo run --release --example tour`

use greenlet::{Greenlet, GreenletExit, Step, SwitchError, generator, root, suspend};
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

fn main() {
    if std::env::var_os("TOUR_OVERFLOWS").is_some() {
        return overflow();
    }
    switch_cost();
    values_and_types();
    endless_generator();
    many();
    kill();
    overflow();
}

fn headline(text: &str) {
    println!("\n-- {text}");
}

/// Suspends below `depth` calls that are not inlined, as a real `recv` in a handler would.
#[inline(never)]
fn suspend_below(depth: usize, value: u64) -> u64 {
    if depth == 0 { suspend(value) } else { black_box(suspend_below(depth - 1, value)) }
}

fn switch_cost() {
    headline("what a round trip costs: into a greenlet and back, suspended below 0, 2 and 4 calls");
    let rounds = 1_000_000;
    for depth in [0, 2, 4] {
        let echo = Greenlet::new(move |mut value: u64| -> () {
            loop {
                value = suspend_below(depth, value);
            }
        });
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            for value in 0..rounds {
                assert_eq!(echo.switch::<u64, u64>(black_box(value)), value);
            }
            best = best.min(start.elapsed().as_nanos() as f64 / rounds as f64);
        }
        println!("depth {depth}: {best:5.1} ns {}", "#".repeat(best.round() as usize));
    }
}

fn values_and_types() {
    headline("values are checked by type when they are sent, and a refused one comes back");
    let greeter = Greenlet::builder().name("greeter").create(|name: &str| format!("hello {name}"));
    let greeter = greeter.expect("memory for a stack");
    match greeter.try_switch::<i32, String>(42) {
        Err(SwitchError::Refused { why, value }) => {
            println!("{greeter}: {why}; still have {value}")
        }
        other => println!("unexpected: {other:?}"),
    }
    println!("{greeter}: {}", greeter.switch::<&str, String>("world"));
}

fn endless_generator() {
    headline("a generator with an endless body, dropped after ten items");
    let fibonacci = generator(|out| {
        let (mut a, mut b) = (0_u64, 1);
        loop {
            out.give(a);
            (a, b) = (b, a + b);
        }
    });
    println!("{:?}", fibonacci.take(10).collect::<Vec<_>>());
    let mut sums = greenlet::Coroutine::new(|out, mut x: i32| {
        let mut sum = 0;
        while x != 0 {
            sum += x;
            x = out.give(sum);
        }
        "the end"
    });
    for x in [3, 4, 0] {
        match sums.resume(x) {
            Step::Yielded(sum) => print!("{sum}, "),
            Step::Returned(end) => println!("{end}"),
        }
    }
}

fn many() {
    let count = 100_000;
    headline("100,000 greenlets, each suspended inside a call");
    let before = memory_kib();
    let start = Instant::now();
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let greenlet = match Greenlet::try_new(move |()| suspend_below(2, number as u64)) {
            Ok(greenlet) => greenlet,
            Err(error) => {
                println!("stopped at {number}: {error}");
                break;
            }
        };
        assert_eq!(greenlet.switch::<(), u64>(()), number as u64);
        all.push(greenlet);
    }
    let (elapsed, bytes) = (start.elapsed(), (memory_kib() - before) * 1024 / all.len().max(1));
    println!("{} suspended in {elapsed:.0?}, {bytes} bytes each with page tables", all.len());
    let some = &all[all.len() / 2];
    if let Some(backtrace) = some.backtrace() {
        println!("{some} holds {} bytes of stack and waits in:", some.stack_used().unwrap_or(0));
        let text = backtrace.to_string();
        let calls = text.lines().filter(|line| line.contains("tour::"));
        calls.take(4).for_each(|line| println!("    {}", line.trim()));
    }
    let start = Instant::now();
    drop(all);
    println!("all unwound by dropping their handles in {:.0?}", start.elapsed());
}

/// Resident memory and page tables of this process.
fn memory_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> usize {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    field("VmRSS:") + field("VmPTE:")
}

struct Guard(&'static str, Rc<Cell<u32>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
        println!("{} is given back", self.0);
    }
}

fn kill() {
    headline("a kill unwinds: destructors run, then the kill returns");
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    let worker = Greenlet::new(move |()| {
        let _file = Guard("the file", count.clone());
        let _lock = Guard("the lock", count);
        suspend::<(), ()>(());
    });
    let () = worker.switch(());
    let answer = worker.kill();
    println!("answer: {answer}; destructors run: {}; dead: {}", dropped.get(), worker.is_dead());
    assert!(answer.is::<GreenletExit>());
    assert_eq!(greenlet::current(), root());
}

/// Overflows in a child process, because that is the end of it.
fn overflow() {
    #[inline(never)]
    fn eat(stack: &mut [u8; 512], depth: u64) -> u64 {
        stack[depth as usize % 512] = 1;
        let deeper = if depth == u64::MAX { 0 } else { eat(&mut [stack[0]; 512], depth + 1) };
        deeper + u64::from(stack[1])
    }
    if std::env::var_os("TOUR_OVERFLOWS").is_some() {
        let eater = Greenlet::builder().name("eater").create(|()| eat(&mut [0; 512], 0));
        let _: u64 = eater.expect("memory for a stack").switch(());
        return;
    }
    headline("a stack overflow is caught by the guard and has a name (in a child process)");
    let program = std::env::current_exe().expect("the path of this program");
    let output = std::process::Command::new(program).env("TOUR_OVERFLOWS", "1").output();
    let output = output.expect("run this program again");
    let text = String::from_utf8_lossy(&output.stderr);
    println!("{}; the child ended by {}", text.trim(), output.status);
}
