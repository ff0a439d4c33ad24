//! The questions, and who answers each.
//!
//! Every list begins with the peer that ratios are taken against; ours follow, then the other peers,
//! then what no library can beat.

use crate::measure::Case;
use crate::ours;
use crate::peers::{self, BASE, Boost, Corosensei, Generator, InlineJump, Process};
use crate::work::{self, Endless, Four, Two, Zero};

/// One thing to measure.
pub struct Question {
    pub what: &'static str,
    pub size: usize,
    /// What is done, as the table explains it.
    pub text: &'static str,
    /// The row that ratios are taken against.
    pub base: &'static str,
    answer: fn(&Question, &Outside) -> Vec<Case>,
}

/// The peers that run as processes of their own, each none when it is not installed.
pub struct Outside {
    python: Option<Process>,
    go: Option<Process>,
}

impl Outside {
    /// Starts those that are installed.
    pub fn start() -> Outside {
        Outside { python: peers::python().ok(), go: peers::go().ok() }
    }

    /// None at all, for a quick look.
    pub fn none() -> Outside {
        Outside { python: None, go: None }
    }
}

impl Question {
    /// As `what/size`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.what, self.size)
    }

    /// The loops, ready to run; their coroutines live until the cases are dropped.
    pub fn cases(&self, outside: &Outside) -> Vec<Case> {
        (self.answer)(self, outside)
    }

    /// boost, Python and Go, `per_lap` operations in a lap.
    fn foreign(&self, outside: &Outside, per_lap: usize) -> impl Iterator<Item = Case> + use<> {
        let ask = |process: &Option<Process>| {
            process.as_ref().and_then(|process| process.case(self.what, self.size, per_lap))
        };
        let boost = Boost::case(self.what, self.size, per_lap);
        [boost, ask(&outside.python), ask(&outside.go)].into_iter().flatten()
    }
}

/// All of them, in the order of the table.
pub fn all() -> Vec<Question> {
    let question = |what, size, text, answer| Question { what, size, text, base: BASE, answer };
    let mut list = vec![
        question("round_trip", 0, "resume and suspend, suspended in the body itself", |q, o| {
            let mut cases = round_trip(q, o, Zero);
            cases.extend(
                [peers::swap_in_memory(), peers::swap_in_registers()].into_iter().flatten(),
            );
            cases
        }),
        question("round_trip", 2, "suspended two calls deep", |q, o| round_trip(q, o, Two)),
        question("round_trip", 4, "suspended four calls deep", |q, o| round_trip(q, o, Four)),
        question("resumer_two_deep", 4, "four calls deep, the resumer two calls deep", |q, o| {
            answers(
                q,
                o,
                1,
                ours::resumer_two_deep(Four),
                &[
                    || work::round_trip_from_two_calls::<Corosensei>(Four),
                    || work::round_trip_from_two_calls::<Generator>(Four),
                    || work::round_trip_from_two_calls::<InlineJump>(Four),
                ],
            )
        }),
        question(
            "two_chains",
            64,
            "64 in turn, suspended in two different chains of calls",
            |q, o| {
                answers(
                    q,
                    o,
                    64,
                    ours::two_chains(64),
                    &[
                        || work::two_chains::<Corosensei>(64),
                        || work::two_chains::<Generator>(64),
                        || work::two_chains::<InlineJump>(64),
                    ],
                )
            },
        ),
    ];
    for size in [100, 10_000] {
        list.push(question("ring", size, "many in turn, each suspended two calls deep", |q, o| {
            let peers =
                [work::ring::<Corosensei>, work::ring::<Generator>, work::ring::<InlineJump>];
            let peers = peers.map(|ring| ring(q.size));
            in_order(q, o, q.size, ours::ring(q.size), peers)
        }));
    }
    for size in [2, 100, 10_000] {
        list.push(question("direct", size, "siblings that switch to one another", |q, o| {
            let resumed = work::ring::<Corosensei>(q.size).named(BASE);
            in_order(q, o, q.size, ours::direct(q.size), [resumed, peers::direct(q.size)])
        }));
    }
    list.extend([
        question("create_finish", 1, "create, run to the end, stack back to the pool", |q, o| {
            let own = ours::create_finish();
            in_order(q, o, 1, own, create_finish())
        }),
        question("create_finish", 2, "the same, two calls below the loop", |q, o| {
            answers(
                q,
                o,
                1,
                ours::create_finish_in_two_calls(),
                &[
                    work::create_finish_in_two_calls::<Corosensei>,
                    work::create_finish_in_two_calls::<Generator>,
                    work::create_finish_in_two_calls::<InlineJump>,
                ],
            )
        }),
        question("create_kill", 1, "create, suspend two calls deep, end it there", |q, o| {
            let floor = work::create_kill::<InlineJump>().named("floor: forgotten, not unwound");
            let peers =
                [work::create_kill::<Corosensei>(), work::create_kill::<Generator>(), floor];
            in_order(q, o, 1, ours::create_kill(), peers)
        }),
        question("create_unstarted", 1, "create, drop without running it", |q, o| {
            answers(
                q,
                o,
                1,
                ours::create_unstarted(),
                &[
                    work::create_unstarted::<Corosensei>,
                    work::create_unstarted::<Generator>,
                    work::create_unstarted::<InlineJump>,
                ],
            )
        }),
        question("throw_caught", 1, "throw, taken as a value, and back", |q, o| {
            in_order(q, o, 1, ours::throw_caught(), [peers::caught_as_value().named(BASE)])
        }),
        question("throw_unwinding", 1, "throw, unwinds two calls, caught, and back", |q, o| {
            in_order(q, o, 1, ours::throw_unwinding(), [peers::caught_by_unwinding().named(BASE)])
        }),
    ]);
    list.extend(checks());
    list
}

