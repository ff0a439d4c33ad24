//! Programs in simulated worlds.

mod users;
mod worlds;
