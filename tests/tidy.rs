//! The habits of this repository, checked on its own files: levels, short files, explained unsafe
//! code, mirrored assembly. A finding is `file:line: what`; all are printed together.

#[path = "tidy/assembly.rs"]
mod assembly;
#[path = "tidy/habits.rs"]
mod habits;
#[path = "tidy/levels.rs"]
mod levels;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/unsafety.rs"]
mod unsafety;

use source::{Finding, Source};

type Check<T> = fn(&T) -> Vec<Finding>;

const OF_THE_WHOLE: [Check<[Source]>; 3] = [levels::check, levels::picture, assembly::mirrored];

const OF_ONE_FILE: [Check<Source>; 7] = [
    assembly::explained,
    habits::left_open,
    habits::length,
    habits::machine_paths,
    habits::thread_locals,
    unsafety::blocks,
    unsafety::functions,
];

fn findings(sources: &[Source]) -> Vec<Finding> {
    let whole = OF_THE_WHOLE.iter().flat_map(|check| check(sources));
    let each = OF_ONE_FILE.iter().flat_map(|check| sources.iter().flat_map(check));
    let mut all: Vec<_> = whole.chain(each).collect();
    all.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    all
}

#[test]
fn the_repository_is_tidy() {
    let sources = source::repository();
    assert!(sources.iter().any(|s| s.path == "src/lib.rs"), "the walk found no src/lib.rs");
    let found = findings(&sources);
    let lines = found.iter().map(|f| format!("  {}:{}: {}\n", f.path, f.line, f.message));
    assert!(found.is_empty(), "{} findings\n{}", found.len(), lines.collect::<String>());
}
