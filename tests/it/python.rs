//! Python with packages of its own (`make test` fetches them), for what users do with our tables and files.

use std::process::Command;

use deepmcat_testing::{Need, skip};

use crate::world::World;

/// Runs Python code in the world's directory; `None` without the package, in which case the test is skipped.
pub fn python(world: &World, package: &str, code: &str) -> Option<String> {
    let python = std::env::var("DEEPMCAT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = std::env::var("DEEPMCAT_TEST_PYTHONPATH").unwrap_or_default();
    let command = |code: &str| {
        let mut command = Command::new(&python);
        // Some packages keep things in the user's home.
        command.args(["-c", code]).env("PYTHONPATH", &packages).env("HOME", world.path(""));
        command.current_dir(world.path("")).output()
    };
    if !command(&format!("import {package}")).is_ok_and(|output| output.status.success()) {
        skip(Need::Python, &format!("{package} for Python is not there (make test fetches it)"));
        return None;
    }
    let output = command(code).unwrap();
    assert!(output.status.success(), "{}\n{code}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
