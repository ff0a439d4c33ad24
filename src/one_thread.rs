//! What stays on its thread says so when it is sent to another. Level 8.
//!
//! Uses every module whose types it names; used by nobody. None of these types is `Send` or `Sync` by what
//! it is made of. Without this file the compiler would tell of that: of an `Rc` or a pointer somewhere
//! inside. So each has implementations here that nobody can have, because they ask for a trait that
//! nothing implements, and the compiler tells of that one, in our words.
#![expect(unsafe_code, reason = "implementations for nobody")]

use crate::greenlet::{Coroutine, Generator, Greenlet, WeakGreenlet};

/// Traits that nothing has.
mod nothing {
    #[diagnostic::on_unimplemented(
        message = "a greenlet cannot leave its thread",
        label = "goes to another thread",
        note = "make a greenlet there; a thread with a hub takes tasks by `greenlet::HubHandle::spawn`"
    )]
    pub trait Greenlets {}

    #[cfg(feature = "hub")]
    #[diagnostic::on_unimplemented(
        message = "the handle of a task cannot leave its thread",
        label = "goes to another thread",
        note = "`greenlet::HubHandle::spawn` spawns on another thread, and gives a handle that can"
    )]
    pub trait Tasks {}

    #[cfg(feature = "hub")]
    #[diagnostic::on_unimplemented(
        message = "what greenlets of one thread share cannot go to another thread",
        label = "goes to another thread",
        note = "`greenlet::sync::thread` has channels and events for several threads"
    )]
    pub trait Shared {}

    #[cfg(feature = "hub")]
    #[diagnostic::on_unimplemented(
        message = "a pool belongs to the greenlets of one thread",
        label = "goes to another thread",
        note = "make a pool on each thread; `greenlet::HubHandle::spawn` spawns on another one"
    )]
    pub trait Pools {}

    #[cfg(feature = "hub")]
    #[diagnostic::on_unimplemented(
        message = "a server belongs to the greenlets of one thread",
        label = "goes to another thread",
        note = "make one on each thread; those of streams share a port by `reuse_port` of their builder"
    )]
    pub trait Servers {}

    #[cfg(feature = "hub")]
    #[diagnostic::on_unimplemented(
        message = "a time limit ends waits of the greenlet that has set it",
        label = "goes to another thread",
        note = "set one there, by `greenlet::timeout` or `greenlet::Timeout`"
    )]
    pub trait Limits {}

    /// Has a lifetime, so that the compiler looks only when somebody asks.
    #[derive(Debug)]
    pub struct Nobody<'a>(std::convert::Infallible, std::marker::PhantomData<&'a ()>);
}

macro_rules! stay {
    ($trait:ident: $($type:ty where [$($parameters:tt)*],)*) => {
        $(
            /// For nobody: it stays on its thread.
            // SAFETY: no type has the trait, so this is no implementation.
            unsafe impl<$($parameters)*> Send for $type
            where
                for<'never> nothing::Nobody<'never>: nothing::$trait,
            {}
            /// For nobody: it stays on its thread.
            // SAFETY: likewise.
            unsafe impl<$($parameters)*> Sync for $type
            where
                for<'never> nothing::Nobody<'never>: nothing::$trait,
            {}
        )*
    };
}

stay! { Greenlets:
    Greenlet where [],
    WeakGreenlet where [],
    Coroutine<In, Yield, Return> where [In, Yield, Return],
    Generator<Item> where [Item],
}

#[cfg(feature = "hub")]
mod of_hubs {
    use super::nothing;
    use crate::pool::{DagPool, ObjectPool, Pile, PoolOf, Pooled, ThreadPool};
    use crate::server::{DatagramServer, DatagramSocket, Listener, StreamServer};
    use crate::sync::queue::{Broadcast, QueueOf, Store, Subscriber};
    use crate::sync::{
        AsyncResult, Barrier, BoundedSemaphore, CappedSemaphore, Condvar, Entered, Event, Mutex,
        MutexGuard, OnceCell, OneShotEvent, OwnedEntered, OwnedPermit, Permit, ReentrantMutex,
        ReentrantMutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, WaitGroup,
    };
    use crate::task::{JoinHandle, Link, ScopedJoinHandle, TaskRef};
    use crate::time::Timeout;

    stay! { Tasks:
        JoinHandle<T> where [T],
        ScopedJoinHandle<'_, T> where [T],
        TaskRef where [],
        Link where [],
    }

    stay! { Shared:
        Event where [],
        OneShotEvent<T, E> where [T, E],
        AsyncResult<T, E> where [T, E],
        Condvar where [],
        Mutex<T> where [T: ?Sized],
        MutexGuard<'_, T> where [T: ?Sized],
        ReentrantMutex<T> where [T: ?Sized],
        ReentrantMutexGuard<'_, T> where [T: ?Sized],
        RwLock<T> where [T: ?Sized],
        RwLockReadGuard<'_, T> where [T: ?Sized],
        RwLockWriteGuard<'_, T> where [T: ?Sized],
        Semaphore where [],
        BoundedSemaphore where [],
        CappedSemaphore where [],
        Permit<'_> where [],
        Entered<'_> where [],
        OwnedPermit where [],
        OwnedEntered where [],
        Barrier where [],
        WaitGroup where [],
        OnceCell<T> where [T],
        QueueOf<S> where [S: Store],
        Broadcast<T> where [T],
        Subscriber<T> where [T],
    }

    stay! { Pools:
        PoolOf<P> where [P],
        ObjectPool<T> where [T],
        Pooled<T> where [T],
        Pile<T, P> where [T, P],
        DagPool<K, V> where [K, V],
        ThreadPool where [],
    }

    stay! { Servers:
        StreamServer<L> where [L: Listener],
        DatagramServer<S> where [S: DatagramSocket],
    }

    stay! { Limits:
        Timeout where [],
    }
}
