//! The assembly of the two architectures mirrors each other, and every file explains itself.

use super::source::{Finding, Source};

const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// The folders hold the same files, and the files the same numbered steps in the same order.
pub(crate) fn mirrored(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let Some((arch, name)) = place(source) else { continue };
        let Some(other) = ARCHITECTURES.into_iter().find(|other| *other != arch) else { continue };
        let Some(twin) = sources.iter().find(|s| place(s) == Some((other, name))) else {
            findings.push(source.at_line(1, format!("asm/{other} has no {name}")));
            continue;
        };
        if arch != ARCHITECTURES[0] {
            continue; // each pair once
        }
        let (ours, theirs) = (steps(source), steps(twin));
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a.1 == b.1).count();
        match (ours.get(same), theirs.get(same)) {
            (None, None) => {}
            (Some((line, step)), there) => {
                let there = there.map_or("nothing", |(_, step)| step);
                let message = format!("step `{step}` stands against `{there}` in {}", twin.path);
                findings.push(source.at_line(*line, message));
            }
            (None, Some((line, step))) => {
                let message = format!("step `{step}` is missing in {}", source.path);
                findings.push(twin.at_line(*line, message));
            }
        }
    }
    findings
}

/// A file has, in this order: its prototype in Rust, a register table, a frame drawing (or says that
/// there is no frame), named offsets, numbered steps; and it keeps the other habits of section 6.
pub(crate) fn explained(source: &Source) -> Vec<Finding> {
    if place(source).is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let comments: Vec<_> = source.comments.lines().collect();
    let code: Vec<_> = source.code.lines().map(str::trim).collect();
    let first = |what: &dyn Fn(&str) -> bool| comments.iter().position(|line| what(line));
    let parts = [
        ("Rust prototype (`fn name(..)`)", first(&|l| l.contains(" fn ") && l.contains('('))),
        (
            "register table (a heading that begins with `register`)",
            first(&|l| words(l).starts_with("register ")),
        ),
        ("frame drawing (`frame of ..` or `no frame`)", first(&|l| draws_frame(l))),
        ("numbered steps (`// 1. save`)", steps(source).first().map(|(line, _)| line - 1)),
    ];
    let mut last = 0;
    for (what, line) in parts {
        match line {
            None => findings.push(source.at_line(1, format!("no {what}"))),
            Some(line) if line < last => {
                findings.push(source.at_line(line + 1, format!("{what} stands too early")));
            }
            Some(line) => last = line,
        }
    }
    for (i, line) in code.iter().enumerate() {
        let mut report = |message: &str| findings.push(source.at_line(i + 1, message.to_owned()));
        if line.starts_with(".equ") && i > last {
            report("a named offset below the first step");
        }
        if has_bare_offset(line) {
            report("a bare number in a memory operand: name it by `.equ`");
        }
        if let Some(symbol) = line.strip_prefix(".globl").or(line.strip_prefix(".global")) {
            let symbol = symbol.trim();
            let hidden = |l: &&str| l.strip_prefix(".hidden").is_some_and(|s| s.trim() == symbol);
            if !symbol.starts_with("greenlet_") || !code.iter().any(hidden) {
                report("a symbol that is not hidden, or not named `greenlet_..`");
            }
            if !source.text.contains(".note.GNU-stack") {
                report("a file with symbols and no .note.GNU-stack: its stack would be executable");
            }
        }
    }
    findings
}

/// Architecture and name of a file under `asm`.
fn place(source: &Source) -> Option<(&str, &str)> {
    source.path.strip_prefix("asm/")?.split_once('/')
}

fn words(comment: &str) -> String {
    comment.trim().trim_start_matches('/').trim().to_lowercase()
}

fn draws_frame(comment: &str) -> bool {
    ["frame of ", "frame:", "no frame", "frame (", "frame,"]
        .iter()
        .any(|w| words(comment).starts_with(w))
}

/// Line and words of every `// 1. save` that has its line to itself.
fn steps(source: &Source) -> Vec<(usize, String)> {
    let is_step = |text: &&str| {
        let (number, words) = text.split_once(". ").unwrap_or_default();
        number.parse::<u32>().is_ok() && !words.is_empty()
    };
    let lines = source.text.lines().enumerate();
    lines
        .filter_map(|(i, line)| {
            let step = line.trim().strip_prefix("// ").filter(is_step)?;
            Some((i + 1, step.to_owned()))
        })
        .collect()
}

