//! DICOMweb (PS3.18): lists by QIDO-RS, objects by WADO-RS, each by itself, so that a broken answer costs one.

use std::collections::{BTreeMap, BTreeSet};

use deepmcat_schemas::jobs::fetch::Settings;
use serde::Deserialize;

use crate::Error;
use crate::archive::{Archive, Instance, Loaded, Series, encoded, passes};
use crate::client::{Ask, Client};
use crate::multipart::first_part;

/// Results a page.
const PAGE: usize = 500;
const STUDY: &str = "0020000D";
const SERIES: &str = "0020000E";
const OBJECT: &str = "00080018";
/// NumberOfSeriesRelatedInstances.
const COUNT: &str = "00201209";
const MODALITY: &str = "00080060";
const DESCRIPTION: &str = "0008103E";
/// The media type of DICOM objects in the transfer syntax in which the server keeps them.
const AS_STORED: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

/// A DICOMweb service.
#[derive(Debug)]
pub struct DicomWeb<'a>(pub &'a Client);

/// An attribute of DICOM JSON (PS3.18 F.2).
#[derive(Debug, Deserialize)]
pub(crate) struct Attribute {
    #[serde(rename = "Value", default)]
    value: Vec<serde_json::Value>,
}

/// A result.
type Match = BTreeMap<String, Attribute>;

fn text<'a>(result: &'a Match, tag: &str) -> Option<&'a str> {
    result.get(tag)?.value.first()?.as_str()
}

impl DicomWeb<'_> {
    /// All results of a question, page by page, each once, by the UID of `tag`.
    fn all(&self, path: &str, query: &[(&str, &str)], tag: &str) -> Result<Vec<Match>, Error> {
        let (mut results, mut known, mut offset) = (Vec::new(), BTreeSet::new(), 0);
        let query: String = query
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("&{name}={}", encoded(value)))
            .collect();
        loop {
            let page = format!("{path}?limit={PAGE}&offset={offset}{query}");
            let page: Vec<Match> = self.0.json(Ask::Get, &page, "a list")?.unwrap_or_default();
            let (count, before) = (page.len(), results.len());
            for result in page {
                let Some(uid) = text(&result, tag) else {
                    return Err(self.0.answer("a list", format!("a result without ({},{})", &tag[..4], &tag[4..])));
                };
                if known.insert(uid.to_owned()) {
                    results.push(result);
                }
            }
            // A page that is not full is not the last one everywhere: some servers give fewer than they are asked for.
            if count == 0 || results.len() == before {
                return Ok(results);
            }
            offset += count;
        }
    }
}

impl Archive for DicomWeb<'_> {
    fn series(&self, filter: &Settings) -> Result<Vec<Series>, Error> {
        let mut list = Vec::new();
        for study in self.all("/studies", &[("StudyDate", &filter.dates)], STUDY)? {
            let study = text(&study, STUDY).unwrap_or_default().to_owned();
            let path = format!("/studies/{}/series", encoded(&study));
            // Filtered here too: servers differ in how they treat case and lists of values.
            let fields = [("includefield", DESCRIPTION), ("includefield", COUNT)];
            for series in self.all(&path, &fields, SERIES)? {
                if passes(filter, text(&series, MODALITY), text(&series, DESCRIPTION)) {
                    let count = series.get(COUNT).and_then(|count| count.value.first()?.as_u64());
                    let series = text(&series, SERIES).unwrap_or_default().to_owned();
                    list.push(Series { study: study.clone(), series, id: String::new(), count });
                }
            }
        }
        Ok(list)
    }

    fn instances(&self, series: &Series) -> Result<Vec<Instance>, Error> {
        let path = format!("/studies/{}/series/{}/instances", encoded(&series.study), encoded(&series.series));
        let one = |result: Match| {
            let uid = text(&result, OBJECT).unwrap_or_default().to_owned();
            Instance { uid, id: String::new(), bytes: None, version: String::new() }
        };
        Ok(self.all(&path, &[], OBJECT)?.into_iter().map(one).collect())
    }

    fn load(&self, series: &Series, instance: &Instance, most: u64) -> Result<Loaded, Error> {
        const WHAT: &str = "an instance";
        let Series { study, series, .. } = series;
        let [study, series, object] = [study, series, &instance.uid].map(|uid| encoded(uid));
        let path = format!("/studies/{study}/series/{series}/instances/{object}");
        // The part around the object takes a little more.
        let answer = self.0.ask(Ask::Get, &path, AS_STORED, most + 4096, WHAT)?;
        match answer.status {
            200 if answer.too_large => Ok(Loaded::Refused("too large")),
            200 => match first_part(&answer.kind, answer.body) {
                Some(file) => Ok(Loaded::File(file)),
                None => Err(self.0.answer(WHAT, "no whole part of the kind application/dicom")),
            },
            404 | 410 => Ok(Loaded::Gone),
            status => Err(self.0.status(status, WHAT)),
        }
    }
}
