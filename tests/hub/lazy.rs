//! Nothing is set up: the hub is there when it is needed, on every thread, in every greenlet.

use crate::in_child::{in_child, this_test};
use crate::log::Log;
use crate::ms;
use greenlet::{Greenlet, JoinHandle, sleep, spawn, yield_now};
use std::time::Instant;

#[test]
fn the_first_call_makes_the_hub() {
    let began = Instant::now();
    sleep(ms(2));
    assert!(began.elapsed() >= ms(2));
    assert_eq!(spawn(|| 6 * 7).join().unwrap(), 42);
}

#[test]
fn tasks_run_in_the_order_of_their_spawning_and_share_the_thread() {
    let log = Log::default();
    let tasks: Vec<JoinHandle<usize>> = (0..4)
        .map(|n| {
            let log = log.clone();
            spawn(move || {
                log.say(format!("{n} begins"));
                yield_now();
                log.say(format!("{n} ends"));
                n
            })
        })
        .collect();
    assert!(log.lines().is_empty(), "nobody runs before the spawner waits");
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.join().unwrap(), n);
    }
    let order = ["0 begins", "1 begins", "2 begins", "3 begins"];
    let ends = ["0 ends", "1 ends", "2 ends", "3 ends"];
    assert_eq!(log.lines(), [order, ends].concat());
}

#[test]
fn raw_greenlets_sleep_and_hand_their_end_to_their_parent() {
    let log = Log::default();
    let (inner, other) = (log.clone(), log.clone());
    let task = spawn(move || other.say("a task runs meanwhile"));
    let g = Greenlet::new(move |()| -> i32 {
        sleep(ms(2));
        inner.say("slept");
        7
    });
    let seven: i32 = g.switch(());
    assert_eq!(seven, 7);
    assert!(g.is_dead());
    task.join().unwrap();
    assert_eq!(log.lines(), ["a task runs meanwhile", "slept"]);
}

#[test]
fn a_hundred_threads_have_a_hub_each() {
    let threads: Vec<_> = (0..100_u32)
        .map(|number| {
            std::thread::spawn(move || {
                let tasks: Vec<_> = (0..20_u32)
                    .map(|n| {
                        spawn(move || {
                            sleep(ms(u64::from(n % 3)));
                            n + number
                        })
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).sum::<u32>()
            })
        })
        .collect();
    for (number, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap(), 190 + 20 * number as u32);
    }
}

/// The one test whose root greenlet is that of `main`: the child's.
#[test]
fn main_may_return_while_tasks_are_parked() {
    let outcome = in_child(this_test!(), || {
        let parked = spawn(|| sleep(std::time::Duration::MAX));
        let ready = spawn(|| {
            loop {
                yield_now();
            }
        });
        sleep(ms(1));
        std::mem::forget((parked, ready));
    });
    outcome.exited_with(0).says_only(&[]);
}

#[test]
fn twenty_thousand_tasks_park_at_once() {
    let tasks: Vec<_> = (0..20_000_u64).map(|n| spawn(move || sleep(ms(1 + n % 5)))).collect();
    for task in tasks {
        task.join().unwrap();
    }
}
