//! All programs of a few steps, each once.
//!
//! A program grows at the place where the model runs off its end, so every step of every program is reached
//! (by the dialect it is made for) and scripts that nobody starts do not appear. Alphabet, `g` and `h` being
//! greenlets, the root among them unless it would make no sense:
//!
//! `switch(g)` `suspend` `throw(g)` `throw_exit(g)` `set_parent(g, h)` `return` `raise` `drop_handle(g)`
//! `guard` `try..catch` `try..finally`, whose blocks may be empty or hold further steps.
//!
//! Values are numbered by step. All greenlets are children of the root at first and interchangeable: a step
//! may name those that were named before, and one new one. `is_dead` and `parent_of` are asked of all slots at
//! the end of every program; clones, creation by a step and spare slots are left to the random programs.

use crate::interpreter::{Dialect, Ran, interpret};
use crate::program::{Block, Born, Id, Program, Script, Step, Waits};

/// Calls `each` with every program of at most `steps` steps over at most `greenlets` besides the root.
/// Returns how many there were.
pub(crate) fn programs(
    dialect: Dialect,
    steps: usize,
    greenlets: usize,
    each: &mut dyn FnMut(&Program),
) -> usize {
    let script = || Script {
        born: Born::AtStart { parent: 0 },
        waits: Waits::Any,
        body: Block { steps: Vec::new(), open: true },
    };
    let program = Program { scripts: (0..=greenlets).map(|_| script()).collect() };
    let mut search = Search { dialect, steps, greenlets, count: 0, each };
    search.explore(program, 0, 0);
    search.count
}

struct Search<'a> {
    dialect: Dialect,
    steps: usize,
    greenlets: usize,
    count: usize,
    each: &'a mut dyn FnMut(&Program),
}

impl Search<'_> {
    /// All programs that begin like this one, which has `used` steps and names greenlets up to `named`.
    fn explore(&mut self, mut program: Program, used: usize, named: Id) {
        if used == self.steps {
            program.close();
        }
        let at = match interpret(&program, self.dialect) {
            Ran::Open(block) => program.at(block),
            Ran::Unfit(_) => return,
            Ran::Done(_) => {
                program.close();
                program.scripts.truncate(named + 1);
                self.count += 1;
                return (self.each)(&program);
            }
        };
        if used < self.steps {
            for (step, names) in self.alphabet(at.script, used as i64 + 1, named) {
                let mut longer = program.clone();
                longer.block_mut(at).steps.push(step);
                self.explore(longer, used + 1, names);
            }
        }
        program.block_mut(at).open = false;
        self.explore(program, used, named);
    }

    /// What `script` may do next, with the last greenlet that is named then.
    fn alphabet(&self, script: Id, number: i64, named: Id) -> Vec<(Step, Id)> {
        let open = || Block { steps: Vec::new(), open: true };
        let mut all = vec![
            (Step::Return(number), named),
            (Step::Raise(number), named),
            (Step::Guard { name: number, drops: None }, named),
            (Step::Try { body: open(), catch: Some(open()), finally: None }, named),
            (Step::Try { body: open(), catch: None, finally: Some(open()) }, named),
        ];
        if script > 0 {
            all.push((Step::Suspend { value: number }, named));
        }
        let up_to = |named: Id| (named + 1).min(self.greenlets);
        for to in 0..=up_to(named) {
            let names = named.max(to);
            all.push((Step::Switch { to, value: number }, names));
            all.push((Step::Throw { to, error: number }, names));
            all.push((Step::ThrowExit { to }, names));
            if to > 0 {
                all.push((Step::DropHandle(to), names));
                let parents = (0..=up_to(names)).filter(|&parent| parent != to);
                all.extend(
                    parents
                        .map(|parent| (Step::SetParent { of: to, to: parent }, names.max(parent))),
                );
            }
        }
        all
    }
}
