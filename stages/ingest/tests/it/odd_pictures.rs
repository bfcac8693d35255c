//! Pictures, NIfTI pairs, zips and what lies beside them, odd as archives have them.

use std::io::Write;
use std::path::{Path, PathBuf};

use deepmcat_ingest::Error;

use crate::support::{Dataset, run, settings, shared, try_run};
use crate::truth::{self, Truth};

/// The data set of `input`, and the folder that holds it.
fn ingested(input: &Path) -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = run(input, &folder.path().join("dataset"), &settings());
    dataset.temporary = Some(folder);
    dataset
}

/// The reason and the message of the single file `name` of these bytes; none where it is an image.
fn refused(name: &str, bytes: &[u8]) -> Option<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in").join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, bytes).unwrap();
    let out = folder.path().join("out");
    match try_run(&[folder.path().join("in")], &out, &settings()) {
        Ok(_) => None,
        Err(Error::NoImages { .. }) => {
            let rejects: deepmcat_schemas::Rejects =
                deepmcat_schemas::read_table(&out.join("rejects.parquet")).unwrap();
            Some((rejects.reason[0].clone(), rejects.message[0].clone()))
        }
        Err(other) => panic!("{other}"),
    }
}

fn reason(name: &str, bytes: &[u8]) -> String {
    refused(name, bytes).map_or_else(|| "an image".to_owned(), |(reason, _)| reason)
}

/// `fixtures/pictures.zip`, unpacked: `in` and `truth`, made by `fixtures/make_pictures.py`.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures.zip");
    zip::ZipArchive::new(fs_err::File::open(archive).unwrap()).unwrap().extract(folder.path()).unwrap();
    folder
}

#[test]
fn pngs_and_jpegs_of_every_kind_are_as_pillow_reads_them() {
    let pictures = pictures();
    let dataset = ingested(&pictures.path().join("in"));
    assert_eq!((dataset.summary.images, dataset.rejected()), (Some(37), Vec::new()));
    for row in 0..37 {
        let name = &dataset.sources.source[row];
        // Inverse transforms and the upsampling of colours differ by a level or two.
        let tolerance = if name.ends_with(".jpg") { 3.0 } else { 0.51 };
        Truth::read(&pictures.path().join(format!("truth/{name}.npz"))).check(&dataset, row, tolerance);
    }
}

#[test]
fn a_cut_picture_is_truncated_never_half_a_picture() {
    let pictures = pictures();
    let read = |name: &str| fs_err::read(pictures.path().join("in").join(name)).unwrap();
    let jpegs = ["grey.jpg", "ycc0.jpg", "ycc1.jpg", "ycc2.jpg", "ycc_progressive.jpg", "rgb_adobe.jpg", "cmyk.jpg"];
    for name in jpegs.into_iter().chain(["grey8.png", "grey16_interlaced.png", "palette4.png"]) {
        let whole = read(name);
        let jpeg = name.ends_with(".jpg");
        for part in 1..20 {
            let cut = &whole[..whole.len() * part / 20];
            assert_eq!(reason(name, cut), "truncated", "{name} {part}/20");
        }
        // A colour's last bytes are no part of the brightness.
        let least = if !jpeg {
            17
        } else if name.starts_with("ycc") {
            continue;
        } else {
            6
        };
        assert_eq!(reason(name, &whole[..whole.len() - least]), "truncated", "{name} but for its end");
        if jpeg {
            // Cut, and an end marker put there: Pillow shows grey for the rest.
            let patched = [&whole[..whole.len() * 7 / 8], b"\xff\xd9"].concat();
            assert_ne!(reason(name, &patched), "an image", "{name} with an end of its own");
        }
    }
}

#[test]
fn jpegs_that_are_not_read_say_why() {
    let pictures = pictures();
    let whole = fs_err::read(pictures.path().join("in/grey.jpg")).unwrap();
    let at = whole.windows(2).position(|two| two == b"\xff\xc0").unwrap();
    let with = |offset: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at + offset] = byte;
        refused("a.jpg", &bytes).unwrap()
    };
    for (offset, byte, words) in
        [(1, 0xc9, "arithmetic"), (1, 0xc3, "lossless"), (1, 0xf7, "JPEG-LS"), (4, 12, "12 bits"), (9, 2, "damaged")]
    {
        let (reason, message) = with(offset, byte);
        assert!(message.contains(words), "{message}");
        assert_eq!(reason, if words == "damaged" { "unreadable" } else { "unsupported" });
    }
}

