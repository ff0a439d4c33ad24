//! The crate's run: scripts walked recursively inside real greenlets.
//!
//! So frames, destructors and unwinding are real: a guard is a local with a `Drop`, a `catch` is a
//! `catch_unwind`, and a `finally` is one whose payload is raised again.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::rc::Rc;
use std::sync::Once;

use greenlet::{
    Greenlet, GreenletExit, GreenletId, ParentError, Received, SwitchError, Why, current, root,
    run, suspend, try_suspend,
};

use crate::program::{Block, Born, Error, Event, Id, Program, Slot, Step, Value, Waits};

/// Runs `program` in this thread's greenlets. What is left at its end is unwound before this returns.
pub(crate) fn walk(program: &Program) -> Vec<Event> {
    silence_what_is_understood();
    let world = Rc::new(World {
        program: program.clone(),
        slots: RefCell::new((0..program.slots()).map(|_| None).collect()),
        ids: RefCell::new(vec![None; program.scripts.len()]),
        log: RefCell::new(Vec::new()),
    });
    run(|| world.run_root());
    let probe = Greenlet::new(|value: i64| -value).try_switch::<i64, i64>(1);
    assert_eq!(probe.ok(), Some(-1), "the program has left the thread in order");
    world.log.take()
}

/// What all scripts of a program share. No borrow of a cell is held where user code may run.
struct World {
    program: Program,
    slots: RefCell<Vec<Option<Greenlet>>>,
    /// Which greenlet runs which script.
    ids: RefCell<Vec<Option<GreenletId>>>,
    log: RefCell<Vec<Event>>,
}

/// How a block was left, if not by unwinding.
#[derive(Clone, Copy)]
enum Flow {
    Next,
    Return(i64),
}

/// The payload of `raise` and `throw`.
struct Raised(i64);

/// What is raised, if it is ours; a real panic is a failure of the test.
fn error_of(payload: &(dyn Any + Send)) -> Option<Error> {
    match payload.downcast_ref::<Raised>() {
        Some(Raised(number)) => Some(Error::Number(*number)),
        None => payload.is::<GreenletExit>().then_some(Error::Exit),
    }
}

/// What a waiter for any type received.
fn value_of(received: Received) -> Value {
    let received = match received.try_get::<i64>() {
        Ok(value) => return Value::Int(value),
        Err(received) => received,
    };
    // A child's exit: the value itself, or the notice of it if somebody below waited for another type.
    let notice = received.exit().is_some_and(|exit| exit.type_name().is_none());
    assert!(notice || received.is::<GreenletExit>(), "received {received}");
    Value::Exit
}

/// What the crate panics with when a call that raises cannot return what it waits for.
enum Told {
    Dying,
    Exit,
}

fn told(text: &str) -> Option<Told> {
    let refused = text.starts_with("cannot switch to") || text.starts_with("cannot throw at");
    if refused {
        Some(Told::Dying)
    } else if text.ends_with("was killed, awaited i64") {
        Some(Told::Exit)
    } else {
        None
    }
}

/// The panics that `told` understands are part of a program's run and print nothing.
fn silence_what_is_understood() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<String>().is_none_or(|text| told(text).is_none()) {
                print(info);
            }
        }));
    });
}

/// A guard's work is its drop.
struct Guard<'w> {
    walker: &'w Walker,
    name: i64,
    drops: Option<Slot>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let Walker { world, id } = self.walker;
        world.log(Event::Guard(*id, self.name));
        drop(self.drops.and_then(|slot| world.take(slot)));
    }
}

impl World {
    fn log(&self, event: Event) {
        self.log.borrow_mut().push(event);
    }

    fn handle(&self, slot: Slot) -> Option<Greenlet> {
        self.slots.borrow()[slot].clone()
    }

    fn take(&self, slot: Slot) -> Option<Greenlet> {
        self.slots.borrow_mut()[slot].take()
    }

    /// Puts a handle into a slot. What was there is dropped here, after that.
    fn store(&self, slot: Slot, greenlet: Greenlet) {
        let old = self.slots.borrow_mut()[slot].replace(greenlet);
        drop(old);
    }

    fn who(&self, id: GreenletId) -> Id {
        let found = self.ids.borrow().iter().position(|known| *known == Some(id));
        found.expect("a greenlet of this program")
    }

    fn create(self: &Rc<Self>, id: Id, parent: &Greenlet) -> Greenlet {
        let walker = Walker { world: self.clone(), id };
        let builder = Greenlet::builder().parent(parent);
        let created = match self.program.scripts[id].waits {
            Waits::Any => builder.create(move |first: Received| walker.start(value_of(first))),
            _ => builder.create(move |first: i64| walker.start(Value::Int(first))),
        };
        let greenlet = created.expect("memory for a stack");
        self.ids.borrow_mut()[id] = Some(greenlet.id());
        greenlet
    }

