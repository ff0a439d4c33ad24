//! Items through queues: each that was put is got once, or is still there.

use super::ledger::{Ledger, Played, millis, random, task};
use super::plan::Part;
use greenlet::sync::queue::{GetError, LifoQueue, PriorityQueue, PutError, Queue};
use greenlet::{sleep, yield_now};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

type Item = (usize, usize);

#[derive(Clone)]
enum Goods {
    Queue(Queue<Item>),
    Lifo(LifoQueue<Item>),
    Priority(PriorityQueue<Item>),
}

macro_rules! each {
    ($goods:expr, $queue:ident => $call:expr) => {
        match $goods {
            Goods::Queue($queue) => $call,
            Goods::Lifo($queue) => $call,
            Goods::Priority($queue) => $call,
        }
    };
}

impl Goods {
    fn new(kind: u8, capacity: usize) -> Goods {
        match kind {
            0 => Goods::Queue(Queue::unbounded()),
            1 => Goods::Queue(Queue::bounded(capacity)),
            2 => Goods::Queue(Queue::rendezvous()),
            3 => Goods::Lifo(LifoQueue::bounded(capacity)),
            _ => Goods::Priority(PriorityQueue::bounded(capacity)),
        }
    }

    /// False if there was no room in time.
    fn put(&self, item: Item, limit: Option<Duration>) -> bool {
        match limit {
            None => each!(self, queue => queue.put(item)).is_ok(),
            Some(limit) => {
                let put: Result<(), PutError<Item>> =
                    each!(self, queue => queue.put_timeout(item, limit));
                put.is_ok()
            }
        }
    }

    fn get(&self, limit: Option<Duration>) -> Result<Item, GetError> {
        match limit {
            None => each!(self, queue => queue.get()).map_err(|_| GetError::Closed),
            Some(limit) => each!(self, queue => queue.get_timeout(limit)),
        }
    }

    fn close(&self) -> Vec<Item> {
        each!(self, queue => queue.close_now())
    }

    fn waiting(&self) -> usize {
        each!(self, queue => queue.getting() + queue.putting())
    }
}

pub(crate) fn play(part: &Part, _: usize, is_calm: bool, ledger: &Ledger) -> Option<Played> {
    let Part::Goods { queue: kind, capacity, makers, takers, limit_ms } = part.clone() else {
        return None;
    };
    let goods = Goods::new(kind, capacity);
    let (put, got) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let made: Vec<_> = makers
        .iter()
        .enumerate()
        .map(|(maker, count)| {
            let (goods, put, ledger, count) = (goods.clone(), put.clone(), ledger.clone(), *count);
            task(move || {
                for turn in 0..count {
                    let limit = limit_ms.filter(|_| random(3) == 0).map(millis);
                    if goods.put((maker, turn), limit) {
                        put.borrow_mut().push((maker, turn));
                    }
                    ledger.step();
                    if random(3) == 0 {
                        sleep(millis(random(5)));
                    }
                }
            })
        })
        .collect();
    let mut tasks = made.clone();
    for _ in 0..takers {
        let (goods, got, ledger) = (goods.clone(), got.clone(), ledger.clone());
        tasks.push(task(move || {
            loop {
                let limit = limit_ms.filter(|_| random(3) == 0).map(millis);
                match goods.get(limit) {
                    Ok(item) => got.borrow_mut().push(item),
                    Err(GetError::Closed) => return,
                    Err(_) => {}
                }
                ledger.step();
                match random(6) {
                    0 => sleep(millis(random(4))),
                    1 => yield_now(),
                    _ => {}
                }
            }
        }));
    }
    // The items that are left when nobody makes any more; then it is closed.
    let left = Rc::new(RefCell::new(Vec::new()));
    let closed = Rc::new(Cell::new(false));
    let closer = {
        let (goods, left, closed, put, got) =
            (goods.clone(), left.clone(), closed.clone(), put.clone(), got.clone());
        task(move || {
            made.iter().for_each(|maker| maker.wait());
            if is_calm {
                while got.borrow().len() < put.borrow().len() {
                    sleep(millis(1));
                }
            }
            left.borrow_mut().extend(goods.close());
            closed.set(true);
        })
    };
    tasks.push(closer);
    let close = {
        let (goods, left, closed) = (goods.clone(), left.clone(), closed.clone());
        Rc::new(move || {
            left.borrow_mut().extend(goods.close());
            closed.set(true);
        })
    };
    let finish = Box::new(move |ledger: &Ledger| {
        left.borrow_mut().extend(goods.close());
        ledger.check(goods.waiting() == 0, || "somebody waits at a queue for ever".to_owned());
        let is_fifo = matches!(goods, Goods::Queue(_));
        for maker in 0..makers.len() {
            let got = got.borrow();
            let turns = got.iter().filter(|(from, _)| *from == maker).map(|(_, turn)| *turn);
            let in_order = !is_fifo || turns.is_sorted_by(|a, b| a < b);
            ledger.check(in_order, || format!("the items of {maker} changed places"));
        }
        let mut there: Vec<Item> = got.take();
        there.append(&mut left.borrow_mut());
        there.sort_unstable();
        let mut wanted = put.take();
        wanted.sort_unstable();
        // One that was put by a greenlet that was killed in the moment after it may not be in its books.
        let is_known = |item: &Item| there.binary_search(item).is_ok();
        let lost = wanted.iter().filter(|item| !is_known(item)).count();
        ledger.check(lost == 0, || format!("{lost} items were lost: {wanted:?}, {there:?}"));
        let twice = there.windows(2).filter(|two| two[0] == two[1]).count();
        ledger.check(twice == 0, || format!("{twice} items came twice: {there:?}"));
        let surplus = there.len() - (wanted.len() - lost).min(there.len());
        ledger.check(surplus == 0, || format!("{surplus} items too many: {wanted:?}, {there:?}"));
    });
    Some(Played { tasks, close: Some(close), finish })
}
