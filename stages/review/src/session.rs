//! Decisions of this page: taken from it, kept in the log, taken back and done again, and what they come to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use deepmcat_decisions::{
    Agreement, Decision, Log, MIXED, Naming, Operation, Target, UNSURE, agreement, mark, write_names,
};
use deepmcat_schemas::ClusterId;
use serde::Deserialize;

use crate::data::Data;
use crate::error::Refusal;

/// Characters of an author at most.
const LONGEST_AUTHOR: usize = 100;
/// Seconds between two decisions from which on somebody had left.
const PAUSE: f64 = 300.0;
/// Seconds that a cluster takes, before anything was measured.
const FIRST_GUESS: f64 = 5.0;
/// Disagreements of two authors that are listed.
const DIFFERENT: usize = 200;
/// Decisions by which the pace is measured.
const MEASURED: usize = 30;

/// A decision that the page asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The last decision that the page was told of.
    pub(crate) after: u64,
    /// Who decides.
    author: Option<String>,
    #[serde(rename = "do")]
    action: Action,
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Action {
    /// A name for clusters.
    Name { clusters: Vec<u32>, name: String },
    /// A name for images.
    Images { images: Vec<u32>, name: String },
    /// A name for the images of a part of a cluster, as the server split it.
    Part { cluster: u32, parts: usize, part: usize, name: String },
    /// A mark in the place of a cluster's name.
    Mark { cluster: u32, mark: Mark },
    /// The last decision is taken back.
    Undo {},
    /// What was taken back last is decided again.
    Redo {},
}

/// What is said of a cluster that gets no name.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mark {
    Mixed,
    Unsure,
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// In a line.
    pub(crate) said: String,
    /// Of what was taken back or done again: the cluster that it was about.
    pub(crate) at: Option<u32>,
}

/// The log, and what this program did with it.
#[derive(Debug)]
pub(crate) struct Session {
    data: Arc<Data>,
    log: Log,
    author: String,
    /// What was taken back, the last last.
    undone: Vec<Vec<Naming>>,
    /// The last decision of this program; others' end what can be done again.
    own: u64,
    /// The first decision of each press here; of others the time has to tell, which two presses may share.
    firsts: HashSet<u64>,
    /// What this result's numbers mean was kept.
    kept: bool,
    /// The table of names is older than the log.
    pub(crate) behind: bool,
}

/// Refuses what cannot be an author, with the reason.
pub(crate) fn check_author(author: &str) -> Result<(), &'static str> {
    match author {
        author if author.trim().is_empty() => Err("it is empty"),
        author if author.chars().any(char::is_control) => Err("it holds a line break or another control character"),
        author if author.chars().count() > LONGEST_AUTHOR => Err("it is too long"),
        _ => Ok(()),
    }
}

impl Session {
    /// Of a result and what was decided of it, for an author.
    pub(crate) fn new(data: Arc<Data>, log: Log, author: String) -> Self {
        let own = log.last();
        Self { data, log, author, undone: Vec::new(), own, firsts: HashSet::new(), kept: false, behind: false }
    }

    /// Reads what others have decided, and returns the number of the last decision.
    ///
    /// # Errors
    /// When the log is damaged.
    pub(crate) fn refresh(&mut self) -> Result<u64, Refusal> {
        self.log.refresh()?;
        if self.log.last() != self.own {
            self.undone.clear();
            self.own = self.log.last();
        }
        Ok(self.own)
    }