    fn run_root(self: &Rc<Self>) {
        self.ids.borrow_mut()[0] = Some(root().id());
        self.store(0, root());
        for (id, script) in self.program.scripts.iter().enumerate().skip(1) {
            if let Born::AtStart { parent } = script.born {
                let parent = self.handle(parent).expect("made before its children");
                self.store(id, self.create(id, &parent));
            }
        }
        let walker = Walker { world: self.clone(), id: 0 };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| walker.body()))
            && error_of(&*payload).is_none()
        {
            resume_unwind(payload);
        }
        for slot in 0..self.program.slots() {
            if let Some(greenlet) = self.handle(slot) {
                self.log(Event::Dead(0, slot, greenlet.is_dead()));
                self.log(Event::Parent(0, slot, self.parent_of(&greenlet)));
            }
        }
        while self.slots.borrow().iter().any(Option::is_some) {
            for slot in 0..self.program.slots() {
                if let Some(greenlet) = self.take(slot) {
                    drop(greenlet);
                    self.log(Event::Dropped(0, slot));
                }
            }
        }
        self.log(Event::End);
    }

    fn parent_of(&self, greenlet: &Greenlet) -> Option<Id> {
        greenlet.parent().map(|parent| self.who(parent.id()))
    }
}

/// One script.
struct Walker {
    world: Rc<World>,
    id: Id,
}

impl Walker {
    fn start(&self, first: Value) -> i64 {
        self.world.log(Event::Started(self.id, first));
        self.body()
    }

    fn body(&self) -> i64 {
        let body = &self.world.program.scripts[self.id].body;
        let returned = match catch_unwind(AssertUnwindSafe(|| self.block(body))) {
            Ok(Flow::Next) => 0,
            Ok(Flow::Return(value)) => value,
            Err(payload) => {
                if let Some(error) = error_of(&*payload) {
                    self.world.log(Event::Raised(self.id, error));
                }
                resume_unwind(payload)
            }
        };
        self.world.log(Event::Returned(self.id, returned));
        returned
    }

    fn block(&self, block: &Block) -> Flow {
        self.steps(&block.steps)
    }

    fn steps(&self, steps: &[Step]) -> Flow {
        for (at, step) in steps.iter().enumerate() {
            let flow = match step {
                Step::Guard { name, drops } => {
                    let _guard = Guard { walker: self, name: *name, drops: *drops };
                    return self.steps(&steps[at + 1..]);
                }
                Step::Hold(slot) => {
                    let held = self.world.handle(*slot);
                    if held.is_none() {
                        self.world.log(Event::Empty(self.id, *slot));
                    }
                    return self.steps(&steps[at + 1..]);
                }
                Step::Try { body, catch, finally: None } => self.try_catch(body, catch.as_ref()),
                Step::Try { body, catch, finally: Some(finally) } => {
                    self.try_finally(body, catch.as_ref(), finally)
                }
                Step::Return(value) => Flow::Return(*value),
                Step::Raise(error) => resume_unwind(Box::new(Raised(*error))),
                other => {
                    self.plain(other);
                    Flow::Next
                }
            };
            if let Flow::Return(_) = flow {
                return flow;
            }
        }
        Flow::Next
    }

    fn try_catch(&self, body: &Block, catch: Option<&Block>) -> Flow {
        let Some(catch) = catch else { return self.block(body) };
        match catch_unwind(AssertUnwindSafe(|| self.block(body))) {
            Ok(flow) => flow,
            Err(payload) => {
                let Some(error) = error_of(&*payload) else { resume_unwind(payload) };
                drop(payload);
                self.world.log(Event::Caught(self.id, error));
                self.block(catch)
            }
        }
    }

    fn try_finally(&self, body: &Block, catch: Option<&Block>, finally: &Block) -> Flow {
        let left = catch_unwind(AssertUnwindSafe(|| self.try_catch(body, catch)));
        self.world.log(Event::Cleanup(self.id));
        match (self.block(finally), left) {
            (Flow::Next, Ok(flow)) => flow,
            (Flow::Next, Err(payload)) => resume_unwind(payload),
            // A return in the cleanup wins, as in Python.
            (returned, _) => returned,
        }
    }

