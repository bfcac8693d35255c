//! Files that are copies of others: the same object by its header, and the same pixels.
//!
//! Anonymisers give one SOPInstanceUID (0008,0018) to different images, so that the UID alone says nothing. Only the
//! files that agree in the whole header are read. Their stored pixels are compared and, where these differ, the decoded
//! ones, since a copy may be compressed in another way.

use std::collections::BTreeMap;

use dicom_core::value::Value;
use dicom_dictionary_std::tags;
use rayon::prelude::*;

use super::open;
use super::pixels::Pixels;
use crate::guard;
use crate::hash::mix;
use crate::headers::{File, Headers};
use crate::inputs::Inputs;
use crate::place::Place;
use crate::reject::{Reason, Reject};

/// The files to leave out: copies of a file before them, and of those that agree in their header the damaged ones, so
/// that a sound copy stands in for its original.
pub(crate) fn copies(headers: &Headers, inputs: &Inputs, seconds: u64, limit: u64) -> BTreeMap<u32, Reject> {
    let mut alike: Vec<&File> = headers.files.iter().filter(|file| file.object != 0).collect();
    alike.sort_by_key(|file| file.object);
    let groups = alike.chunk_by(|a, b| a.object == b.object).filter(|group| group.len() > 1);
    let groups: Vec<Vec<&File>> = groups.flat_map(|group| by_frames(headers, group)).collect();
    let left = groups.par_iter().flat_map_iter(|group| compare(headers, group, inputs, seconds, limit));
    left.collect::<Vec<_>>().into_iter().collect()
}

/// Splits files of one SOPInstanceUID and series by what their headers say of the frames; those alone are no copies.
fn by_frames<'a>(headers: &Headers, group: &[&'a File]) -> Vec<Vec<&'a File>> {
    let mut sorts: BTreeMap<u64, Vec<&File>> = BTreeMap::new();
    for file in group {
        let said: Vec<u64> = headers.of(file).map(|frame| frame.said()).collect();
        sorts.entry(mix(&said)).or_default().push(file);
    }
    sorts.into_values().filter(|sort| sort.len() > 1).collect()
}

/// Compares files of one header, in the order of the archive.
fn compare(headers: &Headers, group: &[&File], inputs: &Inputs, seconds: u64, limit: u64) -> Vec<(u32, Reject)> {
    let duplicate = || Reject::new(Reason::Duplicate, "a copy of an object that is in the archive already");
    let mut left = Vec::new();
    // The first file of each sort of stored pixels.
    let mut sorts: Vec<([u8; 32], u32, u32)> = Vec::new();
    for file in group {
        match guard::isolated(seconds, || stored(&inputs.get(file.input).place, limit)) {
            Err(reject) => left.push((file.input, reject)),
            Ok(pixels) if sorts.iter().any(|sort| sort.0 == pixels) => left.push((file.input, duplicate())),
            Ok(pixels) => sorts.push((pixels, file.input, headers.of(file).count() as u32)),
        }
    }
    if sorts.len() < 2 {
        return left;
    }
    let mut seen = Vec::new();
    for (_, input, frames) in sorts {
        match guard::isolated(seconds, || shown(&inputs.get(input).place, frames, limit)) {
            Err(reject) => left.push((input, reject)),
            Ok(pixels) if seen.contains(&pixels) => left.push((input, duplicate())),
            Ok(pixels) => seen.push(pixels),
        }
    }
    left
}

/// A hash of the pixels as a file stores them, with the way it stores them.
fn stored(place: &Place, limit: u64) -> Result<[u8; 32], Reject> {
    let object = open::whole(place, limit)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(object.meta().transfer_syntax().as_bytes());
    for tag in [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA] {
        match object.get(tag).map(|element| element.value()) {
            Some(Value::Primitive(pixels)) => {
                hasher.update(&pixels.to_bytes());
            }
            Some(Value::PixelSequence(sequence)) => {
                for fragment in sequence.fragments() {
                    hasher.update(&(fragment.len() as u64).to_le_bytes()).update(fragment);
                }
            }
            Some(Value::Sequence(_)) | None => {}
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// A hash of the values of all frames.
fn shown(place: &Place, frames: u32, limit: u64) -> Result<[u8; 32], Reject> {
    let pixels = Pixels::new(open::whole(place, limit)?, false, limit)?;
    let mut hasher = blake3::Hasher::new();
    for frame in 0..frames {
        let raster = pixels.raster(frame)?;
        hasher.update(&raster.width.to_le_bytes()).update(&raster.height.to_le_bytes());
        for value in &raster.values {
            hasher.update(&value.to_bits().to_le_bytes());
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
