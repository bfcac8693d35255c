//! Where a stage's time goes: one line in its log, read by the benchmark that splits an epoch.

use std::time::Instant;

/// Seconds by phase: `read`, `compute`, `write`.
#[derive(Debug)]
pub struct Timings {
    phases: Vec<(&'static str, f64)>,
    last: Instant,
}

impl Default for Timings {
    fn default() -> Self {
        Self::new()
    }
}

impl Timings {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self { phases: Vec::new(), last: Instant::now() }
    }

    /// Ends a phase: what has passed since the phase before is its time.
    pub fn lap(&mut self, phase: &'static str) {
        self.phases.push((phase, self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }

    /// Logs the phases: `timing read=0.210 compute=7.900 write=0.030`.
    pub fn log(&self) {
        let phases: Vec<String> = self.phases.iter().map(|(phase, seconds)| format!("{phase}={seconds:.3}")).collect();
        tracing::info!("timing {}", phases.join(" "));
    }
}
