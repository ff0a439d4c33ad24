//! One hub per processor: threads that each run the same body, and are ended together.
#![expect(unsafe_code, reason = "sched_getaffinity(2), sched_setaffinity(2)")]

use super::remote::RemoteJoin;
use super::remote_error::RemoteJoinError;
use crate::greenlet::run;
use crate::hub::HubHandle;
use crate::sync::thread::{Event, OneReceiver, OneSender, one_shot};
use crate::worker::without_signals;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Starts `count` threads with a hub each and calls `body` in a task on each of them. Waits until all of
/// them run.
///
/// Each thread stays on one processor of those that this thread may run on, in turn. A worker is done when
/// its `body` has returned; tasks that are left on its hub then are killed. The body should return when
/// [`stop`](Workers::stop) or [`request_stop`](Workers::request_stop) is called: see [`Worker::wait_for_stop`].
///
/// ```
/// use greenlet::net::{TcpListener, TcpStream};
/// use greenlet::spawn_detached;
/// use std::io::{Read, Write};
///
/// let port = TcpListener::builder().reuse_port(true).bind("127.0.0.1:0")?;
/// let address = port.local_addr()?;
/// drop(port);
/// let workers = greenlet::workers(2, move |worker| {
///     let mut listener = TcpListener::builder().reuse_port(true);
///     if let Some(cpu) = worker.cpu() {
///         listener = listener.incoming_cpu(cpu); // connections stay on their processor
///     }
///     let listener = listener.bind(address).unwrap();
///     spawn_detached(move || {
///         for stream in listener.incoming() {
///             spawn_detached(move || drop(stream.unwrap().write_all(b"hello")));
///         }
///     });
///     worker.wait_for_stop();
///     worker.index()
/// })?;
/// # let mut text = String::new();
/// # while text.is_empty() {
/// #     let _ = TcpStream::connect(address).and_then(|mut s| s.read_to_string(&mut text));
/// # }
/// # assert_eq!(text, "hello");
/// let done = workers.stop(std::time::Duration::from_secs(60));
/// let done: Vec<usize> = done.into_iter().map(Result::unwrap).collect();
/// assert_eq!(done, [0, 1]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// A thread could not be started, or the hub of one could not be made (its panic message says why). Workers
/// that have begun are told to stop, and not waited for.
///
/// # Panics
/// If `count` is 0.
///
/// # Cancellation
/// What arrives inside is raised here; workers that have begun are told to stop, and not waited for.
pub fn workers<T: Send + 'static>(
    count: usize,
    body: impl Fn(Worker) -> T + Send + Sync + 'static,
) -> io::Result<Workers<T>> {
    assert!(count > 0, "greenlet::workers: at least one");
    let cpus = allowed_cpus();
    let (body, stop) = (Arc::new(body), Arc::new(Event::new()));
    // Tells those that have begun, if not all do.
    let mut starting = Starting { all_begin: false, stop: stop.clone() };
    let mut members = Vec::new();
    let mut threads = Vec::new();
    for index in 0..count {
        let wanted = (!cpus.is_empty()).then(|| cpus[index % cpus.len()]);
        let (introduce, introduced) = one_shot();
        let (finish, finished) = one_shot::<()>();
        let (body, stop) = (body.clone(), stop.clone());
        let thread = thread::Builder::new().name(format!("worker {index}")).spawn(move || {
            let worker = Worker { index, cpu: wanted.filter(|&cpu| pin(cpu)), stop };
            run(move || serve(&body, worker, introduce));
            drop(finish);
        })?;
        threads.push((introduced, finished, thread));
    }
    for (introduced, finished, thread) in threads {
        let (hub, task) = introduced
            .recv()
            .map_err(|_| io::Error::other("the hub of a worker cannot be made"))?;
        members.push(Member { hub, task, finished, thread });
    }
    starting.all_begin = true;
    Ok(Workers { members, stop })
}

