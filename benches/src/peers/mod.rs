//! The peers, one file each.

mod boost;
mod corosensei;
mod generator;
mod inline_jump;
mod plain;
mod process;
mod swap;

pub use self::boost::Boost;
pub use self::corosensei::{Corosensei, caught_as_value, caught_by_unwinding};
pub use self::generator::Generator;
pub use self::inline_jump::{InlineJump, direct};
pub use self::plain::plain;
pub use self::process::{Process, build_go, go, python, python_path};
pub use self::swap::{swap_in_memory, swap_in_registers};

/// The peer that ratios are taken against.
pub const BASE: &str = "corosensei";

/// Each peer and its version, or why it is missing.
pub fn versions() -> Vec<(&'static str, String)> {
    let answer = |process: Result<Process, String>| match process {
        Ok(process) => process.version(),
        Err(why) => why,
    };
    vec![
        ("corosensei", env!("BENCH_COROSENSEI").to_owned()),
        ("generator", env!("BENCH_GENERATOR").to_owned()),
        ("boost.context", boost::version()),
        ("python", answer(python())),
        ("go", answer(go())),
    ]
}
