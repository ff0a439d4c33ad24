//! What does a round trip cost, and what do our own layers add to it?

fn main() {
    greenlet_benches::plots::run(&["round_trip", "resumer_two_deep", "two_chains", "checks"]);
}
