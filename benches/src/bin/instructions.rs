//! Does exactly so many operations of one kind, for `scripts/instructions.sh` to count under callgrind.
//!
//! `instructions --list` names them; `instructions NAME COUNT` does them.

use greenlet_benches::measure::Case;
use greenlet_benches::ours;
use greenlet_benches::peers::Corosensei;
use greenlet_benches::work::{self, Two, Zero};

/// The bare switch, the switch and the suspension are `round_trip/0` again.
const CHECKS_ASKED_ABOVE: usize = 3;

/// Of our own rows those whose regression fails the gate, of corosensei's those to compare with.
fn operations() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("round_trip/0", with(work::round_trip::<Corosensei>(Zero), ours::round_trip(Zero))),
        ("round_trip/2", with(work::round_trip::<Corosensei>(Two), ours::round_trip(Two))),
        ("create_finish/1", with(work::create_finish::<Corosensei>(), ours::create_finish())),
        (
            "create_unstarted/1",
            with(work::create_unstarted::<Corosensei>(), ours::create_unstarted()),
        ),
        ("throw_caught/1", ours::throw_caught()),
        ("checks/0", ours::checks(Zero).split_off(CHECKS_ASKED_ABOVE)),
        ("queue/1", ours::hand_off(1)),
        ("mutex/10", ours::contended_mutex(10)),
    ]
}

fn with(peer: Case, mut ours: Vec<Case>) -> Vec<Case> {
    ours.push(peer);
    ours
}

/// A name without spaces, for the shell.
fn name(question: &str, case: &Case) -> String {
    format!("{question}/{}", case.peer.replace(' ', "-"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => {
            for (question, cases) in operations() {
                cases.iter().for_each(|case| println!("{}", name(question, case)));
            }
        }
        [wanted, count] => run(wanted, count.parse().unwrap_or_else(|_| usage())),
        _ => usage(),
    }
}

fn run(wanted: &str, count: u64) {
    for (question, mut cases) in operations() {
        if let Some(case) = cases.iter_mut().find(|case| name(question, case) == wanted) {
            case.run(count);
            return;
        }
    }
    usage()
}

fn usage() -> ! {
    eprintln!("usage: instructions --list | instructions NAME COUNT");
    std::process::exit(2)
}
