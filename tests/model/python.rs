//! The CPython run: programs emitted as Python source and run in batches by real `greenlet`.

use std::fmt::Write as _;
use std::io::{BufWriter, Read, Write};
use std::process::{Command, Stdio};

use crate::program::{Block, Born, Id, Program, Step};

/// Programs for one process. What a program leaks stays until its process ends.
pub(crate) const BATCH: usize = 1000;

const DRIVER: &str = include_str!("driver.py");

/// The interpreter to use, or `None` with a line that says so.
pub(crate) fn interpreter(what: &str) -> Option<String> {
    let python = std::env::var("GREENLET_PYTHON").ok().filter(|path| !path.is_empty());
    if python.is_none() {
        eprintln!("{what}: SKIPPED against CPython, because GREENLET_PYTHON is not set");
        eprintln!("    (GREENLET_PYTHON=$(scripts/python-greenlet.sh) cargo test --test model)");
    }
    python
}

/// Runs whole sources and returns one log for each.
///
/// # Panics
///
/// When the interpreter dies on the way; the message has the source it died of.
pub(crate) fn run(python: &str, sources: &[String]) -> Vec<String> {
    let processes = std::thread::available_parallelism().map_or(1, usize::from);
    let batches: Vec<&[String]> = sources.chunks(BATCH).collect();
    batches
        .chunks(processes)
        .flat_map(|batches| {
            std::thread::scope(|scope| {
                let start = |batch| scope.spawn(move || run_batch(python, batch));
                let running: Vec<_> = batches.iter().copied().map(start).collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                    Ok(logs) => logs,
                    Err(panic) => std::panic::resume_unwind(panic),
                };
                running.into_iter().flat_map(join).collect::<Vec<String>>()
            })
        })
        .collect()
}

fn run_batch(python: &str, sources: &[String]) -> Vec<String> {
    let mut child = Command::new(python)
        .args(["-c", DRIVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("GREENLET_PYTHON={python} does not start: {error}"));
    let stdin = child.stdin.take().expect("piped");
    let mut stdout = child.stdout.take().expect("piped");
    let mut output = String::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut stdin = BufWriter::new(stdin);
            for source in sources {
                // A dead interpreter is noticed at its output.
                let _ = write!(stdin, "{}\n{source}", source.len());
            }
        });
        stdout.read_to_string(&mut output).expect("logs are text");
    });
    let status = child.wait().expect("our own child");
    let logs: Vec<String> = output.split_terminator(".\n").map(str::to_owned).collect();
    let done = logs.len();
    assert!(
        status.success() && done == sources.len(),
        "CPython ended with {status} after {done} of {} programs; the next one was\n{}",
        sources.len(),
        sources.get(done).map_or("(none)", String::as_str),
    );
    logs
}

/// The Python source of a program.
pub(crate) fn emit(program: &Program) -> String {
    let mut out = Emitter { text: String::new(), depth: 0, id: 0 };
    let mut parents = String::new();
    for (id, script) in program.scripts.iter().enumerate() {
        out.id = id;
        out.line(format_args!("def script_{id}():"));
        out.block(&script.body.steps);
        match script.born {
            Born::AtStart { parent } if id > 0 => parents.push_str(&format!("{parent}, ")),
            _ => parents.push_str("None, "),
        }
    }
    let scripts: Vec<String> =
        (0..program.scripts.len()).map(|id| format!("script_{id}")).collect();
    out.line(format_args!("program({}, [{}], [{parents}])", program.slots(), scripts.join(", ")));
    out.text
}

struct Emitter {
    text: String,
    depth: usize,
    /// Whose script is being emitted.
    id: Id,
}

