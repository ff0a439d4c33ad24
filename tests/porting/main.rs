//! The porting tables have one row for each public name of Python's greenlet, gevent and eventlet.
//!
//! `scripts/python-names.sh` wrote the names to the text files beside this. In `src/porting/*_names.md` a
//! heading names a module, and a row is `| names | here | what differs |`:
//!
//! - names: code spans; `.name` belongs to the class of the name before it.
//! - here: links, which rustdoc checks, or `later: ..` with a part of `PARTS`, or `absent`.
//! - what differs: the reason, if there is nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each with the files of its table, in `src/porting`.
const PACKAGES: [(&str, &[&str]); 3] = [
    ("greenlet", &["greenlet_names.md"]),
    ("gevent", &["gevent_names.md", "gevent_loop_names.md"]),
    ("eventlet", &["eventlet_names.md", "eventlet_green_names.md"]),
];

/// What later parts bring.
const PARTS: [&str; 11] = [
    "DNS",
    "files",
    "processes",
    "signals",
    "TLS",
    "HTTP",
    "patching",
    "dumps",
    "C API",
    "futures",
    "Python module",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of `package.txt`: `module name`, or a module.
fn public_names(package: &str) -> BTreeSet<String> {
    read(&format!("tests/porting/{package}.txt")).lines().map(str::to_owned).collect()
}

struct Row {
    /// In the form of the text files.
    names: Vec<String>,
    here: String,
    differs: String,
}

/// The modules that have a heading, and the rows below them.
fn table(files: &[&str]) -> (Vec<String>, Vec<Row>) {
    let (mut modules, mut rows) = (Vec::<String>::new(), Vec::new());
    let text: String = files.iter().map(|file| read(&format!("src/porting/{file}"))).collect();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            modules.push(heading.trim_matches('`').to_owned());
        } else if line.starts_with("| `") {
            rows.push(Row::parse(line, modules.last().expect("a heading above the first row")));
        }
    }
    (modules, rows)
}

impl Row {
    fn parse(line: &str, module: &str) -> Row {
        let bars = line.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 4, "a bar inside a cell is written `\\|`: {line}");
        let cells = line.trim_matches('|').split(" | ").map(str::trim);
        let [names, here, differs] = cells.collect::<Vec<_>>()[..] else {
            panic!("three columns: {line}")
        };
        let mut class = "";
        let names = names.split(", ").map(|name| {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("a name is not a code span: {line}"));
            if name.starts_with('.') {
                return format!("{module} {class}{name}");
            }
            class = name.split('.').next().unwrap();
            format!("{module} {name}")
        });
        Row { names: names.collect(), here: here.to_owned(), differs: differs.to_owned() }
    }
}

#[test]
fn every_public_name_has_exactly_one_row() {
    for (package, files) in PACKAGES {
        let (modules, rows) = table(files);
        let mut count = BTreeMap::<String, usize>::new();
        for name in modules.into_iter().chain(rows.into_iter().flat_map(|row| row.names)) {
            *count.entry(name).or_default() += 1;
        }
        let doubled: Vec<_> = count.iter().filter(|(_, count)| **count > 1).collect();
        assert!(doubled.is_empty(), "{package}: more than one row: {doubled:#?}");
        let (found, public) = (count.into_keys().collect(), public_names(package));
        let missing: Vec<_> = public.difference(&found).collect();
        assert!(missing.is_empty(), "{package}: no row: {missing:#?}");
        let unknown: Vec<_> = found.difference(&public).collect();
        assert!(unknown.is_empty(), "{package}: no such name: {unknown:#?}");
    }
}

#[test]
fn every_row_says_where_or_why() {
    for row in PACKAGES.into_iter().flat_map(|(_, files)| table(files).1) {
        let Row { names, here, differs } = row;
        let links = ["](crate::", "](std::", "[`std::"].iter().any(|link| here.contains(link));
        match here.split_once(": ") {
            _ if links => {}
            Some(("later", part)) => assert!(PARTS.contains(&part), "{names:?}: no part: {part}"),
            _ if here == "absent" => assert!(differs.len() > 10, "{names:?}: a reason"),
            _ => panic!("{names:?}: neither a link nor a reason: {here}"),
        }
    }
}

#[test]
fn the_lists_are_whole() {
    let some = ["greenlet greenlet.switch", "gevent.pool Pool.imap", "eventlet.event Event.send"];
    for ((package, _), name) in PACKAGES.iter().zip(some) {
        assert!(public_names(package).contains(name), "{name}");
    }
}
