//! DICOM files whose structure is not what the standard says, but whose images are sound.

use deepmcat_ingest::Error;
use deepmcat_schemas::{Rejects, read_table};

use crate::support::{Dataset, run, settings, shared, try_run};
use crate::truth;

/// Ingests a case whole; every file of it is one image, equal to its truth.
fn all_right(case: &str, images: usize) -> Option<Dataset> {
    let folder = shared(&format!("odd-cases/{case}"))?;
    let out = tempfile::tempdir().unwrap();
    let dataset = run(&folder.join("in"), &out.path().join("dataset"), &settings());
    assert!(dataset.rejects.input.is_empty(), "{case}: {:?}", dataset.rejects.message);
    assert_eq!(truth::check(&dataset, &folder.join("truth"), 1.0), images);
    Some(dataset)
}

#[test]
fn bytes_after_the_pixels_do_no_harm() {
    all_right("D01", 7);
}

#[test]
fn the_data_set_says_itself_whether_its_kinds_are_written() {
    all_right("D04", 2);
}

#[test]
fn sequences_of_unknown_kind_are_walked_through() {
    all_right("D05", 4);
}

#[test]
fn attributes_of_unknown_kind_are_read_as_the_dictionary_says() {
    let Some(dataset) = all_right("D06", 6) else { return };
    // One series, whose slices are in order by their positions.
    let slice =
        |name: &str| dataset.manifest.slice[dataset.sources.source.iter().position(|source| source == name).unwrap()];
    assert_eq!([0, 1, 2].map(|number| slice(&format!("position_un_{number}.dcm"))), [0, 1, 2]);
}

/// How elements are written.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Form {
    explicit: bool,
    big: bool,
}

const EXPLICIT: Form = Form { explicit: true, big: false };
const IMPLICIT: Form = Form { explicit: false, big: false };
const BIG: Form = Form { explicit: true, big: true };
const ROWS: u16 = 40;
const COLUMNS: u16 = 48;

const ITEM: &[u8] = b"\xfe\xff\x00\xe0";
const ITEM_END: &[u8] = b"\xfe\xff\x0d\xe0\0\0\0\0";
const SEQUENCE_END: &[u8] = b"\xfe\xff\xdd\xe0\0\0\0\0";
const UNDEFINED: &[u8] = b"\xff\xff\xff\xff";

