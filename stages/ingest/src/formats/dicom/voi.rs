//! The window that a file brings for its display: VOI LUT (PS3.3 C.11.2), of the whole file or of a frame.

use dicom_dictionary_std::tags;

use super::lut::Lut;
use super::values::{DataSet, item, number, text};
use crate::raster::{Raster, Scale};

/// From intensities to what is to be displayed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Voi {
    /// VOI LUT Sequence (0028,3010); goes before a window where a file has both, as in pydicom.
    Table(Lut),
    /// Window Center (0028,1050) and Width (0028,1051) with the bounds that LINEAR or LINEAR_EXACT make of them.
    Window { low: f64, high: f64 },
    /// Window Center and Width of a SIGMOID.
    Sigmoid { center: f64, width: f64 },
}

impl Voi {
    /// The first one that a data set or a functional group has; a faulty one is none.
    pub fn of(set: &DataSet, signed: bool) -> Option<Self> {
        let table = item(set, tags::VOILUT_SEQUENCE)
            .and_then(|item| Lut::of(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, None).ok().flatten())
            .filter(|lut| (1..=16).contains(&lut.bits));
        if let Some(lut) = table {
            return Some(Self::Table(if signed { lut.signed() } else { lut }));
        }
        let (center, width) = (number(set, tags::WINDOW_CENTER)?, number(set, tags::WINDOW_WIDTH)?);
        match text(set, tags::VOILUT_FUNCTION).as_deref().unwrap_or("LINEAR") {
            // C.11.2.1.2.1: black up to c - 0.5 - (w - 1) / 2, white above c - 0.5 + (w - 1) / 2.
            "LINEAR" if width >= 1.0 => {
                // A width of 1 is a threshold: white from the next number on.
                let half = ((width - 1.0) / 2.0).max(1e-3);
                Some(Self::Window { low: center - 0.5 - half, high: center - 0.5 + half })
            }
            "LINEAR_EXACT" if width > 0.0 => {
                Some(Self::Window { low: center - width / 2.0, high: center + width / 2.0 })
            }
            "SIGMOID" if width > 0.0 => Some(Self::Sigmoid { center, width }),
            _ => None,
        }
    }

    /// Gives `raster` this window. Whatever is no straight line is applied to its values, which are then no
    /// intensities any more.
    pub fn apply(&self, raster: &mut Raster) {
        let (scale, inverted) = (raster.scale, raster.scale.inverted);
        let mut shaped = |shape: &dyn Fn(f64) -> f64| {
            let known = raster.values.iter_mut().filter(|value| !value.is_nan());
            known.for_each(|value| *value = shape(scale.intensity(f64::from(*value))) as f32);
            raster.scale = Scale { inverted, ..Scale::default() };
        };
        raster.window = Some(match self {
            Self::Window { low, high } => (*low, *high),
            Self::Table(lut) => {
                shaped(&|intensity| f64::from(lut.at(intensity as f32)));
                (0.0, f64::from((1_u32 << lut.bits) - 1))
            }
            // C.11.2.1.3.1
            Self::Sigmoid { center, width } => {
                shaped(&|intensity| 1.0 / (1.0 + (-4.0 * (intensity - center) / width).exp()));
                (0.0, 1.0)
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;
    use crate::window;

    fn voi(function: &str, center: f64, width: f64) -> Voi {
        let mut set = DataSet::new_empty();
        set.put(DataElement::new(tags::WINDOW_CENTER, VR::DS, PrimitiveValue::from(center.to_string())));
        set.put(DataElement::new(tags::WINDOW_WIDTH, VR::DS, PrimitiveValue::from(width.to_string())));
        set.put(DataElement::new(tags::VOILUT_FUNCTION, VR::CS, PrimitiveValue::from(function)));
        Voi::of(&set, false).unwrap()
    }

    fn levels(voi: &Voi, scale: Scale) -> Vec<u16> {
        let values = vec![0.0, 10.0, 20.0, 30.0, 40.0];
        let mut raster = Raster { width: 5, height: 1, values, scale, exact: false, window: None };
        voi.apply(&mut raster);
        window::apply(&raster, [0.5, 99.5], 255).levels
    }

    #[test]
    fn functions_are_those_of_the_standard() {
        // pydicom.pixels.apply_windowing of 0, 10, ... 40 as 8-bit values with center 20, width 21 or 20:
        // y in 0 ..= 255, then floor(y + 0.5).
        assert_eq!(levels(&voi("LINEAR", 20.0, 21.0), Scale::default()), [0, 6, 134, 255, 255]);
        assert_eq!(levels(&voi("LINEAR_EXACT", 20.0, 20.0), Scale::default()), [0, 0, 128, 255, 255]);
        assert_eq!(levels(&voi("SIGMOID", 20.0, 20.0), Scale::default()), [5, 30, 128, 225, 250]);
        assert_eq!(levels(&voi("LINEAR", 20.0, 1.0), Scale::default()), [0, 0, 255, 255, 255]);
    }

    #[test]
    fn the_window_is_of_intensities() {
        // Intensities 100, 80, 60, 40, 20; MONOCHROME1 turns them round again.
        let falling = Scale::new(-2.0, 100.0);
        assert_eq!(levels(&voi("LINEAR_EXACT", 60.0, 40.0), falling), [255, 255, 127, 0, 0]);
        let inverted = Scale { inverted: true, ..falling };
        assert_eq!(levels(&voi("LINEAR_EXACT", 60.0, 40.0), inverted), [0, 0, 128, 255, 255]);
        assert_eq!(levels(&voi("SIGMOID", 60.0, 20.0), inverted), [0, 5, 127, 250, 255]);
    }
}
