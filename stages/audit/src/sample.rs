//! What is audited: the categories of a run; the images that were drawn of them, and a person's answers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use deepmcat_schemas::layout::{DATASET, MANIFEST, MODEL};
use deepmcat_schemas::{AuditSample, Categories, Classifier, Manifest, Table, read_folder, read_table};
use deepmcat_stage::random::{Purpose, generator};
use deepmcat_stage::{for_spreadsheets, from_spreadsheet};
use rand::seq::index::sample;

use crate::Error;

/// The columns of the CSV that count.
const IMAGE: &str = "image";
const ANSWER: &str = "answer";

/// The categories of a run.
pub(crate) struct Audited {
    run: PathBuf,
    categories: Categories,
    /// Of each its key and its PNG.
    keys: Vec<(String, String)>,
    /// Novelty below which a person looks anyway.
    novel: f64,
}

impl Audited {
    /// # Errors
    /// When the run has no categories, or not of its own images.
    pub(crate) fn open(run: &Path) -> Result<Self, Error> {
        let folder = run.join(Categories::NAME);
        if !folder.is_dir() {
            return Err(Error::NoCategories { path: run.to_owned() });
        }
        let categories: Categories = read_folder(&folder)?;
        let manifest: Manifest = read_table(&run.join(DATASET).join(MANIFEST))?;
        let rows: HashMap<_, _> = manifest.image_id.iter().zip(manifest.key.into_iter().zip(manifest.path)).collect();
        let key = |image| rows.get(image).cloned();
        let keys = categories.image_id.iter().map(key).collect::<Option<_>>();
        let keys = keys.ok_or_else(|| Error::OtherImages { path: run.to_owned() })?;
        let model = run.join(MODEL).join(Classifier::NAME);
        let classifier: Classifier = if model.is_dir() { read_folder(&model)? } else { Classifier::default() };
        let novel = classifier.novelty.first().copied().unwrap_or_default();
        Ok(Self { run: run.to_owned(), categories, keys, novel })
    }

    /// Whether an image is told by the classifier: no person named it, and it is not unlike all others.
    fn is_open(&self, row: usize) -> bool {
        !self.categories.named[row] && f64::from(self.categories.novelty[row]) >= self.novel
    }

    /// Images that can be drawn.
    pub(crate) fn open_images(&self) -> usize {
        (0..self.keys.len()).filter(|&row| self.is_open(row)).count()
    }

    /// Share of all images that are told with this confidence or more, named ones included.
    pub(crate) fn coverage(&self, threshold: f64) -> f64 {
        let is_covered = |row: &usize| {
            self.categories.named[*row]
                || self.is_open(*row) && f64::from(self.categories.confidence[*row]) >= threshold
        };
        (0..self.keys.len()).filter(is_covered).count() as f64 / self.keys.len().max(1) as f64
    }

    /// Draws `n` images, each as likely as any other.
    ///
    /// # Errors
    /// When there is none to draw.
    pub(crate) fn draw(&self, n: usize, seed: u64) -> Result<AuditSample, Error> {
        let open: Vec<usize> = (0..self.keys.len()).filter(|&row| self.is_open(row)).collect();
        if open.is_empty() {
            return Err(Error::NothingToDraw { path: self.run.clone() });
        }
        let drawn = sample(&mut generator(seed, 0, 0, Purpose::Audit), open.len(), n.min(open.len()));
        let mut table = AuditSample::default();
        for row in drawn.into_iter().map(|place| open[place]) {
            table.key.push(self.keys[row].0.clone());
            table.category.push(self.categories.category[row].clone());
            table.confidence.push(self.categories.confidence[row]);
        }
        Ok(table)
    }

