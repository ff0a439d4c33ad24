//! How far a run is.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for so many steps; on a terminal only, and gone when it is dropped.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(name: &'static str, steps: u64) -> Bar {
        let bar = ProgressBar::new(steps);
        let style = "{prefix:12} {wide_bar} {human_pos}/{human_len} {elapsed} {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is right"));
        bar.set_prefix(name);
        Bar(bar)
    }

    pub(crate) fn at(&self, step: u64) {
        self.0.set_position(step);
    }

    pub(crate) fn say(&self, text: String) {
        self.0.set_message(text);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
