//! The 13 classes: names, what is acquired for each, and what archives call it.

use std::fmt;
use std::str::FromStr;

/// A class of the paper: one sequence cut in one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Class {
    /// Aortic distensibility: transverse cine across the aorta.
    Ao,
    /// Flow sequence, anatomical magnitude.
    Flow,
    /// Flow sequence, magnitude with the background suppressed.
    FlowMag,
    /// Flow sequence, phase (velocity).
    FlowPha,
    /// Long axis, two chambers.
    La2ch,
    /// Long axis, three chambers.
    La3ch,
    /// Long axis, four chambers.
    La4ch,
    /// Left ventricular outflow tract.
    Lvot,
    /// Short axis stack.
    Sa,
    /// `ShMOLLI` inversion-recovery image.
    Shmolli,
    /// `ShMOLLI` fit parameters.
    ShmolliFitpar,
    /// `ShMOLLI` T1 map.
    ShmolliT1map,
    /// Tagged short axis.
    CineTag,
}

use Class::{Ao, CineTag, Flow, FlowMag, FlowPha, La2ch, La3ch, La4ch, Lvot, Sa, Shmolli, ShmolliFitpar, ShmolliT1map};

impl Class {
    /// All classes, in the order of the paper's tables.
    pub const ALL: [Self; 13] =
        [Ao, Flow, FlowMag, FlowPha, La2ch, La3ch, La4ch, Lvot, Sa, Shmolli, ShmolliFitpar, ShmolliT1map, CineTag];

    /// The label: what the command line takes and the folders of the PNG form are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Ao => "AO",
            Flow => "FLOW",
            FlowMag => "FLOW_MAG",
            FlowPha => "FLOW_PHA",
            La2ch => "LA_2CH",
            La3ch => "LA_3CH",
            La4ch => "LA_4CH",
            Lvot => "LVOT",
            Sa => "SA",
            Shmolli => "SHMOLLI",
            ShmolliFitpar => "SHMOLLI_FITPAR",
            ShmolliT1map => "SHMOLLI_T1MAP",
            CineTag => "CINE_TAG",
        }
    }

    /// File name of the series in public NIfTI conversions of UK Biobank.
    #[must_use]
    pub fn nifti_name(self) -> String {
        format!("{}.nii.gz", self.name().to_ascii_lowercase())
    }

    /// `SeriesDescription` (0008,103E) as UK Biobank ships it. Short axis and tagging have one
    /// series a slice, numbered from 1 in the description.
    #[must_use]
    pub fn series_description(self, slice: u32) -> String {
        let number = slice + 1;
        match self {
            Ao => "CINE_segmented_Ao_dist".into(),
            Flow => "flow_250_tp_AoV_bh_ePAT@c".into(),
            FlowMag => "flow_250_tp_AoV_bh_ePAT@c_MAG".into(),
            FlowPha => "flow_250_tp_AoV_bh_ePAT@c_P".into(),
            La2ch => "CINE_segmented_LAX_2Ch".into(),
            La3ch => "CINE_segmented_LAX_3Ch".into(),
            La4ch => "CINE_segmented_LAX_4Ch".into(),
            Lvot => "CINE_segmented_LVOT".into(),
            Sa => format!("CINE_segmented_SAX_b{number}"),
            Shmolli => "ShMOLLI_192i_SAX_b2s".into(),
            ShmolliFitpar => "ShMOLLI_192i_SAX_b2s_SAX_b2s_FITPARAMS".into(),
            ShmolliT1map => "ShMOLLI_192i_SAX_b2s_SAX_b2s_SAX_b2s_T1MAP".into(),
            CineTag => format!("cine_tagging_3sl_SAX_b{number}s"),
        }
    }

    /// Slices a subject has: paper-shaped, so 10 or 11 short-axis levels in turn (mean 10.5).
    #[must_use]
    pub const fn slices(self, subject: u32) -> u32 {
        match self {
            Sa => 10 + subject % 2,
            CineTag => 3,
            _ => 1,
        }
    }

    /// Whether the series has a time axis.
    #[must_use]
    pub const fn is_cine(self) -> bool {
        !matches!(self, Shmolli | ShmolliFitpar | ShmolliT1map)
    }

    /// The number that random streams are keyed by.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|class| class.name().eq_ignore_ascii_case(&wanted)).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no class is called {text:?}\nhint: the classes are {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for class in Class::ALL {
            assert_eq!(class.name().parse(), Ok(class));
        }
        assert_eq!("flow pha".parse(), Ok(FlowPha));
        assert!("SAX".parse::<Class>().is_err());
    }

    #[test]
    fn a_subject_has_the_papers_counts() {
        let count = |subject| -> u32 { Class::ALL.iter().map(|c| c.slices(subject)).sum() };
        assert_eq!((count(0), count(1)), (24, 25));
    }
}