    /// Does what the page asks for; returns a line that says what was done, once that is on the disk.
    ///
    /// # Errors
    /// When the page has not seen the last decision, what it asks for is not there or cannot be, or the log cannot be written.
    pub(crate) fn decide(&mut self, request: Request, part: Option<Vec<u32>>) -> Result<Done, Refusal> {
        let author = request.author.unwrap_or_else(|| self.author.clone());
        check_author(&author).map_err(|reason| Refusal::Bad(format!("the author cannot be `{author}`: {reason}")))?;
        self.refresh()?;
        let after = Some(request.after);
        if request.after != self.own {
            return Err(Refusal::Stale { last: self.own });
        }
        let (namings, said) = match request.action {
            Action::Undo {} => return self.undo(request.after, &author),
            Action::Redo {} => {
                let namings =
                    self.undone.last().cloned().ok_or_else(|| Refusal::Bad("nothing was taken back".to_owned()))?;
                let done = Done { said: format!("Again: {}", told(&namings)), at: self.cluster_of(&namings) };
                self.name(after, &author, &namings)?;
                self.undone.pop();
                return Ok(done);
            }
            Action::Name { clusters, name } => {
                let namings =
                    clusters.iter().map(|&number| self.cluster(number, &name)).collect::<Result<Vec<_>, _>>()?;
                let said = told(&namings);
                (namings, said)
            }
            Action::Images { images, name } => self.images(&images, &name)?,
            Action::Part { name, .. } => self.images(&part.unwrap_or_default(), &name)?,
            Action::Mark { cluster, mark } => {
                let name = match mark {
                    Mark::Mixed => MIXED,
                    Mark::Unsure => UNSURE,
                };
                let naming = self.cluster(cluster, name)?;
                let said = told(std::slice::from_ref(&naming));
                (vec![naming], said)
            }
        };
        if namings.is_empty() {
            return Err(Refusal::Bad("nothing was chosen".to_owned()));
        }
        if !self.name(after, &author, &namings)? {
            return Ok(Done { said: format!("{said} already"), at: None });
        }
        self.undone.clear();
        Ok(Done { said, at: None })
    }

    fn cluster(&self, number: u32, name: &str) -> Result<Naming, Refusal> {
        self.data.place(number).ok_or(Refusal::Absent("cluster"))?;
        let target = self.data.result.cluster(ClusterId(number));
        Ok(Naming { target, category: name.to_owned(), overlap: None })
    }

    fn images(&self, images: &[u32], name: &str) -> Result<(Vec<Naming>, String), Refusal> {
        if mark(name).is_some() {
            return Err(Refusal::Bad("only a cluster can be mixed or unsure".to_owned()));
        }
        let naming = |&image: &u32| {
            let key = self.data.key(image).ok_or(Refusal::Absent("image"))?;
            Ok(Naming { target: Target::Image { image: key.clone() }, category: name.to_owned(), overlap: None })
        };
        let namings = images.iter().map(naming).collect::<Result<Vec<_>, Refusal>>()?;
        let said = told(&namings);
        Ok((namings, said))
    }

    /// Gives names; false where all were there already.
    fn name(&mut self, after: Option<u64>, author: &str, namings: &[Naming]) -> Result<bool, Refusal> {
        if !self.kept {
            self.data.result.keep_members()?;
            self.kept = true;
        }
        let given = self.log.name_after(after, author, namings)?.first().map(|first| first.number);
        self.own = self.log.last();
        self.behind |= given.is_some();
        self.firsts.extend(given);
        Ok(given.is_some())
    }

    fn undo(&mut self, after: u64, author: &str) -> Result<Done, Refusal> {
        let namings: Vec<Naming> = self.last_in_force().into_iter().map(naming).collect();
        if namings.is_empty() {
            return Err(Refusal::Bad("there is nothing to take back".to_owned()));
        }
        self.log.undo_after(Some(after), author, namings.len())?;
        self.own = self.log.last();
        self.behind = true;
        let done = Done { said: format!("Taken back: {}", told(&namings)), at: self.cluster_of(&namings) };
        self.undone.push(namings);
        Ok(done)
    }

    /// The cluster that names are about, or that of their first image; none of another result.
    fn cluster_of(&self, namings: &[Naming]) -> Option<u32> {
        let place = match &namings.first()?.target {
            Target::Cluster { cluster, result } if *result == self.data.result.id => self.data.place(cluster.0)?,
            Target::Cluster { .. } => return None,
            Target::Image { image } => self.data.place_of_image(self.data.result.image(image)?.0)?,
        };
        Some(self.data.clusters[place].number.0)
    }

