//! What do creation and each kind of end cost?

fn main() {
    greenlet_benches::plots::run(&["create_finish", "create_kill", "create_unstarted"]);
}
