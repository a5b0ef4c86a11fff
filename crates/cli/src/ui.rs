//! Progress on the standard error stream: bars with the time left on a terminal, a line every few seconds elsewhere.

use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Where progress goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    is_terminal: bool,
    is_quiet: bool,
}

impl Ui {
    /// Progress for people, in the form that the standard error stream can show.
    pub(crate) fn new() -> Self {
        Self { is_terminal: console::user_attended_stderr(), is_quiet: false }
    }

    /// Progress that nobody needs to see.
    pub(crate) fn quiet() -> Self {
        Self { is_terminal: false, is_quiet: true }
    }

    /// A line for people.
    pub(crate) fn say(&self, text: &str) {
        if !self.is_quiet {
            eprintln!("{text}");
        }
    }

    /// Progress of something that takes `n_total` units.
    pub(crate) fn progress(&self, label: &str, n_total: u64) -> Progress {
        let bar = if self.is_terminal { ProgressBar::new(n_total) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix:>16} {wide_bar:.cyan/dim} {pos}/{len}  {eta:>4} left  {msg}");
        bar.set_style(style.expect("the template is valid").progress_chars("━╸─"));
        bar.set_prefix(label.to_owned());
        let now = Instant::now();
        Progress {
            bar,
            is_terminal: self.is_terminal,
            is_quiet: self.is_quiet,
            label: label.to_owned(),
            n_total,
            first: (now, 0),
            last_line: now,
        }
    }
}

/// Progress of one thing.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    is_quiet: bool,
    label: String,
    n_total: u64,
    /// When it started, and at which position: a resumed stage does not start at 0.
    first: (Instant, u64),
    last_line: Instant,
}

impl Progress {
    /// Where it starts, if not at 0.
    pub(crate) fn start_at(&mut self, position: u64) {
        self.first = (Instant::now(), position);
        self.bar.set_position(position);
        self.bar.reset_eta();
    }

    /// How far it is, and what to say about it.
    pub(crate) fn set(&mut self, position: u64, message: &str) {
        let (since, from) = self.first;
        self.bar.set_position(position);
        self.bar.set_message(message.to_owned());
        if self.is_terminal || self.is_quiet || self.last_line.elapsed() < LINE_EVERY {
            return;
        }
        self.last_line = Instant::now();
        let left = remaining(since.elapsed(), position.saturating_sub(from), self.n_total.saturating_sub(position));
        let left = left.map_or_else(String::new, |left| format!(", {} left", HumanDuration(left)));
        eprintln!("{}: {position}/{}{left}  {message}", self.label, self.n_total);
    }

    /// It is over; says what came of it.
    pub(crate) fn finish(self, message: &str) {
        self.bar.finish_and_clear();
        if !self.is_quiet {
            eprintln!("{}: {message}", self.label);
        }
    }
}

/// Time left, if it goes on as so far.
fn remaining(elapsed: Duration, n_done: u64, n_left: u64) -> Option<Duration> {
    (n_done > 0).then(|| elapsed.mul_f64(n_left as f64 / n_done as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_counts_from_where_the_sitting_started() {
        assert_eq!(remaining(Duration::from_secs(10), 5, 20), Some(Duration::from_secs(40)));
        assert_eq!(remaining(Duration::from_secs(10), 0, 20), None);
    }
}