impl Emitter {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let pad = self.depth;
        writeln!(self.text, "{:pad$}{line}", "").expect("a String takes everything");
    }

    fn block(&mut self, steps: &[Step]) {
        self.depth += 1;
        match steps {
            [] => self.line(format_args!("pass")),
            steps => self.steps(steps),
        }
        self.depth -= 1;
    }

    fn steps(&mut self, steps: &[Step]) {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Guard { name, drops } => {
                    self.line(format_args!("try:"));
                    self.block(&steps[at + 1..]);
                    self.line(format_args!("finally:"));
                    self.depth += 1;
                    self.log(format_args!("guard {name}"));
                    if let Some(slot) = drops {
                        self.line(format_args!("SLOTS[{slot}] = None"));
                    }
                    self.depth -= 1;
                    return;
                }
                Step::Hold(slot) => {
                    // The name says where it stands, so that no inner one has the same.
                    let held = format!("held_{}_{at}", self.depth);
                    self.line(format_args!("{held} = SLOTS[{slot}]"));
                    let id = self.id;
                    self.line(format_args!("if {held} is None: L('{id} empty {slot}')"));
                    self.line(format_args!("try:"));
                    self.block(&steps[at + 1..]);
                    self.line(format_args!("finally: {held} = None"));
                    return;
                }
                step => self.step(step),
            }
        }
    }

    fn log(&mut self, words: std::fmt::Arguments<'_>) {
        let id = self.id;
        self.line(format_args!("L('{id} {words}')"));
    }

    /// Opens an `else` under which the named slots are not empty; the caller closes it.
    fn unless_empty(&mut self, slots: &[usize]) {
        for (at, slot) in slots.iter().enumerate() {
            let word = if at == 0 { "if" } else { "elif" };
            self.line(format_args!("{word} SLOTS[{slot}] is None:"));
            self.depth += 1;
            self.log(format_args!("empty {slot}"));
            self.depth -= 1;
        }
        self.line(format_args!("else:"));
        self.depth += 1;
    }

    fn got(&mut self, transfer: std::fmt::Arguments<'_>) {
        let id = self.id;
        // The handle lives on the evaluation stack, no variable keeps it.
        self.line(format_args!("L('{id} got ' + show({transfer}))"));
    }

    fn step(&mut self, step: &Step) {
        let id = self.id;
        match step {
            Step::Switch { to, value } => {
                self.unless_empty(&[*to]);
                self.got(format_args!("SLOTS[{to}].switch({value})"));
                self.depth -= 1;
            }
            Step::Suspend { value } => {
                self.got(format_args!("getcurrent().parent.switch({value})"));
            }
            Step::Throw { to, error } => {
                self.unless_empty(&[*to]);
                self.got(format_args!("SLOTS[{to}].throw(Error({error}))"));
                self.depth -= 1;
            }
            Step::ThrowExit { to } => {
                self.unless_empty(&[*to]);
                self.got(format_args!("SLOTS[{to}].throw()"));
                self.depth -= 1;
            }
            Step::SetParent { of, to } => {
                self.unless_empty(&[*of, *to]);
                self.line(format_args!("try:"));
                self.line(format_args!(" SLOTS[{of}].parent = SLOTS[{to}]"));
                self.line(format_args!(" L('{id} reparented')"));
                self.line(format_args!("except ValueError:"));
                self.line(format_args!(" L('{id} cycle')"));
                self.line(format_args!("except AttributeError:"));
                self.line(format_args!(" L('{id} root has no parent')"));
                self.depth -= 1;
            }
            Step::Return(value) => self.line(format_args!("return {value}")),
            Step::Raise(error) => self.line(format_args!("raise Error({error})")),
            Step::Try { body, catch, finally } => self.try_block(body, catch, finally),
            Step::Guard { .. } | Step::Hold(_) => unreachable!("the rest of its block is inside"),
            Step::DropHandle(slot) => {
                self.unless_empty(&[*slot]);
                self.line(format_args!("SLOTS[{slot}] = None"));
                self.log(format_args!("dropped {slot}"));
                self.depth -= 1;
            }
            Step::CloneHandle { from, to } => {
                self.unless_empty(&[*from]);
                self.line(format_args!("clone({from}, {to})"));
                self.log(format_args!("stored {to}"));
                self.depth -= 1;
            }
            Step::KeepCurrent(slot) => {
                self.line(format_args!("keep_current({slot})"));
                self.log(format_args!("stored {slot}"));
            }
            Step::KeepParent { of, to } => {
                self.unless_empty(&[*of]);
                self.line(format_args!("if SLOTS[{of}].parent is None:"));
                self.line(format_args!(" L('{id} parent {of} none')"));
                self.line(format_args!("else:"));
                self.line(format_args!(" keep_parent({of}, {to})"));
                self.line(format_args!(" L('{id} stored {to}')"));
                self.depth -= 1;
            }
            Step::Create(new) => {
                self.line(format_args!("if {new} in CREATED:"));
                self.line(format_args!(" L('{id} exists {new}')"));
                self.line(format_args!("else:"));
                self.line(format_args!(" create({new})"));
                self.line(format_args!(" L('{id} created {new}')"));
            }
            Step::Current => self.line(format_args!("L('{id} current ' + who(getcurrent()))")),
            Step::IsDead(slot) => {
                self.unless_empty(&[*slot]);
                self.line(format_args!(
                    "L('{id} dead {slot} true' if SLOTS[{slot}].dead else '{id} dead {slot} false')"
                ));
                self.depth -= 1;
            }
            Step::ParentOf(slot) => {
                self.unless_empty(&[*slot]);
                self.line(format_args!("L('{id} parent {slot} ' + who(SLOTS[{slot}].parent))"));
                self.depth -= 1;
            }
        }
    }

    fn try_block(&mut self, body: &Block, catch: &Option<Block>, finally: &Option<Block>) {
        let id = self.id;
        self.line(format_args!("try:"));
        if let Some(finally) = finally {
            // Nested, so that `catch` stands inside what `finally` covers, as in the other runs.
            self.depth += 1;
            match catch {
                Some(_) => self.try_block(body, catch, &None),
                None => self.inline(body),
            }
            self.depth -= 1;
            self.line(format_args!("finally:"));
            self.depth += 1;
            self.line(format_args!("L('{id} cleanup')"));
            self.inline(finally);
            self.depth -= 1;
        } else {
            self.block(&body.steps);
            if let Some(catch) = catch {
                self.line(format_args!("except (Error, GreenletExit) as error:"));
                self.depth += 1;
                self.line(format_args!("L('{id} caught ' + name(error))"));
                self.inline(catch);
                self.depth -= 1;
            } else {
                self.line(format_args!("finally: pass"));
            }
        }
    }

    fn inline(&mut self, block: &Block) {
        match block.steps.as_slice() {
            [] => self.line(format_args!("pass")),
            steps => self.steps(steps),
        }
    }
}
