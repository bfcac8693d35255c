//! What can go wrong while an archive is written, and what to do about it.

use std::io;
use std::path::PathBuf;

use dicom_object::{WithMetaError, WriteError};
use thiserror::Error;

/// Errors of deepmcat-synth.
#[derive(Debug, Error)]
pub enum Error {
    /// The output folder holds something already.
    #[error("{} is not empty: an archive is written into a folder of its own\nhint: name another folder, or remove this one", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The output path is something else than a folder.
    #[error("{} exists and is not a folder\nhint: name another folder", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The output path has no last part to name the folder by.
    #[error("{} names no folder that could be made\nhint: give a path that ends in a name, such as ./archive", .path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// Only DICOM has a SeriesDescription.
    #[error(
        "--mislabel is for --format dicom: other files have no header that names the series\nhint: give --format dicom"
    )]
    NoHeader,
    /// PNG files have no time axis.
    #[error(
        "--format png holds t=0 alone, but --frames {frames} was asked for\nhint: leave --frames out, or take --format nifti or dicom"
    )]
    FramesInPng {
        /// Frames asked for.
        frames: u32,
    },
    /// Reading or writing failed; the message names the file.
    #[error("{0}\nhint: check that the disk has room and that you may write there")]
    Io(#[from] io::Error),
    /// A NIfTI file could not be written.
    #[error("cannot write {}\nhint: check that the disk has room and that you may write there", .path.display())]
    Nifti {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: nifti::NiftiError,
    },
    /// A DICOM object could not be made.
    #[error("cannot make the DICOM object {}\nhint: this is a fault of deepmcat-synth, please report it with the command line", .path.display())]
    DicomMeta {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<WithMetaError>,
    },
    /// A DICOM file could not be written.
    #[error("cannot write {}\nhint: check that the disk has room and that you may write there", .path.display())]
    Dicom {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<WriteError>,
    },
    /// A PNG file could not be written.
    #[error("cannot write {}\nhint: check that the disk has room and that you may write there", .path.display())]
    Png {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: png::EncodingError,
    },
    /// A zip could not be written.
    #[error("cannot write {}\nhint: check that the disk has room and that you may write there", .path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: zip::result::ZipError,
    },
    /// The facts could not be printed.
    #[error("cannot print the facts as JSON\nhint: this is a fault of deepmcat-synth, please report it")]
    Json(#[from] serde_json::Error),
}

impl deepmcat_stage::Failure for Error {
    fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NotEmpty { .. }
                | Self::NotAFolder { .. }
                | Self::NoName { .. }
                | Self::FramesInPng { .. }
                | Self::NoHeader
        )
    }
}
