//! The cases for places and objects of pools. `tests/pool` has the rest.

use crate::cases::{Subject, cases};
use crate::holders::let_go;
use greenlet::pool::{GreenPool, Lending, Limited, ObjectPool, Pool, PoolOf, Waiting};
use greenlet::sync::Event;
use std::rc::Rc;

/// A pool with a place that somebody uses, and what ends that.
fn used<P: Limited>() -> (Rc<PoolOf<P>>, Rc<dyn Fn()>) {
    let (pool, end) = (Rc::new(PoolOf::<P>::new(1)), Rc::new(Event::new()));
    let ended = end.clone();
    let user = pool.spawn(move || ended.wait());
    let left = Rc::downgrade(&pool);
    let open = move || {
        end.set();
        // At once, not when the user has run.
        left.upgrade().inspect(|pool| _ = pool.discard(&user));
    };
    (pool, Rc::new(open))
}

/// Full: those who spawn do so one after the other.
fn full<P: Limited>() -> Subject {
    let (pool, open) = used::<P>();
    let (itself, asked) = (Rc::downgrade(&pool), pool.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [pool.spawn(|| ())].len() == 1,
            Some(limit) => pool.spawn_timeout(limit, || ()).is_ok(),
        }),
        open,
        state: Rc::new(move || format!("{} {}", asked.running(), asked.waiting())),
        hands_over: true,
        itself,
    }
}

mod a_place {
    use super::*;
    cases!(full, || assert!(!Pool::new(1).is_full()));

    fn full() -> Subject {
        super::full::<Waiting>()
    }
}

mod a_place_of_a_green_pool {
    use super::*;
    cases!(full, || assert!(!GreenPool::new(1).is_full()));

    fn full() -> Subject {
        super::full::<Lending>()
    }
}

mod the_end_of_all {
    use super::*;

    fn busy() -> Subject {
        let (pool, open) = used::<Waiting>();
        let (itself, asked) = (Rc::downgrade(&pool), pool.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => [pool.join()].len() == 1,
                Some(limit) => pool.join_timeout(limit),
            }),
            open,
            state: Rc::new(move || asked.running().to_string()),
            hands_over: false,
            itself,
        }
    }

    cases!(busy, || assert!(Pool::new(1).is_empty()));
}

mod an_object {
    use super::*;

    fn taken() -> Subject {
        let pool = Rc::new(ObjectPool::new(1, || ()));
        let open = let_go(pool.get());
        let (itself, asked) = (Rc::downgrade(&pool), pool.clone());
        Subject {
            wait: Rc::new(move |limit| match limit {
                None => [pool.get()].len() == 1,
                Some(limit) => pool.get_timeout(limit).is_some(),
            }),
            open,
            state: Rc::new(move || format!("{asked:?} {}", asked.waiting())),
            hands_over: true,
            itself,
        }
    }

    fn uncontended() {
        let pool = ObjectPool::new(1, || 7);
        assert_eq!(*pool.get(), 7);
        assert_eq!(*pool.get(), 7);
    }

    cases!(taken, uncontended);
}
