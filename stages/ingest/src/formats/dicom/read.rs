//! Reads the chosen frames of a DICOM file whole, with what the tables say of them.

use dicom_dictionary_std::tags;
use dicom_object::Tag;

use super::mosaic::{self, Mosaic};
use super::open;
use super::pixels::Pixels;
use super::values::{DataSet, functional_group, text, vector};
use crate::place::Place;
use crate::series::Chosen;
use crate::slice::{Identity, Sink, Slice, Stop};

/// Root of the SOP classes of Secondary Capture (PS3.4 B.5).
const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";

/// Decodes the chosen frames of a file; each goes to `sink`. With `own_window` they have the window that the file brings.
pub(super) fn read(
    place: &Place,
    chosen: &[Chosen],
    own_window: bool,
    limit: u64,
    sink: &mut Sink<'_>,
) -> Result<Identity, Stop> {
    let object = open::whole(place, limit)?;
    let mut identity = identity(&object);
    let mosaic = mosaic::of(&object);
    let spacings: Vec<_> = chosen.iter().map(|chosen| spacing(&object, chosen.frame)).collect();
    let pixels = Pixels::new(object, own_window, limit)?;
    for (chosen, spacing) in chosen.iter().zip(spacings) {
        let raster = pixels.raster(chosen.frame)?;
        let tiles = if let Mosaic::Of(slices) = mosaic { mosaic::split(&raster, slices) } else { None };
        identity.mosaic |= mosaic != Mosaic::No && tiles.is_none();
        let first = chosen.slice * tiles.as_ref().map_or(1, |tiles| tiles.len() as u32);
        for (raster, number) in tiles.unwrap_or_else(|| vec![raster]).into_iter().zip(first..) {
            sink(Slice { raster, spacing, frame: chosen.frame, slice: number })?;
        }
    }
    Ok(identity)
}

fn identity(object: &DataSet) -> Identity {
    let class = text(object, tags::SOP_CLASS_UID).unwrap_or_default();
    let captured = class.strip_prefix(SECONDARY_CAPTURE).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let annotated = text(object, tags::BURNED_IN_ANNOTATION).is_some_and(|value| value.eq_ignore_ascii_case("YES"));
    Identity {
        patient: text(object, tags::PATIENT_ID),
        study: text(object, tags::STUDY_INSTANCE_UID),
        series: text(object, tags::SERIES_INSTANCE_UID),
        object: text(object, tags::SOP_INSTANCE_UID),
        description: text(object, tags::SERIES_DESCRIPTION),
        burned_in: captured || annotated,
        overlay: (0x6000..0x6020).step_by(2).any(|group| object.get(Tag(group, 0x0010)).is_some()),
        mosaic: false,
    }
}

/// Distances of columns and of rows in mm. DICOM writes the distance of rows first.
fn spacing(object: &DataSet, frame: u32) -> Option<(f32, f32)> {
    let measures = functional_group(object, frame, tags::PIXEL_MEASURES_SEQUENCE);
    let grouped = measures.and_then(|measures| vector(measures, tags::PIXEL_SPACING));
    // The last two are at the detector and on the film, the best there is for a projection.
    let whole = [tags::PIXEL_SPACING, tags::IMAGER_PIXEL_SPACING, tags::NOMINAL_SCANNED_PIXEL_SPACING];
    let [rows, columns] = grouped.or_else(|| whole.into_iter().find_map(|tag| vector(object, tag)))?;
    (rows > 0.0 && columns > 0.0).then_some((columns as f32, rows as f32))
}
