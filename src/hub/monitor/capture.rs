//! Asks a thread what it does: a signal, whose handler copies registers and stack.
//!
//! - **One question at a time**: only the monitor's thread asks. Between its question and the answer the
//!   state says whose the answer's memory is.
//! - **It only copies**: the handler reads its own thread's memory, writes the answer's, and calls nothing
//!   that could wait or allocate.
#![expect(unsafe_code, reason = "a signal handler")]

use super::super::watched::{Beat, Whom, hub_in_handler};
use super::walk::{Copied, Room};
use crate::greenlet::{GreenletId, running};
use std::cell::UnsafeCell;
use std::mem::{MaybeUninit, transmute, zeroed};
use std::ops::Range;
use std::panic::Location;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Sent to one thread at a time. By default it is ignored, programs hardly use it, and debuggers let it
/// pass; Go's runtime takes it for the same reasons.
const SIGNAL: libc::c_int = libc::SIGURG;

/// For so long an answer is waited for: the thread may block the signal, or wait where none arrives.
const PATIENCE: Duration = Duration::from_secs(1);

/// A longer name is cut.
const NAME_BYTES: usize = 128;

/// Nobody asks.
const IDLE: u64 = 0;
/// A handler answers.
const ANSWERING: u64 = 1;
/// There is an answer; the memory is the monitor's again.
const ANSWERED: u64 = 2;
/// The answer is that the thread has gone on meanwhile.
const GONE_ON: u64 = 3;

/// There is a question for this thread; the memory is its handler's once that has said `ANSWERING`.
fn asked(thread_id: libc::pid_t) -> u64 {
    1 << 32 | u64::from(thread_id.cast_unsigned())
}

static STATE: AtomicU64 = AtomicU64::new(IDLE);
static EXCHANGE: Exchange = Exchange(UnsafeCell::new(MaybeUninit::uninit()));

struct Exchange(UnsafeCell<MaybeUninit<(Question, Answer)>>);

// SAFETY: **One question at a time**.
unsafe impl Sync for Exchange {}

struct Question {
    hub: usize,
    beat: Beat,
    root_stack: Range<usize>,
    /// Room for the copy of the stack.
    room: *mut u8,
}

/// What a thread does.
pub(super) struct Answer {
    pub(super) id: Option<GreenletId>,
    name: [u8; NAME_BYTES],
    name_bytes: usize,
    pub(super) created: Option<&'static Location<'static>>,
    pub(super) is_root: bool,
    pub(super) copied: Copied,
}

impl Answer {
    const fn empty() -> Answer {
        Answer {
            id: None,
            name: [0; NAME_BYTES],
            name_bytes: 0,
            created: None,
            is_root: false,
            copied: Copied::nothing(),
        }
    }

