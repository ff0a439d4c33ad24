//! Pools: as many at once as there are places, and each job's result in its place.

use super::ledger::{Ledger, Played, millis, random, task};
use super::plan::Part;
use greenlet::pool::Pool;
use greenlet::sleep;
use std::cell::Cell;
use std::rc::Rc;

pub(crate) fn play(part: &Part, _: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Crew { size, jobs, kind } = *part else { return None };
    let pool = Pool::new(size);
    let (busy, done) = (Rc::new(Cell::new(0usize)), Rc::new(Cell::new(0usize)));
    struct Busy(Rc<Cell<usize>>);
    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let job = {
        let (busy, done, ledger) = (busy.clone(), done.clone(), ledger.clone());
        move |number: usize| {
            busy.set(busy.get() + 1);
            let _busy = Busy(busy.clone());
            let count = busy.get();
            ledger.check(count <= size, || format!("{count} work, {size} may"));
            sleep(millis(random(4)));
            done.set(done.get() + 1);
            ledger.step();
            number * 3
        }
    };
    let foreman = {
        let (pool, ledger) = (pool.clone(), ledger.clone());
        task(move || match kind {
            0 => {
                for number in 0..jobs {
                    let job = job.clone();
                    pool.spawn_detached(move || assert!(job(number) == number * 3));
                }
                pool.join();
            }
            1 => {
                let results = pool.map(0..jobs, job);
                let wanted: Vec<usize> = (0..jobs).map(|number| number * 3).collect();
                let right = results.as_ref().is_ok_and(|results| *results == wanted);
                ledger.check(right || !is_calm, || "a map is in another order".to_owned());
            }
            _ => {
                for (at, result) in pool.imap(0..jobs, job).enumerate() {
                    let right = result.as_ref().is_ok_and(|result| *result == at * 3);
                    ledger.check(right || !is_calm, || format!("result {at} is another"));
                }
            }
        })
    };
    let last = pool.clone();
    let finish = Box::new(move |ledger: &Ledger| {
        // A foreman who was killed has left some at work.
        let ended = last.join_timeout(millis(3_600_000));
        ledger.check(ended && last.is_empty(), || "a pool does not get empty".to_owned());
        ledger.check(busy.get() == 0, || "somebody works for ever".to_owned());
        let done = done.get();
        ledger.check(!is_calm || done == jobs, || format!("{done} jobs of {jobs} were done"));
        ledger.check(last.free() == size as isize, || "a place was lost".to_owned());
    });
    Some(Played { tasks: vec![foreman], close: None, finish })
}
