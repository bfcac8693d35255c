//! A folder of its own for each test, and the ingest of an archive into it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use deepmcat_ingest::{Error, Settings, Stamps, Summary, ingest};
use deepmcat_schemas::jobs;
use deepmcat_schemas::jobs::ingest::Frames;
use deepmcat_schemas::{Labels, Manifest, Rejects, Sources, read_table};
use deepmcat_stage::CommonArgs;

/// Archives beside the checkout; a test is skipped where its own is not there.
pub use deepmcat_testing::shared;

/// A data set, read back.
pub struct Dataset {
    pub folder: PathBuf,
    pub summary: Summary,
    pub manifest: Manifest,
    pub labels: Labels,
    pub sources: Sources,
    pub rejects: Rejects,
    /// Holds the folder for as long as the data set is used, where nothing else does.
    pub temporary: Option<tempfile::TempDir>,
}

/// The settings of the default preset.
/// The job of the settings as they are.
fn job() -> jobs::Ingest {
    CommonArgs::default().config().unwrap().ingest(Vec::new(), "dataset".into())
}

pub fn settings() -> Settings {
    Settings::of(&job())
}

pub fn stamps() -> Stamps {
    Stamps::of(&job())
}

pub fn try_run(inputs: &[PathBuf], out: &Path, settings: &Settings) -> Result<Dataset, Error> {
    let summary = ingest(inputs, out, settings, &stamps(), false)?;
    let dataset = Dataset {
        folder: out.to_owned(),
        summary,
        manifest: read_table(&out.join("manifest.parquet")).unwrap(),
        labels: read_table(&out.join("labels.parquet")).unwrap(),
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
    /// Every input gives images or is a reject, never both, but for frames that a row names; every image of the manifest
    /// is there and no other.
    fn check_account(&self) {
        let inputs: BTreeSet<&String> = self.sources.input.iter().collect();
        let of_images = |&row: &usize| self.sources.image_id[row].is_some();
        let files: BTreeSet<&String> =
            (0..self.sources.input.len()).filter(of_images).map(|row| &self.sources.input[row]).collect();
        assert_eq!(self.summary.files as usize, files.len());
        assert_eq!(self.summary.inputs as usize, inputs.len());
        // An input without images has one row of rejects that is about the whole of it, or has its frames in several.
        let rejected: BTreeSet<&String> = self.rejects.input.iter().collect();
        assert!(rejected.is_subset(&inputs));
        assert!(inputs.difference(&files).all(|input| rejected.contains(input)));
        let wholes = self.rejects.input.iter().zip(&self.rejects.frame).filter(|(_, frame)| frame.is_none());
        assert!(wholes.clone().all(|(input, _)| !files.contains(input)));
        assert_eq!(wholes.clone().count(), wholes.map(|(input, _)| input).collect::<BTreeSet<_>>().len());
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
        self.reject(source).map(|row| self.rejects.reason[row].as_str())
    }

    /// The first row of the rejects that is about a source.
    pub fn reject(&self, source: &str) -> Option<usize> {
        let input = &self.sources.input[self.sources.source.iter().position(|known| known == source)?];
        self.rejects.input.iter().position(|rejected| rejected == input)
    }

    /// The source of each row of the rejects.
    pub fn rejected(&self) -> Vec<&str> {
        let source = |input| self.sources.input.iter().position(|known| known == input).unwrap();
        self.rejects.input.iter().map(|input| self.sources.source[source(input)].as_str()).collect()
    }

    /// Sources of the images, in the order of their ids.
    pub fn image_sources(&self) -> Vec<&str> {
        let images = self.sources.source.iter().zip(&self.sources.image_id).filter(|(_, image)| image.is_some());
        images.map(|(source, _)| source.as_str()).collect()
    }

    /// The class of an image.
    pub fn label(&self, image: u32) -> Option<&str> {
        let row = self.labels.image_id.iter().position(|id| id.0 == image)?;
        Some(&self.labels.label[row])
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
