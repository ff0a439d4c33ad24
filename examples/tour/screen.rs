//! What the tour draws: headlines, a bar of progress, small plots. No more than a terminal needs.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

const WIDTH: usize = 40;

pub(crate) fn headline(text: &str) {
    let (bold, plain) = if stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}── {text}{plain}");
}

/// A line, broken between words where it gets long; what follows stands below its second word.
pub(crate) fn wrapped(line: &str) {
    const LONGEST: usize = 100;
    let after_first = line.find(' ').unwrap_or(0);
    let indent = line[after_first..].find(|letter| letter != ' ').unwrap_or(0) + after_first;
    let mut column = indent;
    print!("{}", &line[..indent]);
    for (i, word) in line[indent..].split(' ').enumerate() {
        if i > 0 && column + word.len() >= LONGEST {
            print!("\n{:indent$}", "");
            column = indent;
        } else if i > 0 {
            print!(" ");
        }
        print!("{word}");
        column += word.len() + 1;
    }
    println!();
}

/// A bar that grows on one line and then makes room; nothing where output is no terminal.
pub(crate) struct Progress {
    label: String,
    is_shown: bool,
    drawn: Cell<Option<Instant>>,
}

impl Progress {
    pub(crate) fn new(label: impl Into<String>) -> Progress {
        let is_shown = stdout().is_terminal();
        Progress { label: label.into(), is_shown, drawn: Cell::new(None) }
    }

    /// Draws how much is done, 0 to 1; but not more often than one can see.
    pub(crate) fn show(&self, share: f64) {
        const PAUSE: Duration = Duration::from_millis(40);
        if !self.is_shown || self.drawn.get().is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        let done = (share.clamp(0.0, 1.0) * WIDTH as f64) as usize;
        let (full, empty) = ("█".repeat(done), "░".repeat(WIDTH - done));
        print!("\r\x1b[K{full}{empty} {:3.0} %  {}", share * 100.0, self.label);
        let _ = stdout().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            print!("\r\x1b[K");
            let _ = stdout().flush();
        }
    }
}

/// A bar as long as its share of `width`, to an eighth of a letter.
pub(crate) fn bar(share: f64, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

/// A whole number with a comma every three digits.
pub(crate) fn whole(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time with three digits that count, and its unit.
pub(crate) fn time(ns: f64) -> String {
    let (figure, unit) = match ns {
        ..1e3 => (ns, "ns"),
        1e3..1e6 => (ns / 1e3, "µs"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = if figure < 10.0 { 2 } else { usize::from(figure < 100.0) };
    format!("{figure:.digits$} {unit}")
}