/// Whether an instruction addresses memory by a number: in brackets, or behind them on aarch64.
fn has_bare_offset(line: &str) -> bool {
    if line.starts_with('.') {
        return false;
    }
    // `2f` is a label.
    let is_number = |word: &str| {
        word.starts_with("0x") || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    };
    let operand = |text: &str| {
        let name_end = |c: char| !c.is_alphanumeric() && c != '_' && c != '.';
        text.split(name_end).any(is_number)
    };
    let mut rest = line;
    while let Some((_, inside)) = rest.split_once('[') {
        let (inside, after) = inside.split_once(']').unwrap_or((inside, ""));
        let behind = after.trim_start().strip_prefix(',').unwrap_or_default().split('[').next();
        let behind = behind.unwrap_or_default().trim_start();
        if operand(inside) || (behind.starts_with('#') && operand(behind)) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
// Swaps.
//   unsafe fn swap(to: *mut u8)
//   register  in   out
//   rdi       to   -
//   frame of a suspended context
//   +8  rbx
    .equ FRAME_RBX, 8
    .globl greenlet_swap
    .hidden greenlet_swap
    // 1. save
    mov [rsp + FRAME_RBX], rbx
    // 2. leave
2:  jmp rax
    .section .note.GNU-stack
";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
        let all = sources.iter().flat_map(explained).chain(mirrored(&sources));
        all.map(|f| format!("{}:{} {}", f.path, f.line, f.message)).collect()
    }

    #[test]
    fn a_step_without_its_twin_is_reported() {
        let pair = |a, b| found(&[("asm/x86_64/a.s", a), ("asm/aarch64/a.s", b)]);
        assert_eq!(pair(GOOD, GOOD), [""; 0]);
        let other = GOOD.replace("2. leave", "2. go");
        let message = "asm/x86_64/a.s:12 step `2. leave` stands against `2. go` in asm/aarch64/a.s";
        assert_eq!(pair(GOOD, &other), [message]);
        let longer = GOOD.replace("2:  jmp", "// 3. jump\n2:  jmp");
        assert_eq!(
            pair(GOOD, &longer),
            ["asm/aarch64/a.s:13 step `3. jump` is missing in asm/x86_64/a.s"]
        );
        assert_eq!(found(&[("asm/x86_64/a.s", GOOD)]), ["asm/x86_64/a.s:1 asm/aarch64 has no a.s"]);
    }

    #[test]
    fn an_unexplained_file_is_reported() {
        let cases = [
            ("   unsafe fn swap(to: *mut u8)", "", "no Rust prototype"),
            ("register  in   out", "", "no register table"),
            ("frame of a suspended context", "", "no frame drawing"),
            ("// 1. save\n", "// 1. save\n.equ LATE, 1\n", "a named offset below"),
            ("[rsp + FRAME_RBX]", "[rsp + 8]", "a bare number"),
            (".hidden greenlet_swap", "", "a symbol that is not hidden"),
            (".section .note.GNU-stack", "", "a file with symbols and no"),
        ];
        for (part, replacement, expected) in cases {
            let text = GOOD.replace(part, replacement);
            let source = Source::new("asm/x86_64/a.s", &text);
            let found = explained(&source);
            assert!(
                found.len() == 1 && found[0].message.starts_with(expected),
                "{part}: {found:?}"
            );
        }
        let turned =
            GOOD.replace("frame of", "register two").replace("//   register  in", "//   frame of");
        let found = explained(&Source::new("asm/x86_64/a.s", &turned));
        assert!(found[0].message.starts_with("frame drawing"), "{found:?}");
    }

    #[test]
    fn numbers_in_operands_are_found_on_both() {
        for bad in
            ["ldr x0, [sp], #16", "stp x1, x2, [sp, #-32]!", "mov rax, [rcx+rdx*8]", "call [0x10]"]
        {
            assert!(has_bare_offset(bad), "{bad}");
        }
        for good in [
            "ldr x0, [sp], #SIZE",
            "stp x1, x2, [x19, #-.Lsize]!",
            "lea rax, [rip + 2f]",
            "sub sp, sp, #16",
            ".equ A, 8",
        ] {
            assert!(!has_bare_offset(good), "{good}");
        }
    }
}