impl Form {
    fn syntax(self) -> &'static str {
        match self {
            EXPLICIT => "1.2.840.10008.1.2.1",
            IMPLICIT => "1.2.840.10008.1.2",
            _ => "1.2.840.10008.1.2.2",
        }
    }

    fn short(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn header(self, tag: u32, vr: &str, length: u32) -> Vec<u8> {
        let length_4 = if self.big { length.to_be_bytes() } else { length.to_le_bytes() };
        let mut bytes = [self.short((tag >> 16) as u16), self.short(tag as u16)].concat();
        match (self.explicit, vr) {
            (false, _) => bytes.extend(length_4),
            (true, "OB" | "OW" | "SQ" | "UN" | "UT" | "UC") => {
                bytes.extend([vr.as_bytes(), &[0, 0], &length_4].concat());
            }
            (true, _) => bytes.extend([vr.as_bytes(), &self.short(length as u16)].concat()),
        }
        bytes
    }

    fn element(self, tag: u32, vr: &str, value: &[u8]) -> Vec<u8> {
        [self.header(tag, vr, value.len() as u32), value.to_vec()].concat()
    }

    fn number(self, tag: u32, number: u16) -> Vec<u8> {
        self.element(tag, "US", &self.short(number))
    }

    /// Group 8, behind which tests put sequences.
    fn first(self) -> Vec<u8> {
        [
            self.element(0x0008_0008, "CS", b"ORIGINAL\\PRIMARY"),
            self.element(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.4\0"),
            self.element(0x0008_0060, "CS", b"MR"),
        ]
        .concat()
    }

    fn colour(self) -> Vec<u8> {
        [self.number(0x0028_0002, 1), self.element(0x0028_0004, "CS", b"MONOCHROME2 ")].concat()
    }

    /// What comes before Rows.
    fn head(self) -> Vec<u8> {
        [self.first(), self.colour()].concat()
    }

    fn size(self) -> Vec<u8> {
        [self.number(0x0028_0010, ROWS), self.number(0x0028_0011, COLUMNS)].concat()
    }

    fn depth(self) -> Vec<u8> {
        let of = |(element, number): (u32, u16)| self.number(0x0028_0000 + element, number);
        [(0x100, 16), (0x101, 16), (0x102, 15), (0x103, 0)].map(of).concat()
    }

    fn pixels(self) -> Vec<u8> {
        values().flat_map(|value| self.short(value)).collect()
    }

    fn pixel_data(self) -> Vec<u8> {
        self.element(0x7fe0_0010, "OW", &self.pixels())
    }

    fn data_set(self) -> Vec<u8> {
        [self.head(), self.size(), self.depth(), self.pixel_data()].concat()
    }
}

/// The pixels of the image that each test hides.
fn values() -> impl Iterator<Item = u16> {
    (0..ROWS * COLUMNS).map(|pixel| (pixel * 7) % 1000 + pixel / 3)
}

/// The file meta group, with a length of its own.
fn meta(syntax: &str, length: Option<u32>) -> Vec<u8> {
    let mut padded = syntax.as_bytes().to_vec();
    padded.resize(padded.len().next_multiple_of(2), 0);
    let group = [EXPLICIT.element(0x0002_0001, "OB", &[0, 1]), EXPLICIT.element(0x0002_0010, "UI", &padded)].concat();
    let length = length.map(|length| EXPLICIT.element(0x0002_0000, "UL", &length.to_le_bytes()));
    [vec![0; 128], b"DICM".to_vec(), length.unwrap_or_default(), group].concat()
}

fn file(syntax: &str, data: &[u8]) -> Vec<u8> {
    let length = meta(syntax, None).len() as u32 - 132;
    [meta(syntax, Some(length)), data.to_vec()].concat()
}

/// Ingests one file: the hash of its picture and its size, or the reason why there is none and the words for it.
fn ingest(bytes: &[u8]) -> Result<(String, u32, u32), String> {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("a.dcm"), folder.path().join("out"));
    fs_err::write(&input, bytes).unwrap();
    match try_run(&[input], &out, &settings()) {
        Ok(dataset) => {
            assert_eq!(dataset.summary.images, Some(1));
            Ok((dataset.manifest.pixels[0].clone(), dataset.manifest.height[0], dataset.manifest.width[0]))
        }
        Err(Error::NoImages { .. }) => {
            let rejects: Rejects = read_table(&out.join("rejects.parquet")).unwrap();
            Err(format!("{}: {}", rejects.reason[0], rejects.message[0]))
        }
        Err(other) => panic!("{other}"),
    }
}

/// Every one of the files is the same picture as the plain one.
fn all_equal(files: &[(&str, Vec<u8>)]) {
    let right = ingest(&file(EXPLICIT.syntax(), &EXPLICIT.data_set()));
    assert_eq!(right.as_ref().map(|right| (right.1, right.2)), Ok((ROWS.into(), COLUMNS.into())));
    for (what, bytes) in files {
        assert_eq!(ingest(bytes), right, "{what}");
    }
}

#[test]
fn what_follows_the_pixels_is_not_read() {
    let junk: Vec<u8> = (0..3000_u32).map(|number| ((number * number) >> 3) as u8).collect();
    let mut files = Vec::new();
    for (what, form) in [("explicit", EXPLICIT), ("implicit", IMPLICIT), ("big", BIG)] {
        for after in [b"\0".as_slice(), b"\r\n", &[0; 700], &junk, &junk[..7], ITEM_END, b"\xfe\xff\x00\xe0\xff\xff"] {
            files.push((what, file(form.syntax(), &[&form.data_set(), after].concat())));
        }
    }
    all_equal(&files);
}

#[test]
fn each_element_shows_how_it_is_written() {
    let mixed = |first: Form, then: Form| [first.head(), then.size(), first.depth(), then.pixel_data()].concat();
    let mut files = Vec::new();
    for syntax in [EXPLICIT, IMPLICIT, BIG].map(Form::syntax) {
        files.push(("explicit", file(syntax, &EXPLICIT.data_set())));
        files.push(("implicit", file(syntax, &IMPLICIT.data_set())));
        files.push(("big", file(syntax, &BIG.data_set())));
        files.push(("explicit, then implicit", file(syntax, &mixed(EXPLICIT, IMPLICIT))));
        files.push(("implicit, then explicit", file(syntax, &mixed(IMPLICIT, EXPLICIT))));
    }
    let group_length = [IMPLICIT.element(0x0008_0000, "UL", &[64, 0, 0, 0]), IMPLICIT.data_set()].concat();
    files.push(("a group length", file(IMPLICIT.syntax(), &group_length)));
    all_equal(&files);
}

