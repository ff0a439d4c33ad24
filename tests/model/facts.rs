//! The facts about Python's tree that the crate must reproduce, each as a small program with its log.
//!
//! The logs end where the root's script ends. What no program can say (types, threads)
//! stands below the table, and in `beyond.rs`.

/// A program and what all runs log.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) fact: &'static str,
    pub(crate) program: &'static str,
    pub(crate) log: &'static str,
}

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        fact: "1: a switch to a dead greenlet arrives at its nearest live parent",
        program: "
            root
              switch 1 1
              switch 1 42
              set_parent 1 2
              switch 2 3
              switch 1 43
            1 parent 0
              return 2
            2 parent 0
              suspend 4
              return 5
        ",
        log: "
            1 started 1
            1 returned 2
            0 got 2
            0 got 42
            0 reparented
            2 started 3
            0 got 4
            2 got 43
            2 returned 5
            0 got 5
            0 returned 0
        ",
    },
    Fact {
        fact: "2: a body's value arrives as the result of its parent's last switch, whoever switched in last",
        program: "
            root
              switch 1 1
              switch 2 2
            1 parent 0
              switch 0 3
              return 4
            2 parent 1
              return 5
        ",
        log: "
            1 started 1
            0 got 3
            2 started 2
            2 returned 5
            1 got 5
            1 returned 4
            0 got 4
            0 returned 0
        ",
    },
    Fact {
        fact: "3: an error thrown into an unstarted greenlet kills it at once and surfaces in its parent",
        program: "
            root
              try
                throw 1 5
              catch
                is_dead 1
            1 parent 0
              return 2
        ",
        log: "
            0 caught error 5
            0 dead 1 true
            0 returned 0
        ",
    },
    Fact {
        fact: "3: ... whatever that parent is, and unstarted parents die of it too",
        program: "
            root
              switch 1 1
              throw 3 5
              is_dead 2
              is_dead 3
            1 parent 0
              try
                suspend 2
              catch
                return 6
            2 parent 1
            3 parent 2
        ",
        log: "
            1 started 1
            0 got 2
            1 caught error 5
            1 returned 6
            0 got 6
            0 dead 2 true
            0 dead 3 true
            0 returned 0
        ",
    },
    Fact {
        fact: "4: an exit thrown into an unstarted greenlet kills it and is the result",
        program: "
            root
              throw_exit 1
              is_dead 1
            1 parent 0
              return 2
        ",
        log: "
            0 got exit
            0 dead 1 true
            0 returned 0
        ",
    },
    Fact {
        fact: "5: an error thrown into a dead greenlet surfaces in its parent",
        program: "
            root
              switch 1 1
              throw_exit 2
              throw 2 5
            1 parent 0
              suspend 2
              try
                suspend 4
              catch
                return 6
            2 parent 1
        ",
        log: "
            1 started 1
            0 got 2
            1 got exit
            0 got 4
            1 caught error 5
            1 returned 6
            0 got 6
            0 returned 0
        ",
    },
    Fact {
        fact: "6: an exit thrown into a dead greenlet is returned as a value",
        program: "
            root
              switch 1 1
              throw_exit 1
            1 parent 0
              return 2
        ",
        log: "
            1 started 1
            1 returned 2
            0 got 2
            0 got exit
            0 returned 0
        ",
    },
    Fact {
        fact: "7: an uncaught error is raised in the parent, and dead ancestors are skipped",
        program: "
            root
              switch 2 1
              switch 1 2
              try
                switch 2 3
              catch
                is_dead 2
            1 parent 0
              return 4
            2 parent 1
              switch 0 5
              raise 6
        ",
        log: "
            2 started 1
            0 got 5
            1 started 2
            1 returned 4
            0 got 4
            2 got 3
            2 raised error 6
            0 caught error 6
            0 dead 2 true
            0 returned 0
        ",
    },
    Fact {
        fact: "8: dropping the last handle of a suspended greenlet runs its cleanup, and the dropper goes on",
        program: "
            root
              switch 1 1
              switch 2 2
            1 parent 0
              guard 3
              try
                switch 0 4
              finally
                current
            2 parent 0
              drop 1
              current
        ",
        log: "
            1 started 1
            0 got 4
            2 started 2
            1 cleanup
            1 current 1
            1 guard 3
            1 raised exit
            2 dropped 1
            2 current 2
            2 returned 0
            0 got 0
            0 returned 0
        ",
    },
    Fact {
        fact: "9: an uncaught exit becomes the return value",
        program: "
            root
              switch 1 1
              throw_exit 1
              is_dead 1
            1 parent 0
              suspend 2
              return 3
        ",
        log: "
            1 started 1
            0 got 2
            1 raised exit
            0 got exit
            0 dead 1 true
            0 returned 0
        ",
    },
    Fact {
        fact: "10: a parent that would make a cycle is refused",
        program: "
            root
              set_parent 1 1
              set_parent 1 2
              parent_of 1
            1 parent 0
            2 parent 1
        ",
        log: "
            0 cycle
            0 cycle
            0 parent 1 0
            0 returned 0
        ",
    },
    Fact {
        fact: "11: the root's parent cannot be set",
        program: "
            root
              set_parent 0 1
              set_parent 0 0
              parent_of 0
            1 parent 0
        ",
        log: "
            0 root has no parent
            0 root has no parent
            0 parent 0 none
            0 returned 0
        ",
    },
    Fact {
        fact: "12: a switch to oneself returns the argument at once, a throw raises there",
        program: "
            root
              switch 0 1
              switch 1 2
            1 parent 0
              switch 1 3
              try
                throw 1 4
              catch
                return 5
        ",
        log: "
            0 got 1
            1 started 2
            1 got 3
            1 caught error 4
            1 returned 5
            0 got 5
            0 returned 0
        ",
    },
    Fact {
        fact: "13: a cleanup that switches away while a throw unwinds wins, and the error goes on when resumed",
        program: "
            root
              switch 1 1
              throw 1 2
              is_dead 1
              try
                switch 1 3
              catch
                is_dead 1
            1 parent 0
              try
                suspend 4
              finally
                suspend 5
        ",
        log: "
            1 started 1
            0 got 4
            1 cleanup
            0 got 5
            0 dead 1 false
            1 got 3
            1 raised error 2
            0 caught error 2
            0 dead 1 true
            0 returned 0
        ",
    },
    Fact {
        fact: "15: an unstarted greenlet that has become the parent is started with the result",
        program: "
            root
              switch 1 1
              set_parent 1 2
              switch 1 2
            1 parent 0
              suspend 3
              return 4
            2 parent 0
              return 5
        ",
        log: "
            1 started 1
            0 got 3
            0 reparented
            1 got 2
            1 returned 4
            2 started 4
            2 returned 5
            0 got 5
            0 returned 0
        ",
    },
];

/// Facts that no program can say, as Python source and log. The crate's side of them is in `beyond.rs`; a
/// parent cannot be deleted there, because there is no such method.
pub(crate) const PYTHON_FACTS: &[(&str, &str, &str)] = &[
    (
        "1: no arguments give an empty tuple",
        "
dead = greenlet(lambda: None)
dead.switch()
L(repr(dead.switch()))
",
        "()",
    ),
    (
        "11: a parent cannot be deleted",
        "
try:
    del greenlet().parent
except AttributeError:
    L('refused')
",
        "refused",
    ),
    (
        "14: a greenlet of another thread cannot be switched to, started or not",
        "
import threading
fresh, started = greenlet(lambda: None), greenlet(lambda: getcurrent().parent.switch())
started.switch()
def foreign():
    for target in (fresh, started):
        try:
            target.switch()
        except BaseException as error:
            L(str(error).splitlines()[0].lower())
thread = threading.Thread(target=foreign)
thread.start()
thread.join()
",
        "cannot switch to a different thread\ncannot switch to a different thread",
    ),
];
