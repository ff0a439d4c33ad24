//! Closed-loop clients on one thread: each connection sends its next request when the whole answer to
//! the last one has come and been compared. One ring, one receive per answer, no completion for a send.
//!
//! [`clients`] is the loop, [`traffic`] what is sent and expected, [`report`] what is told to the harness.

pub mod clients;
pub mod report;
pub mod traffic;
