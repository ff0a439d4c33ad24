//! Letters from other threads: any of them puts one in, the owner takes all of them out.
//!
//! One word holds everything, so that no letter can slip in between a look and a sleep:
//!
//! ```text
//!  null      nothing is there, the owner is awake
//!  ASLEEP    nothing is there, the owner sleeps: whoever puts the first letter in wakes it
//!  CLOSED    the owner is gone, for ever
//!  else      the letter that came last; each leads to the one before it
//! ```
#![expect(unsafe_code, reason = "letters cross from one thread to another by address")]

#[cfg(loom)]
use loom::sync::atomic::AtomicPtr;
use std::marker::PhantomData;
use std::ptr::{self, null_mut};
#[cfg(not(loom))]
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A queue into which every thread may put something, and from which its owner takes all at once.
pub(crate) struct Inbox<T> {
    last: AtomicPtr<Letter<T>>,
    _letters: PhantomData<T>,
}

struct Letter<T> {
    content: T,
    before: *mut Letter<T>,
}

// SAFETY: a letter is handed from one thread to another, and never shared by two.
unsafe impl<T: Send> Sync for Inbox<T> {}
// SAFETY: as above; the letters go along.
unsafe impl<T: Send> Send for Inbox<T> {}

/// No letter is at these addresses, which are not aligned.
fn asleep<T>() -> *mut Letter<T> {
    ptr::without_provenance_mut(1)
}

fn closed<T>() -> *mut Letter<T> {
    ptr::without_provenance_mut(2)
}

impl<T> Inbox<T> {
    const ALIGNED: () = assert!(align_of::<Letter<T>>() > 2);

    pub(crate) fn new() -> Inbox<T> {
        let () = Inbox::<T>::ALIGNED;
        Inbox { last: AtomicPtr::new(null_mut()), _letters: PhantomData }
    }

    /// Puts something in, from any thread. True if the owner sleeps and the caller has to wake it:
    /// one caller is told so for each sleep.
    ///
    /// # Errors
    /// It is closed; here is the content again.
    pub(crate) fn put(&self, content: T) -> Result<bool, T> {
        let letter = Box::into_raw(Box::new(Letter { content, before: null_mut() }));
        let mut last = self.last.load(Relaxed);
        loop {
            if last == closed() {
                // SAFETY: made above, and known to nobody else.
                return Err(unsafe { Box::from_raw(letter) }.content);
            }
            let sleeps = last == asleep();
            // SAFETY: made above; nobody else knows it before the exchange succeeds.
            unsafe { (*letter).before = if sleeps { null_mut() } else { last } };
            // Released to the owner. Those who put something in later only pass on what they found.
            match self.last.compare_exchange_weak(last, letter, Release, Relaxed) {
                Ok(_) => return Ok(sleeps),
                Err(now) => last = now,
            }
        }
    }

    /// Takes everything out, in the order in which it came. For the owner, which is awake.
    #[inline]
    pub(crate) fn take(&self) -> Letters<T> {
        if self.last.load(Relaxed).is_null() {
            return Letters(null_mut());
        }
        Letters::reversed(self.last.swap(null_mut(), Acquire))
    }

    /// The owner wants to sleep. False if it must not, because there is a letter.
    #[inline]
    pub(crate) fn lie_down(&self) -> bool {
        match self.last.compare_exchange(null_mut(), asleep(), Relaxed, Relaxed) {
            Ok(_) => true,
            Err(found) => found == asleep(), // it lies already
        }
    }

    /// The owner has slept.
    #[inline]
    pub(crate) fn get_up(&self) {
        // Fails when somebody has put a letter in.
        let _ = self.last.compare_exchange(asleep(), null_mut(), Relaxed, Relaxed);
    }

    /// Was it closed?
    pub(crate) fn is_closed(&self) -> bool {
        self.last.load(Relaxed) == closed()
    }

