//! Prints the data dictionary: `cargo run -p deepmcat-schemas --example dictionary > docs/guide/tables.md`.

fn main() {
    #[allow(clippy::print_stdout)] // the page is this program's data
    {
        print!("{}", deepmcat_schemas::dictionary::markdown());
    }
}
