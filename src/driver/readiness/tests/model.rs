//! Random operations on 64 pairs of sockets, against a model that knows every byte.

use super::*;
use std::collections::VecDeque;

const PAIRS: usize = 64;
const OPERATIONS: usize = 100_000;
const LONGEST: usize = 3000;

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// One entry under way, and its buffer, both at a fixed place.
struct Operation {
    entry: Entry,
    bytes: Vec<u8>,
    end: usize,
    is_send: bool,
}

/// One end of a pair: what was sent to it and has not been received, and who waits in what order.
struct End {
    fd: Fd,
    _owner: Box<dyn AsRawFd>,
    sent: usize,
    received: usize,
    receiving: VecDeque<u64>,
    sending: VecDeque<u64>,
}

struct Model {
    world: World,
    ends: Vec<End>,
    operations: Vec<Option<Box<Operation>>>,
    free: Vec<u64>,
    moved: usize,
    waits: usize,
    pattern: Vec<u8>,
}

/// What end number so and so sends repeats itself after so many bytes.
const PERIOD: usize = 65_521;

impl Model {
    /// The bytes of a stream from a position on.
    fn stream(&self, sender: usize, position: usize, length: usize) -> &[u8] {
        &self.pattern[(position + 1009 * sender) % PERIOD..][..length]
    }

    /// How much was sent to an end and has not been received.
    fn coming(&self, end: usize) -> usize {
        self.ends[end ^ 1].sent - self.ends[end].received
    }

    fn new(random: &mut Random) -> Model {
        let mut ends = Vec::new();
        let mut add = |owner: Box<dyn AsRawFd>| {
            let fd = Fd::new(owner.as_raw_fd());
            let empty = VecDeque::new;
            let (receiving, sending) = (empty(), empty());
            ends.push(End { fd, _owner: owner, sent: 0, received: 0, receiving, sending });
        };
        for pair in 0..PAIRS {
            if pair % 2 == 0 {
                let (one, other) = tcp();
                add(Box::new(one));
                add(Box::new(other));
            } else {
                let (one, other) = unix();
                add(Box::new(one));
                add(Box::new(other));
            }
        }
        let (operations, free) = (Vec::new(), Vec::new());
        let mut pattern: Vec<u8> = (0..PERIOD).map(|_| random.below(256) as u8).collect();
        while pattern.len() < PERIOD + 60 * LONGEST {
            pattern.extend_from_within(..PERIOD);
        }
        Model { world: World::new(), ends, operations, free, moved: 0, waits: 0, pattern }
    }

    fn start(&mut self, end: usize, is_send: bool, length: usize) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.operations.push(None);
            self.operations.len() as u64 - 1
        });
        let fd = self.ends[end].fd;
        // Where the sent bytes will stand in the stream is known only if nobody is before them: one
        // send at a time and end.
        let mut bytes = if is_send {
            self.stream(end, self.ends[end].sent, length).to_vec()
        } else {
            vec![0; length]
        };
        let buffer = bytes.as_mut_ptr();
        let request = if is_send {
            Request::Send { fd, buffer, length, flags: 0 }
        } else {
            Request::Recv { fd, buffer, length, flags: 0 }
        };
        let entry = Entry::new(request, Token::from_bits(id << 3));
        let operation = Box::new(Operation { entry, bytes, end, is_send });
        let operation = self.operations[id as usize].insert(operation);
        // SAFETY: the box keeps entry and buffer in place until `ended` takes it.
        let pushed = unsafe { self.world.driver.push(&operation.entry) };
        let queue =
            if is_send { &mut self.ends[end].sending } else { &mut self.ends[end].receiving };
        match pushed {
            Pushed::Queued => {
                self.waits += usize::from(is_send);
                queue.push_back(id);
            }
            Pushed::Done(result) => {
                assert!(queue.is_empty(), "overtaken");
                queue.push_back(id);
                self.ended(id, result);
            }
        }
    }

    fn ended(&mut self, id: u64, result: i32) {
        let operation = self.operations[id as usize].take().expect("ended once");
        self.free.push(id);
        let (end, peer) = (operation.end, operation.end ^ 1);
        let it = &mut self.ends[end];
        let queue = if operation.is_send { &mut it.sending } else { &mut it.receiving };
        if result == -libc::ECANCELED {
            queue.retain(|other| *other != id);
            return;
        }
        assert_eq!(queue.pop_front(), Some(id), "first come, first served");
        let length = usize::try_from(result).expect("nothing fails here");
        assert!(0 < length && length <= operation.bytes.len());
        self.moved += length;
        if operation.is_send {
            it.sent += length;
            return;
        }
        let from = it.received;
        it.received += length;
        assert!(it.received <= self.ends[peer].sent, "more than was sent");
        let expected = self.stream(peer, from, length);
        assert!(expected == &operation.bytes[..length], "other bytes than were sent");
    }

    fn reap(&mut self, wait: Wait) -> usize {
        self.world.driver.enter(wait);
        let mut all = Vec::new();
        self.world.driver.reap(|completion| all.push((id(&completion), completion.result)));
        // A send's bytes may be received in the same round, and its completion come behind.
        let is_send = |id: u64| self.operations[id as usize].as_ref().is_some_and(|o| o.is_send);
        let (sends, receives): (Vec<_>, Vec<_>) = all.iter().partition(|(id, _)| is_send(*id));
        for (id, result) in sends.into_iter().chain(receives) {
            self.ended(id, result);
        }
        all.len()
    }

    fn cancel(&mut self, id: u64) {
        if let Some(operation) = &self.operations[id as usize] {
            assert_eq!(self.world.driver.cancel(&operation.entry), 0);
        }
    }
}

#[test]
fn random_operations_move_every_byte_in_order() {
    let seed = u64::from(std::process::id()) << 32 | 0x5eed;
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut model = Model::new(&mut random);
    for _ in 0..OPERATIONS {
        let end = random.below(2 * PAIRS);
        let longest = if random.below(20) == 0 { 60 * LONGEST } else { LONGEST };
        let length = 1 + random.below(longest);
        match random.below(20) {
            0..8 if model.ends[end].sending.is_empty() => model.start(end, true, length),
            8..17 if model.ends[end].receiving.len() < 3 => model.start(end, false, length),
            17 => {
                let id = random.below(model.operations.len().max(1)) as u64;
                if !model.operations.is_empty() {
                    model.cancel(id);
                }
            }
            _ => {
                model.reap(Wait::No);
            }
        }
    }
    // All that is still to come is received; then nothing waits but receivers of nothing.
    let late = model.world.driver.now() + 20_000_000_000;
    loop {
        for end in 0..2 * PAIRS {
            if model.ends[end].receiving.is_empty() && model.coming(end) > 0 {
                model.start(end, false, LONGEST);
            }
        }
        model.reap(Wait::No);
        if (0..2 * PAIRS).all(|end| model.coming(end) == 0 && model.ends[end].sending.is_empty()) {
            break;
        }
        assert!(model.world.driver.now() < late, "bytes are missing");
    }
    for id in 0..model.operations.len() as u64 {
        model.cancel(id);
    }
    model.reap(Wait::No);
    assert!(model.operations.iter().all(Option::is_none));
    println!("{} bytes moved, {} sends had to wait", model.moved, model.waits);
    assert!(model.moved > 1 << 24 && model.waits > 100);
}
