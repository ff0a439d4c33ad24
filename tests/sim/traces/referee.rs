//! Follows a trace line by line, with a scheduler and a model that are as plain as can be.
//!
//! The scheduler: whoever is ready runs in the order in which it became so. Whoever yields, begins, or is
//! woken goes to the end; one that is ready already keeps its place. Only who waits for a moment that has
//! come may appear from nowhere, because no line says when the hub looks at the clock.

use super::play::{Event, GREENLETS, Line, Outcome, ROOT};
use super::program::{Limit, Op};
use std::collections::VecDeque;

/// What a primitive promises: its state, and those who wait, in plain code.
pub(super) trait Model: Clone {
    /// `who` asks for something; `None`: it has to wait.
    fn ask(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome>;

    /// `who` goes on after it was [served](World::serve); `None`: it waits once more.
    fn served(&mut self, who: usize, op: &Op, world: &mut World) -> Option<Outcome> {
        let _ = (who, op, world);
        Some(Outcome::Did)
    }

    /// `who` goes on without: its time is over, or something is to be raised in it.
    fn left(&mut self, who: usize, op: &Op, why: Why, world: &mut World) -> Option<Outcome>;

    /// `who` has ended.
    fn ended(&mut self, who: usize, world: &mut World) {
        let _ = (who, world);
    }

    /// What is wrong when all have ended.
    fn complaint(&self) -> Option<String> {
        None
    }
}

/// Why one goes on that was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    TimeIsOver,
    Interrupted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unborn,
    Ready,
    Running,
    Waiting,
    Ended,
}

#[derive(Clone)]
struct Task {
    state: State,
    op: Op,
    due_ns: Option<u64>,
    is_served: bool,
    is_shielded: bool,
    /// Killed, or ended before it began.
    has_failed: bool,
    to_be_raised: VecDeque<u64>,
    /// How its operation ends, which has ended without waiting.
    answer: Option<Outcome>,
}

/// The greenlets, as models see them.
#[derive(Clone)]
pub(super) struct World {
    tasks: Vec<Task>,
    ready: VecDeque<usize>,
    now_ns: u64,
    seen: Option<Outcome>,
}

impl World {
    /// Gives `who` what it waits for: it will go on.
    pub(super) fn serve(&mut self, who: usize) {
        self.tasks[who].is_served = true;
        self.wake(who);
    }

    /// Serves the first of a line.
    pub(super) fn serve_first(&mut self, line: &mut VecDeque<usize>) -> Option<usize> {
        let first = line.pop_front();
        first.inspect(|who| self.serve(*who))
    }

    /// Serves all of a line.
    pub(super) fn serve_all(&mut self, line: &mut VecDeque<usize>) {
        while self.serve_first(line).is_some() {}
    }

    /// Lets the others run once, without an end by itself.
    pub(super) fn lets_others_run(&mut self, who: usize) {
        self.tasks[who].due_ns = None;
        self.serve(who);
    }

    /// One more greenlet begins.
    pub(super) fn begin(&mut self, who: usize) {
        self.tasks[who].state = State::Ready;
        self.wake(who);
    }

    /// Has `who`, which has ended, no result?
    pub(super) fn has_failed(&self, who: usize) -> bool {
        self.tasks[who].has_failed
    }

    /// `who` waits without an end by itself, unless that is a limit around it.
    pub(super) fn waits_for_good(&mut self, who: usize) {
        let task = &mut self.tasks[who];
        task.due_ns = task.due_ns.filter(|_| matches!(task.op.limit, Limit::Outer(_)));
    }

    /// From now on nothing is raised in `who`, and its time is not over.
    pub(super) fn shield(&mut self, who: usize, is_shielded: bool) {
        self.tasks[who].is_shielded = is_shielded;
    }

    /// What is to be raised in `who`, if anything is.
    pub(super) fn to_be_raised(&self, who: usize) -> Option<Outcome> {
        let task = &self.tasks[who];
        let stone = task.to_be_raised.front().map(|number| Outcome::Raised(*number));
        let limit_is_over = matches!(task.op.limit, Limit::Outer(_))
            && task.due_ns.is_some_and(|due| due <= self.now_ns)
            && self.seen == Some(Outcome::Elapsed);
        let raised = stone.or(limit_is_over.then_some(Outcome::Elapsed));
        raised.filter(|_| !task.is_shielded)
    }

    /// Takes that.
    pub(super) fn raise(&mut self, who: usize) -> Option<Outcome> {
        let raised = self.to_be_raised(who);
        if let Some(Outcome::Raised(_)) = raised {
            self.tasks[who].to_be_raised.pop_front();
        }
        raised
    }

    /// How an operation ends that was given up.
    pub(super) fn gives_up(&mut self, who: usize, why: Why) -> Option<Outcome> {
        match why {
            Why::TimeIsOver => Some(Outcome::Nothing),
            Why::Interrupted => self.raise(who),
        }
    }

