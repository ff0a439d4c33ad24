//! Programs that once told the crate from the model, each as small as the search could make it.

/// What was wrong, and the program.
pub(crate) const FOUND: &[(&str, &str)] = &[
    (
        "try_suspend held a handle of the parent while it waited",
        "
            root
              switch 3 1
            1 parent 0
              switch 2 2
            2 parent 0
            3 parent 1
              suspend 3
        ",
    ),
    (
        "a victim that was given up after a `current()` left its killer marked as an orphan",
        "
            root
              switch 1 1
              drop 1
              switch 2 2
              current
            1 parent 0
              try
                suspend 3
              catch
                current
                suspend 4
                suspend 5
                suspend 6
                suspend 7
                suspend 8
                suspend 9
                suspend 10
                suspend 11
            2 parent 0
        ",
    ),
    (
        "an orphan that got a handle of itself from `parent()` was killed all the same",
        "
            root
              switch 1 1
              switch 3 2
            1 parent 0
              drop 1
              keep_parent 2 3
              suspend 4
              suspend 5
            2 parent 1
            3 parent 0
        ",
    ),
];
