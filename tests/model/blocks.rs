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
