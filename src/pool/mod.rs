//! Groups of tasks, and pools that limit how many run at once.
//!
//! | | places | a member that spawns while all are taken |
//! |---|---|---|
//! | [`Group`] | unlimited | |
//! | [`Pool`] | a chosen number | waits; but if no member could ever free a place, it lends its own |
//! | [`GreenPool`] | a chosen number | lends its own place |
//!
//! Also: a [`Pile`] gives results in the order of the spawns; tasks of a [`DagPool`] get each other's results; an
//! [`ObjectPool`] lends objects, connections for example; tasks of a [`ThreadPool`] may block.
//!
//! *Lending* means: the new task runs on the spawner's place, and the spawner waits in `spawn` until the task has
//! ended. So never more tasks than the pool has places make progress, and a pool does not hang because its own
//! members wait for a place. If a lending spawner is interrupted it goes on without a place; the task keeps the
//! place until it ends. A place that had itself been borrowed then returns to that spawner.
//!
//! ```
//! use greenlet::{pool::Pool, yield_now};
//!
//! let pool = Pool::new(10);
//! let lengths = pool.imap_unordered(["a", "bcd", "ef"], |word| {
//!     (0..word.len()).for_each(|_| yield_now());
//!     word.len()
//! });
//! let lengths: Result<Vec<_>, _> = lengths.collect();
//! assert_eq!(lengths.unwrap(), [1, 2, 3]);
//! ```
//!
//! Inside: level 6, uses `task`, `sync`, `offload`, `worker` and `hub`. Files, lowest first: `members` (who is in
//! a pool, its places), `kill` (their end), `pool_of` (the handle) and `map` (a function over many items), which
//! know one another; `pile`; `dag`; `object`; `thread_pool`.

mod dag;
mod kill;
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

/// A group of tasks that are joined or killed together. It is never full.
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

/// A group of limited size: `spawn` parks while all places are taken.
///
/// A member that spawns waits for a place like any other greenlet. Only if no member could ever free one (all
/// of them wait for a place), the last lends its own: see the [module](self).
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

/// As [`Pool`], but a member that spawns while all places are taken lends its own at once: see the
/// [module](self). In eventlet it runs the function itself.
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

/// A pool with 1,000 places, as in eventlet.
impl Default for GreenPool {
    fn default() -> GreenPool {
        GreenPool::new(1000)
    }
}
