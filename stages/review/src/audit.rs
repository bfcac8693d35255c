//! Audit mode: the images that `deepmcat audit RUN draw` drew, one by one, and a person's answers to them.
//!
//! Answers are the CSV that `deepmcat audit RUN certify` takes, written anew and synced before the page is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use deepmcat_decisions::RunResult;
use deepmcat_schemas::files::write_atomic_by_way_of;
use deepmcat_schemas::layout::{REVIEW, TEMPORARY};
use deepmcat_schemas::{AuditSample, Categories, Table, read_folder};
use deepmcat_stage::for_spreadsheets;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Error;
use crate::error::Refusal;

/// The answers, in the folder of what people decide.
const ANSWERS: &str = "audit.csv";
/// Characters of an answer at most, as of a category.
const LONGEST: usize = 200;

/// The drawn images and their answers.
#[derive(Debug)]
pub(crate) struct Auditing {
    file: PathBuf,
    temporary: PathBuf,
    sample: AuditSample,
    /// The image of each.
    images: Vec<u32>,
    /// `yes`, `no` or the right category of each that is answered.
    answers: Vec<Option<String>>,
    /// All categories of the run.
    categories: BTreeSet<String>,
}

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// The draw that the page shows: its images.
    first: u32,
    /// Which of them, from 0.
    place: usize,
    /// `yes`, `no`, the right category, or none: it is taken back.
    answer: Option<String>,
}

impl Auditing {
    /// What was drawn of a run; none where nothing was.
    ///
    /// # Errors
    /// When a table is damaged.
    pub(crate) fn read(result: &RunResult) -> Result<Option<Self>, Error> {
        let folder = result.run.join(AuditSample::NAME);
        if !folder.is_dir() {
            return Ok(None);
        }
        let sample: AuditSample = read_folder(&folder)?;
        let images: Option<Vec<u32>> = sample.key.iter().map(|key| Some(result.image(key)?.0)).collect();
        // Of an earlier data set: `audit certify` says so.
        let Some(images) = images.filter(|images| !images.is_empty()) else { return Ok(None) };
        let categories: Categories = read_folder(&result.run.join(Categories::NAME))?;
        let file = result.run.join(REVIEW).join(ANSWERS);
        let categories: BTreeSet<String> = categories.category.into_iter().collect();
        let given = if file.exists() { given(&file, &categories) } else { HashMap::new() };
        let answers = sample.key.iter().map(|key| given.get(key).cloned()).collect();
        Ok(Some(Self { file, temporary: result.run.join(TEMPORARY), sample, images, answers, categories }))
    }

    /// All of it, for the page.
    pub(crate) fn told(&self) -> Value {
        let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
        self.sample.category.iter().for_each(|category| *sizes.entry(category).or_default() += 1);
        // The commonest first, so that they have digits.
        let mut categories: Vec<&String> = self.categories.iter().collect();
        categories.sort_by_key(|category| std::cmp::Reverse(sizes.get(category.as_str()).copied().unwrap_or_default()));
        let drawn = (0..self.images.len()).map(|place| {
            json!({"image": self.images[place], "category": self.sample.category[place], "answer": self.answers[place]})
        });
        json!({
            "drawn": drawn.collect::<Vec<_>>(), "categories": categories, "file": self.file.display().to_string(),
        })
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// When the page shows another draw, the answer cannot be one, or it cannot be written; it is then not taken.
    pub(crate) fn answer(&mut self, request: Answer) -> Result<Value, Refusal> {
        let Answer { first, place, answer } = request;
        if self.images[0] != first || place >= self.images.len() {
            return Err(Refusal::Absent("drawn image"));
        }
        let is_text = |text: &String| {
            !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
        };
        if answer.as_ref().is_some_and(|answer| !is_text(answer)) {
            return Err(Refusal::Bad("an answer is yes, no or a category".to_owned()));
        }
        let before = std::mem::replace(&mut self.answers[place], answer);
        if let Err(error) = self.write() {
            self.answers[place] = before;
            return Err(Refusal::Failed(error.to_string()));
        }
        Ok(json!({"answered": self.answers.iter().flatten().count()}))
    }

    fn write(&self) -> Result<(), Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["image", "category", "answer"]).map_err(std::io::Error::other)?;
        for ((key, category), answer) in self.sample.key.iter().zip(&self.sample.category).zip(&self.answers) {
            let [category, answer] = [category.as_str(), answer.as_deref().unwrap_or_default()].map(for_spreadsheets);
            let record = [key.as_str(), &category, &answer];
            writer.write_record(record).map_err(std::io::Error::other)?;
        }
        let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        write_atomic_by_way_of(&self.temporary, &self.file, |file| std::io::Write::write_all(file, &bytes))?;
        Ok(())
    }
}

/// The answers of an earlier session; of a file that is none, nothing.
fn given(path: &Path, categories: &BTreeSet<String>) -> HashMap<String, String> {
    let Ok(mut reader) = csv::Reader::from_path(path) else { return HashMap::new() };
    // A category that looks like a formula is written as text.
    let said = |answer: &str| {
        let category = categories.iter().find(|category| for_spreadsheets(category) == answer);
        category.map_or_else(|| answer.to_owned(), String::clone)
    };
    let rows = reader.records().flatten();
    rows.filter_map(|row| Some((row.get(0)?.to_owned(), said(row.get(2)?))))
        .filter(|(_, answer)| !answer.is_empty())
        .collect()
}
