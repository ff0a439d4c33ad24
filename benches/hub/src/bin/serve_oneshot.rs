//! The raw loop of `raw/oneshot.rs` as a server.

fn main() {
    greenlet_hub_benches::raw::oneshot::serve(&greenlet_hub_benches::serve::Arguments::read());
}
