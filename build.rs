//! Picks the architecture and watches the assembly; nothing is compiled here (rustc assembles `asm/`).

fn main() {
    println!("cargo:rerun-if-changed=asm");
    println!("cargo:rerun-if-changed=build.rs");

    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let (arch, os) = (var("CARGO_CFG_TARGET_ARCH"), var("CARGO_CFG_TARGET_OS"));
    let (width, endian) = (var("CARGO_CFG_TARGET_POINTER_WIDTH"), var("CARGO_CFG_TARGET_ENDIAN"));
    let supported = os == "linux"
        && matches!(arch.as_str(), "x86_64" | "aarch64")
        && width == "64"
        && endian == "little";
    if !supported {
        println!(
            "cargo::error=greenlet switches stacks in hand-written assembly for Linux on x86_64 and aarch64 \
             (64-bit, little-endian); this target is {arch} ({width} bits, {endian}-endian) on {os}"
        );
    }
}
