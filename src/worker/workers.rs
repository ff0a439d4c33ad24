//! A bounded number of threads and the jobs that wait for one.
#![expect(unsafe_code, reason = "asks which thread this is")]

use super::signals::without_signals;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What a thread does once.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// A thread without a job ends after this long: as gevent's.
const IDLE: Duration = Duration::from_secs(5);

/// Threads that run jobs; made on demand, at most so many. When this is dropped, what was given is still
/// run, and then the threads end.
pub(crate) struct Workers(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// A job for an idle thread, or a reason to end.
    news: Condvar,
    idle: Duration,
}

struct State {
    jobs: VecDeque<Job>,
    most: usize,
    threads: Vec<libc::pthread_t>,
    /// Threads that were made and have not said who they are yet.
    unknown: usize,
    /// Threads that wait and were not called yet.
    idle: usize,
    /// Threads that were called and have not come yet.
    called: usize,
    /// No job will come any more.
    closed: bool,
}

impl State {
    fn count(&self) -> usize {
        self.threads.len() + self.unknown
    }
}

impl Workers {
    /// None yet; at most `most` later, and at least one.
    pub(crate) fn new(most: usize) -> Workers {
        Workers::with_idle(most, IDLE)
    }

    fn with_idle(most: usize, idle: Duration) -> Workers {
        let state = State {
            jobs: VecDeque::new(),
            most: most.max(1),
            threads: Vec::new(),
            unknown: 0,
            idle: 0,
            called: 0,
            closed: false,
        };
        Workers(Arc::new(Shared { state: Mutex::new(state), news: Condvar::new(), idle }))
    }

    /// Gives a job to a thread, or to the queue. Returns at once.
    ///
    /// # Errors
    /// There is no thread at all, and the system does not give one, for this reason. The job is dropped.
    pub(crate) fn submit(&self, job: Job) -> io::Result<()> {
        self.0.submit(self.0.lock(), job)
    }

    /// As [`submit`](Workers::submit), if a thread can begin with it at once; else it comes back.
    pub(crate) fn submit_if_free(&self, job: Job) -> Result<(), Job> {
        let mut state = self.0.lock();
        let is_free = self.0.call_one(&mut state)
            || (state.count() < state.most && self.0.add_thread(&mut state).is_ok());
        if !is_free {
            return Err(job);
        }
        state.jobs.push_back(job);
        Ok(())
    }

    /// Is the current thread one of these?
    pub(crate) fn are_current(&self) -> bool {
        self.0.lock().threads.contains(&this_thread())
    }

    #[cfg(test)]
    fn most(&self) -> usize {
        self.0.lock().most
    }

    /// Changes how many threads there may be, at least one. Those that are too many end after their job.
    pub(crate) fn set_most(&self, most: usize) {
        let mut state = self.0.lock();
        state.most = most.max(1);
        // Threads that were called or made, and have not come yet, take one each.
        while state.jobs.len() > state.called + state.unknown && state.count() < state.most {
            if self.0.add_thread(&mut state).is_err() {
                break; // those that are there do it all
            }
        }
        drop(state);
        self.0.news.notify_all();
    }

    /// How many threads there are, idle ones among them.
    pub(crate) fn threads(&self) -> usize {
        self.0.lock().count()
    }

    /// How many jobs have not begun.
    #[cfg(test)]
    fn queued(&self) -> usize {
        self.0.lock().jobs.len()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.news.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under it panics in a half-done state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Shared>, mut state: MutexGuard<'_, State>, job: Job) -> io::Result<()> {
        if !self.call_one(&mut state)
            && state.count() < state.most
            && let Err(error) = self.add_thread(&mut state)
            && state.count() == 0
        {
            return Err(error);
        }
        state.jobs.push_back(job);
        Ok(())
    }

    /// Under the lock, so that a failure is known before anybody relies on the thread.
    fn add_thread(self: &Arc<Shared>, state: &mut State) -> io::Result<()> {
        let shared = self.clone();
        let builder = thread::Builder::new().name("greenlet-worker".into());
        without_signals(|| builder.spawn(move || shared.work()))?;
        state.unknown += 1;
        Ok(())
    }

