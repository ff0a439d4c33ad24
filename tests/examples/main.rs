//! The examples, run as programs: the servers are driven over loopback by clients that behave and by
//! clients that do not; of the demonstrations, the end and the lines that count are checked; of the
//! programs of the seeds, everything that their pages say.

mod chat;
mod client;
mod demonstrations;
mod echo;
mod httpd;
mod port_forwarder;
mod program;
mod seed_programs;
mod server;
