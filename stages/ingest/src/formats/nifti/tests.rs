//! Tests of the NIfTI reader on small files made here.
#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

/// A NIfTI-1 file of i16 voxels 0, 1, 2, ... with the given dims, sform rows and slope.
fn nifti(dims: &[i16], rows: [[f32; 4]; 3], slope: f32) -> Vec<u8> {
    let mut head = vec![0_u8; 352];
    head[..4].copy_from_slice(&348_i32.to_le_bytes());
    let put = |head: &mut Vec<u8>, at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut head, 40, &(dims.len() as i16).to_le_bytes());
    for (axis, dim) in dims.iter().enumerate() {
        put(&mut head, 42 + 2 * axis, &dim.to_le_bytes());
    }
    put(&mut head, 70, &4_i16.to_le_bytes());
    put(&mut head, 72, &16_i16.to_le_bytes());
    put(&mut head, 108, &352_f32.to_le_bytes());
    put(&mut head, 112, &slope.to_le_bytes());
    put(&mut head, 254, &1_i16.to_le_bytes());
    for (row, values) in rows.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            put(&mut head, 280 + 16 * row + 4 * column, &value.to_le_bytes());
        }
    }
    put(&mut head, 344, b"n+1\0");
    let voxels: usize = dims.iter().map(|&dim| dim as usize).product();
    head.extend((0..voxels).flat_map(|value| (value as i16).to_le_bytes()));
    head
}

/// x to the left, y to the back, z to the head: DICOM's axial order, thick slices.
const AXIAL: [[f32; 4]; 3] = [[-1.0, 0.0, 0.0, 0.0], [0.0, -2.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]];

fn slices(bytes: &[u8], frames: Frames) -> Result<Vec<Slice>, Reject> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    fs_err::write(&path, bytes).unwrap();
    let mut slices = Vec::new();
    let mut sink = |slice| {
        slices.push(slice);
        Ok(())
    };
    match read(&Place::File(path), frames, false, 1 << 20, &mut sink) {
        Ok(_) => Ok(slices),
        Err(Stop::Reject(reject)) => Err(reject),
        Err(Stop::Fatal(error)) => panic!("{error}"),
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn two_to_five_dimensions_give_the_slices_of_the_first_frame() {
    for (dims, count) in
        [(&[3, 2][..], 1), (&[3, 2, 4], 4), (&[3, 2, 4, 5], 4), (&[3, 2, 1, 5], 1), (&[3, 2, 2, 1, 3], 2)]
    {
        let found = slices(&nifti(dims, AXIAL, 0.0), Frames::First).unwrap();
        assert_eq!(found.len(), count, "{dims:?}");
        assert_eq!(found[0].raster.values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(found[0].spacing, Some((1.0, 2.0)));
    }
    let all = slices(&nifti(&[3, 2, 4, 5], AXIAL, 0.0), Frames::All).unwrap();
    assert_eq!(all.len(), 20);
    assert_eq!((all[19].frame, all[19].slice, all[19].raster.values[0]), (4, 3, 114.0));
}

#[test]
fn only_the_first_frame_of_a_gzip_is_inflated() {
    let mut bytes = zipped(&nifti(&[64, 64, 8, 20], AXIAL, 0.0));
    // What follows the first frame is destroyed: reading it would fail.
    let from = bytes.len() / 3;
    bytes[from..].fill(0xff);
    assert_eq!(slices(&bytes, Frames::First).unwrap().len(), 8);
    assert!(slices(&bytes, Frames::All).is_err());
}

#[test]
fn a_gzip_of_several_members_is_one_stream() {
    let whole = nifti(&[3, 2, 4], AXIAL, 0.0);
    let bytes = [zipped(&whole[..360]), zipped(&whole[360..])].concat();
    assert_eq!(slices(&bytes, Frames::First).unwrap().len(), 4);
}

#[test]
fn the_same_volume_in_another_axis_order_gives_the_same_slices() {
    let whole = slices(&nifti(&[3, 2, 4], AXIAL, 0.0), Frames::First).unwrap();
    // z first and reversed, then x reversed, then y: the voxels are moved along.
    let rows = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -2.0, 0.0], [-5.0, 0.0, 0.0, 0.0]];
    let mut turned = nifti(&[4, 3, 2], rows, 0.0);
    for (z, x, y) in (0..4).flat_map(|z| (0..3).flat_map(move |x| (0..2).map(move |y| (z, x, y)))) {
        let value = (x + 3 * y + 6 * z) as i16;
        let at = 352 + 2 * ((3 - z) + 4 * (2 - x) + 12 * y);
        turned[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    let turned = slices(&turned, Frames::First).unwrap();
    for (a, b) in whole.iter().zip(&turned) {
        assert_eq!(a.raster, b.raster);
        assert_eq!(a.spacing, b.spacing);
    }
}

#[test]
fn a_slope_is_kept_beside_the_values() {
    let found = slices(&nifti(&[3, 2], AXIAL, 2.5), Frames::First).unwrap();
    assert_eq!(found[0].raster.scale, Scale::new(2.5, 0.0));
    assert_eq!(found[0].raster.values[5], 5.0);
}

#[test]
fn what_the_header_asks_for_is_checked_before_memory_is_taken() {
    let reason = |bytes: &[u8]| slices(bytes, Frames::First).unwrap_err().reason;
    // 352 bytes that ask for gigabytes, plain and zipped.
    let mut small = nifti(&[3, 2, 4], AXIAL, 0.0);
    small[42..48].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f, 0xff, 0x7f]);
    assert_eq!(reason(&small), Reason::TooLarge);
    assert_eq!(reason(&zipped(&small)), Reason::TooLarge);
    let whole = nifti(&[3, 2, 4], AXIAL, 0.0);
    assert_eq!(reason(&whole[..380]), Reason::Truncated);
    assert_eq!(reason(&zipped(&whole[..380])), Reason::Truncated);
    assert_eq!(reason(&whole[..100]), Reason::Truncated);
    let mut bad = whole.clone();
    bad[40] = 0;
    assert_eq!(reason(&bad), Reason::Unreadable);
    let mut bad = whole.clone();
    bad[42..44].copy_from_slice(&(-3_i16).to_le_bytes());
    assert_eq!(reason(&bad), Reason::Unreadable);
}

#[test]
fn the_display_range_is_the_window_on_request() {
    let mut bytes = nifti(&[3, 2], AXIAL, 0.0);
    for (at, value) in [(124, 4.0_f32), (128, 1.0)] {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes()); // cal_max, cal_min
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nii");
    fs_err::write(&path, bytes).unwrap();
    for (own, window) in [(true, Some((1.0, 4.0))), (false, None)] {
        let mut sink = |slice: Slice| {
            assert_eq!(slice.raster.window, window);
            Ok(())
        };
        read(&Place::File(path.clone()), Frames::First, own, 1 << 20, &mut sink).map_err(|_| ()).unwrap();
    }
}
