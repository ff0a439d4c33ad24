//! What the handles of a pool share: its members, its places, and those who wait for one.
//!
//! - **A turn is a place**: whoever waits in `spawn` is given the place that somebody leaves; nobody
//!   overtakes, and one that is killed passes it on.
//! - **A full pool does not hang itself**: a member that spawns while no other member can finish lends
//!   its own place to what it spawns, and waits until that gives it back.
//! - **A place has one user**: its owner, or the one at the end of its loans. A lender waits until what it
//!   has lent is given back. If it goes on before (interrupted, discarded), its own right passes to the one
//!   that it had lent to, also where that right is a loan: that one's lender waits on, for the new user. When
//!   the new user has ended, the loan is that of the one for whom it was made, if that is still a member.

use crate::greenlet::{GreenletId, current_block, id_of};
use crate::hub::{WaitList, hub};
use crate::stack::StackError;
use crate::sync::{Turns, Watchers, watch};
use crate::task::{JoinHandle, TaskBuilder, TaskRef, try_spawn};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::iter::once;
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Members {
    /// Those who were spawned or added and have not ended, in the order of their making.
    tasks: RefCell<BTreeMap<GreenletId, Member>>,
    size: Cell<usize>,
    /// Places that are taken.
    busy: Cell<usize>,
    places: Turns,
    /// Places whose users wait for one more: their members, or those whom these have lent theirs.
    stuck: Cell<usize>,
    /// Those who wait until there is no member.
    joiners: WaitList,
    /// Those who wait until somebody is no member any more.
    leavers: WaitList,
    /// Those who wait until there is a place.
    watchers: WaitList,
}

struct Member {
    task: TaskRef,
    entry: Entry,
    /// It counts among the [stuck](Members::stuck).
    is_stuck: bool,
    /// Most members never have to do with any.
    loans: Option<Box<Loans>>,
}

/// What a member has to do with loans.
#[derive(Default)]
struct Loans {
    /// The one by which it goes on: another member has lent its own right, and waits.
    own: Option<Rc<Loan>>,
    /// Who has a loan of this one.
    lent_to: Option<GreenletId>,
    /// The loan that was made for it, and that it passed on.
    passed_on: Option<Rc<Loan>>,
}

struct Loan {
    lender: GreenletId,
    /// For whom it was made.
    borrower: GreenletId,
    is_over: Cell<bool>,
    /// The lender, until it is over.
    lenders: WaitList,
    /// Those who have passed it on, and want a place again.
    others: WaitList,
}

impl Loan {
    fn end(&self) {
        self.is_over.set(true);
        self.lenders.wake_all();
        self.others.wake_all();
    }
}

/// On whose account something is spawned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A place was taken for it.
    Place,
    /// The current member has lent its own, and must wait.
    Lent,
    /// There was none, or none in time.
    None,
}

impl Members {
    pub(super) fn new(size: usize) -> Rc<Members> {
        Rc::new(Members {
            tasks: RefCell::new(BTreeMap::new()),
            size: Cell::new(size),
            busy: Cell::new(0),
            places: Turns::new(),
            stuck: Cell::new(0),
            joiners: WaitList::new(),
            leavers: WaitList::new(),
            watchers: WaitList::new(),
        })
    }

    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    pub(super) fn resize(&self, size: usize) {
        self.size.set(size);
        self.offer();
    }

    pub(super) fn busy(&self) -> usize {
        self.busy.get()
    }

