//! The command line of deepmcat-synth.

use std::path::PathBuf;
use std::str::FromStr;

use deepmcat_stage::CommonArgs;
use serde::Serialize;

use crate::class::Class;

/// Write a synthetic cardiac MR archive: 13 classes cut from one 3-D anatomy per subject.
///
/// The same seed gives the same scans, whatever the format, the other subjects and classes asked
/// for, and the number of threads (RAYON_NUM_THREADS).
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "deepmcat-synth",
    version,
    after_help = "Example: deepmcat-synth archive --subjects 20 --classes LA_2CH,LA_3CH,LA_4CH --frames 10",
    // a stage takes these; here there is no run to configure
    mut_arg("config", |arg| arg.hide(true)),
    mut_arg("preset", |arg| arg.hide(true)),
    mut_arg("set", |arg| arg.hide(true))
)]
pub struct Args {
    /// Folder to write: absent or empty
    pub out: PathBuf,
    /// Subjects; each has 24 or 25 images at t=0 if all classes are asked for
    #[arg(long, value_name = "N", default_value_t = 97, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub subjects: u32,
    /// Classes, separated by commas [default: all of AO, FLOW, FLOW_MAG, FLOW_PHA, LA_2CH, LA_3CH, LA_4CH, LVOT, SA,
    /// SHMOLLI, SHMOLLI_FITPAR, SHMOLLI_T1MAP, CINE_TAG]
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub classes: Vec<Class>,
    /// Time frames of the series that are cines (all but the three of ShMOLLI); t=0 is end-diastole
    #[arg(long, value_name = "F", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub frames: u32,
    /// File format of the archive
    #[arg(long, value_enum, default_value_t = Format::Nifti)]
    pub format: Format,
    /// How much scans differ beyond their class: standard (0.7), hard (1), or a number from 0 to 3
    #[arg(long, value_name = "H", default_value = "standard")]
    pub hardness: Hardness,
    /// Seed of all random draws
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Side of the images, in pixels
    #[arg(long, value_name = "PX", default_value_t = 96, value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub size: u32,
    /// Share of the series that say in their header (SeriesDescription) that they are of another class; --json lists them
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub mislabel: f64,
    /// Print facts on the archive to stdout, as JSON
    #[arg(long)]
    pub json: bool,
    /// What every stage takes.
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsRef<CommonArgs> for Args {
    fn as_ref(&self) -> &CommonArgs {
        &self.common
    }
}

/// How the archive is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// SUBJECT/sa.nii.gz and so on: one file a series, named as public UK Biobank conversions are
    Nifti,
    /// SUBJECT/SERIES/N.dcm: one file a slice and frame, described as UK Biobank ships them
    Dicom,
    /// CLASS/SUBJECT_N.png: 8-bit slices at t=0 in a folder per class
    Png,
    /// PARTICIPANT_FIELD_2_0.zip: a zip a field, with decoys and repeats, as UK Biobank ships its bulk fields
    UkbZip,
}

/// Strength of the nuisances, 0 or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hardness(pub f32);

impl Hardness {
    /// What demos and gates use.
    pub const STANDARD: Self = Self(0.7);
    /// The prototype's full strength.
    pub const HARD: Self = Self(1.0);
}

impl FromStr for Hardness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "standard" => return Ok(Self::STANDARD),
            "hard" => return Ok(Self::HARD),
            _ => {}
        }
        match text.parse() {
            Ok(value) if (0.0..=3.0).contains(&value) => Ok(Self(value)),
            _ => Err("expected standard, hard, or a number from 0 to 3".into()),
        }
    }
}

/// A share from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a number from 0 to 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(["deepmcat-synth", "out", "--classes", "SA,CINE_TAG", "--hardness", "hard"]);
        let args = args.unwrap();
        assert_eq!(args.classes, [Class::Sa, Class::CineTag]);
        assert_eq!(args.hardness, Hardness::HARD);
    }

    #[test]
    fn hardness_is_bounded() {
        assert_eq!("0.5".parse(), Ok(Hardness(0.5)));
        for bad in ["-1", "nan", "10", "soft"] {
            assert!(bad.parse::<Hardness>().is_err(), "{bad}");
        }
    }
}
