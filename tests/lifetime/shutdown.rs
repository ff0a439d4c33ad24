//! The end of the process with greenlets left: rules 144, 145.

use crate::child::in_child;
use greenlet::{Greenlet, suspend};

fn nest(depth: u32) {
    if depth > 0 {
        let inner = Greenlet::new(move |()| nest(depth - 1));
        inner.switch_any(());
        std::mem::forget(inner);
    }
    greenlet::root().switch::<(), ()>(());
}

#[test]
fn the_process_ends_well_with_suspended_greenlets() {
    let case = || {
        for count in [1, 10, 50] {
            for _ in 0..count {
                let g = Greenlet::new(|()| nest(10));
                g.switch::<(), ()>(());
                std::mem::forget(g);
            }
        }
        let g = Greenlet::new(|()| {
            // Suspended inside a handler.
            if std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(1_u8))).is_err() {
                suspend::<(), ()>(());
            }
        });
        g.switch::<(), ()>(());
        std::mem::forget(g);
    };
    in_child("shutdown::the_process_ends_well_with_suspended_greenlets", case).done();
}

#[test]
fn the_process_may_end_inside_a_greenlet_while_threads_have_some() {
    let case = || {
        let (send, receive) = std::sync::mpsc::channel();
        for _ in 0..4 {
            let send = send.clone();
            std::thread::spawn(move || {
                let g = Greenlet::new(|()| nest(10));
                g.switch::<(), ()>(());
                send.send(()).unwrap();
                loop {
                    std::thread::park();
                }
            });
        }
        (0..4).for_each(|_| receive.recv().unwrap());
        Greenlet::new(|()| {
            println!("case done");
            std::process::exit(0);
        })
        .switch_any(());
    };
    in_child("shutdown::the_process_may_end_inside_a_greenlet_while_threads_have_some", case)
        .done();
}

#[test]
#[expect(unsafe_code, reason = "registers an exit handler")]
fn greenlets_work_in_exit_handlers() {
    extern "C" fn at_exit() {
        let answer: u8 = Greenlet::new(|x: u8| x + 1).switch(1_u8);
        let g = Greenlet::new(|()| suspend::<(), ()>(()));
        g.switch::<(), ()>(());
        drop(g.kill());
        println!("at exit {answer}");
        assert_eq!(answer, 2);
    }
    let case = || {
        Greenlet::new(|()| ()).switch::<(), ()>(());
        // SAFETY: the handler neither unwinds nor exits.
        assert_eq!(unsafe { libc::atexit(at_exit) }, 0);
    };
    in_child("shutdown::greenlets_work_in_exit_handlers", case).done();
}
