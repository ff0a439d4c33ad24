//! Peer benches of `greenlet`.