    /// The last decisions in force that were made at once, in order: one press of a key is taken back by one.
    fn last_in_force(&self) -> Vec<&Decision> {
        let decisions = self.log.decisions();
        let undone: HashSet<u64> = decisions.iter().filter_map(|decision| decision.undoes).collect();
        let in_force =
            |decision: &&Decision| decision.operation != Operation::Undo && !undone.contains(&decision.number);
        let mut last: Vec<&Decision> = Vec::new();
        for decision in decisions.iter().rev().filter(in_force) {
            let together = |before: &&Decision| {
                before.number == decision.number + 1 && before.time == decision.time && before.author == decision.author
            };
            if !last.last().is_none_or(together) {
                break;
            }
            last.push(decision);
            if self.firsts.contains(&decision.number) {
                break;
            }
        }
        last.reverse();
        last
    }

    /// Makes the table of names anew, if it is behind.
    ///
    /// # Errors
    /// When it cannot be written; it is then still behind.
    pub(crate) fn write_names(&mut self) -> Result<(), deepmcat_decisions::Error> {
        if self.behind {
            self.log.refresh()?;
            write_names(&self.log, &self.data.result)?;
            self.behind = false;
        }
        Ok(())
    }

    /// The names that images of a page have themselves.
    pub(crate) fn names_of(&self, images: &[u32]) -> Vec<Option<&str>> {
        let name = |&image: &u32| {
            let key = self.data.key(image)?;
            self.log.category(&Target::Image { image: key.clone() })
        };
        images.iter().map(name).collect()
    }

    /// How far the authors agree; an image is shown by its number.
    pub(crate) fn agreement(&self) -> serde_json::Value {
        let different = |(target, names): &(Target, [String; 2])| match target {
            Target::Cluster { cluster, .. } => serde_json::json!({"cluster": cluster.0, "image": null, "names": names}),
            Target::Image { image } => {
                let image = self.data.result.image(image);
                let place = image.and_then(|image| self.data.place_of_image(image.0));
                let cluster = place.map(|place| self.data.clusters[place].number.0);
                serde_json::json!({"cluster": cluster, "image": image.map(|image| image.0), "names": names})
            }
        };
        let pair = |pair: &Agreement| {
            serde_json::json!({
                "authors": pair.authors, "both": pair.both, "same": pair.same, "kappa": pair.kappa,
                "different": pair.different.iter().take(DIFFERENT).map(different).collect::<Vec<_>>(),
                "count": pair.different.len(),
            })
        };
        agreement(&self.log, &self.data.result.id).iter().map(pair).collect()
    }

    /// What all decisions come to.
    pub(crate) fn state(&self) -> serde_json::Value {
        let clusters = &self.data.clusters;
        let mut names: Vec<Option<&Decision>> = vec![None; clusters.len()];
        let mut own: HashMap<usize, usize> = HashMap::new();
        let mut images: Vec<(usize, &str)> = Vec::new();
        for (target, decision) in self.log.in_force() {
            let Some(category) = decision.category.as_deref() else { continue };
            match target {
                Target::Cluster { cluster, result } if *result == self.data.result.id => {
                    if let Some(place) = self.data.place(cluster.0) {
                        names[place] = Some(decision);
                    }
                }
                Target::Cluster { .. } => {}
                Target::Image { image } => {
                    let image = self.data.result.image(image);
                    if let Some(place) = image.and_then(|image| self.data.place_of_image(image.0)) {
                        *own.entry(place).or_default() += 1;
                        images.push((place, category));
                    }
                }
            }
        }
        let name = |place: usize| {
            let category = names[place].and_then(|decision| decision.category.as_deref());
            category.filter(|category| mark(category).is_none())
        };
        let mut categories = Counts::default();
        let mut covered = images.len();
        for (place, cluster) in clusters.iter().enumerate() {
            if let Some(name) = name(place) {
                let free =
                    cluster.members.len() - own.get(&place).copied().unwrap_or_default().min(cluster.members.len());
                covered += free;
                categories.add(name, 1, free);
            }
        }
        for (_, name) in &images {
            categories.add(name, 0, 1);
        }
        let told = |place: usize| {
            let decision = names[place];
            let category = decision.and_then(|decision| decision.category.as_deref());
            serde_json::json!({
                "name": name(place),
                "mark": category.and_then(mark),
                "author": decision.map(|decision| &decision.author),
                "carried": decision.and_then(|decision| decision.overlap),
                "own": own.get(&place).copied().unwrap_or_default(),
            })
        };
        let open = (0..clusters.len()).filter(|&place| names[place].is_none()).count();
        let last = self.last_in_force().into_iter().map(naming).collect::<Vec<_>>();
        serde_json::json!({
            "last": self.log.last(),
            "author": self.author,
            "clusters": (0..clusters.len()).map(told).collect::<Vec<_>>(),
            "categories": categories.in_order(self.log.decisions()),
            "named": (0..clusters.len()).filter(|&place| name(place).is_some()).count(),
            "covered": covered,
            "open": open,
            "minutes": open as f64 * self.seconds_a_cluster() / 60.0,
            "undo": (!last.is_empty()).then(|| self::told(&last)),
            "redo": self.undone.last().map(|namings| self::told(namings)),
        })
    }

