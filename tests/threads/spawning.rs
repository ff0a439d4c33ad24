//! Tasks that one thread gives to the hub of another.

use crate::in_child::{in_child, in_child_with, tell, this_test};
use crate::server::Server;
use crate::{LONG, ms};
use greenlet::sync::thread::{Receiver, one_shot, unbounded};
use greenlet::{
    Deadlock, Greenlet, GreenletExit, HubHandle, RemoteJoinError, current, sleep, spawn, timeout,
    yield_now,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn a_task_runs_on_the_other_thread_and_its_result_comes_back() {
    let server = Server::new();
    let there = server.thread.as_ref().unwrap().thread().id();
    assert_ne!(there, thread::current().id());
    for _ in 0..100 {
        // From a thread without a hub, and from a greenlet.
        assert_eq!(server.hub.spawn(|| thread::current().id()).join().unwrap(), there);
    }
    let hub = server.hub.clone();
    let (asked, others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (asked.clone(), others.clone());
    let asking = spawn(move || {
        let answer = hub.spawn(move || {
            while counts.1.load(SeqCst) == 0 {
                yield_now(); // until the greenlet beside the one that joins has run
            }
            counts.0.fetch_add(7, SeqCst)
        });
        answer.join().unwrap()
    });
    let beside = spawn(move || others.store(1, SeqCst));
    assert_eq!(asking.join().unwrap(), 0);
    beside.join().unwrap();
    assert_eq!(asked.load(SeqCst), 7);
}

#[test]
fn tasks_of_one_thread_begin_in_their_order() {
    let server = Server::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let joins: Vec<_> = (0..500)
        .map(|n| {
            let order = order.clone();
            server.hub.spawn(move || order.lock().unwrap().push(n))
        })
        .collect();
    joins.into_iter().for_each(|join| join.join().unwrap());
    assert_eq!(*order.lock().unwrap(), (0..500).collect::<Vec<_>>());
}

#[test]
fn many_threads_spawn_at_once() {
    let server = Server::new();
    let sum = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (hub, sum) = (server.hub.clone(), sum.clone());
            thread::spawn(move || {
                let joins: Vec<_> = (0..1_000)
                    .map(|n| {
                        let sum = sum.clone();
                        hub.spawn(move || {
                            if n % 7 == 0 {
                                yield_now();
                            }
                            sum.fetch_add(n, SeqCst);
                        })
                    })
                    .collect();
                joins.into_iter().for_each(|join| join.join().unwrap());
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(sum.load(SeqCst), 4 * 999 * 1_000 / 2);
}

#[test]
fn what_is_raised_comes_back() {
    let server = Server::new();
    let error = server.hub.spawn(|| -> u8 { resume_unwind(Box::new("out of tea")) }).join();
    let error = error.unwrap_err();
    assert_eq!(error.payload_as_str(), Some("out of tea"));
    assert_eq!(error.to_string(), "the task failed: out of tea");
    let exit = server.hub.spawn(|| drop(current().kill())).join().unwrap_err();
    assert!(matches!(exit, RemoteJoinError::Killed), "{exit}");
    assert_eq!(exit.to_string(), "the task was killed");
    assert!(exit.is_killed() && exit.is::<GreenletExit>() && exit.payload_as_str().is_none());
}

#[test]
fn a_join_has_limits_and_is_interrupted_and_the_task_goes_on() {
    let server = Server::new();
    let (go, gone) = unbounded::<u32>();
    let task = server.hub.spawn(move || gone.recv().unwrap());
    assert!(!task.wait_timeout(ms(2)));
    let task = task.join_timeout(ms(2)).unwrap_err();
    let task = spawn(move || {
        assert!(timeout(ms(2), || task.wait()).is_err());
        task
    })
    .join()
    .unwrap();
    go.send(3).unwrap();
    assert_eq!(task.join_timeout(LONG).unwrap().unwrap(), 3);
}

#[test]
fn what_nobody_joins_is_dropped() {
    let mut server = Server::new();
    let result = Arc::new(());
    let back = result.clone();
    drop(server.hub.spawn(move || back));
    server.hub.spawn(|| ()).join().unwrap();
    server.end();
    assert_eq!(Arc::strong_count(&result), 1);
}

#[test]
fn a_hub_that_has_ended_gives_back() {
    let mut server = Server::new();
    assert!(!server.hub.has_ended());
    server.end();
    assert!(server.hub.has_ended());
    let refused = server.hub.try_spawn(|| 7).unwrap_err();
    assert_eq!(refused.to_string(), "the hub has ended");
    assert_eq!((refused.into_body())(), 7);
    let paper = Arc::new(());
    let held = paper.clone();
    let task = server.hub.spawn(move || drop(held));
    assert!(task.is_finished());
    task.kill();
    assert!(matches!(task.join(), Err(RemoteJoinError::HubEnded)));
    assert_eq!(Arc::strong_count(&paper), 1);
}

/// Keeps the current thread, and those that it makes from now on, on one processor, if the system knows how.
fn share_a_processor() {
    // SAFETY: zeroes are such a value.
    let mut here: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: takes nothing.
    let Ok(number) = usize::try_from(unsafe { libc::sched_getcpu() }) else { return };
    // SAFETY: a set, and a number that is checked against its length.
    unsafe { libc::CPU_SET(number, &mut here) };
    // SAFETY: a set of that length.
    unsafe { libc::sched_setaffinity(0, size_of_val(&here), &here) };
}

/// From now on whomever the current thread wakes runs before it goes on.
fn give_way() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: reads the record.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &none) };
}

/// The hub's thread has refused a task before the sender looks.
#[test]
fn a_hub_without_stacks_is_not_one_that_has_ended() {
    let outcome = in_child_with(this_test!(), &[("GREENLET_GUARD", "mprotect")], || {
        share_a_processor();
        let (introduce, hub) = one_shot();
        let (finish, finished) = one_shot::<()>();
        let thread = thread::spawn(move || {
            let hub = HubHandle::current();
            let taken: Vec<_> = std::iter::from_fn(|| Greenlet::try_new(|()| ()).ok()).collect();
            introduce.send(hub).unwrap();
            finished.recv().unwrap();
            std::mem::forget(taken); // it is a long way to unwind them all
        });
        let hub = hub.recv().unwrap();
        give_way();
        for n in 0..300 {
            let task = hub.try_spawn(|| ());
            let task = task.unwrap_or_else(|error| panic!("after {n}: {error}"));
            assert!(matches!(task.join(), Err(RemoteJoinError::NoStack(_))));
        }
        finish.send(()).unwrap();
        thread.join().unwrap();
        tell("done", &[1]);
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("done"), [1]);
}

#[test]
fn a_thread_that_ends_without_run_answers_who_joins() {
    let outcome = in_child(this_test!(), || {
        let (introduce, hub) = one_shot();
        let (end, ended) = one_shot::<()>();
        let (deaf, is_deaf) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            introduce.send(HubHandle::current()).unwrap();
            ended.recv().unwrap();
            // From now on the hub reads no letters.
            deaf.send(()).unwrap();
            released.recv().unwrap();
        });
        let hub = hub.recv().unwrap();
        let (began, begun) = one_shot();
        let running = hub.spawn(move || {
            began.send(()).unwrap();
            sleep(LONG);
        });
        begun.recv().unwrap();
        end.send(()).unwrap();
        is_deaf.recv().unwrap();
        let paper = Arc::new(());
        let kept = paper.clone();
        let late = hub.spawn(move || drop(kept));
        release.send(()).unwrap();
        assert!(matches!(running.join(), Err(RemoteJoinError::HubEnded)));
        assert!(matches!(late.join(), Err(RemoteJoinError::HubEnded)));
        thread.join().unwrap();
        assert!(hub.has_ended());
        tell("papers", &[Arc::strong_count(&paper)]);
    });
    outcome.exited_with(0).says("1 task of other threads never began");
    assert_eq!(outcome.numbers("papers"), [1]);
}

