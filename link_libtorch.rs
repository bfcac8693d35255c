//! Build script of every crate that links libtorch: gives its binaries and tests a run path to it.

#[allow(clippy::print_stdout)] // how a build script speaks to cargo
fn main() {
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    println!("cargo::rerun-if-changed=../../link_libtorch.rs");
    if let Ok(libtorch) = std::env::var("LIBTORCH") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    }
}