    /// The sample as a CSV to fill in.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn csv(&self, sample: &AuditSample) -> Result<String, Error> {
        let paths: HashMap<&str, &str> = self.keys.iter().map(|(key, path)| (key.as_str(), path.as_str())).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        // The confidence is left out: it would tell the person what to say.
        writer.write_record([IMAGE, "category", ANSWER, "file"]).map_err(std::io::Error::other)?;
        for (key, category) in sample.key.iter().zip(&sample.category) {
            let file = format!("{DATASET}/{}", paths.get(key.as_str()).unwrap_or(&""));
            let record = [key.as_str(), &for_spreadsheets(category), "", &file];
            writer.write_record(record).map_err(std::io::Error::other)?;
        }
        let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
    }

    /// The answers in a CSV: of every drawn image its confidence, and whether its category is right.
    ///
    /// # Errors
    /// When the CSV is wrong or answers are missing, or the categories are others than those that were drawn.
    pub(crate) fn answers(&self, path: &Path) -> Result<Vec<(f32, bool)>, Error> {
        let folder = self.run.join(AuditSample::NAME);
        if !folder.is_dir() {
            return Err(Error::NoSample { path: self.run.clone() });
        }
        let drawn: AuditSample = read_folder(&folder)?;
        self.are_same(&drawn)?;
        let given = given(path, &drawn)?;
        let missing = drawn.key.iter().filter(|key| !given.contains_key(key.as_str())).count();
        if missing > 0 {
            return Err(Error::Unanswered { path: path.to_owned(), missing, drawn: drawn.key.len() });
        }
        let rows = drawn.key.iter().zip(&drawn.category).zip(&drawn.confidence);
        let right = |answer: &str, category: &str| {
            // A category that looks like a formula is written as text.
            answer.eq_ignore_ascii_case("yes") || answer == category || for_spreadsheets(category) == answer
        };
        Ok(rows.map(|((key, category), &confidence)| (confidence, right(&given[key.as_str()], category))).collect())
    }

    /// Refuses a sample whose categories are no longer those of the run.
    fn are_same(&self, drawn: &AuditSample) -> Result<(), Error> {
        let now: HashMap<&str, usize> = self.keys.iter().map(|(key, _)| key.as_str()).zip(0..).collect();
        let same = |row: &usize| {
            now.get(drawn.key[*row].as_str()).is_some_and(|&own| {
                self.categories.category[own] == drawn.category[*row]
                    && self.categories.confidence[own].to_bits() == drawn.confidence[*row].to_bits()
            })
        };
        match (0..drawn.key.len()).filter(|row| !same(row)).count() {
            0 => Ok(()),
            changed => Err(Error::Changed { path: self.run.clone(), changed }),
        }
    }
}

/// The answers of a CSV by key; rows without an answer are left out.
fn given(path: &Path, drawn: &AuditSample) -> Result<HashMap<String, String>, Error> {
    let text = fs_err::read(path)?;
    let (text, delimiter) = from_spreadsheet(&text);
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.flexible(true).delimiter(delimiter).trim(csv::Trim::All).from_reader(text);
    let unreadable = |source| Error::Csv { path: path.to_owned(), source };
    let head = reader.headers().map_err(unreadable)?.clone();
    let column = |column: &'static str| {
        let place = head.iter().position(|cell| cell.eq_ignore_ascii_case(column));
        place.ok_or_else(|| Error::NoColumn { path: path.to_owned(), column })
    };
    let (image, answer) = (column(IMAGE)?, column(ANSWER)?);
    let known: std::collections::HashSet<&str> = drawn.key.iter().map(String::as_str).collect();
    let mut given = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(unreadable)?;
        let line = row.position().map_or(0, csv::Position::line);
        let (key, answer) = (row.get(image).unwrap_or_default(), row.get(answer).unwrap_or_default());
        if !known.contains(key) {
            return Err(Error::NotDrawn { path: path.to_owned(), line, image: key.to_owned() });
        }
        if answer.is_empty() {
            continue;
        }
        if given.insert(key.to_owned(), answer.to_owned()).is_some() {
            return Err(Error::Twice { path: path.to_owned(), line, image: key.to_owned() });
        }
    }
    Ok(given)
}
