//! The feature `ours` counts from the day on which the crate has tasks.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../../src");
    println!("cargo:rustc-check-cfg=cfg(ours)");
    let written = ["task.rs", "task/mod.rs"].map(|file| Path::new("../../src").join(file).exists());
    if std::env::var_os("CARGO_FEATURE_OURS").is_some() && written.contains(&true) {
        println!("cargo:rustc-cfg=ours");
    }
}
