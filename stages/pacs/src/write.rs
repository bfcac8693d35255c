//! `pacs write`, `undo` and `status`: categories as metadata and labels of Orthanc's series and studies.
//!
//! For every place: what the server holds, what it should hold, and whether the first is ours by the journal. A value that is
//! neither absent nor ours is of others, and is left. So a second call does exactly what an interrupted one left over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;
use crate::client::{Ask, Client};
use crate::journal::{Journal, Place};
use crate::result::{Categorized, RunSeries};

/// The longest value of a metadata that is read.
const VALUE: u64 = 1 << 20;
/// What is asked for in messages.
const WHAT: &str = "metadata and labels";

/// What is written besides the metadata of series.
#[derive(Debug, Clone)]
pub struct What {
    /// Number of the metadata from 1024 to 65535, or its name in the server's configuration.
    pub key: String,
    /// Labels of series.
    pub labels: bool,
    /// Labels of studies: those of their series together.
    pub study_labels: bool,
}

/// What becomes of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds what it should.
    Same,
    /// There is nothing yet.
    New,
    /// It holds an earlier value of ours.
    Change,
    /// It holds a value of ours that is no longer wanted.
    Remove,
    /// It holds what somebody else has put there.
    Others,
    /// A person should look at the series first: nothing is written.
    Abstained,
    /// The server does not have the series.
    Absent,
}

/// A place with what it holds and should hold.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where; none where the server does not have it, or nothing is written.
    pub place: Option<Place>,
    /// SeriesInstanceUID or StudyInstanceUID.
    pub uid: String,
    /// What it holds.
    pub now: Option<String>,
    /// What it should hold.
    pub new: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
}

#[derive(Debug, Deserialize)]
struct Found {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Type")]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct System {
    version: String,
    has_labels: bool,
}

/// Values of one server.
#[derive(Debug)]
pub struct Server<'a> {
    client: &'a Client,
    has_labels: bool,
}

impl<'a> Server<'a> {
    /// Asks what the server is.
    ///
    /// # Errors
    /// When it is no Orthanc.
    pub fn new(client: &'a Client) -> Result<Self, Error> {
        let system: Option<System> = client.json(Ask::Get, "/system", "what it is")?;
        let system = system.filter(|system| !system.version.is_empty());
        let has_labels = system.ok_or_else(|| client.answer("what it is", "this is no Orthanc"))?.has_labels;
        Ok(Self { client, has_labels })
    }

