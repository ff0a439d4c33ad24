//! What does a throw cost, taken as a value and unwinding?

fn main() {
    greenlet_benches::plots::run(&["throw_caught", "throw_unwinding"]);
}
