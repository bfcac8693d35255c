//! Finds stage binaries, and passes `deepmcat STAGE ...` on to them as git does.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::Error;

/// The program `deepmcat-STAGE`: beside this program, else on PATH.
///
/// # Errors
/// When there is none.
pub fn stage_program(stage: &str) -> Result<PathBuf, Error> {
    let name = format!("deepmcat-{stage}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(&name))
        .find(|program| program.is_file())
        .ok_or_else(|| Error::NoStage { stage: stage.to_owned() })
}

/// Becomes `deepmcat-STAGE` with the arguments that follow; returns only if that fails.
///
/// # Errors
/// When the program is not there or does not start.
pub fn dispatch(line: &[OsString]) -> Result<(), Error> {
    let (stage, args) = line.split_first().map_or_else(Default::default, |(first, rest)| (first.clone(), rest));
    become_program(stage_program(&stage.to_string_lossy())?, args)
}

/// `deepmcat help WORDS`: as `deepmcat WORDS --help`, of commands and stages alike.
///
/// # Errors
/// When this program does not start again.
pub fn help(words: &[OsString]) -> Result<(), Error> {
    let program = std::env::current_exe().map_err(|source| Error::Start { program: "deepmcat".into(), source })?;
    become_program(program, &[words, &["--help".into()]].concat())
}

/// Becomes a program; returns only if that fails.
fn become_program(program: PathBuf, args: &[OsString]) -> Result<(), Error> {
    let mut command = Command::new(&program);
    command.args(args);
    #[cfg(unix)]
    let source = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let source = match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    };
    Err(Error::Start { program, source })
}
