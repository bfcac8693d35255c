//! `deepmcat-map`: the images of a result as points of a plane.

fn main() -> std::process::ExitCode {
    deepmcat_stage::main::<deepmcat_map::Args>()
}
