//! Build script of every crate that links libtorch: gives its binaries and tests a run path to it, and its version.

#[allow(clippy::print_stdout)] // how a build script speaks to cargo
fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let mut version = "of unknown version".to_owned();
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        // What is installed has its own beside it (scripts/dist.py).
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/deepmcat:{libtorch}/lib");
        if std::path::Path::new(&libtorch).join("lib/libtorch_cuda.so").exists() {
            // Nothing of ours calls into it: it registers its kernels when it is loaded. The linker would leave it out,
            // and libtorch then see no card.
            println!("cargo::rustc-link-search=native={libtorch}/lib");
            println!("cargo::rustc-link-arg=-Wl,--push-state,--no-as-needed,-ltorch_cuda,--pop-state");
        }
        version = version_of(&libtorch).unwrap_or(version);
    }
    println!("cargo::rustc-env=DEEPMCAT_LIBTORCH_VERSION={version}");
}

/// As the header says it that libtorch is built against.
fn version_of(libtorch: &str) -> Option<String> {
    let header = std::fs::read_to_string(format!("{libtorch}/include/torch/headeronly/version.h")).ok()?;
    let part =
        |name: &str| header.lines().find_map(|line| line.strip_prefix(&format!("#define TORCH_VERSION_{name} ")));
    Some([part("MAJOR")?, part("MINOR")?, part("PATCH")?].join("."))
}