    fn is_shielded(&self, who: usize) -> bool {
        self.tasks[who].is_shielded
    }

    fn wake(&mut self, who: usize) {
        if !self.ready.contains(&who) {
            self.ready.push_back(who);
        }
    }

    fn is_due(&self, who: usize) -> bool {
        let task = &self.tasks[who];
        let is_over = task.due_ns.is_some_and(|due| due <= self.now_ns);
        task.state == State::Waiting && !task.is_shielded && is_over
    }
}

/// Compares a whole trace with what the model says.
///
/// # Errors
/// The number of the first line that cannot be, and why.
pub(super) fn judge<M: Model>(
    lines: &[Line],
    count: usize,
    model: M,
) -> Result<(), (usize, String)> {
    let task = |who| Task {
        state: if who < count { State::Ready } else { State::Unborn },
        op: Op::new("", 0),
        due_ns: None,
        is_served: false,
        is_shielded: false,
        has_failed: false,
        to_be_raised: VecDeque::new(),
        answer: None,
    };
    let tasks = (0..GREENLETS).map(task).collect();
    let world = World { tasks, ready: (0..count).collect(), now_ns: 0, seen: None };
    Referee { world, model, running: None, is_last_act: false }.follow_all(lines, 0)
}

#[derive(Clone)]
struct Referee<M> {
    world: World,
    model: M,
    running: Option<usize>,
    /// The root kills those that are left.
    is_last_act: bool,
}

impl<M: Model> Referee<M> {
    fn follow_all(mut self, lines: &[Line], from: usize) -> Result<(), (usize, String)> {
        for (at, line) in lines.iter().enumerate().skip(from) {
            // No line says when one runs that waits on, or goes from one line to another.
            if self.after_silence(line).into_iter().any(|other| other.follow_all(lines, at).is_ok())
            {
                return Ok(());
            }
            self.follow(line).map_err(|what| (at, what))?;
        }
        let is_over = |task: &Task| matches!(task.state, State::Ended | State::Unborn);
        let all_have_ended = self.world.tasks.iter().all(is_over);
        let left = (!all_have_ended).then(|| "somebody has not ended".to_owned());
        left.or(self.model.complaint()).map_or(Ok(()), |what| Err((lines.len(), what)))
    }

    /// As things are if somebody ran just before this line, of whom it is not known.
    fn after_silence(&mut self, line: &Line) -> Vec<Referee<M>> {
        let mut others = Vec::new();
        if self.running.is_some() {
            return others;
        }
        self.world.now_ns = line.at_ns;
        self.world.seen = None;
        // Whose moment has come may have been ready for long, and have gone from one line to another.
        for who in (0..GREENLETS).filter(|who| self.world.is_due(*who) && *who != line.who) {
            let mut other = self.clone();
            let task = &other.world.tasks[who];
            let (was_served, is_own) = (task.is_served, matches!(task.op.limit, Limit::Own(_)));
            other.world.ready.retain(|ready| *ready != who);
            let why = if is_own { Why::TimeIsOver } else { Why::Interrupted };
            let waits_on = other.wakes_up(who, why).is_none()
                && (was_served && !other.is_interrupted(who) || other.world.is_shielded(who));
            others.extend(waits_on.then_some(other));
        }
        // One whose moment has come may run before or after one whose turn it is.
        if let Some(first) = self.world.ready.front().copied()
            && line.who != ROOT
            && (0..GREENLETS).any(|who| self.world.is_due(who))
        {
            let mut other = self.clone();
            others.extend(other.passes_in_silence(first).then_some(other));
        }
        others
    }

    fn follow(&mut self, line: &Line) -> Result<(), String> {
        self.world.now_ns = line.at_ns;
        let who = line.who;
        if let (ROOT, Event::Strikes(whom, number)) = (who, line.event) {
            self.begin_last_act()?;
            self.strike(whom, number);
            return Ok(());
        }
        match self.running {
            Some(running) if running == who => {}
            Some(running) => return Err(format!("{running} runs, but {who} does something")),
            None => self.goes_on(who, line.event)?,
        }
        match (line.event, self.world.tasks[who].state) {
            (Event::Begins, State::Ready) if self.world.tasks[who].to_be_raised.is_empty() => {
                self.world.tasks[who].state = State::Running;
            }
            (Event::Call(op), State::Running) => self.call(who, op),
            (Event::Return(outcome), State::Running | State::Waiting) => {
                self.returns(who, outcome)?;
            }
            (Event::Strikes(whom, number), State::Running) => self.strike(whom, number),
            (Event::Ends, State::Running | State::Ready) => {
                let task = &mut self.world.tasks[who];
                if task.state == State::Ready && task.to_be_raised.is_empty() {
                    return Err("it was not killed, and did not begin".to_owned());
                }
                task.has_failed |= task.state == State::Ready;
                task.state = State::Ended;
                self.running = None;
                self.model.ended(who, &mut self.world);
            }
            (event, state) => return Err(format!("{event:?} of one that is {state:?}")),
        }
        Ok(())
    }

