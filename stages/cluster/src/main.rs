//! `deepmcat-cluster`: features to clusters by exact k-means.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_cluster::Args>()
}
