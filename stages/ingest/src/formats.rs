//! The formats that are read.

pub(crate) mod dicom;
mod jpeg;
pub(crate) mod nifti;
mod png;

use crate::format::Format;

/// In the order in which a file is taken for one of them.
pub(crate) const FORMATS: [&dyn Format; 4] = [&png::Png, &jpeg::Jpeg, &nifti::Nifti, &dicom::Dicom];
