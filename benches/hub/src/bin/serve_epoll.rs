//! The raw loop of `raw/epoll.rs` as a server.

fn main() {
    greenlet_hub_benches::raw::epoll::serve(&greenlet_hub_benches::serve::Arguments::read());
}
