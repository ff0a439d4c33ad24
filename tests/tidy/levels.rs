//! A module uses lower levels only: never its own, never a higher one.

use super::source::{Finding, Source};

/// The levels, lowest first. ARCHITECTURE.md draws them; `picture` compares.
const LEVELS: [&[&str]; 9] = [
    &["arch", "stack", "list", "driver", "worker"],
    &["greenlet", "context", "rules"],
    &["hub"],
    &["op", "time"],
    &["sync", "offload"],
    &["task"],
    &["net", "fs", "io", "process", "signal", "pool", "inspect", "sim"],
    &["server", "http", "tls", "dns", "backdoor"],
    &["patch", "capi", "porting", "one_thread"],
];

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|names| names.contains(&module))
}

/// Compares every `crate::` and `super::` path in `src` with the levels.
pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut root_names: Vec<_> =
        sources.iter().filter(|s| s.path == "src/lib.rs").flat_map(reexports).collect();
    // `pub use greenlet::*` brings in what the module's files define.
    let (globs, named): (Vec<_>, _) = root_names.into_iter().partition(|(leaf, _)| leaf == "*");
    root_names = named;
    let whole = |source: &&Source| {
        let module = top_module(&source.path);
        globs.iter().any(|(_, glob)| module == Some(glob))
    };
    root_names.extend(sources.iter().filter(whole).flat_map(definitions));
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.is_rust()) {
        let Some(own) = top_module(&source.path) else { continue };
        let Some(own_level) = level(own) else {
            let message =
                format!("module `{own}` has no level: give it one in tests/tidy/levels.rs");
            findings.push(source.at_line(1, message));
            continue;
        };
        for (offset, name) in names_from_root(source) {
            let through = root_names.iter().find(|(leaf, _)| *leaf == name);
            let used = through.map_or(name.as_str(), |(_, module)| module.as_str());
            let message = match level(used) {
                None => format!("`crate::{name}` hides its level: write the path of its module"),
                Some(level) if used != own && level >= own_level => format!(
                    "`{own}` (level {own_level}) uses `{used}` (level {level}); only lower levels may be used"
                ),
                Some(_) => continue,
            };
            findings.push(source.at(offset, message));
        }
    }
    findings
}

/// Every module of `src` stands in ARCHITECTURE.md's picture, on a line that begins with its level.
pub(crate) fn picture(sources: &[Source]) -> Vec<Finding> {
    let Some(page) = sources.iter().find(|s| s.path == "ARCHITECTURE.md") else {
        return Vec::new();
    };
    let mut modules: Vec<_> = sources.iter().filter_map(|s| top_module(&s.path)).collect();
    modules.dedup();
    let drawn = |module: &str| {
        page.text.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next().is_some_and(|first| first.parse().ok() == level(module))
                && words.any(|word| word == module)
        })
    };
    let missing = modules.into_iter().filter(|m| level(m).is_some() && !drawn(m));
    missing
        .map(|module| {
            let message = format!("the picture of levels has no `{module}` on its line");
            page.at_line(1, message)
        })
        .collect()
}

/// `net` of src/net.rs, src/net/mod.rs and src/net/tcp.rs.
fn top_module(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let first = inside.split('/').next()?;
    (inside != "lib").then_some(first)
}

/// The names that follow the crate's root in the paths of a file, with their offsets.
fn names_from_root(source: &Source) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    let code = &source.code;
    for offset in source.words("crate") {
        if let Some(rest) = code[offset..].strip_prefix("crate::") {
            names.extend(heads(rest).into_iter().map(|name| (offset, name)));
        }
    }
    for offset in source.words("super") {
        let first = !code[..offset].trim_end().ends_with("::");
        let (mut rest, mut climbed) = (&code[offset..], 0);
        while let Some(above) = rest.strip_prefix("super::") {
            (rest, climbed) = (above, climbed + 1);
        }
        if first && climbed > 0 && climbed == depth(source, offset) {
            names.extend(heads(rest).into_iter().map(|name| (offset, name)));
        }
    }
    names
}

/// How many `super::` lead from this place to the crate's root.
fn depth(source: &Source, offset: usize) -> usize {
    let folders = source.path.matches('/').count();
    let file = usize::from(!source.path.ends_with("/mod.rs"));
    let is_module = |header: &&str| header.split_whitespace().rev().nth(1) == Some("mod");
    let inline = source.headers(offset).into_iter().filter(is_module).count();
    folders - 1 + file + inline
}

/// `a` of `a::b`, and `a`, `c` of `{a::b, c::{d, e}}`.
fn heads(rest: &str) -> Vec<String> {
    let name_of = |text: &str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        if text.starts_with('*') { "*".to_owned() } else { text[..end].to_owned() }
    };
    let names = match rest.strip_prefix('{') {
        Some(group) => parts(group).into_iter().map(name_of).collect(),
        None => vec![name_of(rest)],
    };
    names.into_iter().filter(|name| !name.is_empty() && name != "self").collect()
}

