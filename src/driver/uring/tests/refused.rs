//! A kernel that does not want, and what others may see of a ring.

use super::*;
use crate::driver::filter::forbid;
use crate::driver::uring::why_refused;
use std::fs;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What `new` answers on a thread that may not make that call.
fn refused(call: libc::c_long, errno: i32) -> io::Error {
    let attempt = move || {
        forbid(call, errno, None);
        let new = if errno == libc::ENOMEM { Uring::new } else { ring };
        new(&Settings::default()).err().expect("the filter forbids it")
    };
    thread::spawn(attempt).join().unwrap()
}

#[test]
fn filter_that_forbids_rings_is_named() {
    needs_a_ring!();
    for (errno, says) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
        for call in [libc::SYS_io_uring_setup, libc::SYS_io_uring_register] {
            let error = refused(call, errno);
            assert_eq!(error.raw_os_error(), Some(errno));
            assert!(why_refused(&error).contains(says), "{}", why_refused(&error));
        }
    }
}

#[test]
fn shortage_of_memory_is_waited_for_and_then_named() {
    needs_a_ring!();
    let start = Instant::now();
    let error = refused(libc::SYS_io_uring_setup, libc::ENOMEM);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
    assert!(why_refused(&error).contains("RLIMIT_MEMLOCK"));
}

#[test]
fn ring_is_made_as_large_as_memory_allows() {
    needs_a_ring!();
    let small = || {
        // Of the powers of two, 32 fits.
        forbid(libc::SYS_io_uring_setup, libc::ENOMEM, Some((0, 32)));
        let mut bench = Bench::without(Capabilities::NONE);
        assert!(bench.uring.to_string().starts_with("io_uring, 32 + 512 entries: "));
        assert_eq!(bench.result(Request::Nop), 0);
    };
    thread::spawn(small).join().unwrap();
}

#[test]
fn disabled_ring_is_unsupported() {
    needs_a_ring!();
    let settings = Settings { disabled: Capabilities::URING, ..Settings::default() };
    let error = Uring::new(&settings).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert_eq!(why_refused(&error), "io_uring refused: io_uring is disabled by the settings");
}

/// In a child process, since the limit is the process's: as nobody, who may lock no memory.
#[test]
fn ring_needs_no_locked_memory() {
    needs_a_ring!();
    const MARK: &str = "GREENLET_DRIVER_TEST_CHILD";
    let name = "driver::uring::tests::refused::ring_needs_no_locked_memory";
    if std::env::var_os(MARK).is_none() {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child.args([name, "--exact", "--nocapture"]).env(MARK, "1").output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
        return;
    }
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: sets a limit of this process, and the identity of this thread only (the system call,
    // not the function of the C library); refused if we are nobody already.
    unsafe {
        assert_eq!(libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const none), 0);
        libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534);
    }
    match Uring::new(&Settings::default()) {
        Ok(uring) => super::requests::every_request(&mut Bench { uring, ended: Vec::new() }),
        // Before 5.12; the answer is then the right one.
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENOMEM)),
    }
}

#[test]
fn programs_and_forks_do_not_get_the_ring() {
    needs_a_ring!();
    let bench = Bench::without(Capabilities::NONE);
    // SAFETY: reads the flags of the ring's descriptor.
    let flags = unsafe { libc::fcntl(bench.uring.ring.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);

    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    // Each mapping begins with a line that names it, and has its flags at the end. The rings of other tests may be
    // in the making.
    // SAFETY: zeroes are a valid record.
    let mut file: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: fills in the record.
    assert_eq!(unsafe { libc::fstat(bench.uring.ring.as_raw_fd(), &mut file) }, 0);
    let inode = format!(" {} ", file.st_ino);
    let mut rings = 0;
    let mut name = "";
    for line in maps.lines() {
        match line.strip_prefix("VmFlags:") {
            Some(flags) if name.contains("io_uring") && name.contains(&inode) => {
                assert!(flags.split_whitespace().any(|flag| flag == "dc"), "{name}: {flags}");
                rings += 1;
            }
            None if line.starts_with(|c: char| c.is_ascii_hexdigit() && !c.is_uppercase()) => {
                name = line;
            }
            _ => {}
        }
    }
    assert!(rings >= 2);
}

#[test]
fn rings_come_and_go() {
    needs_a_ring!();
    // More than the sixteen that a thread may register, so that forgotten ones would be noticed.
    for _ in 0..100 {
        let mut bench = Bench::without(Capabilities::NONE);
        assert!(bench.uring.capabilities.has(Capabilities::REGISTERED_RING));
        assert_eq!(bench.result(Request::Nop), 0);
    }
    // At once, some are not registered, and work.
    let mut benches: Vec<_> = (0..20).map(|_| Bench::without(Capabilities::NONE)).collect();
    for bench in &mut benches {
        assert_eq!(bench.result(Request::Nop), 0);
    }
    let registered = |bench: &&Bench| bench.uring.capabilities.has(Capabilities::REGISTERED_RING);
    assert_eq!(benches.iter().filter(registered).count(), 16);
}

#[test]
fn thread_that_may_not_send_messages_is_told() {
    needs_a_ring!();
    let bench = Bench::without(Capabilities::NONE);
    let Waker::Ring(_) = &**bench.uring.waker() else { return }; // before 6.13
    let waker = bench.uring.waker().clone();
    let attempt = move || {
        forbid(libc::SYS_io_uring_register, libc::EPERM, None);
        waker.wake();
    };
    let text = *thread::spawn(attempt).join().unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("GREENLET_DISABLE=sync_msg_ring"), "{text}");
    // Others may all the same.
    bench.uring.waker().wake();
}
