//! Who is asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use greenlet_benches::peers;

use crate::serve::Mode;

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The base of the ratios.
    Floor,
    /// Another loop without a library.
    Raw,
    Peer,
    OursUring,
    OursEpoll,
    /// On io_uring, with receive buffers from the pool.
    OursPooled,
}

/// One server of the comparison.
pub struct Candidate {
    pub name: &'static str,
    pub role: Role,
    program: Program,
}

enum Program {
    /// A binary of this package.
    Binary(PathBuf),
    /// The examples of the crate, on one of its hubs.
    Examples {
        folder: PathBuf,
        hub: &'static str,
        /// After the address.
        word: Option<&'static str>,
    },
    Go(PathBuf),
    Python(PathBuf),
}

/// The binaries of this package, by row.
const BINARIES: [(&str, Role, &str); 9] = [
    ("floor: raw multishot", Role::Floor, "serve_floor"),
    ("raw one-shot", Role::Raw, "serve_oneshot"),
    ("raw epoll, try first", Role::Raw, "serve_epoll"),
    (TOKIO, Role::Peer, "serve_tokio"),
    ("tokio, 1 worker", Role::Peer, "serve_tokio_worker"),
    ("monoio", Role::Peer, "serve_monoio"),
    ("compio", Role::Peer, "serve_compio"),
    ("glommio", Role::Peer, "serve_glommio"),
    (MAY, Role::Peer, "serve_may"),
];

/// The rows that the epoll hub is held against.
pub const TOKIO: &str = "tokio, current";
pub const MAY: &str = "may";

const OURS: [(&str, Role, &str, Option<&str>); 3] = [
    ("greenlet, uring", Role::OursUring, "uring", None),
    ("greenlet, epoll", Role::OursEpoll, "epoll", None),
    ("greenlet, pooled", Role::OursPooled, "uring", Some("pooled")),
];

impl Candidate {
    /// Whether it can serve so; without it the row is left out.
    pub fn serves(&self, mode: Mode) -> bool {
        match &self.program {
            // Only echo receives into the pool.
            Program::Examples { word: Some(_), .. } if mode == Mode::Http => false,
            Program::Examples { folder, .. } => folder.join(example(mode)).exists(),
            _ => true,
        }
    }

    /// The command that serves on this address.
    pub fn command(&self, mode: Mode, address: SocketAddr) -> Command {
        let word = if mode == Mode::Http { "http" } else { "echo" };
        let mut command = match &self.program {
            Program::Binary(path) | Program::Go(path) => Command::new(path),
            Program::Examples { folder, hub, word } => {
                let mut command = Command::new(folder.join(example(mode)));
                command.arg(address.to_string()).args(word).env("GREENLET_HUB", hub);
                return command;
            }
            Program::Python(python) => {
                let mut command = Command::new(python);
                command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/serve.py"));
                command
            }
        };
        if let Program::Go(_) = self.program {
            command.env("GOMAXPROCS", "1");
        }
        command.arg(word).arg(address.to_string());
        command
    }
}

fn example(mode: Mode) -> &'static str {
    match mode {
        Mode::Echo => "echo",
        Mode::Http => "httpd",
    }
}

/// The servers that are here, and the names of those that are not with the reason.
pub struct Found {
    pub candidates: Vec<Candidate>,
    pub missing: Vec<(&'static str, String)>,
}

/// Looks for all servers; `binaries` is the folder of this package's programs, `examples` that of the
/// crate's, `wanted` says which names to look for.
pub fn find(binaries: &Path, examples: &Path, wanted: impl Fn(&str) -> bool) -> Found {
    let mut found = Found { candidates: Vec::new(), missing: Vec::new() };
    for (name, role, binary) in BINARIES {
        let path = binaries.join(binary);
        let program = if path.exists() {
            Ok(Program::Binary(path))
        } else {
            Err(format!("no {binary} beside this program: build all programs of the package"))
        };
        found.note(name, role, &wanted, || program);
    }
    found.note("go", Role::Peer, &wanted, || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/serve.go");
        let binary = binaries.join("serve_go");
        peers::build_go(&source, &binary).map(|()| Program::Go(binary))
    });
    found.note("gevent", Role::Peer, &wanted, || {
        let python = peers::python_path();
        let imported = Command::new(&python).args(["-c", "import gevent"]).output();
        match imported {
            Ok(output) if output.status.success() => Ok(Program::Python(python)),
            _ => Err("no gevent (scripts/bench-venv.sh installs it)".into()),
        }
    });
    for (name, role, hub, word) in OURS {
        let some = [Mode::Echo, Mode::Http].map(|mode| examples.join(example(mode)).exists());
        let program = match some {
            [false, false] => Err(
                "no example echo or httpd: cargo build --release --example echo --example httpd"
                    .into(),
            ),
            _ => Ok(Program::Examples { folder: examples.to_owned(), hub, word }),
        };
        found.note(name, role, &wanted, || program);
    }
    found
}

impl Found {
    fn note(
        &mut self,
        name: &'static str,
        role: Role,
        wanted: impl Fn(&str) -> bool,
        program: impl FnOnce() -> Result<Program, String>,
    ) {
        // The floor is the base of the ratios: it is always asked.
        if role != Role::Floor && !wanted(name) {
            return;
        }
        match program() {
            Ok(program) => self.candidates.push(Candidate { name, role, program }),
            Err(why) => self.missing.push((name, why)),
        }
    }
}
