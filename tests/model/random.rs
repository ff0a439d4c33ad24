//! Random programs from seeds, and the search for a smaller program that still fails.

use crate::interpreter::{Dialect, Ran, interpret};
use crate::program::{Block, Born, Id, Program, SPARE_SLOTS, Script, Step, Waits};
use crate::seeded::Random;

/// No program has more greenlets, the root included.
const GREENLETS: usize = 8;

/// Nor more steps.
const STEPS: usize = 64;

/// No `try` or guard stands deeper (CPython's compiler allows 20).
const DEPTH: usize = 15;

/// The program of a seed, grown where the model of `dialect` runs off its end, so that nearly every step is
/// reached. (Programs written blindly mostly hold steps behind a death.)
pub(crate) fn program(seed: u64, dialect: Dialect) -> Program {
    let random = Random::new(seed);
    let greenlets = 2 + random.index(4) + random.index(GREENLETS - 4);
    let steps = 4 + random.index(STEPS / 3) + random.index(STEPS * 2 / 3 - 3);
    // Each program leaves out some kinds of steps, so that the others meet more often.
    let weights = std::array::from_fn(|kind| match kind {
        SWITCH => 10,
        _ if random.one_in(3) => 0,
        SUSPEND => 2 + random.index(8),
        _ => 1 + random.index(4),
    });
    let late = random.one_in(3);
    let mut scripts: Vec<Script> = Vec::new();
    for id in 0..greenlets {
        let mut parent = if random.one_in(2) { 0 } else { random.index(id.max(1)) };
        if scripts.get(parent).is_some_and(|script| script.born == Born::ByStep) {
            parent = 0;
        }
        let by_step = id > 0 && late && random.one_in(3);
        scripts.push(Script {
            born: if by_step { Born::ByStep } else { Born::AtStart { parent } },
            waits: [Waits::Any, Waits::Exact, Waits::Raising][random.index(3)],
            body: Block { steps: Vec::new(), open: true },
        });
    }
    let mut program = Program { scripts };
    let mut maker = Maker { random, weights, greenlets, next: 0 };
    for _ in 0..steps {
        let Ran::Open(block) = interpret(&program, dialect) else { break };
        let at = program.at(block);
        match maker.step(at.script, program.depth(at) < DEPTH) {
            Some(step) => program.block_mut(at).steps.push(step),
            None => program.block_mut(at).open = false,
        }
    }
    program.close();
    program
}

/// Kinds of steps, as indices of the weights.
const SWITCH: usize = 0;
const SUSPEND: usize = 1;
const KINDS: usize = 19;

struct Maker {
    random: Random,
    weights: [usize; KINDS],
    greenlets: usize,
    /// Every value, error and guard has its own number.
    next: i64,
}