    /// A step that neither ends nor opens a block.
    fn plain(&self, step: &Step) {
        let (world, id) = (&self.world, self.id);
        let log = |event| world.log(event);
        match *step {
            Step::Switch { to, value } => self.with(&[to], |[target]| match self.waits() {
                Waits::Any => self.any(target.try_switch_any(value), target),
                Waits::Exact => self.exact(target.try_switch::<_, i64>(value), target),
                Waits::Raising => self.raising(target, |target| target.switch::<_, i64>(value)),
            }),
            Step::Throw { to, error } => {
                self.with(&[to], |[target]| self.throw(target, Raised(error)));
            }
            Step::ThrowExit { to } => self.with(&[to], |[target]| self.throw(target, GreenletExit)),
            Step::Suspend { value } => match self.waits() {
                Waits::Any => self.any(try_suspend::<_, Received>(value), ()),
                Waits::Exact => self.exact(try_suspend::<_, i64>(value), ()),
                Waits::Raising => self.raising((), |_| suspend::<_, i64>(value)),
            },
            Step::SetParent { of, to } => self.with(&[of, to], |[child, parent]| {
                log(match child.set_parent(&parent) {
                    Ok(()) => Event::Reparented(id),
                    Err(ParentError::Cycle) => Event::Cycle(id),
                    Err(ParentError::Root) => Event::RootHasNoParent(id),
                    Err(other) => panic!("{other}"),
                });
            }),
            Step::DropHandle(slot) => match world.take(slot) {
                Some(greenlet) => {
                    drop(greenlet);
                    log(Event::Dropped(id, slot));
                }
                None => log(Event::Empty(id, slot)),
            },
            Step::CloneHandle { from, to } => self.with(&[from], |[greenlet]| {
                world.store(to, greenlet);
                log(Event::Stored(id, to));
            }),
            Step::KeepCurrent(slot) => {
                world.store(slot, current());
                log(Event::Stored(id, slot));
            }
            Step::KeepParent { of, to } => self.with(&[of], |[child]| match child.parent() {
                Some(parent) => {
                    drop(child);
                    world.store(to, parent);
                    log(Event::Stored(id, to));
                }
                None => log(Event::Parent(id, of, None)),
            }),
            Step::Create(new) if world.ids.borrow()[new].is_some() => log(Event::Exists(id, new)),
            Step::Create(new) => {
                world.store(new, world.create(new, &current()));
                log(Event::Created(id, new));
            }
            Step::Current => log(Event::Current(id, world.who(current().id()))),
            Step::IsDead(slot) => {
                self.with(&[slot], |[asked]| log(Event::Dead(id, slot, asked.is_dead())));
            }
            Step::ParentOf(slot) => self.with(&[slot], |[asked]| {
                log(Event::Parent(id, slot, world.parent_of(&asked)));
            }),
            Step::Guard { .. }
            | Step::Hold(_)
            | Step::Try { .. }
            | Step::Return(_)
            | Step::Raise(_) => {
                unreachable!("walked by `steps`")
            }
        }
    }

    fn waits(&self) -> Waits {
        self.world.program.scripts[self.id].waits
    }

    /// Calls `f` with clones of these handles, or logs the first slot that is empty.
    fn with<const N: usize>(&self, slots: &[Slot; N], f: impl FnOnce([Greenlet; N])) {
        let handles = slots.map(|slot| self.world.handle(slot));
        match handles.iter().position(Option::is_none) {
            Some(empty) => self.world.log(Event::Empty(self.id, slots[empty])),
            None => f(handles.map(|handle| handle.expect("looked at above"))),
        }
    }

    fn throw(&self, target: Greenlet, payload: impl Any + Send) {
        match self.waits() {
            Waits::Any => self.any(target.try_throw::<Received>(payload), target),
            Waits::Exact => self.exact(target.try_throw::<i64>(payload), target),
            Waits::Raising => self.raising(target, |target| target.throw::<i64>(payload)),
        }
    }

    /// The end of a transfer that waited for any type. Its handle is dropped before the result is looked at.
    fn any<A>(&self, result: Result<Received, SwitchError<A>>, handle: impl Sized) {
        drop(handle);
        self.got(result.map(value_of));
    }

    /// The end of a transfer that waited for an exact type.
    fn exact<A>(&self, result: Result<i64, SwitchError<A>>, handle: impl Sized) {
        drop(handle);
        self.got(match result {
            Err(SwitchError::ChildExited(exit)) if exit.type_name().is_none() => Ok(Value::Exit),
            other => other.map(Value::Int),
        });
    }

    /// A transfer that waits for an exact type and raises everything else, what the caller did wrong as text.
    fn raising<H>(&self, handle: H, transfer: impl FnOnce(&H) -> i64) {
        let result = catch_unwind(AssertUnwindSafe(|| transfer(&handle)));
        drop(handle);
        self.got::<()>(match result {
            Ok(value) => Ok(Value::Int(value)),
            Err(payload) => match payload.downcast_ref::<String>().and_then(|text| told(text)) {
                Some(Told::Exit) => Ok(Value::Exit),
                Some(Told::Dying) => Err(SwitchError::Refused { why: Why::Dying, value: () }),
                None => resume_unwind(payload),
            },
        });
    }

    fn got<A>(&self, result: Result<Value, SwitchError<A>>) {
        match result {
            Ok(value) => self.world.log(Event::Got(self.id, value)),
            Err(SwitchError::Thrown(payload)) => payload.resume(),
            Err(SwitchError::Refused { why: Why::Dying | Why::Unwinding, .. }) => {
                self.world.log(Event::Refused(self.id));
            }
            Err(other) => panic!("the model knows no such end of a transfer: {other}"),
        }
    }
}