    /// The median time from one decision to the next, pauses left out.
    fn seconds_a_cluster(&self) -> f64 {
        let times = self.log.decisions().iter().rev().map(|decision| decision.time).take(50 * MEASURED);
        let mut times: Vec<f64> = times.collect();
        times.dedup();
        let gaps = times.windows(2).map(|pair| pair[0] - pair[1]).filter(|gap| (0.0..PAUSE).contains(gap));
        let mut gaps: Vec<f64> = gaps.take(MEASURED).collect();
        gaps.sort_by(f64::total_cmp);
        if gaps.len() < 5 { FIRST_GUESS } else { gaps[gaps.len() / 2] }
    }
}

/// Categories with their clusters and images.
#[derive(Debug, Default)]
struct Counts<'n>(HashMap<&'n str, (usize, usize)>);

impl<'n> Counts<'n> {
    fn add(&mut self, name: &'n str, clusters: usize, images: usize) {
        let counts = self.0.entry(name).or_default();
        counts.0 += clusters;
        counts.1 += images;
    }

    /// In the order in which they were first given, so that a digit keeps its category.
    fn in_order(&mut self, decisions: &[Decision]) -> Vec<serde_json::Value> {
        let mut rows = Vec::new();
        for decision in decisions {
            let category = decision.category.as_deref();
            if let Some((name, (clusters, images))) = category.and_then(|name| self.0.remove_entry(name)) {
                rows.push(serde_json::json!({"name": name, "clusters": clusters, "images": images}));
            }
        }
        rows
    }
}

/// What a decision gave, to be given again.
fn naming(decision: &Decision) -> Naming {
    Naming {
        target: decision.target.clone(),
        category: decision.category.clone().unwrap_or_default(),
        overlap: decision.overlap,
    }
}

/// Names that are given at once, in a line.
fn told(namings: &[Naming]) -> String {
    let what = match namings {
        [] => return "nothing".to_owned(),
        [Naming { target: Target::Cluster { cluster, .. }, .. }] => format!("cluster {cluster} is"),
        [_] => "1 image is".to_owned(),
        [Naming { target: Target::Cluster { .. }, .. }, ..] => format!("{} clusters are", namings.len()),
        _ => format!("{} images are", namings.len()),
    };
    let same = namings.iter().all(|naming| naming.category == namings[0].category);
    match mark(&namings[0].category) {
        _ if !same => format!("{what} named"),
        Some(mark) => format!("{what} {mark}"),
        None => format!("{what} “{}”", namings[0].category),
    }
}

impl Request {
    /// The part of a cluster that is asked for, if one is: cluster, parts, part.
    pub(crate) fn part(&self) -> Option<(u32, usize, usize)> {
        match self.action {
            Action::Part { cluster, parts, part, .. } => Some((cluster, parts, part)),
            _ => None,
        }
    }
}