/// The root greenlet of a worker: its hub runs until the body has ended.
fn serve<T: Send + 'static>(
    body: &Arc<impl Fn(Worker) -> T + Send + Sync + 'static>,
    worker: Worker,
    introduce: OneSender<(HubHandle, RemoteJoin<T>)>,
) {
    /// Says so when it is dropped, however the body ends.
    struct Ends(Option<OneSender<()>>);
    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.take().map(|ends| ends.send(()));
        }
    }
    let (ends, ended) = one_shot();
    let (hub, body, ends) = (HubHandle::current(), body.clone(), Ends(Some(ends)));
    let task = hub.spawn(move || {
        let _ends = ends;
        body(worker)
    });
    // Whoever has started us waits for this.
    let _ = introduce.send((hub, task));
    let _ = ended.recv();
}

/// The argument of the bodies of [`workers`]: which worker it is, and when to stop.
#[derive(Debug, Clone)]
pub struct Worker {
    index: usize,
    cpu: Option<usize>,
    stop: Arc<Event>,
}

impl Worker {
    /// Its number, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The processor on which it runs, if it could be told to stay there.
    pub fn cpu(&self) -> Option<usize> {
        self.cpu
    }

    /// Whether the workers were told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// Parks until the workers are told to stop.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn wait_for_stop(&self) {
        self.stop.wait();
    }
}

/// The handle of threads with a hub each, made by [`workers`]. They go on if this is dropped.
#[must_use = "the workers go on without it, and nobody can stop them"]
pub struct Workers<T: Send + 'static> {
    members: Vec<Member<T>>,
    stop: Arc<Event>,
}

struct Member<T: Send + 'static> {
    hub: HubHandle,
    task: RemoteJoin<T>,
    /// Closed when nothing is left of its greenlets.
    finished: OneReceiver<()>,
    thread: thread::JoinHandle<()>,
}

/// Workers of which not all have begun.
struct Starting {
    all_begin: bool,
    stop: Arc<Event>,
}

impl<T: Send + 'static> Workers<T> {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The hubs of all workers, to give them tasks.
    pub fn hubs(&self) -> impl Iterator<Item = &HubHandle> {
        self.members.iter().map(|member| &member.hub)
    }

    /// Tells all of them to stop; returns at once.
    pub fn request_stop(&self) {
        self.stop.set();
    }

    /// Waits until all are done, and returns what their bodies returned, by number.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the workers go on.
    pub fn join(self) -> Vec<Result<T, RemoteJoinError>> {
        let members = self.members.into_iter().map(Member::finish);
        let (results, threads): (_, Vec<_>) = members.unzip();
        // Destructors of their thread-locals may still run, and wait for greenlets of this thread. If the system
        // gives no thread to wait for them, they are not waited for. A panic was a body's, and is in its result.
        let (gone, are_gone) = one_shot::<()>();
        let wait = move || {
            threads.into_iter().for_each(|thread| drop(thread.join()));
            drop(gone);
        };
        if without_signals(|| thread::Builder::new().spawn(wait)).is_ok() {
            let _ = are_gone.recv();
        }
        results
    }

    /// Tells all of them to stop, waits for `grace` at most, kills the bodies that have not returned, and
    /// waits for their end. Returns what the bodies returned, by number.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; the workers were told to stop.
    #[doc(alias = "shutdown")]
    pub fn stop(self, grace: Duration) -> Vec<Result<T, RemoteJoinError>> {
        self.request_stop();
        let began = Instant::now();
        for member in &self.members {
            if !member.task.wait_timeout(grace.saturating_sub(began.elapsed())) {
                member.task.kill_soon();
            }
        }
        self.join()
    }
}

impl<T: Send + 'static> Member<T> {
    /// Its result, when nothing is left of its greenlets.
    fn finish(self) -> (Result<T, RemoteJoinError>, thread::JoinHandle<()>) {
        let result = self.task.join();
        let _ = self.finished.recv();
        (result, self.thread)
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.all_begin {
            self.stop.set();
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Workers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The processors that this thread may run on; none if the kernel does not say.
fn allowed_cpus() -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: a set of that size, which is valid when it is all zero.
    let set = unsafe {
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) != 0 {
            return Vec::new(); // more processors than the set has room for
        }
        set.assume_init()
    };
    // SAFETY: each number lies in the set.
    let is_allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    (0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect()
}

/// Keeps the current thread on one processor; says whether that was allowed.
fn pin(cpu: usize) -> bool {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: as above; the number came out of such a set.
    unsafe {
        libc::CPU_SET(cpu, &mut *set.as_mut_ptr());
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr()) == 0
    }
}