    /// It is the turn of `who`, unless somebody else comes before. If it waited, its answer is noted.
    fn goes_on(&mut self, who: usize, event: Event) -> Result<(), String> {
        loop {
            self.world.seen = None;
            let first = self.world.ready.front().copied();
            if first != Some(who) && !self.world.is_due(who) {
                match first {
                    None => return Err("nobody woke it".to_owned()),
                    Some(first) if self.passes_in_silence(first) => continue,
                    Some(first) => return Err(format!("it is the turn of {first}")),
                }
            }
            if let (Event::Return(outcome), State::Waiting) = (event, self.world.tasks[who].state) {
                self.world.seen = Some(outcome);
                let is_raised = matches!(outcome, Outcome::Raised(_) | Outcome::Elapsed);
                let is_over = !is_raised && self.world.is_due(who);
                let why = if is_over { Why::TimeIsOver } else { Why::Interrupted };
                self.world.ready.retain(|other| *other != who);
                let was_served = self.world.tasks[who].is_served;
                let answer = self.wakes_up(who, why);
                if answer.is_none() && was_served {
                    continue; // it was in vain, and this is the next time
                }
                self.world.tasks[who].answer = answer;
            }
            self.world.ready.retain(|other| *other != who);
            self.running = Some(who);
            return Ok(());
        }
    }

    /// Does `who`, whose turn it is, only go on waiting?
    fn passes_in_silence(&mut self, who: usize) -> bool {
        if self.world.tasks[who].state != State::Waiting {
            return false;
        }
        self.world.ready.pop_front();
        self.wakes_up(who, Why::Interrupted).is_none() && !self.is_interrupted(who)
    }

    fn is_interrupted(&self, who: usize) -> bool {
        let task = &self.world.tasks[who];
        !task.is_shielded && !task.is_served && !task.to_be_raised.is_empty()
    }

    /// How its operation ends now; `why` if it was not served.
    fn wakes_up(&mut self, who: usize, why: Why) -> Option<Outcome> {
        let task = &mut self.world.tasks[who];
        let op = task.op;
        if op.verb == "yield" || op.verb == "sleep" {
            let is_served = std::mem::take(&mut task.is_served);
            let raised = self.world.raise(who);
            return raised.or((is_served || why == Why::TimeIsOver).then_some(Outcome::Did));
        }
        if std::mem::take(&mut task.is_served) {
            let answer = self.model.served(who, &op, &mut self.world);
            if answer.is_some() || !self.is_interrupted(who) {
                return answer;
            }
        }
        self.model.left(who, &op, why, &mut self.world)
    }

    fn call(&mut self, who: usize, op: Op) {
        self.world.seen = None;
        let now_ns = self.world.now_ns;
        let task = &mut self.world.tasks[who];
        let length_ms = if op.verb == "sleep" { Some(op.number) } else { op.limit_ms() };
        task.due_ns = length_ms.map(|ms| now_ns + ms * 1_000_000);
        task.op = op;
        task.state = State::Waiting;
        let mut answer = match op.verb {
            "yield" => {
                self.world.serve(who);
                None
            }
            "sleep" => None,
            _ => self.model.ask(who, &op, &mut self.world),
        };
        // It does not even begin to wait.
        if answer.is_none() && self.is_interrupted(who) {
            answer = self.wakes_up(who, Why::Interrupted);
        }
        match answer {
            None => self.running = None,
            Some(_) => {
                self.world.tasks[who].state = State::Running;
                self.world.tasks[who].answer = answer;
            }
        }
    }

    fn returns(&mut self, who: usize, outcome: Outcome) -> Result<(), String> {
        let task = &mut self.world.tasks[who];
        task.state = State::Running;
        task.due_ns = None;
        task.has_failed |= outcome == Outcome::Raised(0);
        match task.answer.take() {
            Some(expected) if expected == outcome => Ok(()),
            Some(expected) => Err(format!("should be {expected:?}")),
            None => Err("should wait on".to_owned()),
        }
    }

    fn strike(&mut self, whom: usize, number: u64) {
        let task = &mut self.world.tasks[whom];
        task.to_be_raised.push_back(number);
        if task.state == State::Waiting && !task.is_shielded {
            self.world.wake(whom);
        }
    }

    /// The root goes on only when nobody else can.
    fn begin_last_act(&mut self) -> Result<(), String> {
        if std::mem::replace(&mut self.is_last_act, true) {
            return Ok(());
        }
        while let Some(first) = self.world.ready.front().copied() {
            if !self.passes_in_silence(first) {
                return Err(format!("{first} could go on"));
            }
        }
        let limited = |task: &Task| task.state == State::Waiting && task.due_ns.is_some();
        match self.world.tasks.iter().position(|task| limited(task) && !task.is_shielded) {
            Some(who) => Err(format!("the limit of {who} does not pass")),
            None => Ok(()),
        }
    }
}
