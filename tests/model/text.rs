//! Programs as text: what failures print, and what `facts.rs` is written in.
//!
//! ```text
//! root
//!   switch 1 7            (slot, value)
//! 1 parent 0 exact        (see `Waits`; "1 by step" is born by a create step)
//!   try
//!     suspend 8
//!   catch
//!     throw 0 9
//!   finally
//!     guard 10 drops 1
//! ```

use std::fmt;

use crate::program::{Block, Born, Program, Script, Step, Waits};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, script) in self.scripts.iter().enumerate() {
            match script.born {
                Born::AtStart { .. } if id == 0 => f.write_str("root")?,
                Born::AtStart { parent } => write!(f, "{id} parent {parent}")?,
                Born::ByStep => write!(f, "{id} by step")?,
            }
            f.write_str(match script.waits {
                Waits::Any => "\n",
                Waits::Exact => " exact\n",
                Waits::Raising => " raising\n",
            })?;
            write_block(&script.body, f, 1)?;
        }
        Ok(())
    }
}

fn write_block(block: &Block, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    for step in &block.steps {
        write!(f, "{pad}")?;
        match step {
            Step::Switch { to, value } => writeln!(f, "switch {to} {value}")?,
            Step::Suspend { value } => writeln!(f, "suspend {value}")?,
            Step::Throw { to, error } => writeln!(f, "throw {to} {error}")?,
            Step::ThrowExit { to } => writeln!(f, "throw_exit {to}")?,
            Step::SetParent { of, to } => writeln!(f, "set_parent {of} {to}")?,
            Step::Return(value) => writeln!(f, "return {value}")?,
            Step::Raise(error) => writeln!(f, "raise {error}")?,
            Step::Guard { name, drops: None } => writeln!(f, "guard {name}")?,
            Step::Guard { name, drops: Some(slot) } => writeln!(f, "guard {name} drops {slot}")?,
            Step::Hold(slot) => writeln!(f, "hold {slot}")?,
            Step::DropHandle(slot) => writeln!(f, "drop {slot}")?,
            Step::CloneHandle { from, to } => writeln!(f, "clone {from} {to}")?,
            Step::KeepCurrent(slot) => writeln!(f, "keep_current {slot}")?,
            Step::KeepParent { of, to } => writeln!(f, "keep_parent {of} {to}")?,
            Step::Create(id) => writeln!(f, "create {id}")?,
            Step::Current => writeln!(f, "current")?,
            Step::IsDead(slot) => writeln!(f, "is_dead {slot}")?,
            Step::ParentOf(slot) => writeln!(f, "parent_of {slot}")?,
            Step::Try { body, catch, finally } => {
                writeln!(f, "try")?;
                write_block(body, f, depth + 1)?;
                for (word, block) in [("catch", catch), ("finally", finally)] {
                    if let Some(block) = block {
                        writeln!(f, "{pad}{word}")?;
                        write_block(block, f, depth + 1)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Reads what `Display` writes. Every line may be indented further by the same amount.
///
/// # Panics
///
/// With the line that it does not understand.
pub(crate) fn parse(text: &str) -> Program {
    let mut lines = Lines::new(text);
    let mut scripts = Vec::new();
    while let Some((line, words)) = lines.next_at(0) {
        let born = match words[..] {
            ["root", ..] if scripts.is_empty() => Born::AtStart { parent: 0 },
            [_, "parent", parent, ..] => Born::AtStart { parent: number(line, parent) },
            [_, "by", "step", ..] => Born::ByStep,
            _ => panic!("no script begins like this: {line}"),
        };
        let waits = match words.last() {
            Some(&"exact") => Waits::Exact,
            Some(&"raising") => Waits::Raising,
            _ => Waits::Any,
        };
        if let Born::AtStart { parent } = born {
            assert!(parent < scripts.len().max(1), "made after its child: {line}");
        }
        scripts.push(Script { born, waits, body: lines.block(1) });
    }
    assert_eq!(lines.rest, [], "indentation");
    Program { scripts }
}

/// The lines that are left, each with its depth.
struct Lines<'t> {
    rest: Vec<(usize, &'t str)>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Lines<'t> {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let first = lines.clone().next().map_or(0, indent);
        let mut rest: Vec<_> =
            lines.map(|line| ((indent(line) - first) / 2, line.trim())).collect();
        rest.reverse();
        Lines { rest }
    }

    fn next_at(&mut self, depth: usize) -> Option<(&'t str, Vec<&'t str>)> {
        let (_, line) = self.rest.pop_if(|(found, _)| *found == depth)?;
        Some((line, line.split(' ').collect()))
    }

    fn block(&mut self, depth: usize) -> Block {
        let mut block = Block::default();
        while self.rest.last().is_some_and(|(_, line)| !["catch", "finally"].contains(line)) {
            let Some((line, words)) = self.next_at(depth) else { break };
            block.steps.push(match words[..] {
                ["try"] => {
                    let body = self.block(depth + 1);
                    let catch = self.part("catch", depth);
                    let finally = self.part("finally", depth);
                    Step::Try { body, catch, finally }
                }
                _ => step(line, &words),
            });
        }
        block
    }

    fn part(&mut self, word: &str, depth: usize) -> Option<Block> {
        self.rest.pop_if(|(found, line)| *found == depth && *line == word)?;
        Some(self.block(depth + 1))
    }
}

fn number<N: std::str::FromStr>(line: &str, word: &str) -> N {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word} in {line}"))
}

fn step(line: &str, words: &[&str]) -> Step {
    let slot = |word| number::<usize>(line, word);
    let value = |word| number::<i64>(line, word);
    match *words {
        ["switch", to, sent] => Step::Switch { to: slot(to), value: value(sent) },
        ["suspend", sent] => Step::Suspend { value: value(sent) },
        ["throw", to, error] => Step::Throw { to: slot(to), error: value(error) },
        ["throw_exit", to] => Step::ThrowExit { to: slot(to) },
        ["set_parent", of, to] => Step::SetParent { of: slot(of), to: slot(to) },
        ["return", returned] => Step::Return(value(returned)),
        ["raise", error] => Step::Raise(value(error)),
        ["guard", name] => Step::Guard { name: value(name), drops: None },
        ["guard", name, "drops", dropped] => {
            Step::Guard { name: value(name), drops: Some(slot(dropped)) }
        }
        ["hold", held] => Step::Hold(slot(held)),
        ["drop", dropped] => Step::DropHandle(slot(dropped)),
        ["clone", from, to] => Step::CloneHandle { from: slot(from), to: slot(to) },
        ["keep_current", to] => Step::KeepCurrent(slot(to)),
        ["keep_parent", of, to] => Step::KeepParent { of: slot(of), to: slot(to) },
        ["create", id] => Step::Create(slot(id)),
        ["current"] => Step::Current,
        ["is_dead", asked] => Step::IsDead(slot(asked)),
        ["parent_of", asked] => Step::ParentOf(slot(asked)),
        _ => panic!("no step looks like this: {line}"),
    }
}
