//! Short files, nothing left open, no word about the machine it was written on.

use super::source::{Finding, Source};

const LINES: usize = 500;

/// Where a thread-local may stand: the invariant "One thread-local" of ARCHITECTURE.md.
const THREAD_LOCALS: [&str; 2] = ["src/greenlet/current.rs", "src/stack/owned.rs"];

/// Written in two halves, so that this file does not find itself.
const PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/"), concat!("/ho", "me/")];
const MARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];

const CODE: [&str; 6] = ["rs", "s", "c", "cpp", "go", "py"];
const FOLDERS: [&str; 5] = ["src/", "asm/", "tests/", "benches/", "examples/"];

/// No source file reaches 500 lines.
pub(crate) fn length(source: &Source) -> Vec<Finding> {
    let extension = source.path.rsplit('.').next().unwrap_or_default();
    let counts = CODE.contains(&extension) && FOLDERS.iter().any(|f| source.path.starts_with(f));
    let lines = source.text.lines().count();
    let message = || format!("{lines} lines: a file stays below {LINES}, one concept each");
    if counts && lines >= LINES { vec![source.at_line(lines, message())] } else { Vec::new() }
}

/// Nothing is left to do, and a test that does not run says why.
pub(crate) fn left_open(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.is_rust() {
        for name in ["todo", "unimplemented"] {
            for offset in source.words(name) {
                if source.code[offset + name.len()..].starts_with('!') {
                    findings.push(source.at(offset, format!("`{name}!` is left in the code")));
                }
            }
        }
        for offset in source.words("ignore") {
            let attribute = source.code[..offset].trim_end().ends_with(['[', ',']);
            if attribute && source.code[offset + "ignore".len()..].trim_start().starts_with(']') {
                findings.push(source.at(offset, "an ignored test without its reason".to_owned()));
            }
        }
    }
    for mark in MARKS {
        for (offset, _) in source.text.match_indices(mark) {
            let alone =
                |at: Option<char>| !at.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '_');
            let (before, after) = source.text.split_at(offset);
            if alone(before.chars().next_back()) && alone(after[mark.len()..].chars().next()) {
                findings.push(source.at(offset, format!("{mark} is left in the text")));
            }
        }
    }
    findings
}

/// No file names a folder of one particular machine.
pub(crate) fn machine_paths(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in PATHS {
        for (offset, _) in source.text.match_indices(path) {
            // `$dir/root/x` and `target/work/x` lie inside something that is named here.
            let inside = source.text[..offset]
                .ends_with(|c: char| c.is_alphanumeric() || "_-.}/".contains(c));
            if !inside {
                findings.push(source.at(offset, format!("`{path}` exists on one machine only")));
            }
        }
    }
    findings
}

/// In `src`, thread-locals stand in the files of the list only.
pub(crate) fn thread_locals(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("src/") || THREAD_LOCALS.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let message = "a thread-local outside the files that may have one (tests/tidy/habits.rs)";
    let found = source.words("thread_local").into_iter();
    found.map(|offset| source.at(offset, message.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        check(&Source::new(path, text)).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn a_long_file_is_reported() {
        assert_eq!(lines(length, "src/a.rs", &"\n".repeat(500)), [500]);
        assert_eq!(lines(length, "src/a.rs", &"\n".repeat(499)), []);
        assert_eq!(lines(length, "tests/data.txt", &"\n".repeat(900)), []);
    }

    #[test]
    fn open_ends_are_reported() {
        let text = "fn f() { todo!() }\nfn g() { unimplemented!(\"x\") }\n#[ignore]\n#[ignore = \"slow\"]\n// todo!() and #[ignore]\n#[cfg_attr(miri, ignore)]\n";
        assert_eq!(lines(left_open, "src/a.rs", text), [1, 2, 3]);
        for mark in MARKS {
            let text = format!("\n# {mark}: later\n/tmp/a.{mark}\n{mark}XX");
            assert_eq!(lines(left_open, "scripts/a.sh", &text), [2]);
        }
    }

    #[test]
    fn machine_paths_are_reported() {
        for path in PATHS {
            let text = format!("a\nopen(\"{path}x\")\n$dir{path}x\n");
            assert_eq!(lines(machine_paths, "README.md", &text), [2]);
        }
    }

    #[test]
    fn a_thread_local_elsewhere_is_reported() {
        let text = "// thread_local!\nthread_local! { static A: u8 = 0; }";
        assert_eq!(lines(thread_locals, "src/stack/cache.rs", text), [2]);
        assert_eq!(lines(thread_locals, THREAD_LOCALS[0], text), []);
        assert_eq!(lines(thread_locals, "tests/a.rs", text), []);
    }
}
