//! Values on their way: each case of the table of value passing, with payloads of 1 byte to 4 KiB
//! that count their drops, and a fuzzer over all of them.
//!
//! Parked greenlets (two rows of that table) can only be made inside the crate:
//! `greenlet::park::tests`.

#[path = "../lifetime/child.rs"]
mod child;
mod deaths;
mod direct;
mod drops;
mod fuzz;
mod nasty;
mod payload;
#[path = "../support/random.rs"]
mod random;
mod received;
mod throws;
mod traced;
