//! Lifetime, threads, tracing, greenlet-local values, machine state: rules 119 to 158.

mod child;
mod dropping;
mod killing;
mod leaks;
mod left_behind;
mod locals;
mod log;
mod machine;
mod orphans;
mod shutdown;
mod thread_exit;
mod threads;
mod tracing;
mod weak;
