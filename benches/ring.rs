//! What does a switch cost among many?

fn main() {
    greenlet_benches::plots::run(&["ring", "direct"]);
}
