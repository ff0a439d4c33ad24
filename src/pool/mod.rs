//! Tasks that belong together, and things that they share. Level 6.
//!
//! Uses `task`, `sync`, `offload`, `worker` and `hub`; used by nobody here. Files, lowest first: `members` (who is in a pool, its places),
//! `pool_of` (the handle) and `map` (a function over many items), which know one another; `pile`;
//! `dag`; `object`; `thread_pool`.
//!
//! | | places | a member that spawns while all are taken |
//! |---|---|---|
//! | [`Group`] | without end | |
//! | [`Pool`] | as many as it is given | waits, unless no member could ever leave its place: then lends its own |
//! | [`GreenPool`] | as many as it is given | lends its own place |
//!
//! Beside them: a [`Pile`] gives results in the order of the spawns, the members of a [`DagPool`] get one
//! another's results, an [`ObjectPool`] lends things instead of places, and the members of a
//! [`ThreadPool`] may block.
//!
//! Lending means: what is spawned begins without a place of its own, and the spawner waits in `spawn`
//! until that has ended and the place is given back. So never more than the pool's size make progress, and a
//! pool does not hang because its own members wait for it. A spawner that is interrupted meanwhile goes on
//! without a place, and what it spawned keeps the one that it had, until it ends; if that was lent in turn, it
//! is the spawner's again then.
//!
//! ```
//! use greenlet::{pool::Pool, sleep};
//! use std::time::Duration;
//!
//! let pool = Pool::new(10);
//! let lengths = pool.imap_unordered(["a", "bcd", "ef"], |word| {
//!     sleep(Duration::from_millis(word.len() as u64));
//!     word.len()
//! });
//! let lengths: Result<Vec<_>, _> = lengths.collect();
//! assert_eq!(lengths.unwrap(), [1, 2, 3]);
//! ```

mod dag;
mod map;
mod members;
mod object;
mod pile;
mod pool_of;
mod thread_pool;

pub use dag::{Collision, DagPool, Failed, Inputs};
pub use map::{Imap, ImapUnordered};
pub use object::{ObjectPool, ObjectPoolBuilder, Pooled};
pub use pile::Pile;
pub use pool_of::{Lending, Limited, Policy, PoolFull, PoolOf, Unlimited, Waiting};
pub use thread_pool::ThreadPool;

/// Tasks that are joined or killed together; never full.
///
/// ```
/// use greenlet::pool::Group;
/// let group = Group::new();
/// group.spawn_detached(|| println!("one"));
/// group.spawn_detached(|| println!("two"));
/// group.join();
/// assert!(group.is_empty());
/// ```
pub type Group = PoolOf<Unlimited>;

/// A group with so many places: `spawn` parks while all are taken.
///
/// A member that spawns waits for a place like anybody else. When no member could ever leave one (all
/// of them wait for a place), the last lends its own.
///
/// ```
/// use greenlet::{pool::Pool, yield_now};
/// let pool = Pool::new(2);
/// for n in 0..5 {
///     pool.spawn_detached(move || { yield_now(); println!("{n}") });
///     assert!(pool.running() <= 2);
/// }
/// pool.join();
/// ```
pub type Pool = PoolOf<Waiting>;

/// As [`Pool`], but a member that spawns while all places are taken lends its own at once, whatever
/// the others do: as in eventlet, where it runs the function itself.
///
/// ```
/// use greenlet::pool::GreenPool;
/// let pool = GreenPool::new(1);
/// let inner = pool.clone();
/// let task = pool.spawn(move || inner.spawn(|| 7).join().unwrap());
/// assert_eq!(task.join().unwrap(), 7);
/// ```
pub type GreenPool = PoolOf<Lending>;

impl Group {
    /// A group without members.
    pub fn new() -> Group {
        PoolOf::with_size(usize::MAX)
    }
}

/// A group without members.
impl Default for Group {
    fn default() -> Group {
        Group::new()
    }
}

/// One with 1000 places, as in eventlet.
impl Default for GreenPool {
    fn default() -> GreenPool {
        GreenPool::new(1000)
    }
}
