//! Orthanc's REST API: lists by `/tools/find`, files by `/instances/ID/file`, what is new by `/changes`.
//!
//! Whole files are received, not headers first. Orthanc 1.10 makes headers (`/instances-tags`, `/metadata` of DICOMweb) at some 400
//! instances a second and 40 to 90 KB each, whole files at some 4000 a second: see docs/guide/pacs.md.

use std::collections::BTreeSet;

use deepmcat_schemas::jobs::fetch::Settings;
use serde::Deserialize;
use serde_json::json;

use crate::Error;
use crate::archive::{Archive, Instance, Loaded, Seen, Series, passes};
use crate::client::{Ask, Client};

/// Series a page: Orthanc 1.10 searches from the start for every page, and each series brings the list of its instances.
const PAGE: usize = 500;
/// Changes a page.
const CHANGES: usize = 1000;
/// With more new instances than that a list of all series is as fast.
const MANY: usize = 20_000;

/// An Orthanc server.
#[derive(Debug)]
pub struct Orthanc<'a>(pub &'a Client);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Resource {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(default)]
    pub main_dicom_tags: Tags,
    #[serde(default)]
    pub parent_study: String,
    #[serde(default)]
    pub parent_series: String,
    #[serde(default)]
    file_size: Option<u64>,
    #[serde(default)]
    file_uuid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tags {
    #[serde(rename = "StudyInstanceUID")]
    study: String,
    #[serde(rename = "SeriesInstanceUID")]
    pub series: String,
    #[serde(rename = "SOPInstanceUID")]
    object: String,
    modality: Option<String>,
    series_description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Changes {
    changes: Vec<Change>,
    done: bool,
    last: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    change_type: String,
    #[serde(rename = "ID")]
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statistics {
    count_instances: u64,
}

impl Orthanc<'_> {
    /// The resources of a level that fit, page by page.
    pub(crate) fn find(&self, level: &str, query: &serde_json::Value) -> Result<Vec<Resource>, Error> {
        let (mut all, mut known) = (Vec::new(), BTreeSet::new());
        loop {
            let body = json!({"Level": level, "Query": query, "Expand": true, "CaseSensitive": false, "Limit": PAGE,
                "Since": all.len()});
            let body = body.to_string();
            let page: Vec<Resource> = self.must(Ask::Find(body.as_bytes()), "/tools/find", "a list")?;
            let (before, whole) = (all.len(), page.len() >= PAGE);
            for resource in page {
                self.check(&resource.id, "a list")?;
                // A server that gives the same page again would be listed for ever.
                if known.insert(resource.id.clone()) {
                    all.push(resource);
                }
            }
            if !whole || all.len() == before {
                return Ok(all);
            }
        }
    }

    fn must<T: serde::de::DeserializeOwned>(&self, ask: Ask<'_>, path: &str, what: &str) -> Result<T, Error> {
        self.0.json(ask, path, what)?.ok_or_else(|| self.0.status(404, what))
    }

    /// Orthanc's names of resources are hashes: what is none is not put into an address.
    fn check(&self, id: &str, what: &str) -> Result<(), Error> {
        let hash = id.len() == 44 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if hash { Ok(()) } else { Err(self.0.answer(what, "an ID that Orthanc does not make")) }
    }

    fn series_with(&self, filter: &Settings, uid: Option<&str>) -> Result<Vec<Series>, Error> {
        let mut query = serde_json::Map::new();
        let mut ask = |tag: &str, value: String| {
            if !value.is_empty() {
                query.insert(tag.to_owned(), value.into());
            }
        };
        ask("Modality", filter.modality.join("\\"));
        ask("StudyDate", filter.dates.clone());
        ask("SeriesDescription", filter.description.clone());
        ask("SeriesInstanceUID", uid.unwrap_or_default().to_owned());
        let found = self.find("Series", &query.into())?;
        let mut list = Vec::new();
        let mut studies = std::collections::BTreeMap::new();
        for Resource { id, main_dicom_tags: tags, parent_study, .. } in found {
            if !passes(filter, tags.modality.as_deref(), tags.series_description.as_deref()) {
                continue;
            }
            if !studies.contains_key(&parent_study) {
                self.check(&parent_study, "a list")?;
                let study: Option<Resource> = self.0.json(Ask::Get, &format!("/studies/{parent_study}"), "a study")?;
                // Gone since: so are its series.
                let Some(study) = study else { continue };
                studies.insert(parent_study.clone(), study.main_dicom_tags.study);
            }
            list.push(Series { study: studies[&parent_study].clone(), series: tags.series, id, count: None });
        }
        Ok(list)
    }
}

impl Archive for Orthanc<'_> {
    fn series(&self, filter: &Settings) -> Result<Vec<Series>, Error> {
        self.series_with(filter, None)
    }

    fn instances(&self, series: &Series) -> Result<Vec<Instance>, Error> {
        let what = "the instances of a series";
        let list: Option<Vec<Resource>> = self.0.json(Ask::Get, &format!("/series/{}/instances", series.id), what)?;
        let mut instances = Vec::new();
        for Resource { id, main_dicom_tags: tags, file_size, file_uuid, .. } in list.unwrap_or_default() {
            self.check(&id, what)?;
            instances.push(Instance { uid: tags.object, id, bytes: file_size, version: file_uuid });
        }
        Ok(instances)
    }

    fn load(&self, _: &Series, instance: &Instance, most: u64) -> Result<Loaded, Error> {
        const WHAT: &str = "an instance";
        if instance.bytes.is_some_and(|bytes| bytes > most) {
            return Ok(Loaded::Refused("too large"));
        }
        let answer =
            self.0.ask(Ask::Get, &format!("/instances/{}/file", instance.id), "application/dicom", most, WHAT)?;
        match answer.status {
            200 if answer.too_large => Ok(Loaded::Refused("too large")),
            // Compressed storage says the length of what is stored, and both are whole.
            200 => Ok(Loaded::File(answer.body)),
            404 => Ok(Loaded::Gone),
            status => Err(self.0.status(status, WHAT)),
        }
    }

    fn now(&self) -> Result<Option<Seen>, Error> {
        let what = "its history";
        let Changes { last, .. } = self.must(Ask::Get, "/changes?last", what)?;
        let Statistics { count_instances } = self.must(Ask::Get, "/statistics", what)?;
        Ok(Some(Seen { change: last, instances: count_instances }))
    }

    fn changed(&self, since: Seen, filter: &Settings) -> Result<Option<Vec<Series>>, Error> {
        let what = "its history";
        let (mut new, mut at) = (BTreeSet::new(), since.change);
        loop {
            let page: Changes = self.must(Ask::Get, &format!("/changes?since={at}&limit={CHANGES}"), what)?;
            let arrived = page.changes.into_iter().filter(|change| change.change_type == "NewInstance");
            new.extend(arrived.map(|change| change.id));
            if new.len() > MANY || (!page.done && page.last <= at) {
                return Ok(None);
            }
            at = page.last;
            if page.done {
                break;
            }
        }
        // Orthanc does not log what is removed, and logs what is stored again as new: the count tells.
        let Statistics { count_instances } = self.must(Ask::Get, "/statistics", what)?;
        if since.instances + new.len() as u64 != count_instances {
            return Ok(None);
        }
        let mut parents = BTreeSet::new();
        for id in new {
            self.check(&id, what)?;
            let instance: Option<Resource> = self.0.json(Ask::Get, &format!("/instances/{id}"), what)?;
            parents.extend(instance.map(|instance| instance.parent_series));
        }
        let mut all = Vec::new();
        for id in parents {
            self.check(&id, what)?;
            let series: Option<Resource> = self.0.json(Ask::Get, &format!("/series/{id}"), what)?;
            if let Some(uid) = series.map(|series| series.main_dicom_tags.series) {
                all.extend(self.series_with(filter, Some(&uid))?.into_iter().filter(|series| series.id == id));
            }
        }
        Ok(Some(all))
    }
}
