//! A synthetic cardiac MR archive: one 3-D anatomy per subject, cut by the scan planes of the 13
//! classes, so that class is never the same thing as subject, position or brightness.

use std::io::Write;

mod archive;
mod args;
mod class;
mod contrast;
mod degrade;
mod error;
mod image;
mod motion;
mod plane;
mod random;
mod scan;
mod shape;
mod subject;
#[cfg(test)]
mod tests;
mod tissue;
mod vector;
mod write_dicom;
mod write_nifti;
mod write_png;
mod write_zip;

pub use archive::{Facts, Mislabelled, Order, generate};
pub use args::{Args, Format, Hardness};
pub use class::Class;
pub use error::Error;
pub use image::Image;
pub use plane::{Plane, Stack};
pub use scan::{Phantom, Scan, subject_name};
pub use vector::Vec3;
pub use write_zip::{is_mixed, is_repeated, participant};

/// Runs the program: writes the archive, reports on stderr, and on stdout where `--json` asks.
///
/// # Errors
/// When the output folder is not empty or cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    let mut classes = args.classes.clone();
    if classes.is_empty() {
        classes = Class::ALL.to_vec();
    }
    let order = Order {
        phantom: Phantom { seed: args.seed, hardness: args.hardness.0, size: args.size as usize, frames: args.frames },
        subjects: args.subjects,
        classes,
        format: args.format,
        mislabel: args.mislabel,
    };
    let facts = generate(&order, &args.out)?;
    let classes: Vec<String> = facts.classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
    tracing::info!("{} subjects: {}", facts.subjects, classes.join(", "));
    tracing::info!(
        "{} images at t=0 in {} files, {:.1} s: {}",
        facts.images,
        facts.files,
        facts.seconds,
        args.out.display()
    );
    if args.json {
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &facts)?;
        writeln!(stdout)?;
    }
    Ok(())
}