/// What stands between the commas of a group, up to the brace that closes it.
fn parts(group: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..i]);
                start = i + 1;
            }
            '}' => {
                parts.push(&group[start..i]);
                break;
            }
            _ => {}
        }
    }
    parts
}

/// The names that the crate's root re-exports, each with the module it comes from.
fn reexports(root: &Source) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for offset in root.words("use") {
        let tree = root.code[offset + 3..].split(';').next().unwrap_or_default().trim();
        let tree = tree.strip_prefix("crate::").or(tree.strip_prefix("self::")).unwrap_or(tree);
        for module in heads(tree) {
            names.extend(leaves(tree).into_iter().map(|leaf| (leaf, module.clone())));
        }
    }
    names
}

/// The public names that a file defines, each with the file's module.
fn definitions(source: &Source) -> Vec<(String, String)> {
    let module = top_module(&source.path).unwrap_or_default();
    let kinds = ["struct", "enum", "union", "trait", "type", "fn", "const", "static", "mod"];
    let names = source.words("pub").into_iter().filter_map(|offset| {
        let words = source.code[offset..].split_whitespace().skip(1).take(6);
        // An ABI is blank but for its quotes.
        let mut words = words.filter(|word| !["unsafe", "async", "extern", "\""].contains(word));
        let (kind, mut name) = (words.next()?, words.next()?);
        if kind == "const" && name == "fn" {
            name = words.next()?;
        }
        kinds.contains(&kind).then_some((heads(name).pop()?, module.to_owned()))
    });
    names.collect()
}

/// The names that a use tree brings in.
fn leaves(tree: &str) -> Vec<String> {
    match tree.split_once('{') {
        Some((_, group)) => parts(group).into_iter().flat_map(leaves).collect(),
        None => {
            let name = tree.rsplit("::").next().unwrap_or(tree);
            let name = name.rsplit(" as ").next().unwrap_or(name);
            vec![name.trim().to_owned()]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let found = check(&sources).into_iter().chain(picture(&sources));
        found.map(|f| format!("{}:{} {}", f.path, f.line, f.message)).collect()
    }

    #[test]
    fn a_path_upwards_or_sideways_is_reported() {
        let cases = [
            (
                "src/arch/mod.rs",
                "use crate::stack::Stack;",
                "src/arch/mod.rs:1 `arch` (level 0) uses `stack`",
            ),
            (
                "src/hub/run.rs",
                "\nuse super::super::{\n  greenlet, net::{Tcp, self}};",
                "src/hub/run.rs:2 `hub` (level 2) uses `net`",
            ),
            (
                "src/hub.rs",
                "mod tests { use super::super::op::read; }",
                "src/hub.rs:1 `hub` (level 2) uses `op`",
            ),
            (
                "src/op/read.rs",
                "fn f() { $crate::time::now() }",
                "src/op/read.rs:1 `op` (level 3) uses `time`",
            ),
            (
                "src/op/read.rs",
                "use crate::{Everything};",
                "src/op/read.rs:1 `crate::Everything` hides its level",
            ),
            ("src/op/read.rs", "use crate::*;", "src/op/read.rs:1 `crate::*` hides its level"),
            ("src/misc.rs", "", "src/misc.rs:1 module `misc` has no level"),
        ];
        for (path, text, expected) in cases {
            let found = messages(&[(path, text)]);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_name_of_the_root_has_the_level_of_its_module() {
        let root = "mod net;\npub use greenlet::{Greenlet, state::State as S};\npub use net::Tcp;";
        let good = "use crate::{Greenlet, S, hub::Hub}; use crate::op;";
        assert!(messages(&[("src/lib.rs", root), ("src/op/mod.rs", good)]).is_empty());
        let found = messages(&[("src/lib.rs", root), ("src/op/mod.rs", "use crate::Tcp;")]);
        assert!(found.len() == 1 && found[0].contains("uses `net` (level 6)"), "{found:?}");
        let (root, tcp) = ("pub use net::*;", "pub struct Tcp<T>(T);");
        let found = messages(&[
            ("src/lib.rs", root),
            ("src/net/tcp.rs", tcp),
            ("src/op/mod.rs", "use crate::Tcp;"),
        ]);
        assert!(found.len() == 1 && found[0].contains("uses `net` (level 6)"), "{found:?}");
    }

    #[test]
    fn comments_strings_and_own_names_are_no_use() {
        let text = "//! [`crate::net::Tcp`]\nuse super::value; // crate::hub\nconst A: &str = \"crate::net\";\nuse crate::{arch, greenlet::b};";
        assert!(messages(&[("src/greenlet/switch.rs", text)]).is_empty());
    }

    #[test]
    fn a_module_missing_in_the_picture_is_reported() {
        let page = " 2  hub    one loop\n 1  greenlet context";
        let found =
            messages(&[("ARCHITECTURE.md", page), ("src/hub.rs", ""), ("src/arch/mod.rs", "")]);
        assert_eq!(found, ["ARCHITECTURE.md:1 the picture of levels has no `arch` on its line"]);
    }
}