#[test]
fn a_cut_nifti_is_truncated_wherever_it_is_cut() {
    let mut whole = vec![0_u8; 352];
    let words: [(usize, &[u8]); 9] = [
        (0, &348_i32.to_le_bytes()),
        (40, &3_i16.to_le_bytes()),
        (42, &24_i16.to_le_bytes()),
        (44, &20_i16.to_le_bytes()),
        (46, &4_i16.to_le_bytes()),
        (70, &2_i16.to_le_bytes()),
        (72, &8_i16.to_le_bytes()),
        (108, &352_f32.to_le_bytes()),
        (344, b"n+1\0"),
    ];
    for (at, bytes) in words {
        whole[at..at + bytes.len()].copy_from_slice(bytes);
    }
    whole.extend((0..24 * 20 * 4).map(|voxel: u32| (voxel.wrapping_mul(2_654_435_761) >> 24) as u8));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&whole).unwrap();
    let zipped = encoder.finish().unwrap();
    for (name, bytes) in [("a.nii", &whole), ("A.NII", &whole), ("a.nii.gz", &zipped), ("A.NII.GZ", &zipped)] {
        assert_eq!(reason(name, bytes), "an image", "{name}");
        for cut in [4, 20, 100, 300, 347, 351, 353, bytes.len() / 2, bytes.len() - 60] {
            assert_eq!(reason(name, &bytes[..cut.min(bytes.len() - 60)]), "truncated", "{name} at {cut}");
        }
    }
}