    /// How many wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.places.waiting() + self.places.given()
    }

    #[inline]
    pub(super) fn has_place(&self) -> bool {
        self.busy.get() + self.places.given() < self.size.get()
    }

    /// Takes a place, if there is one that nobody else was promised.
    #[inline]
    pub(super) fn try_enter(&self) -> bool {
        let has_place = self.has_place();
        self.busy.set(self.busy.get() + usize::from(has_place));
        has_place
    }

    /// Takes a place, or lends that of the current member: at once when it `lends_always`, otherwise
    /// if nobody else could ever leave one. Or parks until there is one, or the moment has come.
    pub(super) fn enter(&self, lends_always: bool, until: Option<u64>) -> Entry {
        loop {
            if self.try_enter() {
                return Entry::Place;
            }
            let Some(loan) = self.passed_on() else { break };
            let things = [(false, self.watchers()), (false, Watchers(&loan.others))];
            let limit = until.map(|until| Duration::from_nanos(until.saturating_sub(hub().now())));
            if !watch(things.into_iter(), limit, |_| true) {
                return Entry::None;
            }
        }
        if !self.uses_a_place() {
            return self.wait_for_place(until);
        }
        if lends_always || self.stuck.get() + 1 >= self.busy.get() {
            return Entry::Lent;
        }
        let _stuck = Stuck::new(self);
        self.wait_for_place(until)
    }

    /// The loan that was the current greenlet's, and may be so again.
    fn passed_on(&self) -> Option<Rc<Loan>> {
        let tasks = self.tasks.borrow();
        let loan = tasks.get(&id_of(current_block()))?.loans.as_ref()?.passed_on.as_ref()?;
        (!loan.is_over.get()).then(|| loan.clone())
    }

    /// Notes whether the user of a place, the current greenlet, waits for one more. Whoever was discarded
    /// meanwhile does not count any more.
    fn set_stuck(&self, is_stuck: bool) {
        if let Some(member) = self.tasks.borrow_mut().get_mut(&id_of(current_block()))
            && std::mem::replace(&mut member.is_stuck, is_stuck) != is_stuck
        {
            let count = self.stuck.get();
            self.stuck.set(if is_stuck { count + 1 } else { count - 1 });
        }
    }

    /// Does the current greenlet use a place, its own or one that was lent?
    fn uses_a_place(&self) -> bool {
        let me = id_of(current_block());
        self.tasks.borrow().get(&me).is_some_and(|member| member.entry != Entry::None)
    }

    fn wait_for_place(&self, until: Option<u64>) -> Entry {
        match self.places.wait(false, &"a place in a pool", until) {
            // Beyond the size, because nobody could leave a place any more.
            Ok(true) if self.busy.get() >= self.size.get() && self.uses_a_place() => Entry::Lent,
            Ok(true) => {
                self.busy.set(self.busy.get() + 1);
                Entry::Place
            }
            Ok(false) => Entry::None,
            Err(interrupted) => {
                self.offer();
                interrupted.raise()
            }
        }
    }

    /// Gives free places to those who wait for one. If the users of all places wait (the pool has become
    /// smaller), the first goes on nevertheless.
    fn offer(&self) {
        while self.has_place() {
            if !self.places.give() {
                return self.watchers.wake_all();
            }
        }
        let stuck = self.stuck.get();
        if stuck > 0 && stuck >= self.busy.get() && self.places.given() == 0 {
            self.places.give();
        }
    }

    fn release(&self) {
        self.busy.set(self.busy.get() - 1);
        self.offer();
    }

    /// Parks until what was spawned on a lent place has given it back. If the lender is interrupted, the
    /// place is no longer its own.
    pub(super) fn settle<T>(&self, entry: Entry, task: &JoinHandle<T>) {
        if entry == Entry::Lent
            && let Some(loan) = self.loan_of(task.id())
        {
            let _lending = Lending { members: self, lender: loan.lender };
            watch(once((false, Watchers(&loan.lenders))), None, |_| true);
        }
    }

    fn loan_of(&self, user: GreenletId) -> Option<Rc<Loan>> {
        self.tasks.borrow().get(&user)?.loans.as_ref()?.own.clone()
    }

    /// The current member lends its right to a new one.
    #[cold]
    fn lend_to(&self, user: GreenletId) {
        let lender = id_of(current_block());
        let mut tasks = self.tasks.borrow_mut();
        if let Some(member) = tasks.get_mut(&lender) {
            member.loans.get_or_insert_default().lent_to = Some(user);
        }
        if let Some(member) = tasks.get_mut(&user) {
            member.loans.get_or_insert_default().own = Some(Rc::new(Loan {
                lender,
                borrower: user,
                is_over: Cell::new(false),
                lenders: WaitList::new(),
                others: WaitList::new(),
            }));
        }
    }

    /// If the member has lent its right, that belongs to the user from now on.
    fn pass_on(&self, lender: GreenletId) {
        let mut tasks = self.tasks.borrow_mut();
        if let Some(mut member) = tasks.remove(&lender) {
            pass_on(&mut tasks, &mut member);
            tasks.insert(lender, member);
        }
    }

    /// Spawns `f` as a member that takes a place when there is one, and begins then.
    #[track_caller]
    pub(super) fn begin_later<T: 'static>(
        self: &Rc<Members>,
        builder: TaskBuilder,
        f: impl FnOnce() -> T + 'static,
    ) -> Result<JoinHandle<T>, StackError> {
        let entry = if self.try_enter() { Entry::Place } else { Entry::None };
        let members = self.clone();
        let task = builder.spawn(self.body(entry, move || {
            if entry == Entry::None
                && (members.try_enter() || members.wait_for_place(None) == Entry::Place)
            {
                match members.tasks.borrow_mut().get_mut(&id_of(current_block())) {
                    Some(member) if member.entry == Entry::None => member.entry = Entry::Place,
                    _ => members.release(), // it was discarded meanwhile, or added with a place
                }
            }
            f()
        }))?;
        self.insert(task.task(), entry);
        Ok(task)
    }

    /// Spawns `f` as a member.
    #[track_caller]
    pub(super) fn start<T: 'static>(
        self: &Rc<Members>,
        entry: Entry,
        f: impl FnOnce() -> T + 'static,
    ) -> JoinHandle<T> {
        let task = match try_spawn(self.body(entry, f)) {
            Ok(task) => task,
            Err(error) => no_stack(&error),
        };
        self.insert(task.task(), entry);
        if entry == Entry::Lent {
            self.lend_to(task.id());
        }
        task
    }

    /// What a member runs that the current greenlet spawns.
    fn body<T, F: FnOnce() -> T>(
        self: &Rc<Members>,
        entry: Entry,
        f: F,
    ) -> impl FnOnce() -> T + use<T, F> {
        let membership =
            Membership { members: self.clone(), spawner: id_of(current_block()), entry };
        move || {
            let f = f; // dropped first if it never begins: its drop may wait, as a member
            let _membership = membership;
            f()
        }
    }

    fn insert(&self, task: TaskRef, entry: Entry) {
        let member = Member { task, entry, is_stuck: false, loans: None };
        self.tasks.borrow_mut().insert(member.task.id(), member);
    }

    /// Makes a member of a task from elsewhere. As its adder does not wait for it, nothing is lent to it.
    pub(super) fn add<T>(self: &Rc<Members>, entry: Entry, task: &JoinHandle<T>) {
        let id = task.id();
        if task.is_finished() || self.contains(id) {
            if entry == Entry::Place {
                self.release();
            }
            return;
        }
        self.insert(task.task(), if entry == Entry::Place { entry } else { Entry::None });
        let members = self.clone();
        task.on_done_inline(move |_| {
            members.leave(id);
        });
    }

    /// No member any more: it has ended, or was discarded. Says whether it was one.
    pub(super) fn leave(&self, id: GreenletId) -> bool {
        let mut tasks = self.tasks.borrow_mut();
        let Some(mut member) = tasks.remove(&id) else { return false };
        if member.loans.is_some() {
            pass_on(&mut tasks, &mut member);
        }
        drop(tasks);
        if member.entry == Entry::Place {
            self.busy.set(self.busy.get() - 1);
        }
        self.stuck.set(self.stuck.get() - usize::from(member.is_stuck));
        self.offer();
        self.leavers.wake_all();
        if self.is_empty() {
            self.joiners.wake_all();
        }
        if let Some(loan) = member.loans.and_then(|loans| loans.own) {
            self.give_back(loan);
        }
        true
    }

    /// The user of a loan is no member any more.
    fn give_back(&self, loan: Rc<Loan>) {
        let mut tasks = self.tasks.borrow_mut();
        let has_passed_it_on = |loans: &Loans| {
            loans.passed_on.as_ref().is_some_and(|passed_on| Rc::ptr_eq(passed_on, &loan))
        };
        if let Some(borrower) = tasks.get_mut(&loan.borrower)
            && let Some(loans) = borrower.loans.as_mut().filter(|loans| has_passed_it_on(loans))
        {
            borrower.entry = Entry::Lent;
            loans.own = loans.passed_on.take();
            set_lent_to(&mut tasks, loan.lender, Some(loan.borrower));
            return loan.others.wake_all();
        }
        set_lent_to(&mut tasks, loan.lender, None);
        loan.end();
    }

    pub(super) fn contains(&self, id: GreenletId) -> bool {
        self.tasks.borrow().contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.borrow().is_empty()
    }

    pub(super) fn tasks(&self) -> Vec<TaskRef> {
        self.tasks.borrow().values().map(|member| member.task.clone()).collect()
    }

    pub(super) fn watchers(&self) -> Watchers<'_> {
        Watchers(&self.watchers)
    }

    /// Those who wait for a member to leave.
    pub(super) fn leavers(&self) -> Watchers<'_> {
        Watchers(&self.leavers)
    }

    /// Parks until there has been a place that nobody waited for; false if the time was over before.
    pub(super) fn wait_available(&self, limit: Option<Duration>) -> bool {
        watch(once((self.has_place(), self.watchers())), limit, |_| true)
    }

    /// Parks until there has been no member; false if the time was over before.
    pub(super) fn join(&self, limit: Option<Duration>) -> bool {
        assert!(
            !self.contains(id_of(current_block())),
            "a member cannot wait for the end of its own pool: it would have to end first"
        );
        watch(once((self.is_empty(), Watchers(&self.joiners))), limit, |_| true)
    }
}

