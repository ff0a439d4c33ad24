//! The rule tables are complete, and every test that they name exists.
//!
//! A row is `| number | what happens | proofs |`. Proofs are tests and examples in code spans,
//! separated by commas; then, where Rust differs, `**differs:**` and the reason.
//!
//! - `greenlet::death::name` is the test `name` in `tests/greenlet/death.rs`, `crash::name` the one
//!   in `tests/crash/main.rs` or `tests/crash.rs`.
//! - `greenlet::park::tests::name` is a unit test in `src/greenlet/park.rs`.
//! - `doc: Item` is an example in the documentation of `Item`; `doc: rules` one in the table's own
//!   file whose first line names the rule.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

const ALL: RangeInclusive<u32> = 1..=158;
const DIFFERS: &str = "**differs:**";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Table {
    text: String,
    /// What its heading announces: `Rules 1 to 118`.
    announced: Option<RangeInclusive<u32>>,
    rows: Vec<Row>,
}

struct Row {
    rule: u32,
    words: String,
    proofs: Vec<String>,
    reason: Option<String>,
}

impl Table {
    fn read(name: &str) -> Table {
        let text = read(format!("src/rules/{name}"));
        let announced = text.lines().find_map(|line| {
            let (first, rest) = line.strip_prefix("# Rules ")?.split_once(" to ")?;
            let last = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            Some(first.parse().ok()?..=last.parse().ok()?)
        });
        let rows = text.lines().filter_map(Row::parse).collect();
        Table { text, announced, rows }
    }

    fn both() -> [Table; 2] {
        ["tree.md", "lifetime.md"].map(Table::read)
    }
}

impl Row {
    /// `None` for a line that is no row of a rule.
    fn parse(line: &str) -> Option<Row> {
        let line = line.strip_prefix("| ")?;
        let (number, rest) = line.split_once(" | ")?;
        let rule = number.trim().parse().ok()?;
        let rest =
            rest.trim_end().strip_suffix('|').unwrap_or_else(|| panic!("rule {rule}: no end"));
        let (words, proofs) =
            rest.split_once(" | ").unwrap_or_else(|| panic!("rule {rule}: three columns"));
        let (proofs, reason) = match proofs.split_once(DIFFERS) {
            Some((proofs, reason)) => (proofs, Some(reason.trim().to_owned())),
            None => (proofs, None),
        };
        let proofs = proofs
            .split(',')
            .map(str::trim)
            .filter(|proof| !proof.is_empty())
            .map(|proof| {
                let inner = proof.strip_prefix('`').and_then(|proof| proof.strip_suffix('`'));
                inner.unwrap_or_else(|| panic!("rule {rule}: not a code span: {proof}")).to_owned()
            })
            .collect();
        Some(Row { rule, words: words.trim().to_owned(), proofs, reason })
    }
}

#[test]
fn every_rule_has_exactly_one_row() {
    let mut found = BTreeMap::<u32, usize>::new();
    let mut expected = Vec::new();
    let mut complete = true;
    for table in Table::both() {
        for row in &table.rows {
            *found.entry(row.rule).or_default() += 1;
        }
        match table.announced {
            Some(range) => {
                assert!(table.rows.iter().all(|row| range.contains(&row.rule)), "{range:?}");
                expected.extend(range);
            }
            None => {
                assert!(table.rows.is_empty(), "a table with rows says `# Rules .. to ..`");
                complete = false;
            }
        }
    }
    if complete {
        assert_eq!(expected, ALL.collect::<Vec<_>>(), "both tables together");
    }
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), expected, "one row for each rule");
    let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
}

#[test]
fn every_row_has_words_and_a_test_or_a_reason() {
    for row in Table::both().iter().flat_map(|table| &table.rows) {
        assert!(!row.words.is_empty(), "rule {}", row.rule);
        match &row.reason {
            Some(reason) => assert!(reason.len() > 10, "rule {}: a reason", row.rule),
            None => assert!(!row.proofs.is_empty(), "rule {}: nothing proves it", row.rule),
        }
    }
}

#[test]
fn every_named_test_exists() {
    let sources = rust_files(&repository().join("src"));
    let mut missing = Vec::new();
    for table in Table::both() {
        for row in &table.rows {
            for proof in &row.proofs {
                let exists = match proof.strip_prefix("doc: ") {
                    Some("rules") => has_example_for(&table.text, row.rule),
                    Some(item) => sources.iter().any(|text| documents_with_example(text, item)),
                    None => is_test(proof),
                };
                if !exists {
                    missing.push(format!("rule {}: {proof}", row.rule));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

fn rust_files(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(read(path));
        }
    }
    texts
}

/// Is there a code block whose first line is a comment that names the rule?
fn has_example_for(text: &str, rule: u32) -> bool {
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with("```") {
            continue;
        }
        let first = lines.next().unwrap_or_default();
        let names = first.strip_prefix("// Rule").and_then(|rest| rest.split_once(':'));
        if names.is_some_and(|(numbers, _)| {
            numbers.split(|c: char| !c.is_ascii_digit()).any(|n| n.parse() == Ok(rule))
        }) {
            return true;
        }
        lines.by_ref().find(|line| line.starts_with("```"));
    }
    false
}

/// Does `text` define the public `item` under a documentation that has a code block?
fn documents_with_example(text: &str, item: &str) -> bool {
    let name = item.rsplit("::").next().unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let defines = |line: &str| {
        let kinds = ["pub fn ", "pub unsafe fn ", "pub struct ", "pub enum ", "macro_rules! "];
        let rest = kinds.iter().find_map(|kind| line.strip_prefix(kind));
        rest.and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    (0..lines.len()).any(|at| {
        let head = lines[..at].iter().rev();
        let mut head = head.take_while(|line| line.starts_with("///") || line.starts_with("#["));
        defines(lines[at]) && head.any(|line| line.starts_with("/// ```"))
    })
}

fn is_test(path: &str) -> bool {
    let segments: Vec<&str> = path.split("::").collect();
    let [folders @ .., name] = &segments[..] else { return false };
    let candidates: Vec<PathBuf> = match folders {
        [source @ .., "tests"] => {
            let file = Path::new("src").join(source.join("/"));
            vec![file.with_extension("rs"), file.join("mod.rs"), file.join("tests.rs")]
        }
        [target] => {
            let target = Path::new("tests").join(target);
            vec![target.with_extension("rs"), target.join("main.rs")]
        }
        _ => vec![Path::new("tests").join(folders.join("/")).with_extension("rs")],
    };
    candidates.iter().filter(|path| repository().join(path).is_file()).any(|path| {
        let text = read(path);
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        (0..lines.len()).any(|at| {
            let head = lines[..at].iter().rev();
            let mut head = head.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
            lines[at].strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")))
                && head.any(|line| *line == "#[test]")
        })
    })
}
