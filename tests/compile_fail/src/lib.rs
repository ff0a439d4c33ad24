//! Programs that must not compile, and what the compiler says then: each of `programs` beside its text.
//!
//! What it says changes with the compiler, so that only one is asked: [`COMPILER`]. With another one the test
//! says so and passes. After a change, `TRYBUILD=overwrite cargo test -p greenlet-compile-fail` writes
//! the texts anew; look at them. That such programs do not compile at all is checked with every compiler, by
//! examples in the documentation.

/// The compiler whose texts these are.
#[cfg(test)]
const COMPILER: &str = "rustc 1.95.0 ";

#[test]
fn the_compiler_says_what_to_do_instead() {
    let compiler = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let version = std::process::Command::new(compiler).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match version {
        Ok(version) if version.starts_with(COMPILER) => {
            trybuild::TestCases::new().compile_fail("programs/*.rs");
        }
        other => println!("not compared: this is {other:?}, the texts are of {COMPILER}"),
    }
}