/// What our own layers add.
fn checks() -> Vec<Question> {
    let question = |size, answer| Question {
        what: "checks",
        size,
        text: "what types, parent, identity and trace check add to the bare switch",
        base: ours::BARE,
        answer,
    };
    vec![
        question(0, |_, _| ours::checks(Zero)),
        question(2, |_, _| ours::checks(Two)),
        question(4, |_, _| ours::checks(Four)),
    ]
}

fn round_trip(question: &Question, outside: &Outside, body: impl Endless) -> Vec<Case> {
    let peers = [
        work::round_trip::<Corosensei>(body),
        work::round_trip::<Generator>(body),
        work::round_trip::<InlineJump>(body),
        peers::plain(body),
    ];
    in_order(question, outside, 1, ours::round_trip(body), peers)
}

fn create_finish() -> [Case; 3] {
    [
        work::create_finish::<Corosensei>(),
        work::create_finish::<Generator>(),
        work::create_finish::<InlineJump>(),
    ]
}

fn answers(
    question: &Question,
    outside: &Outside,
    per_lap: usize,
    ours: Vec<Case>,
    peers: &[fn() -> Case],
) -> Vec<Case> {
    in_order(question, outside, per_lap, ours, peers.iter().map(|peer| peer()))
}

/// The first peer, ours, the foreign ones, the other peers: the last of those is a floor.
fn in_order(
    question: &Question,
    outside: &Outside,
    per_lap: usize,
    ours: Vec<Case>,
    peers: impl IntoIterator<Item = Case>,
) -> Vec<Case> {
    let mut peers = peers.into_iter();
    let mut cases: Vec<Case> = peers.next().into_iter().chain(ours).collect();
    let (floors, others): (Vec<Case>, Vec<Case>) = peers.partition(|case| is_floor(&case.peer));
    cases.extend(others);
    cases.extend(question.foreign(outside, per_lap));
    cases.extend(floors);
    cases
}

fn is_floor(peer: &str) -> bool {
    peer.starts_with("floor") || peer.starts_with("plain")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_peer_carries_values_as_the_loops_expect() {
        work::check::<Corosensei>();
        work::check::<Generator>();
        work::check::<InlineJump>();
        ours::check();
    }

    #[test]
    fn every_question_is_answered_by_its_base_first_and_by_nobody_twice() {
        // Inside `run`, which ends the rings of siblings: they hold one another's handles.
        // The large sizes run the same code as the small ones.
        greenlet::run(|| all().iter().filter(|q| q.size <= 100).for_each(answered_well));

        fn answered_well(question: &Question) {
            let mut cases = question.cases(&Outside::none());
            assert_eq!(cases[0].peer, question.base, "{}", question.name());
            let peers: HashSet<&str> = cases.iter().map(|case| case.peer.as_str()).collect();
            assert_eq!(peers.len(), cases.len(), "{}", question.name());
            for case in &mut cases {
                assert!(!case.run(3).is_zero(), "{} of {}", case.peer, question.name());
            }
        }
    }
}
