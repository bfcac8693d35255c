//! The presets, built in from `data/presets/`.

use super::ConfigError;

/// Name and text of every preset. The first holds every setting; the others name what differs from it.
pub const PRESETS: [(&str, &str); 8] = [
    ("paper", include_str!("../../../../data/presets/paper.toml")),
    ("balanced", include_str!("../../../../data/presets/balanced.toml")),
    ("large", include_str!("../../../../data/presets/large.toml")),
    ("small", include_str!("../../../../data/presets/small.toml")),
    ("small-data", include_str!("../../../../data/presets/small-data.toml")),
    ("quick", include_str!("../../../../data/presets/quick.toml")),
    ("demo", include_str!("../../../../data/presets/demo.toml")),
    ("ci", include_str!("../../../../data/presets/ci.toml")),
];

/// The text of a preset.
///
/// # Errors
/// When there is none of that name.
pub fn preset(name: &str) -> Result<&'static str, ConfigError> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| ConfigError::UnknownPreset {
        name: name.to_owned(),
        known: PRESETS.map(|(known, _)| known).join(", "),
    })
}