    /// What a place holds.
    fn get(&self, place: &Place) -> Result<Option<String>, Error> {
        let answer = self.client.ask(Ask::Get, &path(place), "text/plain", VALUE, WHAT)?;
        match answer.status {
            200 if !answer.too_large => match String::from_utf8(answer.body) {
                // A label has no value.
                Ok(_) if place.key.starts_with("labels/") => Ok(Some(String::new())),
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.client.answer(WHAT, "a value that is no text")),
            },
            200 => Err(self.client.answer(WHAT, "a value that is too long")),
            404 => Ok(None),
            status => Err(self.client.status(status, WHAT)),
        }
    }

    /// Makes a place hold a value, or nothing.
    fn set(&self, place: &Place, value: Option<&str>) -> Result<(), Error> {
        let ask = value.map_or(Ask::Delete, |value| Ask::Put(value.as_bytes()));
        let answer = self.client.ask(ask, &path(place), "*/*", VALUE, WHAT)?;
        match answer.status {
            200..=299 => Ok(()),
            // Deleted by the try before this one, whose answer was lost.
            404 if value.is_none() => Ok(()),
            // What Orthanc answers to a name that its configuration does not have.
            404 | 400 if place.key.strip_prefix("metadata/").is_some_and(|key| key.parse::<u32>().is_err()) => {
                Err(Error::UnknownKey { server: self.client.server().to_owned(), key: place.key.clone() })
            }
            status => Err(self.client.status(status, WHAT)),
        }
    }

    /// The server's name of a series or study; none where it has none, or several patients have it.
    fn lookup(&self, kind: &str, uid: &str) -> Result<Option<String>, Error> {
        let found: Option<Vec<Found>> = self.client.json(Ask::Find(uid.as_bytes()), "/tools/lookup", "a UID")?;
        let mut ids: Vec<String> =
            found.unwrap_or_default().into_iter().filter(|one| one.kind == kind).map(|one| one.id).collect();
        let known = ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'));
        Ok(if ids.len() == 1 && known { ids.pop() } else { None })
    }

    /// What is to be done, place by place; nothing is changed.
    ///
    /// # Errors
    /// When the server does not answer, or labels are asked for and it has none.
    pub fn plan(&self, run: &RunSeries, journal: &Journal, what: &What) -> Result<Vec<Step>, Error> {
        if (what.labels || what.study_labels) && !self.has_labels {
            return Err(Error::NoLabels { server: self.client.server().to_owned() });
        }
        let mut steps = Vec::new();
        let mut wanted: BTreeSet<Place> = BTreeSet::new();
        let mut studies: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for series in &run.series {
            let id = self.lookup("Series", &series.series)?;
            let Some(id) = id else {
                steps.push(Step::without(series, Verdict::Absent));
                continue;
            };
            if series.abstain {
                steps.push(Step::without(series, Verdict::Abstained));
                continue;
            }
            let mut add = |key: String, new: String| -> Result<(), Error> {
                let place = self.place("series", &id, key);
                steps.push(self.step(&place, &series.series, Some(new), journal)?);
                wanted.insert(place);
                Ok(())
            };
            add(format!("metadata/{}", what.key), value(series))?;
            if what.labels {
                add(format!("labels/{}", label(&series.category)), String::new())?;
            }
            studies.entry(&series.study).or_default().insert(label(&series.category));
        }
        for (study, labels) in studies.into_iter().filter(|_| what.study_labels) {
            if let Some(id) = self.lookup("Study", study)? {
                for label in labels {
                    let place = self.place("studies", &id, format!("labels/{label}"));
                    steps.push(self.step(&place, study, Some(String::new()), journal)?);
                    wanted.insert(place);
                }
            }
        }
        // What an earlier call wrote and this one does not.
        for (place, uid, _) in journal.places(self.client.server()) {
            if !wanted.contains(place) {
                let step = self.step(place, uid, None, journal)?;
                steps.extend(Some(step).filter(|step| step.verdict == Verdict::Remove));
            }
        }
        Ok(steps)
    }

    fn place(&self, level: &str, id: &str, key: String) -> Place {
        Place { server: self.client.server().to_owned(), level: level.to_owned(), id: id.to_owned(), key }
    }

    fn step(&self, place: &Place, uid: &str, new: Option<String>, journal: &Journal) -> Result<Step, Error> {
        let now = self.get(place)?;
        let verdict = match (&now, &new) {
            (now, new) if now == new => Verdict::Same,
            (None, _) => Verdict::New,
            (Some(now), new) if journal.is_ours(place, now) => {
                if new.is_some() {
                    Verdict::Change
                } else {
                    Verdict::Remove
                }
            }
            _ => Verdict::Others,
        };
        Ok(Step { place: Some(place.clone()), uid: uid.to_owned(), now, new, verdict })
    }

    /// Does what is to be done, each after its line in the journal; gives how many places were changed.
    ///
    /// # Errors
    /// When the journal cannot be written or the server does not answer; the same call goes on.
    pub fn apply(&self, steps: &[Step], journal: &mut Journal) -> Result<u64, Error> {
        let mut changed = 0;
        for step in steps {
            let Some(place) = &step.place else { continue };
            if !matches!(step.verdict, Verdict::New | Verdict::Change | Verdict::Remove) {
                continue;
            }
            // Not what was there when the plan was made: somebody may have written since.
            let now = self.get(place)?;
            if now != step.now {
                tracing::warn!("{}: changed by others since it was looked at, and left", step.uid);
                continue;
            }
            journal.add(place, &step.uid, now.as_deref(), step.new.as_deref())?;
            self.set(place, step.new.as_deref())?;
            changed += 1;
        }
        Ok(changed)
    }

    /// What undoing comes to, the last place first: those that hold a value of ours get what they held before the first.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn plan_undo(&self, journal: &Journal) -> Result<Vec<Step>, Error> {
        let places = journal.places(self.client.server());
        let one = |(place, uid, before): &(&Place, &str, Option<&str>)| {
            self.step(place, uid, before.map(str::to_owned), journal)
        };
        places.iter().map(one).collect()
    }
}

