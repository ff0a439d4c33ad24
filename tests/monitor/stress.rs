//! Reports in the middle of everything: switches, panics, hubs that come and go.

use crate::in_child::{in_child, this_test};
use crate::random::Random;
use crate::{ms, watch};
use greenlet::{Greenlet, TaskBuilder, sleep, spawn, suspend, yield_now};
use std::panic::{catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Some depth of calls, and at the bottom anything that takes a while.
#[inline(never)]
fn work(depth: u64, random: &Random) -> usize {
    if depth > 0 {
        return std::hint::black_box(work(depth - 1, random)) + 1;
    }
    let until = Instant::now() + Duration::from_micros(random.below(3000));
    let mut done = 0;
    while Instant::now() < until {
        match random.below(6) {
            0 => drop(catch_unwind(|| resume_unwind(Box::new(1)))),
            1 => drop(std::hint::black_box(vec![0_u8; random.below(10_000) as usize])),
            2 => {
                let g = Greenlet::new(|()| {
                    for _ in 0..20 {
                        let () = suspend(());
                    }
                });
                (0..10).for_each(|_| g.switch::<(), ()>(()));
            }
            3 => yield_now(),
            4 => drop(format!("{:?}", random.next())),
            _ => done += std::hint::black_box((0..1000_u64).sum::<u64>()) as usize,
        }
    }
    done
}

#[test]
fn whatever_is_interrupted_goes_on() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(ms(1));
        let until = Instant::now() + ms(2000);
        let threads: Vec<_> = (0..2_u64)
            .map(|seed| {
                std::thread::spawn(move || {
                    greenlet::run(|| {
                        let random = std::rc::Rc::new(Random::new(seed + 5));
                        let tasks: Vec<_> = (0..10)
                            .map(|_| {
                                let random = random.clone();
                                let builder = TaskBuilder::new().name("works");
                                let body = move || {
                                    while Instant::now() < until {
                                        work(random.below(40), &random);
                                        sleep(Duration::from_micros(random.below(500)));
                                    }
                                };
                                builder.stack_size(128 << 10).spawn(body).unwrap()
                            })
                            .collect();
                        tasks.into_iter().for_each(|task| task.join().unwrap());
                    })
                })
            })
            .collect();
        // Hubs that come and go meanwhile.
        while Instant::now() < until {
            std::thread::spawn(|| {
                spawn(|| ()).join().unwrap();
                let began = Instant::now();
                while began.elapsed() < ms(2) {}
            })
            .join()
            .unwrap();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let stalls: Vec<_> = heard.try_iter().collect();
        let with_calls = stalls.iter().filter(|stall| !stall.backtrace().is_empty()).count();
        println!("{} stalls, {with_calls} with calls", stalls.len());
    });
    print!("{}", outcome.stdout);
    outcome.exited_with(0);
}