/// Returns when the kernel says of a thread, time and again, that it sleeps.
fn until_it_sleeps(thread_id: libc::pid_t) {
    let mut times = 0;
    while times < 100 {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread_id}/stat")).unwrap();
        let state = stat.rsplit(") ").next().unwrap().as_bytes()[0];
        times = if state == b'S' { times + 1 } else { 0 };
        thread::yield_now();
    }
}

#[test]
fn while_somebody_has_a_handle_waiting_is_no_deadlock() {
    let outcome = in_child(this_test!(), || {
        let (introduce, hub) = one_shot();
        let (wait, waits) = one_shot();
        let thread = thread::spawn(move || {
            introduce.send(HubHandle::current()).unwrap();
            let event = std::rc::Rc::new(greenlet::sync::Event::new());
            // SAFETY: always succeeds.
            wait.send(unsafe { libc::gettid() }).unwrap();
            let raised = catch_unwind(AssertUnwindSafe(|| event.wait())).unwrap_err();
            raised.is::<Deadlock>()
        });
        let hub: HubHandle = hub.recv().unwrap();
        let thread_id = waits.recv().unwrap();
        let second = hub.clone();
        for _ in 0..20 {
            assert_eq!(hub.spawn(|| 5).join().unwrap(), 5);
        }
        drop(hub);
        assert_eq!(second.spawn(|| 6).join().unwrap(), 6);
        assert!(!thread.is_finished());
        until_it_sleeps(thread_id);
        // The last handle: now nothing can happen any more, and the hub is told though it sleeps.
        drop(second);
        assert!(thread.join().unwrap());
        tell("done", &[1]);
    });
    outcome.exited_with(0).says("deadlock");
    assert_eq!(outcome.numbers("done"), [1]);
}

