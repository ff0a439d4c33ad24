//! Channels between threads: order, room, closing, kills and limits.

use crate::{LONG, hub_thread, ms};
use greenlet::sync::thread::{Receiver, Sender, bounded, one_shot, unbounded};
use greenlet::{sleep, spawn, spawn_detached, timeout, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::thread;

#[test]
fn items_go_from_a_thread_to_a_greenlet_and_back() {
    let (to, from) = unbounded();
    let (back, answers) = unbounded();
    let doubling = thread::spawn(move || from.into_iter().try_for_each(|n: u32| back.send(2 * n)));
    for n in 0..200 {
        to.send(n).unwrap();
        assert_eq!(
            spawn({
                let answers = answers.clone();
                move || answers.recv()
            })
            .join()
            .unwrap(),
            Ok(2 * n)
        );
    }
    drop(to);
    doubling.join().unwrap().unwrap();
    assert_eq!(answers.recv(), Err(RecvError));
}

/// Its greenlets stay where they are for ever, in lists of others as well.
#[test]
fn who_waits_on_a_thread_that_has_ended_takes_nothing() {
    for capacity in [0, 1] {
        let (sender, receiver) = bounded(capacity);
        for _ in 0..capacity {
            sender.send(1).unwrap();
        }
        let (late_sender, late_receiver) = (sender.clone(), receiver.clone());
        let (other, waited_for) = bounded::<u32>(0);
        let ends = thread::spawn(move || {
            spawn_detached(move || _ = late_sender.send(2)); // there is no room
            spawn_detached(move || drop((waited_for.iter().next(), late_receiver)));
            yield_now();
        });
        ends.join().unwrap();
        assert_eq!(other.try_send(3), Err(TrySendError::Full(3)));
        for _ in 0..capacity {
            assert_eq!(receiver.try_recv(), Ok(1));
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "it was not sent");
        let receiving = thread::spawn(move || receiver.recv());
        sender.send(4).unwrap();
        assert_eq!(receiving.join().unwrap(), Ok(4));
    }
}

#[test]
fn two_hubs_answer_one_another() {
    for capacity in [0, 1, usize::MAX] {
        let (to, from) = bounded(capacity);
        let (back, answers) = bounded(capacity);
        let peer = hub_thread(move || from.iter().try_for_each(|n: u32| back.send(n + 1)));
        let me = hub_thread(move || {
            let mut n = 0;
            while n < 1_000 {
                to.send(n).unwrap();
                n = answers.recv().unwrap();
            }
            n
        });
        assert_eq!(me.join().unwrap(), 1_000);
        peer.join().unwrap().unwrap();
    }
}

#[test]
fn others_of_the_thread_run_while_one_receives() {
    let (sender, receiver) = unbounded::<u32>();
    let (gate, opened) = std::sync::mpsc::channel();
    let sending = thread::spawn(move || {
        opened.recv().unwrap();
        sender.send(1).unwrap();
    });
    let receiving = spawn(move || receiver.recv());
    let others = spawn(move || {
        for _ in 0..3 {
            yield_now();
            sleep(ms(1));
        }
        gate.send(()).unwrap();
    });
    others.join().unwrap();
    assert_eq!(receiving.join().unwrap(), Ok(1));
    sending.join().unwrap();
}

#[test]
fn a_thread_without_a_hub_blocks() {
    let (to, from) = bounded(0);
    let (back, answer) = one_shot();
    let plain = thread::spawn(move || back.send(from.recv().unwrap() + 1).unwrap());
    thread::spawn(move || to.send(1).unwrap()).join().unwrap();
    let asking = thread::spawn(move || answer.recv().unwrap());
    assert_eq!(asking.join().unwrap(), 2);
    plain.join().unwrap();
}

#[test]
fn who_sends_waits_for_room_and_comes_in_order() {
    let (sender, receiver) = bounded(2);
    let sent = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let (sender, sent) = (sender.clone(), sent.clone());
            spawn(move || {
                sender.send(n).unwrap();
                sent.set(sent.get() + 1);
            })
        })
        .collect();
    sleep(ms(1));
    assert_eq!(sent.get(), 2);
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(0), Ok(1)));
    drop(sender);
    assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [2, 3, 4]);
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn who_receives_is_served_in_order() {
    let (sender, receiver) = unbounded();
    let order = Rc::new(std::cell::RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..4)
        .map(|who| {
            let (receiver, order) = (receiver.clone(), order.clone());
            spawn(move || {
                let item = receiver.recv().unwrap();
                order.borrow_mut().push((who, item));
            })
        })
        .collect();
    yield_now();
    thread::spawn(move || (0..4).try_for_each(|n| sender.send(n))).join().unwrap().unwrap();
    tasks.into_iter().for_each(|task| task.join().unwrap());
    let mut order = Rc::try_unwrap(order).unwrap().into_inner();
    order.sort_unstable();
    assert_eq!(order, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[test]
fn at_no_capacity_an_item_is_handed_over() {
    let (sender, receiver) = bounded(0);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let sending = spawn({
        let sender = sender.clone();
        move || sender.send(2)
    });
    yield_now();
    assert!(!sending.is_finished());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sending.join().unwrap(), Ok(()));
    let receiving = spawn(move || receiver.recv());
    yield_now();
    assert_eq!(sender.try_send(3), Ok(()));
    assert_eq!(receiving.join().unwrap(), Ok(3));
}

#[test]
fn a_killed_receiver_takes_nothing() {
    let (sender, receiver) = unbounded();
    let killed = spawn({
        let receiver = receiver.clone();
        move || receiver.recv()
    });
    yield_now();
    killed.kill();
    assert!(killed.join().unwrap_err().is_killed());
    sender.send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn what_was_handed_over_wins_over_a_kill() {
    let (sender, receiver) = unbounded();
    let got = Rc::new(Cell::new(0));
    let killed = spawn({
        let got = got.clone();
        move || {
            got.set(receiver.recv().unwrap());
            sleep(LONG);
        }
    });
    yield_now();
    sender.send(1).unwrap();
    killed.kill();
    assert!(killed.join().unwrap_err().is_killed());
    assert_eq!(got.get(), 1);
}

#[test]
fn a_killed_sender_sends_nothing() {
    let (sender, receiver) = bounded(1);
    sender.send(1).unwrap();
    let killed = spawn({
        let sender = sender.clone();
        move || sender.send(2)
    });
    yield_now();
    killed.kill_with("enough");
    assert_eq!(killed.join().unwrap_err().payload_as_str(), Some("enough"));
    drop(sender);
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [1]);
}

/// The drop of what was not sent waits, and lets nothing through that arrives in it.
#[test]
fn a_kill_is_raised_whatever_the_drop_of_the_item_does() {
    struct Swallows;
    impl Drop for Swallows {
        fn drop(&mut self) {
            let _ = catch_unwind(|| sleep(ms(1)));
        }
    }
    let (sender, _receiver) = bounded(0);
    let killed = spawn(move || sender.send(Swallows).is_ok());
    yield_now();
    killed.kill();
    assert!(killed.join().unwrap_err().is_killed());
}

#[test]
fn a_kill_that_was_held_back_is_raised_before_an_item_is_taken() {
    let (sender, receiver) = unbounded();
    sender.send(1).unwrap();
    let killed = spawn({
        let receiver = receiver.clone();
        move || {
            greenlet::shield(yield_now);
            receiver.recv()
        }
    });
    yield_now();
    killed.kill();
    assert!(killed.join().unwrap_err().is_killed());
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[test]
fn limits_pass() {
    let (sender, receiver) = bounded::<u32>(1);
    let check = |sender: &Sender<u32>, receiver: &Receiver<u32>| {
        assert_eq!(receiver.recv_timeout(ms(2)), Err(RecvTimeoutError::Timeout));
        sender.send_timeout(1, LONG).unwrap();
        assert_eq!(sender.send_timeout(2, ms(2)), Err(TrySendError::Full(2)));
        assert_eq!(receiver.recv_timeout(LONG), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    };
    // On a hub, and on a thread without one.
    spawn({
        let (sender, receiver) = (sender.clone(), receiver.clone());
        move || {
            check(&sender, &receiver);
            assert!(timeout(ms(2), || receiver.recv()).is_err());
        }
    })
    .join()
    .unwrap();
    thread::spawn(move || {
        check(&sender, &receiver);
        drop(sender);
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    })
    .join()
    .unwrap();
}

#[test]
fn the_last_receiver_gives_back_what_waits() {
    let (sender, receiver) = bounded(1);
    sender.send(Rc::strong_count(&Rc::new(()))).unwrap();
    let waiting = spawn({
        let sender = sender.clone();
        move || sender.send(2)
    });
    yield_now();
    let second = receiver.clone();
    drop(receiver);
    yield_now();
    assert!(!waiting.is_finished());
    thread::spawn(move || drop(second)).join().unwrap();
    assert_eq!(waiting.join().unwrap(), Err(SendError(2)));
    assert_eq!(sender.send(3), Err(SendError(3)));
    assert_eq!(sender.try_send(4), Err(TrySendError::Disconnected(4)));
}

#[test]
fn the_last_sender_ends_what_receives() {
    let (sender, receiver) = unbounded::<u32>();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let receiver = receiver.clone();
            spawn(move || receiver.recv())
        })
        .collect();
    yield_now();
    let second = sender.clone();
    drop(sender);
    yield_now();
    assert!(waiting.iter().all(|task| !task.is_finished()));
    thread::spawn(move || drop(second)).join().unwrap();
    assert!(waiting.into_iter().all(|task| task.join().unwrap() == Err(RecvError)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn what_nobody_receives_is_dropped_once() {
    let item = std::sync::Arc::new(());
    let (sender, receiver) = bounded(3);
    for _ in 0..3 {
        sender.send(item.clone()).unwrap();
    }
    drop(receiver.recv());
    drop(receiver);
    assert_eq!(std::sync::Arc::strong_count(&item), 1);
    let (sender, receiver) = one_shot();
    sender.send(item.clone()).unwrap();
    drop(receiver);
    assert_eq!(std::sync::Arc::strong_count(&item), 1);
}

#[test]
fn one_shot_says_that_nothing_will_come() {
    let (sender, receiver) = one_shot::<u32>();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    thread::spawn(move || drop(sender)).join().unwrap();
    assert_eq!(receiver.recv(), Err(RecvError));
    let (sender, receiver) = one_shot();
    drop(receiver);
    assert_eq!(sender.send(1), Err(SendError(1)));
}

#[test]
fn a_destructor_receives_while_its_thread_unwinds() {
    struct Receives(Option<Receiver<u32>>, Rc<Cell<u32>>);
    impl Drop for Receives {
        fn drop(&mut self) {
            self.1.set(self.0.take().unwrap().recv().unwrap());
        }
    }
    let (sender, receiver) = bounded(0);
    let sending = thread::spawn(move || sender.send(7).unwrap());
    let got = Rc::new(Cell::new(0));
    let receives = Receives(Some(receiver), got.clone());
    let task = spawn(|| {
        let _receives = receives;
        resume_unwind(Box::new("out"));
    });
    assert!(task.join().is_err());
    assert_eq!(got.get(), 7);
    sending.join().unwrap();
}

#[test]
fn a_stream_that_is_always_ready_lets_others_run() {
    let (sender, receiver) = unbounded();
    (0..10_000).for_each(|n| sender.send(n).unwrap());
    drop(sender);
    let seen = Rc::new(Cell::new(0));
    let counting = spawn({
        let seen = seen.clone();
        move || receiver.iter().for_each(|n| seen.set(n))
    });
    yield_now();
    assert!(seen.get() < 5_000, "{} items at one go", seen.get());
    counting.join().unwrap();
}

#[test]
fn handles_print() {
    let (sender, receiver) = unbounded();
    sender.send(1).unwrap();
    assert_eq!(format!("{sender:?}"), "Sender { items: 1, .. }");
    assert_eq!(format!("{receiver:?}"), "Receiver { items: 1, .. }");
    let unwound = catch_unwind(AssertUnwindSafe(|| receiver.recv()));
    assert_eq!(unwound.unwrap(), Ok(1));
}
