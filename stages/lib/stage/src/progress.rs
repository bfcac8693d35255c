//! Progress with rate and time left: a bar on a terminal, a log line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is logged where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts what is done. May be shared between threads.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: &'static str,
    total: u64,
    done: AtomicU64,
    start: Instant,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Starts counting towards `total` of `what` (a plural: `images`, `files`).
    #[must_use]
    pub fn new(total: u64, what: &'static str) -> Self {
        let bar = ProgressBar::new(total);
        let visible = std::io::stderr().is_terminal() && tracing::enabled!(tracing::Level::INFO);
        bar.set_draw_target(if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() });
        let template = format!("{{wide_bar}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        let now = Instant::now();
        Self { bar, what, total, done: AtomicU64::new(0), start: now, last_line: Mutex::new(now) }
    }

    /// Counts `n` more as done.
    pub fn inc(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed) + n;
        self.bar.inc(n);
        if self.bar.is_hidden()
            && let Ok(mut last) = self.last_line.try_lock()
            && last.elapsed() >= LINE_EVERY
        {
            *last = Instant::now();
            let rate = done as f64 / self.start.elapsed().as_secs_f64();
            let left = self.total.saturating_sub(done) as f64 / rate;
            tracing::info!("{done}/{} {}, {rate:.0}/s, {left:.0} s left", self.total, self.what);
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