#[test]
fn the_meta_group_may_be_wrong() {
    let data = EXPLICIT.data_set();
    let mut files = Vec::new();
    for length in [None, Some(0), Some(4), Some(10), Some(500), Some(u32::MAX)] {
        files.push(("length", [meta(EXPLICIT.syntax(), length), data.clone()].concat()));
    }
    for syntax in ["1.2.840.10008.1.2.1   ", "1.2.840.10008.1.2.1\0\0\0", " 1.2.840.10008.1.2.1", "", "no number"] {
        files.push((syntax, file(syntax, &data)));
        files.push((syntax, file(syntax, &IMPLICIT.data_set())));
    }
    files.push(("no meta group", [&[0; 128], b"DICM".as_slice(), &data].concat()));
    files.push(("no preamble", file(EXPLICIT.syntax(), &data)[132..].to_vec()));
    files.push(("no preamble but DICM", file(EXPLICIT.syntax(), &data)[128..].to_vec()));
    files.push(("neither", data));
    all_equal(&files);
    // One that a vendor made up may mean anything.
    assert!(ingest(&file("1.2.3", &EXPLICIT.data_set())).unwrap_err().starts_with("unsupported: "));
}

#[test]
fn delimiters_may_be_missing_or_too_many() {
    let rest = [EXPLICIT.colour(), EXPLICIT.size(), EXPLICIT.depth(), EXPLICIT.pixel_data()].concat();
    let inner = EXPLICIT.element(0x0008_1155, "UI", b"1.2\0");
    let hidden = IMPLICIT.element(0x0009_1001, "UN", b"ab");
    let sequence = |vr: &str| EXPLICIT.header(0x0009_1002, vr, u32::MAX);
    let undefined = [ITEM, UNDEFINED, &hidden].concat();
    let defined = [ITEM, &(inner.len() as u32).to_le_bytes(), &inner].concat();
    let public = |vr: &str| EXPLICIT.header(0x0008_1140, vr, u32::MAX);
    let with = |parts: &[&[u8]]| file(EXPLICIT.syntax(), &[EXPLICIT.first(), parts.concat(), rest.clone()].concat());
    all_equal(&[
        ("UN", with(&[&sequence("UN"), &undefined, ITEM_END, SEQUENCE_END])),
        ("SQ", with(&[&sequence("SQ"), &undefined, ITEM_END, SEQUENCE_END])),
        ("OB", with(&[&sequence("OB"), &undefined, ITEM_END, SEQUENCE_END])),
        (
            "UN within UN",
            with(&[
                &sequence("UN"),
                ITEM,
                UNDEFINED,
                &IMPLICIT.header(0x0009_1003, "UN", u32::MAX),
                &undefined,
                ITEM_END,
                SEQUENCE_END,
                ITEM_END,
                SEQUENCE_END,
            ]),
        ),
        ("public UN", with(&[&public("UN"), &undefined, ITEM_END, SEQUENCE_END])),
        ("no end of the item", with(&[&public("SQ"), &undefined, SEQUENCE_END])),
        ("no end of the sequence", with(&[&public("SQ"), &defined])),
        ("no end of either", with(&[&public("SQ"), &undefined])),
        ("an end too many of the item", with(&[&public("SQ"), &defined, ITEM_END, SEQUENCE_END])),
        ("ends of nothing", with(&[ITEM_END, SEQUENCE_END, ITEM_END])),
        ("an item of nothing", with(&[ITEM, &[0; 4]])),
        ("an item around the rest", with(&[ITEM, UNDEFINED])),
        (
            "zeros at the end of a sequence",
            with(&[&EXPLICIT.header(0x0008_1140, "SQ", 40), ITEM, &[12, 0, 0, 0], &inner, &[0; 20]]),
        ),
    ]);
}