#[test]
fn what_is_not_read_is_named() {
    let mut tar = vec![0_u8; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&tar).unwrap();
    let tar_gz = encoder.finish().unwrap();
    let mut analyze = vec![0_u8; 348];
    analyze[..4].copy_from_slice(&348_i32.to_le_bytes());
    analyze[40..50].copy_from_slice(&[4, 0, 9, 0, 9, 0, 9, 0, 1, 0]);
    let bmp = b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0";
    for (name, bytes, words) in [
        ("a.tif", b"II*\0\x08\0\0\0".as_slice(), "a TIFF: convert it to PNG"),
        ("no_ending", b"MM\0*\0\0\0\x08", "a TIFF"),
        ("a.bmp", bmp, "a BMP"),
        ("a.gif", b"GIF89a..", "a GIF"),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP"),
        ("a.png", b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000"),
        ("a.j2k", b"\xff\x4f\xff\x51\0\x29", "a JPEG 2000"),
        ("a.heic", b"\0\0\0\x18ftypheic", "a HEIC"),
        ("a.mha", b"ObjectType = Image\nNDims = 3\n", "a MetaImage"),
        ("a.nrrd", b"NRRD0004\n", "an NRRD"),
        ("a.mgh", b"\0\0\0\x01\0\0\x01\0\0\0\x01\0\0\0\x01\0", "FreeSurfer"),
        ("a.hdr", &analyze, "an ANALYZE 7.5 header: convert it to NIfTI"),
        ("a.mnc", b"CDF\x01\0\0\0\0", "a MINC"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5"),
        ("a.mat", b"MATLAB 5.0 MAT-file, Platform", "a MATLAB file"),
        ("a.pdf", b"%PDF-1.7\n", "a PDF"),
        ("a.tar", &tar, "a tar: unpack it first"),
        ("a.tar.gz", &tar_gz, "a tar.gz: unpack it first"),
        ("a.tgz", &tar_gz, "a tar.gz: unpack it first"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z: unpack it first"),
        ("a.rar", b"Rar!\x1a\x07\x01\0", "a RAR"),
        ("a.bz2", b"BZh91AY&SY", "a bzip2"),
        ("a.xz", b"\xfd7zXZ\0\0", "an xz"),
        ("a.mp4", b"\0\0\0\x18ftypmp42", "a film"),
    ] {
        let (reason, message) = refused(name, bytes).unwrap();
        assert_eq!(reason, "unsupported", "{name}");
        assert!(message.contains(words), "{name}: {message}");
    }
    assert_eq!(reason("notes.txt", b"BM is no bitmap here, nor is II"), "not_an_image");
}

/// A PNG of noise.
fn sound(seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 32, 32);
    encoder.set_color(png::ColorType::Grayscale);
    let noise: Vec<u8> = (0..1024_u32).map(|at| ((at + seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    encoder.write_header().unwrap().write_image_data(&noise).unwrap();
    bytes
}

#[test]
fn what_systems_leave_beside_files_are_companions() {
    let apple = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        \0\x02";
    for (name, bytes) in [
        ("._scan.dcm", apple.as_slice()),
        ("__MACOSX/a/._scan.nii.gz", apple),
        ("a/@eaDir/scan.png/SYNOPHOTO_THUMB_M.jpg", &sound(1)),
        (".DS_Store", b"\0\0\0\x01Bud1"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("b/desktop.ini", b"[.ShellClassInfo]"),
    ] {
        assert_eq!(reason(name, bytes), "companion", "{name}");
    }
    // A sound image is one whatever its name.
    for name in ["._scan.png", "__MACOSX/scan.png", "Thumbs.db"] {
        assert_eq!(reason(name, &sound(1)), "an image", "{name}");
    }
}

/// A zip of members.
fn zipped(path: &Path, members: &[(&str, &[u8])]) {
    let mut writer = zip::ZipWriter::new(fs_err::File::create(path).unwrap());
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn zips_of_other_systems_give_all_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (folder.path().join("in"), folder.path().join("out"));
    fs_err::create_dir_all(&input).unwrap();
    let (one, two) = (sound(1), sound(2));
    zipped(&input.join("windows.zip"), &[("Hand\\1.png", &one), ("Knee\\left\\2.png", &two), ("..\\3.png", &two)]);
    // A name in code page 850, and one name twice.
    let path = input.join("old.zip");
    zipped(&path, &[("?bersicht.png", &one), ("a.png", &one), ("b.png", &two), ("c.png", &two)]);
    let mut bytes = fs_err::read(&path).unwrap();
    let names: Vec<usize> = (0..bytes.len() - 5).filter(|&at| &bytes[at..at + 5] == b"c.png").collect();
    names.into_iter().for_each(|at| bytes[at] = b'b');
    let names: Vec<usize> = (0..bytes.len() - 9).filter(|&at| &bytes[at..at + 9] == b"?bersicht").collect();
    names.into_iter().for_each(|at| bytes[at] = 0x9a);
    fs_err::write(&path, &bytes).unwrap();
    fs_err::write(input.join("cut.zip"), &bytes[..bytes.len() / 2]).unwrap();
    zipped(&input.join("report.docx"), &[("[Content_Types].xml", b"<Types/>"), ("word/media/1.png", &one)]);
    let folders = deepmcat_ingest::Settings { rules: "folders".to_owned(), ..settings() };
    let dataset = run(&input, &out, &folders);
    let members: Vec<_> = dataset.sources.member[..4].iter().map(|member| member.as_deref().unwrap()).collect();
    assert_eq!(members, ["\\x9abersicht.png", "a.png", "Hand/1.png", "Knee/left/2.png"]);
    let labels = [2, 3].map(|row| dataset.label(dataset.manifest.image_id[row].0));
    assert_eq!(labels, [Some("Hand"), Some("left")]);
    let mut rejected: Vec<_> = dataset
        .rejects
        .input
        .iter()
        .zip(&dataset.rejects.reason)
        .map(|(input, reason)| {
            let row = dataset.sources.input.iter().position(|known| known == input).unwrap();
            (dataset.sources.source[row].as_str(), dataset.sources.member[row].as_deref(), reason.as_str())
        })
        .collect();
    rejected.sort_unstable();
    let expected = [
        ("cut.zip", None, "truncated"),
        ("old.zip", Some("b.png"), "unsafe"),
        ("report.docx", None, "unsupported"),
        ("windows.zip", Some("../3.png"), "unsafe"),
    ];
    assert_eq!(rejected, expected);
}

/// What is to be ingested of an odd case, and its truth.
fn case(name: &str) -> Option<(PathBuf, PathBuf)> {
    let folder = shared("odd-cases")?.join(name);
    Some((folder.join("in"), folder.join("truth")))
}

#[test]
fn n01_few_bright_or_dark_pixels_stay_visible() {
    let Some((input, truth)) = case("N01") else { return };
    let dataset = ingested(&input);
    let mut blank = Vec::new();
    for row in 0..dataset.manifest.flags.len() {
        let (source, flags) =
            (&dataset.sources.source[row], dataset.manifest.flags[row].as_deref().unwrap_or_default());
        if flags.contains("blank") {
            blank.push((source.as_str(), dataset.sources.slice[row]));
        } else {
            let levels = dataset.levels(row);
            assert!(levels.contains(&0) && levels.contains(&255), "{source}");
        }
        if !source.ends_with(".nii") {
            // The PNG has the very pixels of sparse.dcm.
            assert_eq!(flags.contains("duplicate"), source == "sparse16.png", "{source}: {flags}");
            Truth::read(&truth.join(format!("{source}.npz"))).check(&dataset, row, 1.0);
        }
    }
    // The one slice that holds nothing.
    assert_eq!(blank, [("mask.nii", 3)]);
}

#[test]
fn n06_names_in_capitals_are_read() {
    let Some((input, _)) = case("N06") else { return };
    let dataset = ingested(&input);
    let of = |source: &str| -> Vec<&String> {
        let rows = (0..dataset.manifest.pixels.len()).filter(|&row| dataset.sources.source[row] == source);
        rows.map(|row| &dataset.manifest.pixels[row]).collect()
    };
    assert!(!of("UPPER.HDR").is_empty() && of("UPPER.HDR") == of("lower.hdr"));
    assert!(!of("upper.zip").is_empty() && !of("VOL.NII.GZ").is_empty());
    assert_eq!(dataset.reason("UPPER.IMG"), Some("companion"));
    assert!(dataset.rejects.reason.iter().all(|reason| reason == "companion"));
}

#[test]
fn p01_jpegs_are_as_pillow_reads_them() {
    let Some((input, truth)) = case("P01") else { return };
    let dataset = ingested(&input);
    assert_eq!(truth::check(&dataset, &truth, 4.0), 16);
}
