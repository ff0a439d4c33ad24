//! Programs in simulated worlds.

mod servers;
mod users;
mod worlds;
