//! `deepmcat-device`: what libtorch sees of this machine, as JSON on stdout, for `deepmcat doctor`. Takes no arguments.

use serde_json::json;

#[allow(clippy::print_stdout)] // its whole purpose
fn main() {
    let seen = json!({
        "libtorch": env!("DEEPMCAT_LIBTORCH_VERSION"),
        "library": library(),
        "onednn": tch::utils::has_mkldnn(),
        "openmp": tch::utils::has_openmp(),
        "mkl": tch::utils::has_mkl(),
        "threads": tch::get_num_threads(),
        "bfloat16": deepmcat_config::has_bfloat16(),
        "cuda_built": tch::utils::has_cuda() || tch::utils::has_cudart(),
        "cuda_devices": if tch::Cuda::is_available() { tch::Cuda::device_count() } else { 0 },
    });
    println!("{seen}");
}

/// The file that libtorch was loaded from.
fn library() -> Option<String> {
    let maps = fs_err::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find(|line| line.contains("libtorch_cpu"))?.split_whitespace().last()?;
    Some(path.to_owned())
}
