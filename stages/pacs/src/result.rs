//! The categories of a finished run, or of an application of a model, by the UIDs that a server knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deepmcat_config::Config;
use deepmcat_schemas::layout::{DATASET, INSTANCES, MANIFEST, RECEIVED, RUN_TOML, SOURCES};
use deepmcat_schemas::{Manifest, SeriesCategories, Sources, Table, read_folder, read_table};

use crate::client::{Client, Patience};
use crate::{Error, uid};

/// A series with its category.
#[derive(Debug, Clone)]
pub struct Categorized {
    /// StudyInstanceUID (0020,000D).
    pub study: String,
    /// SeriesInstanceUID (0020,000E).
    pub series: String,
    /// SOPInstanceUIDs (0008,0018) of its images, each once, with their source files below the input.
    pub objects: Vec<(String, String)>,
    /// PatientID (0010,0020).
    pub patient: Option<String>,
    /// SeriesDescription (0008,103E).
    pub description: Option<String>,
    /// One source file, below the input.
    pub source: String,
    /// Its likeliest category.
    pub category: String,
    /// How likely, 0 to 1.
    pub confidence: f32,
    /// Share of its images whose own category is that.
    pub agreement: f32,
    /// Images in it.
    pub images: u32,
    /// A person should look.
    pub abstain: bool,
}

/// A run with its settings and series.
#[derive(Debug)]
pub struct RunSeries {
    /// Its folder.
    pub run: PathBuf,
    /// Its settings.
    pub config: Config,
    /// By StudyInstanceUID and SeriesInstanceUID.
    pub series: Vec<Categorized>,
    /// Series without UIDs, which no server knows.
    pub nameless: usize,
}

impl RunSeries {
    /// Reads a run.
    ///
    /// # Errors
    /// When there is no run, or it has no categories.
    pub fn open(run: &Path) -> Result<Self, Error> {
        let file = run.join(RUN_TOML);
        if !file.is_file() {
            return Err(deepmcat_config::ConfigError::NoRun { path: run.to_owned() }.into());
        }
        let (config, _) = deepmcat_config::resolve(None, Some(&file), &[])?;
        let folder = run.join(SeriesCategories::NAME);
        if !folder.is_dir() {
            return Err(Error::NoCategories { path: run.to_owned() });
        }
        let table: SeriesCategories = read_folder(&folder)?;
        let manifest: Manifest = read_table(&run.join(DATASET).join(MANIFEST))?;
        let sources: Sources = read_table(&run.join(DATASET).join(SOURCES))?;
        // Row of the sources by image, and images by series.
        let mut of_image: BTreeMap<u32, usize> = BTreeMap::new();
        for (row, image) in sources.image_id.iter().enumerate() {
            of_image.extend(image.map(|image| (image, row)));
        }
        let mut of_series: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (series, image) in manifest.series.iter().zip(&manifest.image_id) {
            of_series.entry(series).or_default().extend(of_image.get(&image.0));
        }
        let (mut all, mut nameless) = (Vec::new(), 0);
        for (row, name) in table.series.iter().enumerate() {
            let rows = of_series.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let known = |column: &[Option<String>]| rows.iter().find_map(|&row| column[row].clone());
            let uids = (known(&sources.study_uid), known(&sources.series_uid));
            // What is no UID was not ours to put into an address, and no server has it.
            let ((Some(study), Some(series)), Some(&first)) = (uids, rows.first()) else {
                nameless += 1;
                continue;
            };
            if !uid::is_uid(&study) || !uid::is_uid(&series) {
                nameless += 1;
                continue;
            }
            let object = |&row: &usize| Some((sources.sop_uid[row].clone()?, sources.source[row].clone()));
            let mut objects: Vec<(String, String)> = rows.iter().filter_map(object).collect();
            objects.sort();
            objects.dedup_by(|a, b| a.0 == b.0);
            all.push(Categorized {
                study,
                series,
                objects,
                patient: known(&sources.patient_id),
                description: known(&sources.series_description),
                source: sources.source[first].clone(),
                category: table.category[row].clone(),
                confidence: table.confidence[row],
                agreement: table.agreement[row],
                images: table.images[row],
                abstain: table.abstain[row],
            });
        }
        all.sort_by(|a, b| (&a.study, &a.series).cmp(&(&b.study, &b.series)));
        // Parts of one series of the server that the run tells apart: the surest stands for it.
        all.dedup_by(|b, a| {
            let same = (&a.study, &a.series) == (&b.study, &b.series);
            if same && b.confidence > a.confidence {
                std::mem::swap(a, b);
            }
            same
        });
        Ok(Self { run: run.to_owned(), config, series: all, nameless })
    }

    /// Where a source file lies, if it is still there and no member of a zip.
    #[must_use]
    pub fn file(&self, source: &str) -> Option<PathBuf> {
        let mut inputs: Vec<PathBuf> = self.config.input.paths.iter().map(|path| self.run.join(path)).collect();
        if !self.config.input.server.is_empty() {
            inputs.push(self.run.join(RECEIVED).join(INSTANCES));
        }
        let several = inputs.len() > 1;
        let below = |input: &PathBuf| {
            // With several inputs the name of the input comes first.
            let rest = match source.split_once('/') {
                Some((name, rest)) if several && input.ends_with(name) => rest,
                _ if several => return None,
                _ => source,
            };
            Some(input.join(rest)).filter(|path| path.is_file())
        };
        inputs.iter().find_map(below)
    }

    /// A client of the server `address`, or of that of the run.
    ///
    /// # Errors
    /// When neither is given, or it must not be asked.
    pub fn client(&self, address: Option<&str>) -> Result<Client, Error> {
        let Config { input, fetch, .. } = &self.config;
        let server = address.unwrap_or(&input.server);
        if server.is_empty() {
            return Err(Error::NoServer { path: self.run.clone() });
        }
        let patience = Patience { timeout: fetch.timeout, retries: fetch.retries, connections: fetch.connections };
        let ca = Some(&fetch.ca).filter(|ca| !ca.is_empty()).map(|ca| self.run.join(ca));
        Client::new(fetch.settings.check_server(server)?, ca.as_deref(), patience)
    }
}
