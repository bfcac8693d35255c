//! What readers hand on: one slice at a time, so that no volume is held as images.

use crate::Error;
use crate::raster::Raster;
use crate::reject::Reject;

/// Whom and what a file is about: for the sources table and the keyed hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    /// PatientID (0010,0020).
    pub patient: Option<String>,
    /// StudyInstanceUID (0020,000D).
    pub study: Option<String>,
    /// SeriesInstanceUID (0020,000E).
    pub series: Option<String>,
    /// SOPInstanceUID (0008,0018).
    pub object: Option<String>,
    /// SeriesDescription (0008,103E).
    pub description: Option<String>,
    /// BurnedInAnnotation (0028,0301) is YES, or the object is a Secondary Capture.
    pub burned_in: bool,
    /// It has overlay planes (60xx,0010), which are not drawn into the image.
    pub overlay: bool,
    /// It is a Siemens mosaic that could not be split into its slices.
    pub mosaic: bool,
}

/// A decoded slice on its way to a PNG.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Its pixels.
    pub raster: Raster,
    /// Distance of columns and of rows in mm.
    pub spacing: Option<(f32, f32)>,
    /// Frame in the source file, from 0.
    pub frame: u32,
    /// Slice: of the file for NIfTI, of the series for DICOM, from 0.
    pub slice: u32,
}

/// Takes a slice; an error ends the run (a full disk), it is not the input's fault.
pub(crate) type Sink<'a> = dyn FnMut(Slice) -> Result<(), Error> + 'a;

/// Why reading an input ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The input is bad.
    Reject(Reject),
    /// The run cannot go on.
    Fatal(Error),
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}
