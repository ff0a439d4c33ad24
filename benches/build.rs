//! Finds the peers that are not Rust crates, and the versions that the table prints.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=cpp/boost.cpp");
    println!("cargo:rerun-if-changed=../Cargo.lock");
    println!("cargo:rustc-check-cfg=cfg(boost)");
    versions();
    if let Err(why) = boost() {
        println!("cargo:rustc-env=BENCH_BOOST_MISSING={why}");
    }
}

/// Compiles the C++ rows when the header and the archive of boost.context are installed.
fn boost() -> Result<(), String> {
    if env::var("TARGET") != env::var("HOST") {
        return Err("not looked for when cross-compiling".into());
    }
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").file("cpp/boost.cpp").cargo_warnings(false).opt_level(3);
    let compiler = build.try_get_compiler().map_err(|_| "no C++ compiler")?;
    // The static archive: a call through the PLT would be added to every switch otherwise.
    let asked = Command::new(compiler.path()).arg("-print-file-name=libboost_context.a").output();
    let answer = asked.map_err(|error| error.to_string())?.stdout;
    let archive = String::from_utf8_lossy(&answer).trim().to_owned();
    let folder = Path::new(&archive).parent().filter(|_| Path::new(&archive).is_absolute());
    let folder = folder.ok_or("libboost-context-dev is not installed")?;
    build.try_compile("bench_boost").map_err(|_| "boost/context/fiber.hpp does not compile")?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=static:-bundle=boost_context");
    println!("cargo:rustc-cfg=boost");
    Ok(())
}

/// The compiler's and the peers' versions, as environment variables of the build.
fn versions() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().map(|o| o.stdout);
    let rustc = String::from_utf8_lossy(&output.unwrap_or_default()).trim().to_owned();
    println!("cargo:rustc-env=BENCH_RUSTC={rustc}");

    let lock = fs::read_to_string("../Cargo.lock").unwrap_or_default();
    for peer in ["corosensei", "generator"] {
        let entry = lock.split("[[package]]").find(|e| e.contains(&format!("name = \"{peer}\"")));
        let line = entry.and_then(|e| e.lines().find_map(|l| l.strip_prefix("version = ")));
        let version = line.unwrap_or("unknown").trim_matches('"');
        println!("cargo:rustc-env=BENCH_{}={version}", peer.to_uppercase());
    }
}
