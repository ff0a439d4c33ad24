//! What ours must reach: the table of the design document, section 5, one line per bar.

use crate::ours::{AHEAD, BARE, SUSPEND, SWITCH};

/// A limit for one row of one question.
pub struct Bar {
    pub question: &'static str,
    pub peer: &'static str,
    pub limit: Limit,
    /// Where the project would like to be; no verdict hangs on it.
    pub stretch: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Of the base row of the same question, as the median of the ratios of each round.
    Ratio(f64),
    /// Nanoseconds more than the base row, halved: a round trip is two switches.
    MoreEachWay(f64),
    /// Nanoseconds.
    Ns(f64),
}

const fn bar(question: &'static str, peer: &'static str, limit: Limit, stretch: f64) -> Bar {
    Bar { question, peer, limit, stretch: Some(stretch) }
}

const fn plain(question: &'static str, peer: &'static str, limit: Limit) -> Bar {
    Bar { question, peer, limit, stretch: None }
}

use Limit::{MoreEachWay, Ns, Ratio};

/// All bars.
pub const BARS: &[Bar] = &[
    plain("round_trip/0", BARE, Ratio(1.10)),
    plain("round_trip/2", BARE, Ratio(0.20)),
    plain("round_trip/4", BARE, Ratio(0.20)),
    bar("round_trip/2", SWITCH, Ratio(0.30), 0.25),
    bar("round_trip/4", SWITCH, Ratio(0.25), 0.20),
    bar("resumer_two_deep/4", SWITCH, Ratio(0.76), 0.72),
    bar("two_chains/64", SWITCH, Ratio(0.85), 0.80),
    bar("ring/100", SUSPEND, Ratio(0.30), 0.25),
    plain("ring/10000", SUSPEND, Ratio(0.25)),
    bar("ring/10000", AHEAD, Ratio(0.25), 0.15),
    bar("ring/100", SWITCH, Ratio(0.45), 0.35),
    bar("ring/10000", SWITCH, Ratio(0.45), 0.35),
    plain("direct/100", BARE, Ns(10.0)),
    bar("create_finish/1", BARE, Ratio(0.80), 0.62),
    bar("create_finish/1", SWITCH, Ratio(1.0), 0.80),
    plain("create_kill/1", SUSPEND, Ratio(1.0)),
    plain("throw_caught/1", SWITCH, Ns(40.0)),
    bar("checks/0", SWITCH, MoreEachWay(1.2), 0.7),
    bar("checks/2", SWITCH, MoreEachWay(1.2), 0.7),
    bar("checks/4", SWITCH, MoreEachWay(1.2), 0.7),
];

/// The bar of one row, if it has one.
pub fn find(question: &str, peer: &str) -> Option<&'static Bar> {
    BARS.iter().find(|bar| bar.question == question && bar.peer == peer)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_bar_belongs_to_a_question() {
        let names: Vec<String> = crate::questions::all().iter().map(|q| q.name()).collect();
        for bar in super::BARS {
            assert!(names.iter().any(|name| name == bar.question), "{}", bar.question);
        }
    }
}
