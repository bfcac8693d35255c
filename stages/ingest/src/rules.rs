//! Class rules: which class an image has, as data. Classes are used to measure, never to train.
//!
//! A rule is a pattern on one field: the file's path, name or folder, or any DICOM attribute by its keyword. The
//! first rule that matches counts; what matches none is kept, without a class, whatever its format. `folders` gives every
//! file the name of its folder, `none` gives no class to anything.

mod parse;

use std::borrow::Cow;

use dicom_object::Tag;
use regex::Regex;

use crate::reject::{Reason, Reject};

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The source: the path below INPUT, with `/`.
    Path,
    /// The last part of the source.
    FileName,
    /// The name of the folder that the file is in.
    Folder,
    /// A DICOM attribute; several values are joined by `\`.
    Tag(Tag),
}

/// What a rule does with the images it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Gives them a class; `$1` or `${1}` is the first group of the pattern, `$name` a named one.
    Class(String),
    /// Keeps them out.
    Exclude,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it looks at.
    pub field: Field,
    /// What it looks for.
    pub pattern: Regex,
    /// What it does.
    pub action: Action,
    /// As a person knows it: `line 7, SeriesDescription ^CINE`.
    pub name: String,
}

/// What the rules say of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has this class, by the rule of that number.
    Class(String, usize),
    /// It is kept out, by the rule of that number.
    Exclude(usize),
    /// No rule matches.
    Unmatched,
}

/// Ordered class rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    latest: bool,
}

/// The built-in rules by name.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("none", include_str!("../../../data/rules/none.toml")),
    ("folders", include_str!("../../../data/rules/folders.toml")),
    ("ukbb", include_str!("../../../data/rules/ukbb.toml")),
];

impl Rules {
    /// The rules in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether of repeated acquisitions only the latest counts.
    #[must_use]
    pub fn latest(&self) -> bool {
        self.latest
    }

    /// As [`Self::verdict`], of an input that is not kept out.
    pub(crate) fn admit<'a>(
        &self,
        source: &'a str,
        tag: impl Fn(Tag) -> Option<Cow<'a, str>>,
    ) -> Result<Verdict, Reject> {
        match self.verdict(source, tag) {
            Verdict::Exclude(rule) => {
                let message = format!("kept out by a class rule: {}", self.rules[rule].name);
                Err(Reject { rule: Some(rule), ..Reject::new(Reason::Excluded, message) })
            }
            verdict => Ok(verdict),
        }
    }

    /// Applies the rules to an input: `source` is its path, `tag` looks up an attribute (none for other formats).
    pub fn verdict<'a>(&self, source: &'a str, tag: impl Fn(Tag) -> Option<Cow<'a, str>>) -> Verdict {
        for (number, rule) in self.rules.iter().enumerate() {
            let value = match rule.field {
                Field::Path => Some(Cow::Borrowed(source)),
                Field::FileName => Some(Cow::Borrowed(file_name(source))),
                Field::Folder => folder(source).map(Cow::Borrowed),
                Field::Tag(wanted) => tag(wanted),
            };
            let Some(value) = value else { continue };
            let Some(groups) = rule.pattern.captures(&value) else { continue };
            match &rule.action {
                Action::Exclude => return Verdict::Exclude(number),
                Action::Class(template) => {
                    let mut class = String::new();
                    groups.expand(template, &mut class);
                    if !class.is_empty() {
                        return Verdict::Class(class, number);
                    }
                }
            }
        }
        Verdict::Unmatched
    }
}

/// The last part of a source.
#[must_use]
pub fn file_name(source: &str) -> &str {
    source.rsplit_once('/').map_or(source, |(_, name)| name)
}

