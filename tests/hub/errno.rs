//! `errno` belongs to whoever made the system call, also when others run in between.

use crate::ms;
use greenlet::{Greenlet, sleep, spawn, yield_now};

fn errno() -> i32 {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

fn set_errno(number: i32) {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() = number }
}

#[test]
fn errno_is_kept_across_every_way_to_park() {
    let noise = spawn(|| {
        for number in 1000..1400 {
            set_errno(number);
            yield_now();
        }
        sleep(ms(1));
        set_errno(2000);
    });
    let quiet = spawn(|| {
        for number in 1..100 {
            set_errno(number);
            yield_now();
            assert_eq!(errno(), number, "yield_now");
        }
        set_errno(libc::EXDEV);
        sleep(ms(3));
        assert_eq!(errno(), libc::EXDEV, "sleep");
    });
    set_errno(libc::ENOTTY);
    quiet.wait();
    assert_eq!(errno(), libc::ENOTTY, "wait");
    quiet.join().unwrap();
    noise.join().unwrap();
}

#[test]
fn errno_is_kept_in_raw_greenlets_that_sleep() {
    let g = Greenlet::new(|()| {
        set_errno(libc::ENOLCK);
        sleep(ms(2));
        assert_eq!(errno(), libc::ENOLCK);
    });
    let other = spawn(|| set_errno(1));
    let () = g.switch(());
    other.join().unwrap();
}
