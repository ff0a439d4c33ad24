//! Where the crate chooses to differ from Python, with the reason and a program that shows it.
//!
//! The model knows both (`interpreter::Dialect`), so random and enumerated programs are not restricted.
//! What the logs leave out, because the languages have different words for the same:
//!
//! - A `finally` is a `catch_unwind`, the cleanup, and `resume_unwind`. So it does not run while the thread
//!   unwinds and may switch (fact 13). A guard is a `Drop`, which may not; it only logs and drops a handle.
//! - An exit that arrives at one who waits for an exact type is a `ChildExited`, logged as the exit it is.
//! - CPython 3.5.6 hands a child's exit to an unstarted parent in the place of the argument tuple, so that the
//!   body gets no argument at all (and would read past the object if the exit had attributes). The driver
//!   logs it as the exit.
//! - Errors of killed greenlets, and stacks that are given up, are reported on standard error.

/// A program whose logs differ. They end where the root's script ends, unless the difference comes after it.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) program: &'static str,
    pub(crate) rust: &'static str,
    pub(crate) python: &'static str,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "a kill by drop refuses all transfers until the victim is dead",
        reason: "a dropper that may be switched to needs a temporary parent, and two such kills wait for each \
                 other for ever; so the victim cannot leave, and control comes back to the dropper alone",
        program: "
            root
              switch 1 1
              drop 1
              current
            1 parent 0
              try
                suspend 2
              finally
                switch 2 3
            2 parent 0
              switch 0 4
        ",
        rust: "
            1 started 1
            0 got 2
            1 cleanup
            1 refused
            1 raised exit
            0 dropped 1
            0 current 0
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 2
            1 cleanup
            2 started 3
            did not kill
            0 dropped 1
            0 current 0
            0 returned 0
        ",
    },
    Difference {
        name: "8, second half: a body that swallows its kill dies all the same",
        reason: "it can only go on to its end; what it returns is dropped",
        program: "
            root
              switch 1 1
              drop 1
            1 parent 0
              try
                suspend 2
              catch
                suspend 3
              return 4
        ",
        rust: "
            1 started 1
            0 got 2
            1 caught exit
            1 refused
            1 returned 4
            0 dropped 1
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 2
            1 caught exit
            did not kill
            0 dropped 1
            0 returned 0
        ",
    },
    Difference {
        name: "at the 8th refused transfer the victim's stack is leaked",
        reason: "a body that swallows its kill in a loop would never come back; the stack cannot be freed, \
                 because others may hold borrows of it",
        program: "
            root
              switch 1 1
              drop 1
            1 parent 0
              guard 2
              try
                suspend 3
              catch
              switch 1 4
              switch 2 4
              switch 0 5
              switch 0 6
              throw 0 7
              throw_exit 0
              suspend 8
              suspend 9
              suspend 10
              return 11
            2 parent 0
        ",
        rust: "
            1 started 1
            0 got 3
            1 caught exit
            1 empty 1
            1 refused
            1 refused
            1 refused
            1 refused
            1 refused
            1 refused
            1 refused
            0 dropped 1
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 3
            1 caught exit
            1 empty 1
            2 started 4
            2 returned 0
            did not kill
            0 dropped 1
            0 returned 0
        ",
    },
    Difference {
        name: "a parent link does not keep the parent alive",
        reason: "a parent that owns its children would never die by drop (Python leaks this cycle)",
        program: "
            root
              switch 1 1
              drop 1
              switch 2 2
            1 parent 0
              try
                suspend 3
              finally
                current
              return 4
            2 parent 1
              return 5
        ",
        rust: "
            1 started 1
            0 got 3
            1 cleanup
            1 current 1
            1 raised exit
            0 dropped 1
            2 started 2
            2 returned 5
            0 got 5
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 3
            0 dropped 1
            2 started 2
            2 returned 5
            1 got 5
            1 cleanup
            1 current 1
            1 returned 4
            0 got 4
            0 returned 0
        ",
    },
    Difference {
        name: "a parent that waits for its child dies by drop",
        reason: "the same: in Python the child's link keeps the parent and the parent's frame keeps the child",
        program: "
            root
              switch 1 1
              drop 2
              drop 1
            1 parent 0
              guard 2
              switch 2 3
            2 parent 1
              guard 4
              switch 0 5
        ",
        rust: "
            1 started 1
            2 started 3
            0 got 5
            0 dropped 2
            2 guard 4
            2 raised exit
            1 guard 2
            1 raised exit
            0 dropped 1
            0 returned 0
        ",
        python: "
            1 started 1
            2 started 3
            0 got 5
            0 dropped 2
            0 dropped 1
            0 returned 0
        ",
    },
    Difference {
        name: "greenlets that hold handles of themselves are unwound when `run` ends",
        reason: "Python leaks such a cycle; `run` promises that nothing is left on the thread",
        program: "
            root
              switch 1 1
            1 parent 0
              guard 2
              hold 1
              switch 0 3
        ",
        rust: "
            1 started 1
            0 got 3
            0 returned 0
            0 dead 0 false
            0 parent 0 none
            0 dead 1 false
            0 parent 1 0
            0 dropped 0
            0 dropped 1
            end
            1 guard 2
            1 raised exit
        ",
        python: "
            1 started 1
            0 got 3
            0 returned 0
            0 dead 0 false
            0 parent 0 none
            0 dead 1 false
            0 parent 1 0
            0 dropped 0
            0 dropped 1
            end
        ",
    },
    Difference {
        name: "an error that leaves a killed greenlet goes to the report on stderr",
        reason: "there is no hook to hand it to; Python has sys.unraisablehook",
        program: "
            root
              switch 1 1
              drop 1
            1 parent 0
              try
                suspend 2
              finally
                raise 3
        ",
        rust: "
            1 started 1
            0 got 2
            1 cleanup
            1 raised error 3
            0 dropped 1
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 2
            1 cleanup
            1 raised error 3
            unraisable error 3
            0 dropped 1
            0 returned 0
        ",
    },
    Difference {
        name: "an error at an unstarted greenlet does not make it current",
        reason: "a greenlet that never runs needs no stack to die on; here the sender lost its last handle, so \
                 Python kills it from the dying greenlet, which is not dead yet, and the crate from the receiver",
        program: "
            root
              switch 1 1
              try
                throw_exit 3
              catch
            1 parent 0
              suspend 2
              set_parent 3 0
              drop 1
              try
                throw 2 4
              finally
                is_dead 2
            2 parent 0
            3 parent 1
        ",
        rust: "
            1 started 1
            0 got 2
            1 got exit
            1 reparented
            1 dropped 1
            1 cleanup
            1 dead 2 true
            1 raised exit
            0 caught error 4
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 2
            1 got exit
            1 reparented
            1 dropped 1
            1 cleanup
            1 dead 2 false
            1 raised exit
            0 caught error 4
            0 returned 0
        ",
    },
    Difference {
        name: "an unstarted greenlet that waits for an exact type is not started by an exit",
        reason: "its body has no parameter that could take it (rule 39, decided before the start); one that \
                 waits for `Received` is started as in Python",
        program: "
            root
              throw_exit 2
              is_dead 1
            1 parent 0 exact
              return 1
            2 parent 1
        ",
        rust: "
            0 got exit
            0 dead 1 true
            0 returned 0
        ",
        python: "
            1 started exit
            1 returned 1
            0 got 1
            0 dead 1 true
            0 returned 0
        ",
    },
    Difference {
        name: "`suspend` holds no handle of the parent",
        reason: "a handle on the child's stack makes a cycle that never dies by drop; in Python the call holds it",
        program: "
            root
              switch 1 1
              set_parent 2 0
              drop 1
              current
            1 parent 0
              switch 2 2
              guard 3
              switch 0 4
            2 parent 1
              suspend 5
        ",
        rust: "
            1 started 1
            2 started 2
            1 got 5
            0 got 4
            0 reparented
            1 guard 3
            1 raised exit
            0 dropped 1
            0 current 0
            0 returned 0
        ",
        python: "
            1 started 1
            2 started 2
            1 got 5
            0 got 4
            0 reparented
            0 dropped 1
            0 current 0
            0 returned 0
        ",
    },
    Difference {
        name: "a greenlet cannot be resurrected by its own cleanup",
        reason: "a kill that begins ends; a handle that the cleanup keeps is one of the dead",
        program: "
            root
              switch 1 1
              drop 1
              is_dead 2
              switch 2 2
            1 parent 0
              try
                suspend 3
              catch
                keep_current 2
                suspend 4
              return 5
        ",
        rust: "
            1 started 1
            0 got 3
            1 caught exit
            1 stored 2
            1 refused
            1 returned 5
            0 dropped 1
            0 dead 2 true
            0 got 2
            0 returned 0
        ",
        python: "
            1 started 1
            0 got 3
            1 caught exit
            1 stored 2
            0 dropped 1
            0 dead 2 false
            1 got 2
            1 returned 5
            0 got 5
            0 returned 0
        ",
    },
];
