//! Tasks that depend on one another's results.

use super::pool_of::{PoolOf, Unlimited};
use crate::hub::WaitList;
use crate::sync::{Watchers, watch};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::once;
use std::mem::replace;
use std::rc::Rc;

/// Tasks with keys, each of which gets the results of the tasks that it depends on, as they come.
///
/// A task may depend on keys that are spawned later. If a task fails, those that depend on it get [`Failed`]
/// with its key, and decide what to do. Handles are cheap to clone, and all clones are the same pool.
///
/// Comparing and cloning keys must neither use the pool nor wait; cloning and dropping results may.
///
/// ```
/// use greenlet::pool::DagPool;
/// let pool = DagPool::new();
/// pool.spawn("sum", ["a", "b"], |inputs| inputs.map(|input| input.unwrap().1).sum::<u32>()).unwrap();
/// pool.spawn("b", ["a"], |mut inputs| inputs.next().unwrap().unwrap().1 + 1).unwrap();
/// pool.post("a", 1).unwrap();
/// assert_eq!(pool.get(&"sum"), Ok(3));
/// ```
#[doc(alias = "DAGPool")]
pub struct DagPool<K, V>(Rc<Shared<K, V>>);

struct Shared<K, V> {
    nodes: RefCell<BTreeMap<K, Node<K, V>>>,
    /// Those who wait for some key to end.
    waiting: WaitList,
    tasks: PoolOf<Unlimited>,
}

enum Node<K, V> {
    /// Its task has not ended; it needs the results of these.
    Running(Vec<K>),
    /// Shared, so that it is cloned while nobody is kept from the pool.
    Done(Rc<V>),
    Failed,
}

impl<K, V> Node<K, V> {
    /// How its task has ended, if it has.
    fn ended(&self) -> Option<Result<Rc<V>, ()>> {
        match self {
            Node::Running(_) => None,
            Node::Done(value) => Some(Ok(value.clone())),
            Node::Failed => Some(Err(())),
        }
    }
}

/// The key already has a task or a result. Gives the key back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collision<K>(pub K);

impl<K: fmt::Debug> fmt::Display for Collision<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has a task or a result already", self.0)
    }
}

impl<K: fmt::Debug> std::error::Error for Collision<K> {}

/// The task with this key panicked or was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "PropagateError")]
pub struct Failed<K>(pub K);

impl<K: fmt::Debug> fmt::Display for Failed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task {:?} has failed", self.0)
    }
}

impl<K: fmt::Debug> std::error::Error for Failed<K> {}

impl<K: Ord + Clone + 'static, V: Clone + 'static> DagPool<K, V> {
    /// A pool without keys.
    pub fn new() -> DagPool<K, V> {
        let (nodes, tasks) = (RefCell::new(BTreeMap::new()), PoolOf::<Unlimited>::new());
        DagPool(Rc::new(Shared { nodes, waiting: WaitList::new(), tasks }))
    }

    /// Spawns the task of `key`: `f` gets the results of `needs`, and returns that of `key`.
    /// Returns at once; `f` begins when the current greenlet waits, and parks until its inputs are there.
    ///
    /// Tasks that need each other in a circle never end.
    ///
    /// # Errors
    /// [`Collision`], if `key` has a task or a result already; `f` is dropped.
    ///
    /// # Panics
    /// When there is no memory for a stack.
    #[track_caller]
    pub fn spawn<I: IntoIterator<Item = K>>(
        &self,
        key: K,
        needs: I,
        f: impl FnOnce(Inputs<K, V>) -> V + 'static,
    ) -> Result<(), Collision<K>> {
        let needs: Vec<K> = needs.into_iter().collect();
        self.enter(&key, needs.clone())?;
        let inputs = self.wait_each(needs);
        let mut fails = Fails { pool: self.clone(), key: Some(key) };
        self.0.tasks.spawn_detached(move || {
            let value = f(inputs);
            if let Some(key) = fails.key.take() {
                fails.pool.end(key, Node::Done(Rc::new(value)));
            }
        });
        Ok(())
    }

    /// Gives `key` a result without a task. Returns at once.
    ///
    /// # Errors
    /// [`Collision`], if it has a task or a result already.
    pub fn post(&self, key: K, value: V) -> Result<(), Collision<K>> {
        self.enter(&key, Vec::new())?;
        self.end(key, Node::Done(Rc::new(value)));
        Ok(())
    }

    /// The result of `key`; parks until there is one, also if nothing was spawned for `key` yet.
    ///
    /// # Errors
    /// [`Failed`], if the task panicked or was killed.
    ///
    /// # Panics
    /// When it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    #[doc(alias = "wait")]
    pub fn get(&self, key: &K) -> Result<V, Failed<K>> {
        loop {
            if let Some(ended) = self.try_get(key) {
                return ended;
            }
            self.wait_for_any();
        }
    }

    /// The result of `key`, if there is one. Returns at once.
    pub fn try_get(&self, key: &K) -> Option<Result<V, Failed<K>>> {
        let ended = self.0.nodes.borrow().get(key)?.ended()?;
        Some(ended.map(|value| V::clone(&value)).map_err(|()| Failed(key.clone())))
    }

    /// An iterator over the results of `keys`, as they come; those that are there come first, in the order given.
    pub fn wait_each<I: IntoIterator<Item = K>>(&self, keys: I) -> Inputs<K, V> {
        Inputs { pool: self.clone(), left: keys.into_iter().collect() }
    }

