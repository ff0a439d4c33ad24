//! The raw loop of `raw/floor.rs` as a server.

fn main() {
    greenlet_hub_benches::raw::floor::serve(&greenlet_hub_benches::serve::Arguments::read());
}