    /// The life of a thread.
    fn work(&self) {
        let me = this_thread();
        let mut state = self.lock();
        state.unknown -= 1;
        state.threads.push(me);
        loop {
            while state.count() <= state.most
                && let Some(job) = state.jobs.pop_front()
            {
                drop(state);
                run(job);
                state = self.lock();
            }
            if state.count() <= state.most && !state.closed {
                let called;
                (state, called) = self.wait(state);
                if called {
                    continue;
                }
            }
            state.threads.retain(|thread| *thread != me);
            if !state.jobs.is_empty() {
                self.call_one(&mut state); // we may have been the one that was called
            }
            return;
        }
    }

    /// Waits for a job; false when it is time to end.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle += 1;
        loop {
            let waited = self.news.wait_timeout(state, self.idle);
            let (guard, time) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if state.called > 0 {
                state.called -= 1;
                return (state, true);
            }
            if state.closed || state.count() > state.most || time.timed_out() {
                state.idle -= 1;
                return (state, false);
            }
        }
    }

    /// Calls an idle thread, if there is one.
    fn call_one(&self, state: &mut State) -> bool {
        let any = state.idle > 0;
        if any {
            state.idle -= 1;
            state.called += 1;
            self.news.notify_one();
        }
        any
    }
}

/// Also where the thread's locals are gone, which `std::thread::current` needs.
fn this_thread() -> libc::pthread_t {
    // SAFETY: always succeeds.
    unsafe { libc::pthread_self() }
}