#[cold]
#[track_caller]
pub(super) fn no_stack(error: &StackError) -> ! {
    panic!("spawn in a pool: {error}")
}

/// If a member has lent its right, that belongs to the user from now on.
#[cold]
fn pass_on(others: &mut BTreeMap<GreenletId, Member>, member: &mut Member) {
    let Some(loans) = &mut member.loans else { return };
    let Some(user) = loans.lent_to.take() else { return };
    let entry = std::mem::replace(&mut member.entry, Entry::None);
    let own = loans.own.take();
    if let Some(outer) = &own {
        loans.passed_on = Some(outer.clone());
        set_lent_to(others, outer.lender, Some(user));
    }
    if let Some(user) = others.get_mut(&user) {
        user.entry = entry;
        if let Some(loan) = std::mem::replace(&mut user.loans.get_or_insert_default().own, own) {
            loan.end();
        }
    }
}

fn set_lent_to(
    tasks: &mut BTreeMap<GreenletId, Member>,
    lender: GreenletId,
    user: Option<GreenletId>,
) {
    if let Some(lender) = tasks.get_mut(&lender) {
        lender.loans.get_or_insert_default().lent_to = user;
    }
}

/// While it lives, and the current greenlet is a member, one more place is stuck.
struct Stuck<'a>(&'a Members);

impl Stuck<'_> {
    fn new(members: &Members) -> Stuck<'_> {
        members.set_stuck(true);
        Stuck(members)
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.set_stuck(false);
    }
}

/// Lies in the frame of a lender. If that goes on too early, it has lost its right.
struct Lending<'a> {
    members: &'a Members,
    lender: GreenletId,
}

impl Drop for Lending<'_> {
    fn drop(&mut self) {
        self.members.pass_on(self.lender);
    }
}

/// Lies in the body of a member and is dropped at its end, in whatever way that comes.
struct Membership {
    members: Rc<Members>,
    spawner: GreenletId,
    entry: Entry,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let me = id_of(current_block());
        if me != self.spawner {
            self.members.leave(me);
        } else if self.entry == Entry::Place {
            self.members.release(); // there was no stack for it
        }
    }
}
