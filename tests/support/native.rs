//! C and C++ compiled while the tests run, and loaded into the process.
//!
//! There need not be a compiler: then the tests that want one say so and pass.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

/// C or C++, and the compilers that are tried for it.
#[derive(Clone, Copy)]
pub(crate) enum Language {
    C,
    Cpp,
}

impl Language {
    fn compilers(self) -> [String; 3] {
        let arch = std::env::consts::ARCH;
        match self {
            Language::C => ["cc".into(), "gcc".into(), format!("{arch}-linux-gnu-gcc")],
            Language::Cpp => ["c++".into(), "g++".into(), format!("{arch}-linux-gnu-g++")],
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Language::C => "c",
            Language::Cpp => "cpp",
        }
    }

    /// The one that makes code for this program's architecture (an emulated one runs the host's tools).
    fn compiler(self) -> Option<String> {
        let fits = |name: &String| {
            let Ok(output) = Command::new(name).arg("-dumpmachine").output() else { return false };
            String::from_utf8_lossy(&output.stdout).starts_with(std::env::consts::ARCH)
        };
        self.compilers().into_iter().find(fits)
    }
}

/// The variable by which a child is told what its parent compiled.
pub(crate) const CODE: &str = "GREENLET_CRASH_CODE";

/// A shared object, deleted when this is dropped.
pub(crate) struct Compiled {
    folder: Option<PathBuf>,
    pub(crate) path: String,
}

impl Drop for Compiled {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Compiles `source` to a shared object; `None`, and a line that says why, when there is no
/// compiler. `name` keeps apart what is compiled in one process. In a child it is what the parent
/// has compiled.
pub(crate) fn compile(
    language: Language,
    name: &str,
    source: &str,
    flags: &[&str],
) -> Option<Compiled> {
    if let Ok(path) = std::env::var(CODE) {
        return Some(Compiled { folder: None, path });
    }
    let Some(compiler) = language.compiler() else {
        println!("skipped: no compiler here, tried {}", language.compilers().join(", "));
        return None;
    };
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for compiled code");
    let (from, to) =
        (folder.join("code").with_extension(language.suffix()), folder.join("code.so"));
    std::fs::write(&from, source).expect("a source file");
    let mut command = Command::new(&compiler);
    command.args(["-shared", "-fPIC", "-O1", "-fexceptions"]).args(flags);
    let output = command.arg("-o").arg(&to).arg(&from).output().expect("the compiler runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} refused the code:\n{said}");
    let path = to.to_str().expect("a path in UTF-8").to_owned();
    Some(Compiled { folder: Some(folder), path })
}

/// A loaded shared object; stays loaded.
#[derive(Clone, Copy)]
pub(crate) struct Library(*mut c_void);

impl Library {
    pub(crate) fn load(path: &str) -> Library {
        let text = CString::new(path).expect("a path without NUL");
        // SAFETY: what is loaded was compiled here, and has no constructors.
        let library = unsafe { libc::dlopen(text.as_ptr(), libc::RTLD_NOW) };
        assert!(!library.is_null(), "{path} cannot be loaded");
        Library(library)
    }

    /// The function called `name`, as an `F`.
    ///
    /// # Safety
    /// - `F` is the type of a function pointer, and fits the function.
    pub(crate) unsafe fn function<F: Copy>(self, name: &str) -> F {
        assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
        let text = CString::new(name).expect("a name without NUL");
        // SAFETY: the library is loaded.
        let address = unsafe { libc::dlsym(self.0, text.as_ptr()) };
        assert!(!address.is_null(), "{name} is not there");
        // SAFETY: the caller's promise.
        unsafe { std::mem::transmute_copy(&address) }
    }
}
