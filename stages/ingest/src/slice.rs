//! What readers hand on: one slice at a time, so that no volume is held as images.

use crate::Error;
use crate::raster::Raster;
use crate::reject::Reject;

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
