//! A function over many items, in the members of a pool.
//!
//! Items are begun when the iterator is asked, by the asking greenlet; not by one that feeds them, as in gevent.
//! So they may borrow and may wait, memory is bounded, and nobody is left behind when the iterator is dropped.
//! Nothing begins when the iterator is made: a `buffer` would come too late for it.

use super::members::Entry;
use super::pool_of::{Policy, PoolOf};
use crate::sync::Turns;
use crate::task::{JoinError, JoinHandle};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::iter::{Fuse, FusedIterator};
use std::rc::Rc;

/// Tasks that are begun as there is room for them, and the order in which they end.
struct Work<I: Iterator, F, R, P> {
    pool: PoolOf<P>,
    items: Fuse<I>,
    /// The next item, if it could not be begun.
    next: Option<I::Item>,
    f: Rc<F>,
    /// Those whose results were not taken, with gaps where they were.
    tasks: VecDeque<Option<Begun<R>>>,
    /// The number of the first of them.
    first: usize,
    /// How many of them there are.
    untaken: usize,
    buffer: Option<usize>,
    ends: Rc<Ends>,
}

struct Begun<R> {
    task: JoinHandle<R>,
    /// Its body is done. So is the task, unless what the body owned waits while it is dropped.
    has_told: bool,
}

/// Who has ended.
struct Ends {
    /// Their numbers, in their order, until they are seen.
    numbers: RefCell<VecDeque<usize>>,
    /// The one that waits for the next.
    waiting: Turns,
}

/// Lies in the body of a task and tells of its end.
struct Tell {
    ends: Rc<Ends>,
    number: usize,
}

impl Drop for Tell {
    fn drop(&mut self) {
        self.ends.numbers.borrow_mut().push_back(self.number);
        self.ends.waiting.give();
    }
}

impl<T, R, F, I, P> Work<I, F, R, P>
where
    I: Iterator<Item = T>,
    F: Fn(T) -> R + 'static,
    T: 'static,
    R: 'static,
    P: Policy,
{
    fn new(pool: PoolOf<P>, items: I, f: F) -> Work<I, F, R, P> {
        let ends = Ends { numbers: RefCell::new(VecDeque::new()), waiting: Turns::new() };
        Work {
            pool,
            items: items.fuse(),
            next: None,
            f: Rc::new(f),
            tasks: VecDeque::new(),
            first: 0,
            untaken: 0,
            buffer: None,
            ends: Rc::new(ends),
        }
    }

    /// Begins as many as there are places, and as may be untaken.
    fn begin_some(&mut self) {
        while self.untaken < self.buffer.unwrap_or(self.pool.members().size()).max(1) {
            self.next = self.next.take().or_else(|| self.items.next());
            if self.next.is_none() || !self.pool.members().try_enter() {
                return;
            }
            self.begin(Entry::Place);
        }
    }

    fn begin(&mut self, entry: Entry) {
        let Some(item) = self.next.take() else { return };
        let (f, ends, number) = (self.f.clone(), self.ends.clone(), self.first + self.tasks.len());
        let tell = Tell { ends, number };
        let task = self.pool.members().start(entry, move || {
            let _tell = tell;
            f(item)
        });
        self.tasks.push_back(Some(Begun { task, has_told: false }));
        self.untaken += 1;
        if let Some(Some(begun)) = self.tasks.back() {
            self.pool.members().settle(entry, &begun.task);
        }
    }

    /// Sees to it that some are on their way: parks for a place if there is none. False when all is
    /// done.
    fn go_on(&mut self) -> bool {
        self.begin_some();
        if self.untaken == 0 && self.next.is_some() {
            let entry = self.pool.enter(None);
            self.begin(entry);
        }
        self.untaken > 0
    }

    /// Parks until one more has ended that nobody has [seen](Work::see).
    fn wait(&self) {
        while self.ends.numbers.borrow().is_empty() {
            match self.ends.waiting.wait(false, &"a result from a pool", None) {
                Ok(_) => {}
                Err(interrupted) => interrupted.raise(),
            }
        }
    }

    /// Takes note of those that have ended.
    fn see(&mut self) {
        for number in self.ends.numbers.borrow_mut().drain(..) {
            if let Some(Some(begun)) = self.tasks.get_mut(number - self.first) {
                begun.has_told = true;
            }
        }
    }

    /// Takes the result of one that has told of its end; parks until that has come.
    fn take(&mut self, number: usize) -> Option<Result<R, JoinError>> {
        let place = number - self.first;
        self.tasks.get(place)?.as_ref()?.task.wait();
        let begun = self.tasks.get_mut(place)?.take()?;
        self.untaken -= 1;
        while let Some(None) = self.tasks.front() {
            self.tasks.pop_front();
            self.first += 1;
        }
        begun.task.try_join().ok()
    }

    /// The result of the first item whose result was not taken.
    fn next_in_order(&mut self) -> Option<Result<R, JoinError>> {
        while self.go_on() {
            self.see();
            if self.tasks.front().is_some_and(|first| first.as_ref().is_some_and(|b| b.has_told)) {
                return self.take(self.first);
            }
            self.wait();
        }
        None
    }

    /// The result that has come first.
    fn next_to_end(&mut self) -> Option<Result<R, JoinError>> {
        while self.go_on() {
            self.wait();
            // Its number stays until its result is taken: waiting for that may be interrupted.
            let Some(number) = self.ends.numbers.borrow().front().copied() else { continue };
            let result = self.take(number);
            self.ends.numbers.borrow_mut().pop_front();
            if result.is_some() {
                return result;
            }
        }
        None
    }
}

