//! The blocks of a program as a list, to find one and to change one.

use crate::program::{Block, Id, Program, Step};

/// Where a block stands: the n-th of a script, counted outside in and front to back, its body being 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) script: Id,
    nth: usize,
}

impl Program {
    /// All blocks, with where they stand.
    pub(crate) fn blocks(&self) -> Vec<(At, &Block)> {
        let mut all = Vec::new();
        for (script, body) in self.scripts.iter().map(|script| &script.body).enumerate() {
            let mut nth = 0;
            body.collect(&mut |block| {
                all.push((At { script, nth }, block));
                nth += 1;
            });
        }
        all
    }

    /// Where this very block stands.
    pub(crate) fn at(&self, wanted: &Block) -> At {
        let blocks = self.blocks();
        let found = blocks.iter().find(|(_, block)| std::ptr::eq(*block, wanted));
        found.expect("a block of this program").0
    }

    pub(crate) fn block_mut(&mut self, at: At) -> &mut Block {
        let mut left = at.nth;
        self.scripts[at.script].body.nth_mut(&mut left).expect("no block was taken away")
    }

    /// How deep a step at the end of this block would stand, counted in the blocks of CPython's compiler.
    pub(crate) fn depth(&self, at: At) -> usize {
        let mut left = at.nth;
        let depth = self.scripts[at.script].body.depth_of_nth(0, &mut left);
        depth.expect("a block of this program")
    }

    /// No block may grow any more.
    pub(crate) fn close(&mut self) {
        let open: Vec<At> =
            self.blocks().iter().filter(|(_, block)| block.open).map(|(at, _)| *at).collect();
        for at in open {
            self.block_mut(at).open = false;
        }
    }
}

impl Block {
    fn collect<'p>(&'p self, each: &mut dyn FnMut(&'p Block)) {
        each(self);
        for step in &self.steps {
            if let Step::Try { body, catch, finally } = step {
                [Some(body), catch.as_ref(), finally.as_ref()]
                    .into_iter()
                    .flatten()
                    .for_each(|block| block.collect(each));
            }
        }
    }

    fn depth_of_nth(&self, mut depth: usize, left: &mut usize) -> Option<usize> {
        let here = *left == 0;
        *left = left.wrapping_sub(1);
        for step in &self.steps {
            match step {
                Step::Guard { .. } | Step::Hold(_) => depth += 1,
                Step::Try { body, catch, finally } if !here => {
                    let inner = [Some(body), catch.as_ref(), finally.as_ref()];
                    // A `try`, its `finally`, and the name of the caught error.
                    let found =
                        inner.into_iter().flatten().find_map(|b| b.depth_of_nth(depth + 3, left));
                    if found.is_some() {
                        return found;
                    }
                }
                _ => {}
            }
        }
        here.then_some(depth)
    }

    fn nth_mut(&mut self, left: &mut usize) -> Option<&mut Block> {
        if *left == 0 {
            return Some(self);
        }
        *left -= 1;
        self.steps.iter_mut().find_map(|step| match step {
            Step::Try { body, catch, finally } => [Some(body), catch.as_mut(), finally.as_mut()]
                .into_iter()
                .flatten()
                .find_map(|block| block.nth_mut(left)),
            _ => None,
        })
    }
}
