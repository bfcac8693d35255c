//! NIfTI form: SUBJECT/sa.nii.gz and so on, int16, named as public conversions of UK Biobank are.

use std::path::Path;

use fs_err as fs;
use ndarray::{Array3, Array4, Axis};
use nifti::NiftiHeader;
use nifti::writer::WriterOptions;

use crate::error::Error;
use crate::scan::{Scan, subject_name};

/// NIfTI codes of millimetres and seconds (`xyzt_units`).
const MM_AND_SECONDS: u8 = 2 | 8;
/// `sform_code`: scanner coordinates.
const SCANNER: i16 = 1;

/// Writes the scan as one file, X x Y x Z, or X x Y x Z x T where it has frames; returns 1.
///
/// # Errors
/// When the file cannot be written.
pub fn write(scan: &Scan, folder: &Path) -> Result<u64, Error> {
    let folder = folder.join(subject_name(scan.subject));
    fs::create_dir_all(&folder)?;
    let path = folder.join(scan.class.nifti_name());
    let header = header(scan);
    let data = volume(scan);
    let options = WriterOptions::new(&path).reference_header(&header);
    let written = if scan.frames() > 1 {
        options.write_nifti(&data)
    } else {
        let still: Array3<i16> = data.index_axis_move(Axis(3), 0);
        options.write_nifti(&still)
    };
    written.map_err(|source| Error::Nifti { path, source })?;
    Ok(1)
}

/// Signal as stored, 0 to 4095: `[x, y, z, t]`, x along image rows, y downwards.
fn volume(scan: &Scan) -> Array4<i16> {
    let size = scan.size();
    let stored: Vec<Vec<Vec<u16>>> =
        scan.images.iter().map(|frames| frames.iter().map(crate::Image::to_u12).collect()).collect();
    let shape = (size, size, stored.len(), scan.frames() as usize);
    // 12 bits always fit
    Array4::from_shape_fn(shape, |(x, y, z, t)| stored[z][t][y * size + x].cast_signed())
}

/// Voxel sizes and the affine from voxel indices to millimetres to the right, front and head.
fn header(scan: &Scan) -> NiftiHeader {
    let affine = affine(scan);
    let seconds = if scan.frames() > 1 { scan.frame_ms / 1000.0 } else { 0.0 };
    NiftiHeader {
        pixdim: [1.0, scan.pixel_mm(), scan.pixel_mm(), scan.slice_mm(), seconds, 0.0, 0.0, 0.0],
        xyzt_units: MM_AND_SECONDS,
        qform_code: 0,
        sform_code: SCANNER,
        srow_x: affine[0],
        srow_y: affine[1],
        srow_z: affine[2],
        ..NiftiHeader::default()
    }
}

/// Rows of the affine, see [`header`].
fn affine(scan: &Scan) -> [[f32; 4]; 3] {
    let plane = &scan.stack.first;
    let pixel = plane.fov / scan.size() as f32;
    let columns = [
        (plane.right * pixel).to_ras_mm(),
        (plane.down * pixel).to_ras_mm(),
        scan.stack.step.to_ras_mm(),
        plane.pixel(0, 0, scan.size()).to_ras_mm(),
    ];
    std::array::from_fn(|row| columns.map(|column| column[row]))
}