    /// The greenlet's name.
    pub(super) fn name(&self) -> Option<String> {
        let bytes = &self.name[..self.name_bytes];
        (self.name_bytes > 0).then(|| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// How a question has ended.
pub(super) enum End {
    Answered(Box<Answer>),
    /// The thread has gone on, or is gone.
    GoneOn,
    /// It does not answer.
    Silent,
}

/// Asks the thread of a hub, if it is still where it was at this beat; `room` is for its stack.
pub(super) fn ask(whom: &Whom, beat: Beat, room: &mut Room) -> End {
    install();
    let question =
        Question { hub: whom.hub, beat, root_stack: whom.root_stack.clone(), room: room.copy() };
    // SAFETY: **One question at a time**: the state is IDLE, so the memory is ours.
    unsafe { (*EXCHANGE.0.get()).write((question, Answer::empty())) };
    let asked = asked(whom.thread_id);
    STATE.store(asked, Ordering::Release);
    // SAFETY: a thread that is not there is an error; one that has its number by now does not answer.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), whom.thread_id, SIGNAL) };
    let until = Instant::now() + if sent == 0 { PATIENCE } else { Duration::ZERO };
    loop {
        match STATE.load(Ordering::Acquire) {
            ANSWERED => break,
            GONE_ON => {
                STATE.store(IDLE, Ordering::Relaxed);
                return End::GoneOn;
            }
            state if state == asked && Instant::now() >= until => {
                let taken_back =
                    STATE.compare_exchange(asked, IDLE, Ordering::Acquire, Ordering::Acquire);
                if taken_back.is_ok() {
                    return if sent == 0 { End::Silent } else { End::GoneOn };
                }
            }
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    // SAFETY: answered, so the memory is ours again; it was filled in above.
    let (_, answer) = unsafe { (*EXCHANGE.0.get()).assume_init_read() };
    STATE.store(IDLE, Ordering::Relaxed);
    End::Answered(Box::new(answer))
}

/// A monitor begins: questions of the process that forked are nobody's.
pub(super) fn forget_questions() {
    STATE.store(IDLE, Ordering::Relaxed);
}

struct Previous(UnsafeCell<libc::sigaction>);

// SAFETY: written before our handler is installed; only that reads it.
unsafe impl Sync for Previous {}

/// The handler that was there before ours.
// SAFETY: zeroes are a valid sigaction: the default.
static PREVIOUS: Previous = Previous(UnsafeCell::new(unsafe { zeroed() }));

/// Not a `Once`: only the monitor's thread comes here, and where a fork caught it in the middle, the child's would
/// wait for ever.
fn install() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Relaxed) {
        return;
    }
    let handler = handle as *const () as usize;
    // SAFETY: zeroes are a valid sigaction.
    let mut before: libc::sigaction = unsafe { zeroed() };
    // SAFETY: asks for what is there.
    unsafe { libc::sigaction(SIGNAL, null(), &mut before) };
    // It is there already where a fork came between the two last steps.
    if before.sa_sigaction != handler {
        // SAFETY: our handler, which reads it, is not there yet.
        unsafe { *PREVIOUS.0.get() = before };
        // SAFETY: zeroes are a valid sigaction.
        let mut ours: libc::sigaction = unsafe { zeroed() };
        ours.sa_sigaction = handler;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: `handle` has the signature that SA_SIGINFO asks for and is async-signal-safe.
        unsafe { libc::sigaction(SIGNAL, &ours, null_mut()) };
    }
    INSTALLED.store(true, Ordering::Relaxed);
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the thread's own `errno`; the system call below could change it.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: always succeeds.
    let asked = asked(unsafe { libc::gettid() });
    if STATE.compare_exchange(asked, ANSWERING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        // SAFETY: the state says that the memory is ours, and the question stands in it. The kernel
        // passes a valid context to a handler with SA_SIGINFO.
        let answered = unsafe {
            let (question, answer) = (*EXCHANGE.0.get()).assume_init_mut();
            fill_in(question, answer, &*context.cast::<libc::ucontext_t>())
        };
        STATE.store(if answered { ANSWERED } else { GONE_ON }, Ordering::Release);
    } else {
        chain(signal, info, context);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Says what this thread does; false if it has gone on since it was seen.
fn fill_in(question: &Question, answer: &mut Answer, context: &libc::ucontext_t) -> bool {
    let Some(running) = running() else { return false };
    let is_stuck = hub_in_handler(question.hub)
        .is_some_and(|hub| hub.is_stuck_at(question.beat, running.stack.is_none()));
    if !is_stuck {
        return false;
    }
    answer.id = Some(running.id);
    answer.created = running.created;
    answer.is_root = running.stack.is_none();
    let name = running.name.unwrap_or_default().as_bytes();
    answer.name_bytes = name.len().min(NAME_BYTES);
    answer.name[..answer.name_bytes].copy_from_slice(&name[..answer.name_bytes]);
    let stack = running.stack.clone().unwrap_or(question.root_stack.clone());
    // SAFETY: the stack of this thread that runs; the room is ours until we have answered.
    unsafe { answer.copied.take(context, stack, &running, question.room) };
    true
}

/// Does what would have happened without us.
fn chain(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: written before this handler was installed, and never again.
    let action = unsafe { &*PREVIOUS.0.get() };
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {} // ignored by default
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever installed it with SA_SIGINFO promised this signature.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: whoever installed it without SA_SIGINFO promised this signature.
            let handler: extern "C" fn(libc::c_int) = unsafe { transmute(handler) };
            handler(signal);
        }
    }
}