/// The name of the folder that a source is in; none directly below INPUT.
#[must_use]
pub fn folder(source: &str) -> Option<&str> {
    source.rsplit_once('/').map(|(folders, _)| file_name(folders))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use dicom_dictionary_std::tags;

    fn class(rules: &str, source: &str, description: &str) -> Verdict {
        Rules::load(rules)
            .unwrap()
            .verdict(source, |tag| (tag == tags::SERIES_DESCRIPTION).then(|| description.to_owned().into()))
    }

    fn is(verdict: &Verdict, wanted: &str) -> bool {
        matches!(verdict, Verdict::Class(class, _) if class == wanted)
    }

    #[test]
    fn uk_biobank_descriptions_give_the_thirteen_classes() {
        for (description, wanted) in [
            ("CINE_segmented_SAX_b1", "SA"),
            ("CINE_segmented_SAX_b13", "SA"),
            ("CINE_segmented_SAX", "SA"),
            ("CINE_segmented_LAX_2Ch", "LA_2CH"),
            ("CINE_segmented_LAX_3Ch", "LA_3CH"),
            ("CINE_segmented_LAX_4Ch", "LA_4CH"),
            ("CINE_segmented_Ao_dist", "AO"),
            ("CINE_segmented_LVOT", "LVOT"),
            ("flow_250_tp_AoV_bh_ePAT@c", "FLOW"),
            ("flow_250_tp_AoV_bh_ePAT@c_MAG", "FLOW_MAG"),
            ("flow_250_tp_AoV_bh_ePAT@c_P", "FLOW_PHA"),
            ("ShMOLLI_192i_SAX_b2s", "SHMOLLI"),
            ("ShMOLLI_192i_SAX_b2s_SAX_b2s_FITPARAMS", "SHMOLLI_FITPAR"),
            ("ShMOLLI_192i_SAX_b2s_SAX_b2s_SAX_b2s_T1MAP", "SHMOLLI_T1MAP"),
            ("cine_tagging_3sl_SAX_b2s", "CINE_TAG"),
            ("cine_tagging_3sl_SAX_b2", "CINE_TAG"),
        ] {
            let verdict = class("ukbb", "1/2.dcm", description);
            assert!(is(&verdict, wanted), "{description}: {verdict:?}");
        }
    }

    #[test]
    fn what_uk_biobank_must_keep_out_is_kept_out() {
        for description in [
            "CINE_segmented_SAX_InlineVF",
            "CINE_segmented_SAX_b3_Inline_VF_Results",
            "ShMOLLI_192i",
            "ShMOLLI_192i_liver",
            "ShMOLLI_192i_pancreas",
            "ShMOLLI_192i_FITPARAMS",
            "ShMOLLI_192i_T1MAP",
            "Thorax_Cor_Tra",
        ] {
            assert!(matches!(class("ukbb", "a.dcm", description), Verdict::Exclude(_)), "{description}");
        }
        // Neither a class nor kept out: clustered without a label.
        assert_eq!(class("ukbb", "a.dcm", "cine_segmented_sax_b1"), Verdict::Unmatched);
    }

    #[test]
    fn uk_biobank_file_names_give_classes() {
        for (name, wanted) in [
            ("sa.nii.gz", "SA"),
            ("la_4ch.nii.gz", "LA_4CH"),
            ("flow_pha.nii", "FLOW_PHA"),
            ("shmolli_t1map.nii.gz", "SHMOLLI_T1MAP"),
            ("cine_tag.nii.gz", "CINE_TAG"),
        ] {
            let verdict = class("ukbb", &format!("subject/{name}"), "");
            assert!(is(&verdict, wanted), "{name}: {verdict:?}");
        }
        assert_eq!(class("ukbb", "subject/sa_seg.nii.gz", ""), Verdict::Unmatched);
    }

    #[test]
    fn folders_are_classes_of_any_format() {
        assert!(is(&class("folders", "a/Hand/1.jpeg", ""), "Hand"));
        assert_eq!(class("folders", "1.jpeg", ""), Verdict::Unmatched);
        assert_eq!(class("none", "a/Hand/1.jpeg", ""), Verdict::Unmatched);
    }
}
