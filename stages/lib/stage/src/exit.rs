//! Exit policy: 0 done, 1 the stage failed (may be retried), 2 usage, configuration or schema.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::filter::LevelFilter;

use crate::json_log::JsonLines;
use crate::{LogFormat, Verbosity, parent};

/// An error that knows whether trying again can help.
pub trait Failure: std::error::Error {
    /// True for what a person has to mend first: exit code 2, never retried.
    fn is_usage(&self) -> bool;

    /// What the process ends with.
    fn exit_code(&self) -> u8 {
        if self.is_usage() { 2 } else { 1 }
    }
}

impl Failure for deepmcat_config::ConfigError {
    fn is_usage(&self) -> bool {
        true
    }
}

impl Failure for deepmcat_schemas::jobs::JobError {
    fn is_usage(&self) -> bool {
        true
    }
}

impl Failure for deepmcat_schemas::SchemaError {
    fn is_usage(&self) -> bool {
        Self::is_usage(self)
    }
}

/// The whole of `main` for a program whose arguments hold the verbosity.
pub fn main_with<A, E>(verbosity: fn(&A) -> Verbosity, job: fn(A) -> Result<(), E>) -> ExitCode
where
    A: clap::Parser,
    E: Failure,
{
    let args = A::parse();
    let verbosity = verbosity(&args);
    start(verbosity);
    end(job(args), verbosity)
}

/// Sets up logs, and watches the runner that started this program.
pub(crate) fn start(verbosity: Verbosity) {
    log_to_stderr(verbosity);
    parent::watch();
}

/// Reports the error that ends a program, if one does.
pub(crate) fn end<E: Failure>(outcome: Result<(), E>, verbosity: Verbosity) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, verbosity);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Logs go to stderr: stdout is data.
fn log_to_stderr(args: Verbosity) {
    let level = match (args.quiet, args.verbose) {
        (true, _) => LevelFilter::WARN,
        (_, true) => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second call (a library used in a test) keeps the first.
    drop(match args.log_format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.event_format(JsonLines).try_init(),
    });
}

/// The error that ends a program: text, or one JSON object a cause chain where a program reads.
fn report(error: &dyn std::error::Error, verbosity: Verbosity) {
    match verbosity.log_format {
        LogFormat::Text => print_error(error),
        LogFormat::Json => {
            let causes = std::iter::successors(error.source(), |error| error.source());
            let causes: Vec<String> = causes.map(ToString::to_string).collect();
            tracing::error!(causes = causes.join("; "), "{error}");
        }
    }
}

/// Prints `error: MESSAGE` and its causes, a line each, to stderr.
#[allow(clippy::print_stderr)] // the one place where an error reaches the user
pub fn print_error(error: &dyn std::error::Error) {
    let mut message = error.to_string();
    eprintln!("error: {message}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Transparent wrappers repeat their source.
        if !message.contains(&text) {
            eprintln!("  caused by: {text}");
        }
        message = text;
        cause = error.source();
    }
}