    /// Takes nothing any more; what is still there is returned.
    pub(crate) fn close(&self) -> Letters<T> {
        Letters::reversed(self.last.swap(closed(), Acquire))
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

/// What was taken out, the oldest first.
pub(crate) struct Letters<T>(*mut Letter<T>);

impl<T> Letters<T> {
    /// Those that end with `last`, which this thread has just taken.
    fn reversed(last: *mut Letter<T>) -> Letters<T> {
        let mut letters = Letters(null_mut());
        if last == asleep() || last == closed() {
            return letters;
        }
        let mut letter = last;
        while !letter.is_null() {
            // SAFETY: it was made by `put`, and belongs to whoever took it out of the inbox.
            let before = unsafe { std::mem::replace(&mut (*letter).before, letters.0) };
            letters.0 = letter;
            letter = before;
        }
        letters
    }
}

impl<T> Iterator for Letters<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: made by `Box::into_raw`, and ours alone.
        let letter = unsafe { Box::from_raw(self.0) };
        self.0 = letter.before;
        Some(letter.content)
    }
}

impl<T> Drop for Letters<T> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::mpsc;

    fn taken<T>(inbox: &Inbox<T>) -> Vec<T> {
        inbox.take().collect()
    }

    #[test]
    fn letters_come_in_the_order_in_which_they_were_put_in() {
        let inbox = Inbox::new();
        assert_eq!(taken(&inbox), []);
        for n in 0..3 {
            assert_eq!(inbox.put(n), Ok(false));
        }
        assert_eq!(taken(&inbox), [0, 1, 2]);
        assert_eq!(inbox.put(3), Ok(false));
        assert_eq!(taken(&inbox), [3]);
    }

    #[test]
    fn the_first_letter_wakes_a_sleeper() {
        let inbox = Inbox::new();
        assert!(inbox.lie_down());
        assert_eq!((inbox.put(1), inbox.put(2)), (Ok(true), Ok(false)));
        inbox.get_up();
        assert!(!inbox.lie_down(), "there are letters");
        assert_eq!(taken(&inbox), [1, 2]);
        assert!(inbox.lie_down() && inbox.lie_down());
        inbox.get_up();
        assert_eq!(inbox.put(3), Ok(false));
    }

    #[test]
    fn a_closed_inbox_gives_back() {
        let inbox = Inbox::new();
        inbox.put("a").unwrap();
        assert_eq!(inbox.close().collect::<Vec<_>>(), ["a"]);
        assert_eq!(inbox.put("b"), Err("b"));
        assert_eq!(inbox.close().count(), 0);
        let sleeper: Inbox<u8> = Inbox::new();
        assert!(sleeper.lie_down());
        assert_eq!(sleeper.close().count(), 0);
    }

    #[test]
    fn letters_that_nobody_reads_are_dropped() {
        let paper = Rc::new(());
        let inbox = Inbox::new();
        for _ in 0..4 {
            assert!(inbox.put(paper.clone()).is_ok());
        }
        let mut letters = inbox.take();
        assert!(letters.next().is_some());
        drop(letters);
        assert_eq!(Rc::strong_count(&paper), 1);
        assert!(inbox.put(paper.clone()).is_ok());
        drop(inbox);
        assert_eq!(Rc::strong_count(&paper), 1);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        const SENDERS: usize = 3;
        const EACH: usize = if cfg!(miri) { 50 } else { 20_000 };
        let inbox = Arc::new(Inbox::new());
        let (bell, rings) = mpsc::channel();
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (inbox, bell) = (inbox.clone(), bell.clone());
                std::thread::spawn(move || {
                    for n in 0..EACH {
                        if inbox.put((sender, n)).unwrap() {
                            bell.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        let mut next = [0; SENDERS];
        while next != [EACH; SENDERS] {
            for (sender, n) in inbox.take() {
                assert_eq!(n, next[sender], "each sender's letters are in order");
                next[sender] += 1;
            }
            if next != [EACH; SENDERS] && inbox.lie_down() {
                rings.recv().unwrap(); // for ever, if a wake was lost
                inbox.get_up();
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }
}

/// Every order in which the threads' steps can be seen: `RUSTFLAGS="--cfg loom" cargo test --lib inbox`.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::sync::atomic::AtomicBool;
    // What wakes a sleeping owner, as the kernel does: a ring before the sleep ends it, too.
    use loom::sync::{Arc, Notify as Bell};
    use loom::thread;

    /// A content whose reader must have seen the writing of it.
    struct Written(UnsafeCell<u32>);

    impl Written {
        fn new(value: u32) -> Written {
            let written = Written(UnsafeCell::new(0));
            // SAFETY: nobody else knows it.
            written.0.with_mut(|place| unsafe { *place = value });
            written
        }

        fn read(self) -> u32 {
            // SAFETY: moved here; the model says so if it was not.
            self.0.with(|place| unsafe { *place })
        }
    }

    // SAFETY: moved from thread to thread, never shared.
    unsafe impl Send for Written {}

    fn sender(
        inbox: &Arc<Inbox<Written>>,
        bell: &Arc<Bell>,
        values: &'static [u32],
    ) -> thread::JoinHandle<()> {
        let (inbox, bell) = (inbox.clone(), bell.clone());
        thread::spawn(move || {
            for &value in values {
                if inbox.put(Written::new(value)).unwrap_or(false) {
                    bell.notify();
                }
            }
        })
    }

    /// Takes letters and sleeps in between, until `count` have come. A lost wake is a deadlock, which
    /// loom reports.
    fn receive(inbox: &Inbox<Written>, bell: &Bell, count: usize) -> Vec<u32> {
        let mut received = Vec::new();
        loop {
            received.extend(inbox.take().map(Written::read));
            if received.len() == count {
                return received;
            }
            if inbox.lie_down() {
                bell.wait();
                inbox.get_up();
            }
        }
    }

    /// Tries the orders in which no thread is interrupted more than three times: all take hours.
    fn model(check: impl Fn() + Sync + Send + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(check);
    }

    #[test]
    fn loom_no_letter_and_no_wake_is_lost() {
        model(|| {
            let (inbox, bell) = (Arc::new(Inbox::new()), Arc::new(Bell::new()));
            let senders = [sender(&inbox, &bell, &[1]), sender(&inbox, &bell, &[2])];
            let mut received = receive(&inbox, &bell, 2);
            received.sort_unstable();
            assert_eq!(received, [1, 2]);
            senders.into_iter().for_each(|sender| sender.join().unwrap());
        });
    }

    #[test]
    fn loom_letters_of_one_sender_stay_in_order() {
        model(|| {
            let (inbox, bell) = (Arc::new(Inbox::new()), Arc::new(Bell::new()));
            let sender = sender(&inbox, &bell, &[1, 2]);
            assert_eq!(receive(&inbox, &bell, 2), [1, 2]);
            sender.join().unwrap();
        });
    }

    #[test]
    fn loom_a_letter_is_delivered_or_given_back() {
        model(|| {
            let inbox = Arc::new(Inbox::new());
            let given_back = Arc::new(AtomicBool::new(false));
            let sender = {
                let (inbox, given_back) = (inbox.clone(), given_back.clone());
                thread::spawn(move || {
                    if let Err(letter) = inbox.put(Written::new(7)) {
                        assert_eq!(letter.read(), 7);
                        given_back.store(true, Relaxed);
                    }
                })
            };
            let mut received: Vec<_> = inbox.take().map(Written::read).collect();
            received.extend(inbox.close().map(Written::read));
            sender.join().unwrap();
            assert_eq!(received.len() + usize::from(given_back.load(Relaxed)), 1);
        });
    }

    #[test]
    fn loom_an_owner_that_gets_up_by_itself_misses_nothing() {
        model(|| {
            let (inbox, bell) = (Arc::new(Inbox::new()), Arc::new(Bell::new()));
            let sender = sender(&inbox, &bell, &[1]);
            if inbox.lie_down() {
                inbox.get_up(); // something else has come meanwhile
            }
            assert_eq!(receive(&inbox, &bell, 1), [1]);
            sender.join().unwrap();
        });
    }
}
