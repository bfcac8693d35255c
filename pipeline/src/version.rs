//! What `deepmcat --version` says: version and commit of the programs, libtorch and encoder.

use std::sync::LazyLock;

use crate::machine;

static LONG: LazyLock<String> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    if std::env::args().nth(1).is_none_or(|word| word != "--version") {
        return version;
    }
    // `make build` says which; a build by hand has none.
    let commit = option_env!("DEEPMCAT_COMMIT").unwrap_or("unknown");
    let libtorch = machine::libtorch().unwrap_or_else(|| "none".to_owned());
    let encoder =
        if deepmcat_config::built_in_encoder().is_file() { deepmcat_config::BUILT_IN_ENCODER } else { "none" };
    format!("{version}\ncommit {commit}\nlibtorch {libtorch}\nencoder {encoder}")
});

/// Version, commit, libtorch and encoder, a line each. Who does not ask for it gets the version alone: libtorch takes a third
/// of a second to load.
#[must_use]
pub fn long() -> &'static str {
    &LONG
}