    /// Parks until all tasks have ended, and returns all results, in the order of the keys.
    ///
    /// # Errors
    /// [`Failed`] with the lowest key that has failed.
    ///
    /// # Panics
    /// When a task of the pool calls it, and when it would park while the thread unwinds.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    #[doc(alias = "waitall")]
    pub fn join(&self) -> Result<BTreeMap<K, V>, Failed<K>> {
        self.0.tasks.join();
        self.results().into_iter().map(|(key, result)| Ok((key, result?))).collect()
    }

    /// The results that there are, by their keys. Returns at once.
    #[doc(alias("items", "keys"))]
    pub fn results(&self) -> BTreeMap<K, Result<V, Failed<K>>> {
        let nodes = self.0.nodes.borrow();
        let ended = nodes.iter().filter_map(|(key, node)| Some((key.clone(), node.ended()?)));
        let ended: Vec<_> = ended.collect();
        drop(nodes);
        let cloned = |(key, ended): (K, Result<Rc<V>, ()>)| match ended {
            Ok(value) => (key, Ok(V::clone(&value))),
            Err(()) => (key.clone(), Err(Failed(key))),
        };
        ended.into_iter().map(cloned).collect()
    }

    /// The keys whose tasks have not ended.
    #[doc(alias = "running_keys")]
    pub fn running(&self) -> Vec<K> {
        let nodes = self.0.nodes.borrow();
        let running = nodes.iter().filter(|(_, node)| matches!(node, Node::Running(_)));
        running.map(|(key, _)| key.clone()).collect()
    }

    /// The keys that the task of `key` still waits for, in the order in which it named them. Empty if it has
    /// ended, or was never spawned.
    ///
    /// ```
    /// use greenlet::pool::DagPool;
    /// let pool = DagPool::new();
    /// pool.spawn("sum", ["a", "b"], |inputs| inputs.map(|input| input.unwrap().1).sum::<u32>()).unwrap();
    /// pool.post("a", 1).unwrap();
    /// assert_eq!(pool.waiting_for(&"sum"), ["b"]);
    /// pool.post("b", 2).unwrap();
    /// assert_eq!(pool.get(&"sum"), Ok(3));
    /// ```
    #[doc(alias = "waiting")]
    pub fn waiting_for(&self, key: &K) -> Vec<K> {
        let nodes = self.0.nodes.borrow();
        let Some(Node::Running(needs)) = nodes.get(key) else { return Vec::new() };
        let ended = |need: &&K| matches!(nodes.get(need), Some(Node::Done(_) | Node::Failed));
        needs.iter().filter(|need| !ended(need)).cloned().collect()
    }

    /// Kills all tasks, which fail, and parks until they have ended.
    ///
    /// # Cancellation
    /// What arrives inside is raised here; all are killed nevertheless.
    pub fn kill(&self) {
        self.0.tasks.kill();
    }

    fn enter(&self, key: &K, needs: Vec<K>) -> Result<(), Collision<K>> {
        let key = key.clone();
        let mut nodes = self.0.nodes.borrow_mut();
        if nodes.contains_key(&key) {
            return Err(Collision(key));
        }
        nodes.insert(key, Node::Running(needs));
        Ok(())
    }

    fn end(&self, key: K, node: Node<K, V>) {
        let mut nodes = self.0.nodes.borrow_mut();
        let former = match nodes.get_mut(&key) {
            Some(place) => Some(replace(place, node)),
            None => nodes.insert(key, node),
        };
        drop(nodes);
        self.0.waiting.wake_all();
        drop(former);
    }

    fn wait_for_any(&self) {
        watch(once((false, Watchers(&self.0.waiting))), None, |_| true);
    }
}

impl<K: Ord + Clone + 'static, V: Clone + 'static> Default for DagPool<K, V> {
    fn default() -> DagPool<K, V> {
        DagPool::new()
    }
}

/// The same pool.
impl<K, V> Clone for DagPool<K, V> {
    fn clone(&self) -> DagPool<K, V> {
        DagPool(self.0.clone())
    }
}

/// A pool that has these results.
impl<K: Ord + Clone + 'static, V: Clone + 'static> FromIterator<(K, V)> for DagPool<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(results: I) -> DagPool<K, V> {
        let pool = DagPool::new();
        for (key, value) in results {
            pool.end(key, Node::Done(Rc::new(value)));
        }
        pool
    }
}

impl<K, V> fmt::Debug for DagPool<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.nodes.borrow().len();
        f.debug_struct("DagPool").field("keys", &keys).finish_non_exhaustive()
    }
}

/// Lies in the body of a task: unless its key was taken, the task has failed.
struct Fails<K: Ord + Clone + 'static, V: Clone + 'static> {
    pool: DagPool<K, V>,
    key: Option<K>,
}

impl<K: Ord + Clone + 'static, V: Clone + 'static> Drop for Fails<K, V> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.pool.end(key, Node::Failed);
        }
    }
}

/// The results of several keys of a [`DagPool`], as they come: each `next` parks until there is one more.
///
/// # Cancellation
/// What arrives inside `next` is raised there; nothing is lost.
pub struct Inputs<K, V> {
    pool: DagPool<K, V>,
    left: Vec<K>,
}

impl<K: Ord + Clone + 'static, V: Clone + 'static> Iterator for Inputs<K, V> {
    type Item = Result<(K, V), Failed<K>>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.left.is_empty() {
            for index in 0..self.left.len() {
                if let Some(ended) = self.pool.try_get(&self.left[index]) {
                    let key = self.left.remove(index);
                    return Some(ended.map(|value| (key, value)));
                }
            }
            self.pool.wait_for_any();
        }
        None
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Inputs<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("left", &self.left).finish_non_exhaustive()
    }
}