impl Step {
    fn without(series: &Categorized, verdict: Verdict) -> Self {
        Self { place: None, uid: series.series.clone(), now: None, new: Some(series.category.clone()), verdict }
    }

    /// The category of a value, or the label, as a person reads it.
    #[must_use]
    pub fn shown(&self, value: Option<&str>) -> String {
        let Some(value) = value else { return "-".to_owned() };
        let label = self.place.as_ref().and_then(|place| place.key.strip_prefix("labels/"));
        let category = || {
            let value: serde_json::Value = serde_json::from_str(value).ok()?;
            Some(format!("{} {:.2}", value.get("category")?.as_str()?, value.get("confidence")?.as_f64()?))
        };
        // A value of others is not printed: it may hold anything.
        let otherwise = || if self.verdict == Verdict::Others { "(of others)" } else { value }.to_owned();
        label.map_or_else(|| category().unwrap_or_else(otherwise), |label| format!("label {label}"))
    }
}

/// The address of a place.
fn path(place: &Place) -> String {
    format!("/{}/{}/{}", place.level, place.id, place.key)
}

/// What is written: the same for the same category, so that writing again changes nothing.
fn value(series: &Categorized) -> String {
    let rounded = |share: f32| (f64::from(share) * 1e4).round() / 1e4;
    json!({"by": "deepmcat", "category": series.category, "confidence": rounded(series.confidence),
        "agreement": rounded(series.agreement), "images": series.images})
    .to_string()
}

/// A label for a category: Orthanc takes letters, digits, `-` and `_`, 64 at most. What is lost is told apart by a hash.
fn label(category: &str) -> String {
    let plain: String =
        category.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' }).collect();
    let label = format!("deepmcat-{plain}");
    if plain == category && label.len() <= 64 {
        return label;
    }
    let hash = &blake3::hash(category.as_bytes()).to_hex()[..8];
    format!("{}-{hash}", &label[..label.len().min(54)])
}

/// Refuses what is no key of metadata.
///
/// # Errors
/// When it is neither a number that Orthanc leaves to users nor a name.
pub fn check_key(key: &str) -> Result<(), Error> {
    let number = key.parse::<u32>().map_or(true, |number| (1024..=65535).contains(&number));
    let name = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if name && number { Ok(()) } else { Err(Error::BadKey { key: key.to_owned() }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_what_orthanc_takes_and_differ() {
        assert_eq!(label("LA_4CH"), "deepmcat-LA_4CH");
        let long = "x".repeat(200);
        for odd in ["SA, basal", "Hirn/T1", "é", "", &long] {
            let label = label(odd);
            assert!(
                label.len() <= 64 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            );
        }
        assert_ne!(label("a b"), label("a_b"));
        assert_ne!(label("a b"), label("a,b"));
    }

    #[test]
    fn a_key_is_a_number_for_users_or_a_name() {
        assert!(["1024", "65535", "deepmcat", "my-key"].iter().all(|key| check_key(key).is_ok()));
        assert!(["1", "70000", "", "a/b", "../x", "a b"].iter().all(|key| check_key(key).is_err()));
    }
}