/// An iterator over results: its name, and how they are taken.
macro_rules! results {
    ($(#[$doc:meta])* $type:ident by $next:ident; $(#[$buffer_doc:meta])* buffer) => {
        $(#[$doc])*
        #[must_use = "nothing is begun before the first result is asked for"]
        pub struct $type<I: Iterator, F, R, P>(Work<I, F, R, P>);

        impl<T, R, F, I, P> $type<I, F, R, P>
        where
            I: Iterator<Item = T>,
            F: Fn(T) -> R + 'static,
            T: 'static,
            R: 'static,
            P: Policy,
        {
            pub(super) fn new(pool: PoolOf<P>, items: I, f: F) -> Self {
                $type(Work::new(pool, items, f))
            }

            $(#[$buffer_doc])*
            #[doc(alias = "maxsize")]
            pub fn buffer(mut self, results: usize) -> Self {
                self.0.buffer = Some(results);
                self.0.begin_some();
                self
            }
        }

        impl<T, R, F, I, P> Iterator for $type<I, F, R, P>
        where
            I: Iterator<Item = T>,
            F: Fn(T) -> R + 'static,
            T: 'static,
            R: 'static,
            P: Policy,
        {
            type Item = Result<R, JoinError>;

            fn next(&mut self) -> Option<Result<R, JoinError>> {
                self.0.$next()
            }
        }

        impl<T, R, F, I, P> FusedIterator for $type<I, F, R, P>
        where
            I: Iterator<Item = T>,
            F: Fn(T) -> R + 'static,
            T: 'static,
            R: 'static,
            P: Policy,
        {
        }

        impl<I: Iterator, F, R, P> fmt::Debug for $type<I, F, R, P> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut shown = f.debug_struct(stringify!($type));
                shown.field("untaken", &self.0.untaken).finish_non_exhaustive()
            }
        }
    };
}

results! {
    /// The results of [`PoolOf::imap`], in the order of the items.
    Imap by next_in_order;
    /// Limits how many items are begun ahead of the results that were taken: 1 or more; and begins the first at
    /// once. Default: as many as there are places, so that places may stay unused while the first result is slow;
    /// a larger number avoids that. [`usize::MAX`] is no limit.
    ///
    /// ```
    /// use greenlet::pool::Group;
    /// let squares = Group::new().imap(0_u64.., |n| n * n).buffer(8);
    /// assert_eq!(squares.take(4).flatten().collect::<Vec<_>>(), [0, 1, 4, 9]);
    /// ```
    buffer
}

results! {
    /// The results of [`PoolOf::imap_unordered`], in the order in which the calls end.
    ImapUnordered by next_to_end;
    /// As [`Imap::buffer`].
    buffer
}