#[test]
fn pixels_of_undefined_length_are_read_in_any_syntax() {
    let mut files = Vec::new();
    for (what, form) in [("explicit", EXPLICIT), ("implicit", IMPLICIT)] {
        let before = [form.head(), form.size(), form.depth(), form.header(0x7fe0_0010, "OW", u32::MAX)].concat();
        let pixels = form.pixels();
        let fragment = |bytes: &[u8]| [ITEM, &(bytes.len() as u32).to_le_bytes(), bytes].concat();
        let fragments = [fragment(&[]), fragment(&pixels[..1000]), fragment(&pixels[1000..])].concat();
        for end in [SEQUENCE_END, &[], &[0; 300], b"\r\n"] {
            files.push((what, file(form.syntax(), &[&before, &pixels[..], end].concat())));
            files.push((what, file(form.syntax(), &[&before, &fragments[..], end].concat())));
            files.push((what, file("1.2.840.10008.1.2.1.98", &[&before, &fragments[..], end].concat())));
        }
    }
    all_equal(&files);
}

/// RLE (PS3.5 G) of two segments, the high bytes and the low ones, in literal runs.
fn rle() -> Vec<u8> {
    let segment = |shift: u16| {
        let bytes: Vec<u8> = values().map(|value| (value >> shift) as u8).collect();
        let runs: Vec<u8> = bytes.chunks(128).flat_map(|run| [&[(run.len() - 1) as u8], run].concat()).collect();
        if runs.len() % 2 == 1 { [runs, vec![0]].concat() } else { runs }
    };
    let (high, low) = (segment(8), segment(0));
    let mut header = [2, 64, 64 + high.len() as u32].map(u32::to_le_bytes).concat();
    header.resize(64, 0);
    [header, high, low].concat()
}

fn compressed(syntax: &str, table: bool, end: &[u8]) -> Vec<u8> {
    let before = [EXPLICIT.head(), EXPLICIT.size(), EXPLICIT.depth(), EXPLICIT.header(0x7fe0_0010, "OB", u32::MAX)];
    let frame = rle();
    let table = if table { [ITEM, &[0; 4]].concat() } else { Vec::new() };
    let fragment = [ITEM, &(frame.len() as u32).to_le_bytes(), &frame].concat();
    file(syntax, &[before.concat(), table, fragment, end.to_vec()].concat())
}

#[test]
fn fragments_may_lack_their_end_and_their_table() {
    const RLE: &str = "1.2.840.10008.1.2.5";
    all_equal(&[
        ("as it should be", compressed(RLE, true, SEQUENCE_END)),
        ("no end", compressed(RLE, true, &[])),
        ("half an end", compressed(RLE, true, &SEQUENCE_END[..6])),
        ("zeros for an end", compressed(RLE, true, &[0; 60])),
        ("no table", compressed(RLE, false, SEQUENCE_END)),
        ("another syntax said", compressed(EXPLICIT.syntax(), true, SEQUENCE_END)),
        ("no syntax said", compressed("", true, SEQUENCE_END)),
    ]);
}

#[test]
fn a_number_may_be_of_any_kind() {
    let number = |tag: u32, vr: &str, number: u16| {
        let text = format!("{number} ");
        let text = &text.as_bytes()[..text.len() / 2 * 2];
        match vr {
            "UL" | "SL" => EXPLICIT.element(tag, vr, &u32::from(number).to_le_bytes()),
            "FL" => EXPLICIT.element(tag, vr, &f32::from(number).to_le_bytes()),
            "FD" => EXPLICIT.element(tag, vr, &f64::from(number).to_le_bytes()),
            "IS" | "DS" | "UT" | "LT" | "LO" | "ST" | "SH" | "CS" => EXPLICIT.element(tag, vr, text),
            _ => EXPLICIT.element(tag, vr, &number.to_le_bytes()),
        }
    };
    let files = ["US", "SS", "UN", "OB", "OW", "UL", "SL", "FL", "FD", "IS", "DS", "UT", "LT", "LO", "ST", "SH", "CS"]
        .map(|vr| {
            let all = [
                (0x0028_0010, ROWS),
                (0x0028_0011, COLUMNS),
                (0x0028_0100, 16),
                (0x0028_0101, 16),
                (0x0028_0102, 15),
                (0x0028_0103, 0),
            ]
            .map(|(tag, value)| number(tag, vr, value));
            (vr, file(EXPLICIT.syntax(), &[EXPLICIT.head(), all.concat(), EXPLICIT.pixel_data()].concat()))
        });
    all_equal(&files);
}

