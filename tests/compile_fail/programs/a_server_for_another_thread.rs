use greenlet::server::{DatagramServer, StreamServer};
use std::thread;

fn stop(streams: StreamServer, datagrams: DatagramServer) {
    thread::spawn(move || streams.close());
    thread::spawn(move || datagrams.close());
}

fn main() {}
