//! What the two files of a NIfTI pair are called: `x.hdr` and `x.img`.

/// What the two files of a pair are called: the ending of one, and those that the other may have, the likelier first.
const ENDINGS: [(&str, [&str; 2]); 4] = [
    (".hdr", [".img", ".img.gz"]),
    (".hdr.gz", [".img.gz", ".img"]),
    (".img", [".hdr", ".hdr.gz"]),
    (".img.gz", [".hdr.gz", ".hdr"]),
];

/// A name without its ending, and the endings that the other file of the pair may have; letters count the same in
/// either case, as on the systems that write `X.HDR`.
pub(crate) fn stem(name: &str) -> Option<(&str, &'static [&'static str; 2])> {
    let lower = name.to_ascii_lowercase();
    let (ending, others) = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending))?;
    Some((&name[..name.len() - ending.len()], others))
}

/// The names that the other file of a pair usually has.
pub(crate) fn partners(name: &str) -> Vec<String> {
    let spelled = |stem: &str, other: &str| [format!("{stem}{other}"), format!("{stem}{}", other.to_ascii_uppercase())];
    let found = stem(name);
    found.map(|(stem, others)| others.iter().flat_map(|other| spelled(stem, other)).collect()).unwrap_or_default()
}

/// Of `names` the other file of a pair, however it is spelled: the likelier ending first, then the most letters alike.
pub(crate) fn partner_among<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (stem, others) = stem(name)?;
    let place = |other: &str| others.iter().position(|end| format!("{stem}{end}").eq_ignore_ascii_case(other));
    let alike = |other: &str| name.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
    let found = names.filter_map(|other| Some((place(other)?, std::cmp::Reverse(alike(other)), other)));
    found.min().map(|(.., other)| other)
}