#[test]
fn a_panic_that_nobody_asks_for_is_reported() {
    let outcome = in_child(this_test!(), || {
        let server = Server::new();
        drop(server.hub.spawn(|| panic!("into the void")));
        server.hub.spawn(|| ()).join().unwrap();
    });
    outcome.exited_with(0).says("failed: into the void (nobody asked for its result)");
}

#[test]
fn the_child_of_a_fork_has_no_hub_of_its_parent() {
    let outcome = in_child(this_test!(), || {
        let server = Server::new();
        let (answer, wait): (_, Receiver<u32>) = unbounded();
        let task = server.hub.spawn(move || wait.recv().unwrap());
        server.hub.spawn(|| ()).join().unwrap();
        // SAFETY: the child ends by `_exit`.
        match unsafe { libc::fork() } {
            0 => {
                let given_back = server.hub.try_spawn(|| 1).is_err();
                let ended = matches!(task.join(), Err(RemoteJoinError::HubEnded));
                // SAFETY: ends the child.
                unsafe { libc::_exit(i32::from(given_back && ended && server.hub.has_ended())) }
            }
            child => {
                let mut status = 0;
                // SAFETY: our own child.
                unsafe { libc::waitpid(child, &mut status, 0) };
                tell("code", &[libc::WEXITSTATUS(status) as usize]);
            }
        }
        answer.send(4).unwrap();
        assert_eq!(task.join().unwrap(), 4);
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("code"), [1]);
}

#[test]
fn a_hub_may_be_given_tasks_by_its_own_thread() {
    let hub = HubHandle::current();
    let task = hub.spawn(|| 8);
    assert!(!task.is_finished());
    assert_eq!(task.join().unwrap(), 8);
    let place = Arc::new(Mutex::new(None));
    let own = place.clone();
    let selfish = hub.spawn(move || {
        sleep(ms(1));
        let own = own.lock().unwrap().take();
        let itself: greenlet::RemoteJoin<()> = own.expect("put there before this began");
        catch_unwind(AssertUnwindSafe(|| itself.wait())).unwrap_err();
    });
    *place.lock().unwrap() = Some(selfish);
    while place.lock().unwrap().is_some() {
        sleep(ms(1));
    }
    assert_eq!(hub.spawn(|| 9).join().unwrap(), 9);
}

/// The last handle goes when its task was sent, and before anybody here has looked: that is no deadlock.
#[test]
fn what_was_sent_before_the_last_handle_went_is_done_first() {
    thread_local! {
        static DONE: greenlet::sync::Event = const { greenlet::sync::Event::new() };
    }
    let send = |f: fn() -> u32| {
        let hub = HubHandle::current();
        thread::spawn(move || hub.spawn(f)).join().unwrap()
    };
    let task = send(|| {
        DONE.with(|done| done.set());
        6
    });
    DONE.with(|done| done.wait());
    assert_eq!(task.join().unwrap(), 6);
    let task = send(|| 7);
    greenlet::run_until_idle();
    assert!(task.is_finished());
    let task = send(|| 8);
    assert!(greenlet::run_until_idle_timeout(LONG));
    assert!(task.is_finished());
}

/// Letters are opened by whoever looks at the world. The task is not his.
#[test]
fn a_task_inherits_nothing_from_whoever_opens_the_mail() {
    greenlet::inherited_local! {
        static REQUEST: u32 = 0;
    }
    let hub = HubHandle::current();
    let task = thread::spawn(move || hub.spawn(|| REQUEST.with(|it| *it))).join().unwrap();
    let seen = REQUEST.scope(7, || {
        greenlet::turn(Duration::ZERO);
        task.join().unwrap()
    });
    assert_eq!(seen, 0);
}
