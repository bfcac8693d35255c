//! A folder of its own for each test, and the ingest of an archive into it.

use std::path::{Path, PathBuf};

use deepmcat_common::{CommonArgs, Frames};
use deepmcat_ingest::{Error, Settings, Summary, ingest};
use deepmcat_schemas::{Manifest, Rejects, Sources, read_table};

/// A data set, read back.
pub struct Dataset {
    pub folder: PathBuf,
    pub summary: Summary,
    pub manifest: Manifest,
    pub sources: Sources,
    pub rejects: Rejects,
    /// Holds the folder for as long as the data set is used, where nothing else does.
    pub temporary: Option<tempfile::TempDir>,
}

/// The settings of the default preset.
pub fn settings() -> Settings {
    Settings::of(&CommonArgs::default().config().unwrap())
}

pub fn try_run(inputs: &[PathBuf], out: &Path, settings: &Settings) -> Result<Dataset, Error> {
    let stamp = CommonArgs::default().config().unwrap().stamp("ingest", "0");
    let summary = ingest(inputs, out, settings, &stamp, false)?;
    let dataset = Dataset {
        folder: out.to_owned(),
        summary,
        manifest: read_table(&out.join("manifest.parquet")).unwrap(),
        sources: read_table(&out.join("sources.parquet")).unwrap(),
        rejects: read_table(&out.join("rejects.parquet")).unwrap(),
        temporary: None,
    };
    dataset.check_account();
    Ok(dataset)
}

pub fn run(input: &Path, out: &Path, settings: &Settings) -> Dataset {
    try_run(&[input.to_owned()], out, settings).unwrap()
}

impl Dataset {
    /// Every input is a source or a reject, never both, but for frames of a source that are named; every image of the manifest is there and no other.
    fn check_account(&self) {
        let mut files: Vec<_> = self.sources.source.iter().zip(&self.sources.member).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(self.summary.files as usize, files.len());
        let rejects = self.rejects.source.iter().zip(&self.rejects.member).zip(&self.rejects.frame);
        let (whole, partial): (Vec<_>, Vec<_>) = rejects.partition(|(_, frame)| frame.is_none());
        assert_eq!(self.summary.inputs as usize, files.len() + whole.len());
        assert!(whole.iter().all(|(reject, _)| files.binary_search(reject).is_err()));
        assert!(partial.iter().all(|(reject, _)| files.binary_search(reject).is_ok()));
        let mut written = Vec::new();
        for folder in fs_err::read_dir(self.folder.join("images")).unwrap() {
            for file in fs_err::read_dir(folder.unwrap().path()).unwrap() {
                written.push(file.unwrap().path().strip_prefix(&self.folder).unwrap().to_str().unwrap().to_owned());
            }
        }
        let mut listed = self.manifest.path.clone();
        written.sort_unstable();
        listed.sort_unstable();
        assert_eq!(written, listed);
    }

    /// The reason of a rejected source.
    pub fn reason(&self, source: &str) -> Option<&str> {
        let row = self.rejects.source.iter().position(|rejected| rejected == source)?;
        Some(&self.rejects.reason[row])
    }

    /// Grey levels of an 8-bit image.
    pub fn levels(&self, row: usize) -> Vec<u8> {
        let file = fs_err::File::open(self.folder.join(&self.manifest.path[row])).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let mut levels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut levels).unwrap();
        levels
    }
}

/// Every time frame an image.
pub fn all_frames() -> Settings {
    Settings { frames: Frames::All, ..settings() }
}

/// A shared archive; a test says so and ends where it is not there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DEEPMCAT_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        |shared| PathBuf::from(shared).join("data"),
    );
    let archive = folder.join(name);
    if archive.is_dir() {
        return Some(archive);
    }
    // cargo shows it with --nocapture
    #[allow(clippy::print_stderr)]
    {
        eprintln!("skipped: {} is not there (set DEEPMCAT_SHARED)", archive.display());
    }
    None
}