/// A job that panics has told its own people; a payload whose drop panics as well is leaked.
fn run(job: Job) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(job))
        && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        mem::forget(again);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::{Sender, channel};
    use std::thread::ThreadId;

    const LONG: Duration = Duration::from_secs(60);

    /// A job that tells of its thread and then waits until `gate` is dropped.
    fn held(workers: &Workers, told: &Sender<ThreadId>) -> Sender<()> {
        let (gate, wait) = channel::<()>();
        let told = told.clone();
        let job = move || {
            told.send(thread::current().id()).unwrap();
            assert!(wait.recv().is_err());
        };
        workers.submit(Box::new(job)).unwrap();
        gate
    }

    /// Waits until all that was given is done and every thread is idle.
    fn settle(workers: &Workers) {
        loop {
            let state = workers.0.lock();
            if state.jobs.is_empty() && state.idle == state.count() {
                return;
            }
            drop(state);
            thread::yield_now();
        }
    }

    #[test]
    fn grows_on_demand_up_to_its_limit_and_queues_beyond() {
        let workers = Workers::with_idle(2, LONG);
        assert_eq!(workers.threads(), 0);
        let (told, threads) = channel();
        let gates: Vec<_> = (0..3).map(|_| held(&workers, &told)).collect();
        let first = [threads.recv().unwrap(), threads.recv().unwrap()];
        assert_ne!(first[0], first[1]);
        assert_eq!((workers.threads(), workers.queued()), (2, 1));
        assert!(workers.submit_if_free(Box::new(|| ())).is_err());
        drop(gates);
        assert!(first.contains(&threads.recv().unwrap()), "the third ran on one of them");
        settle(&workers);
        assert!(workers.submit_if_free(Box::new(|| ())).is_ok());
        settle(&workers);
        assert_eq!(workers.threads(), 2);
    }

    #[test]
    fn an_idle_thread_is_used_before_a_new_one_is_made() {
        let workers = Workers::with_idle(9, LONG);
        for _ in 0..50 {
            workers.submit(Box::new(|| ())).unwrap();
            settle(&workers);
        }
        assert_eq!(workers.threads(), 1);
    }

    #[test]
    fn jobs_begin_in_their_order() {
        let workers = Workers::with_idle(1, LONG);
        let (said, heard) = channel();
        for number in 0..100 {
            let said = said.clone();
            workers.submit(Box::new(move || said.send(number).unwrap())).unwrap();
        }
        assert!(heard.iter().take(100).eq(0..100));
    }

    #[test]
    fn a_job_that_panics_ends_alone() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let workers = Workers::with_idle(1, LONG);
        let (told, threads) = channel();
        drop(held(&workers, &told));
        workers.submit(Box::new(|| std::panic::resume_unwind(Box::new(1)))).unwrap();
        workers.submit(Box::new(|| std::panic::resume_unwind(Box::new(Bad)))).unwrap();
        drop(held(&workers, &told));
        assert_eq!(threads.recv().unwrap(), threads.recv().unwrap(), "the same thread");
    }

    #[test]
    fn idle_threads_end() {
        let workers = Workers::with_idle(3, Duration::from_millis(1));
        let (told, threads) = channel();
        for _ in 0..3 {
            drop(held(&workers, &told));
            threads.recv().unwrap();
        }
        while workers.threads() > 0 {
            thread::yield_now();
        }
        drop(held(&workers, &told));
        threads.recv().unwrap();
    }

    #[test]
    fn the_limit_can_be_changed() {
        let workers = Workers::with_idle(1, LONG);
        let (told, threads) = channel();
        let gates: Vec<_> = (0..3).map(|_| held(&workers, &told)).collect();
        threads.recv().unwrap();
        workers.set_most(3); // those that are queued begin
        threads.recv().unwrap();
        threads.recv().unwrap();
        assert_eq!((workers.threads(), workers.most()), (3, 3));
        workers.set_most(1);
        drop(gates);
        while workers.threads() > 1 {
            thread::yield_now();
        }
        drop(held(&workers, &told));
        threads.recv().unwrap();
        assert_eq!(workers.threads(), 1);
        workers.set_most(0);
        assert_eq!(workers.most(), 1, "nobody could run anything without a thread");
    }

    #[test]
    fn a_larger_limit_makes_one_thread_for_each_job_that_waits() {
        let workers = Workers::with_idle(1, LONG);
        let (told, threads) = channel();
        let gates: Vec<_> = (0..2).map(|_| held(&workers, &told)).collect();
        for most in [9, 10] {
            workers.set_most(most);
            assert_eq!(workers.threads(), 2);
        }
        assert_ne!(threads.recv().unwrap(), threads.recv().unwrap());
        drop(gates);
    }

    /// Threads that wait, as many as there may be.
    fn idle_threads(most: usize) -> Workers {
        let workers = Workers::with_idle(most, LONG);
        let (told, threads) = channel();
        let gates: Vec<_> = (0..most).map(|_| held(&workers, &told)).collect();
        assert_eq!(threads.iter().take(most).count(), most);
        drop(gates);
        settle(&workers);
        workers
    }

    #[test]
    fn threads_that_are_too_many_end_also_while_they_wait() {
        let workers = idle_threads(3);
        workers.set_most(1);
        while workers.threads() > 1 {
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_is_called_and_too_many_calls_another() {
        let workers = idle_threads(2);
        let (said, heard) = channel();
        let mut state = workers.0.lock();
        assert!(workers.0.call_one(&mut state));
        state.jobs.push_back(Box::new(move || said.send(()).unwrap()));
        state.most = 1;
        drop(state);
        heard.recv_timeout(LONG / 2).unwrap();
        settle(&workers);
        assert_eq!(workers.threads(), 1);
    }

    #[test]
    fn what_was_given_is_run_also_when_the_handle_is_gone() {
        let workers = Workers::with_idle(2, LONG);
        let (told, threads) = channel();
        let gates: Vec<_> = (0..4).map(|_| held(&workers, &told)).collect();
        let shared = Arc::downgrade(&workers.0);
        drop(workers);
        drop((gates, told));
        assert_eq!(threads.iter().count(), 4);
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_knows_whose_it_is() {
        let workers = Arc::new(Workers::with_idle(2, LONG));
        assert!(!workers.are_current());
        let (said, heard) = channel();
        let (again, here) = (workers.clone(), Workers::with_idle(1, LONG));
        workers.submit(Box::new(move || said.send(again.are_current()).unwrap())).unwrap();
        assert!(heard.recv().unwrap());
        let (said, heard) = channel();
        let other = workers.clone();
        here.submit(Box::new(move || said.send(other.are_current()).unwrap())).unwrap();
        assert!(!heard.recv().unwrap());
    }

    #[test]
    fn many_give_jobs_at_once() {
        let workers = Arc::new(Workers::with_idle(3, Duration::from_millis(1)));
        let (said, heard) = channel();
        let start = Arc::new(Barrier::new(4));
        for _ in 0..4 {
            let (workers, said, start) = (workers.clone(), said.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                for number in 0..500_u64 {
                    let said = said.clone();
                    workers.submit(Box::new(move || said.send(number).unwrap())).unwrap();
                    if number % 100 == 0 {
                        workers.set_most(1 + (number as usize / 100) % 4);
                    }
                }
            });
        }
        drop(said);
        let (mut count, mut sum) = (0, 0);
        while count < 2000 {
            sum += heard.recv_timeout(LONG).unwrap();
            count += 1;
        }
        assert_eq!(sum, 4 * (499 * 500 / 2));
    }
}