impl Maker {
    fn number(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    fn slot(&mut self) -> usize {
        match self.random.index(12) {
            0 => self.random.index(self.greenlets + SPARE_SLOTS),
            _ => self.random.index(self.greenlets),
        }
    }

    /// The next step of this script, or the end of its block.
    fn step(&mut self, id: Id, may_nest: bool) -> Option<Step> {
        loop {
            let mut point = self.random.index(self.weights.iter().sum());
            let kind = self.weights.iter().position(|&weight| {
                let here = point < weight;
                point = point.wrapping_sub(weight);
                here
            });
            if kind == Some(KINDS - 1) && self.random.one_in(if id == 0 { 6 } else { 3 }) {
                return None;
            }
            let step = self.step_of(kind.expect("below the sum"), id, may_nest);
            if step.is_some() {
                return step;
            }
        }
    }

    /// A step of this kind, or `None` where it may not stand or comes too often.
    fn step_of(&mut self, kind: usize, id: Id, may_nest: bool) -> Option<Step> {
        let open = || Block { steps: Vec::new(), open: true };
        Some(match kind {
            SWITCH => Step::Switch { to: self.slot(), value: self.number() },
            SUSPEND if id > 0 => Step::Suspend { value: self.number() },
            2 => Step::Throw { to: self.slot(), error: self.number() },
            3 => Step::ThrowExit { to: self.slot() },
            4 => Step::SetParent { of: self.slot(), to: self.slot() },
            5 if self.random.one_in(4) => Step::Return(self.number()),
            6 if self.random.one_in(4) => Step::Raise(self.number()),
            7..=10 if may_nest => {
                let (catch, finally) = match self.random.index(4) {
                    0 => (Some(open()), Some(open())),
                    1 => (None, Some(open())),
                    _ => (Some(open()), None),
                };
                Step::Try { body: open(), catch, finally }
            }
            11 if may_nest => {
                let drops = self.random.one_in(2).then(|| self.slot());
                Step::Guard { name: self.number(), drops }
            }
            17 if may_nest && self.random.one_in(3) => Step::Hold(self.slot()),
            12 => Step::DropHandle(self.slot()),
            13 => Step::CloneHandle { from: self.slot(), to: self.slot() },
            14 if self.random.one_in(2) => Step::KeepCurrent(self.slot()),
            14 => Step::KeepParent { of: self.slot(), to: self.slot() },
            15 if self.random.one_in(3) => Step::DropHandle(self.slot()),
            16 => match self.random.index(6) {
                0 => Step::Current,
                1 => Step::IsDead(self.slot()),
                2 => Step::ParentOf(self.slot()),
                _ => Step::Create(1 + self.random.index(self.greenlets - 1)),
            },
            _ => return None,
        })
    }
}

/// Makes `program` smaller as long as it `fails`.
pub(crate) fn shrink(mut program: Program, fails: &dyn Fn(&Program) -> bool) -> Program {
    'smaller: loop {
        for candidate in smaller(&program) {
            if fails(&candidate) {
                program = candidate;
                continue 'smaller;
            }
        }
        return program;
    }
}

/// The last greenlet less, or one block emptied, or one step less, or one `try` replaced by its body.
fn smaller(program: &Program) -> Vec<Program> {
    let mut all = Vec::new();
    let last = program.scripts.len() - 1;
    if last > 0 && !mentions(program, last) {
        let mut less = program.clone();
        less.scripts.pop();
        all.push(less);
    }
    for (at, block) in program.blocks() {
        let mut with = |steps: Vec<Step>| {
            let mut less = program.clone();
            less.block_mut(at).steps = steps;
            all.push(less);
        };
        if block.steps.len() > 1 {
            with(Vec::new());
        }
        for (nth, step) in block.steps.iter().enumerate() {
            let mut without = block.steps.clone();
            without.remove(nth);
            with(without);
            if let Step::Try { body, .. } = step {
                let mut inside = block.steps.clone();
                inside.splice(nth..=nth, body.steps.clone());
                with(inside);
            }
        }
    }
    for (id, script) in program.scripts.iter().enumerate() {
        if script.waits != Waits::Any {
            let mut less = program.clone();
            less.scripts[id].waits = Waits::Any;
            all.push(less);
        }
    }
    all
}

/// Does anything name this greenlet, or a slot from its own upwards (whose numbers would shift)?
fn mentions(program: &Program, id: Id) -> bool {
    let parents = program.scripts.iter().map(|script| script.born);
    let mut steps = program
        .blocks()
        .into_iter()
        .flat_map(|(at, block)| block.steps.iter().map(move |step| (at.script, step)));
    parents.into_iter().any(|born| born == Born::AtStart { parent: id })
        || steps.any(|(script, step)| {
            script == id
                || match *step {
                    Step::Switch { to: slot, .. }
                    | Step::Throw { to: slot, .. }
                    | Step::ThrowExit { to: slot }
                    | Step::Guard { drops: Some(slot), .. }
                    | Step::Hold(slot)
                    | Step::DropHandle(slot)
                    | Step::KeepCurrent(slot)
                    | Step::Create(slot)
                    | Step::IsDead(slot)
                    | Step::ParentOf(slot) => slot >= id,
                    Step::SetParent { of: a, to: b }
                    | Step::KeepParent { of: a, to: b }
                    | Step::CloneHandle { from: a, to: b } => a.max(b) >= id,
                    _ => false,
                }
        })
}