#[test]
fn numbers_that_cannot_be_are_refused_and_make_no_picture() {
    let with = |rows: Vec<u8>| {
        let size = [rows, EXPLICIT.number(0x0028_0011, COLUMNS)].concat();
        ingest(&file(EXPLICIT.syntax(), &[EXPLICIT.head(), size, EXPLICIT.depth(), EXPLICIT.pixel_data()].concat()))
    };
    for rows in [
        EXPLICIT.element(0x0028_0010, "UL", &2_239_781_237_u32.to_le_bytes()),
        EXPLICIT.element(0x0028_0010, "DS", b"40,5"),
        EXPLICIT.element(0x0028_0010, "DS", b"4 0 "),
        EXPLICIT.element(0x0028_0010, "SS", &(-40_i16).to_le_bytes()),
        EXPLICIT.element(0x0028_0010, "LO", b"many"),
        EXPLICIT.element(0x0028_0010, "UN", b"abcdef"),
    ] {
        assert_eq!(with(rows), Err("unreadable: Rows is no number that it can be".to_owned()));
    }
    for rows in [Vec::new(), EXPLICIT.element(0x0028_0010, "US", b"")] {
        assert!(with(rows).unwrap_err().starts_with("not_an_image: "));
    }
}

#[test]
fn distances_may_have_decimal_commas_and_any_kind_of_text() {
    for (vr, text) in [("DS", "0,75\\1,5 "), ("UT", "0.75\\1.5 "), ("UN", "0.75\\1.5 "), ("LO", "\"0.75\\1.5\"")] {
        let spacing = EXPLICIT.element(0x0028_0030, vr, text.as_bytes());
        let data = [EXPLICIT.head(), EXPLICIT.size(), spacing, EXPLICIT.depth(), EXPLICIT.pixel_data()].concat();
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.dcm"), file(EXPLICIT.syntax(), &data)).unwrap();
        let manifest = run(&folder.path().join("a.dcm"), &folder.path().join("out"), &settings()).manifest;
        assert_eq!((manifest.spacing_x[0], manifest.spacing_y[0]), (Some(1.5), Some(0.75)), "{vr}");
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_that_breaks_off_is_truncated_in_any_syntax() {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut deflate, &EXPLICIT.data_set()).unwrap();
    let whole = [
        ("explicit", file(EXPLICIT.syntax(), &EXPLICIT.data_set())),
        ("implicit", file(IMPLICIT.syntax(), &IMPLICIT.data_set())),
        ("big", file(BIG.syntax(), &BIG.data_set())),
        ("compressed", compressed("1.2.840.10008.1.2.5", true, &[])),
        ("deflated", file("1.2.840.10008.1.2.1.99", &deflate.finish().unwrap())),
        ("gzip", gzipped(&file(EXPLICIT.syntax(), &EXPLICIT.data_set()))),
    ];
    all_equal(&whole);
    for (what, whole) in whole {
        for less in [1, 9, whole.len() / 3] {
            let reject = ingest(&whole[..whole.len() - less]).unwrap_err();
            assert!(reject.starts_with("truncated: "), "{what} less {less}: {reject}");
            // Words, not how a program shows its own values.
            assert!(!reject.contains(['{', '}', '"', '(']) && !reject.contains("Error"), "{what}: {reject}");
        }
    }
}

#[test]
fn a_few_bytes_cannot_claim_a_million_frames() {
    let size = [EXPLICIT.number(0x0028_0010, 1), EXPLICIT.number(0x0028_0011, 1)].concat();
    let frames = EXPLICIT.element(0x0028_0008, "IS", b"1000000 ");
    let data = [EXPLICIT.head(), frames, size, EXPLICIT.depth(), EXPLICIT.element(0x7fe0_0010, "OW", &[0; 2_000_000])];
    let bytes = gzipped(&file(EXPLICIT.syntax(), &data.concat()));
    assert!(bytes.len() < 4000);
    // Refused by what lies on the disk, before memory is taken for a frame.
    let reject = ingest(&bytes).unwrap_err();
    assert!(reject.starts_with("truncated: NumberOfFrames is 1000000, more than"), "{reject}");
}
