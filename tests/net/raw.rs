//! What std has no name for.
#![expect(unsafe_code, reason = "system calls")]

use greenlet::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

/// Sets how many connections may wait at a listener; one more than that.
pub(crate) fn set_backlog(listener: &(impl AsRawFd + ?Sized), length: i32) {
    // SAFETY: touches no memory.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), length) }, 0);
}

fn set(socket: &(impl AsRawFd + ?Sized), option: i32, value: &[i32]) {
    let length = size_of_val(value) as libc::socklen_t;
    let fd = socket.as_raw_fd();
    // SAFETY: the value has that length.
    let result =
        unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, value.as_ptr().cast(), length) };
    assert_eq!(result, 0);
}

/// Closing this socket resets the connection.
pub(crate) fn reset_on_close(socket: &(impl AsRawFd + ?Sized)) {
    set(socket, libc::SO_LINGER, &[1, 0]);
}

/// Makes the kernel's buffers of a socket as small as can be.
pub(crate) fn shrink(socket: &(impl AsRawFd + ?Sized)) {
    set(socket, libc::SO_SNDBUF, &[1]);
    set_receive_buffer(socket, 1);
}

pub(crate) fn set_receive_buffer(socket: &(impl AsRawFd + ?Sized), bytes: i32) {
    set(socket, libc::SO_RCVBUF, &[bytes]);
}

fn ask(socket: &(impl AsRawFd + ?Sized), request: libc::Ioctl) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: both requests write one `int`.
    assert_eq!(unsafe { libc::ioctl(socket.as_raw_fd(), request, &raw mut bytes) }, 0);
    bytes as usize
}

/// Bytes that were sent and whose receipt is not known here.
pub(crate) fn not_received(socket: &(impl AsRawFd + ?Sized)) -> usize {
    ask(socket, libc::TIOCOUTQ)
}

/// Bytes that have come and were not read yet.
pub(crate) fn not_taken(socket: &(impl AsRawFd + ?Sized)) -> usize {
    ask(socket, libc::FIONREAD)
}

/// Does the peer take more, and nothing is on its way there? False also where nobody says it: on Linux before 5.4, and
/// under qemu-user.
///
/// Source: Linux, include/uapi/linux/tcp.h, `tcpi_unacked` and `tcpi_snd_wnd`.
pub(crate) fn has_room(socket: &impl AsRawFd) -> bool {
    const UNACKED: usize = 24;
    const WINDOW: usize = 228;
    let mut info = [0_u8; WINDOW + 4];
    let mut length = info.len() as libc::socklen_t;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_INFO);
    // SAFETY: as many bytes as the length says.
    let result = unsafe {
        let value = info.as_mut_ptr().cast();
        libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut length)
    };
    assert_eq!(result, 0);
    let word = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().unwrap());
    word(WINDOW) > 0 && word(UNACKED) == 0
}

/// Lets this process have as many descriptors as it may; how many those are.
pub(crate) fn all_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a valid address.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: a valid limit.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    limit.rlim_cur
}

/// Is `SIGPIPE` deadly now? Rust's start-up has made it harmless.
pub(crate) fn make_sigpipe_deadly() {
    // SAFETY: the default action needs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Is the descriptor in non-blocking mode?
pub(crate) fn is_nonblocking(socket: &(impl AsRawFd + ?Sized)) -> bool {
    // SAFETY: touches no memory.
    let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

/// Is it closed on exec?
pub(crate) fn is_closed_on_exec(socket: &(impl AsRawFd + ?Sized)) -> bool {
    // SAFETY: touches no memory.
    let flags = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFD) };
    assert!(flags >= 0);
    flags & libc::FD_CLOEXEC != 0
}

/// The number that the kernel would give out next.
pub(crate) fn next_number() -> i32 {
    let file = std::fs::File::open("/dev/null").unwrap();
    file.as_raw_fd()
}

/// The stream of a descriptor that was given up as a number.
pub(crate) fn stream(number: i32) -> TcpStream {
    // SAFETY: the caller has just been given it.
    unsafe { TcpStream::from_raw_fd(number) }
}

/// Another name for it, with the lowest free number from there on; none if there is none.
pub(crate) fn copy_from(socket: &impl AsRawFd, lowest: i32) -> Option<OwnedFd> {
    // SAFETY: takes no addresses.
    let number = unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
    // SAFETY: just made.
    (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Calls `meanwhile` while another thread sends signals to this one, which nobody minds.
pub(crate) fn under_signals<R>(meanwhile: impl FnOnce() -> R) -> R {
    extern "C" fn ignore(_: libc::c_int) {}
    let signal = libc::SIGRTMIN() + 5;
    // SAFETY: a handler that does nothing; the rest of the record may be zero.
    let this = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0);
        libc::pthread_self()
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                // SAFETY: the thread waits for this one to end.
                unsafe { libc::pthread_kill(this, signal) };
                thread::yield_now();
            }
        });
        let result = catch_unwind(AssertUnwindSafe(meanwhile));
        done.store(true, SeqCst);
        result.unwrap_or_else(|payload| resume_unwind(payload))
    })
}
