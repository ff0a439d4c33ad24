//! What is asked of the peers, and what ours must reach.

/// One table.
pub struct Question {
    pub what: &'static str,
    pub size: usize,
    pub text: &'static str,
    /// Laps of a round, where they do not follow from the time it takes.
    pub laps: Option<u64>,
    /// Ours may take so much of that peer's time (the design document, section 5).
    pub bars: &'static [(&'static str, f64)],
}

impl Question {
    pub fn name(&self) -> String {
        format!("{}/{}", self.what, self.size)
    }
}

/// The names of the peers.
pub const TOKIO: &str = "tokio";
pub const MAY: &str = "may";
pub const GO: &str = "go";
pub const STD: &str = "std threads";
pub const CROSSBEAM: &str = "crossbeam";
pub const GEVENT: &str = "gevent";
pub const OURS: &str = "greenlet";

/// Everything that is asked; `sleeps` is how often each of the 10,000 tasks sleeps.
pub fn all(sleeps: u64) -> Vec<Question> {
    vec![
        Question {
            what: "spawn",
            size: 1,
            text: "spawn, run and join, one at a time",
            laps: None,
            bars: &[(TOKIO, 0.35)],
        },
        Question {
            what: "spawn",
            size: 1000,
            text: "spawn 1,000, run and join them",
            laps: None,
            bars: &[(TOKIO, 0.7)],
        },
        Question {
            what: "yield",
            size: 100,
            text: "yield among 100",
            laps: None,
            bars: &[(TOKIO, 0.3), (MAY, 0.3), (GO, 0.3)],
        },
        Question {
            what: "timeout",
            size: 100,
            text: "a timeout that does not fire, around each yield of 100 (the yield is in it)",
            laps: None,
            bars: &[(TOKIO, 0.25)],
        },
        Question {
            what: "queue",
            size: 1,
            text: "an item through a queue of one, from one task to another",
            laps: None,
            bars: &[(TOKIO, 0.25)],
        },
        Question {
            what: "mutex",
            size: 1,
            text: "a free mutex",
            laps: None,
            bars: &[(TOKIO, 0.25)],
        },
        Question {
            what: "mutex",
            size: 10,
            text: "a mutex that 10 contend for, each yields while it has it",
            laps: None,
            bars: &[(TOKIO, 0.25)],
        },
        Question {
            what: "semaphore",
            size: 1,
            text: "a free permit of a semaphore",
            laps: None,
            bars: &[],
        },
        Question {
            what: "semaphore",
            size: 10,
            text: "5 permits that 10 contend for, each yields while it has one",
            laps: None,
            bars: &[],
        },
        Question {
            what: "event",
            size: 1000,
            text: "an event that 1,000 wait for, and wait for again (for each of them)",
            laps: None,
            bars: &[],
        },
        Question {
            what: "pool",
            size: 100_000,
            text: "an item of 100,000 that a pool of 100 maps",
            laps: Some(1),
            bars: &[],
        },
        Question {
            what: "sleep",
            size: 10_000,
            text: "a sleep of 1 to 10 ms, over 10,000 tasks",
            laps: Some(sleeps),
            bars: &[(TOKIO, 0.6)],
        },
    ]
}
