//! `fetch`: makes the folder of what was received the same as what the server has of what is asked for.
//!
//! Some threads list series after series; others receive their instances. A series is noted when all of its instances are
//! in place, so that a fetch which was killed goes on behind the last complete series, and takes over what else is there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use deepmcat_schemas::jobs;
use deepmcat_schemas::jobs::fetch::{Protocol, Settings};

use crate::archive::{Archive, Instance, Loaded, Series};
use crate::client::{Client, Patience};
use crate::dicomweb::DicomWeb;
use crate::orthanc::Orthanc;
use crate::received::{Counts, Received, Row, Rows, State};
use crate::{Error, uid};

/// Instances that wait for a connection.
const QUEUE: usize = 256;
/// How often a line says how far it is.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A series that is being received.
struct Open {
    series: Series,
    folder: PathBuf,
    rows: Mutex<Rows>,
    left: AtomicUsize,
}

/// What all threads share.
struct Work<'a> {
    archive: &'a dyn Archive,
    received: &'a Received,
    most: u64,
    loaded: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicBool,
    error: Mutex<Option<Error>>,
}

/// Does a job. With `fresh` every instance is received again.
///
/// # Errors
/// When the server cannot be reached or asked, or a file cannot be written. What was received is kept.
pub fn fetch(job: &jobs::Fetch, patience: Patience, fresh: bool) -> Result<Counts, Error> {
    let address = job.fetch.check_server(&job.server)?;
    let protocol = address.protocol;
    let client = Client::new(address, job.inputs.ca.as_deref(), patience)?;
    let path = &job.outputs.received;
    let received = Received::open(path.parent().unwrap_or(Path::new("")))?;
    match protocol {
        Protocol::Orthanc => mirror(&Orthanc(&client), &client, job, &received, patience, fresh),
        Protocol::DicomWeb => mirror(&DicomWeb(&client), &client, job, &received, patience, fresh),
    }
}

fn mirror(
    archive: &dyn Archive,
    client: &Client,
    job: &jobs::Fetch,
    received: &Received,
    patience: Patience,
    fresh: bool,
) -> Result<Counts, Error> {
    let start = Instant::now();
    let Settings { modality, dates, description, .. } = &job.fetch;
    // A larger limit lets in what was refused.
    let filter = format!("{modality:?} {dates:?} {description:?} {}", job.fetch.max_size);
    let state = received.state();
    let server = client.server().to_owned();
    if state.as_ref().is_some_and(|state| state.server != server) {
        return Err(Error::OtherServer { path: job.outputs.received.parent().unwrap_or(Path::new("")).to_owned() });
    }
    let since = state.filter(|state| state.filter == filter && !fresh).and_then(|state| state.seen);
    // What is missing here the server's history does not tell.
    let since = if received.is_whole()? { since } else { None };
    // Before the list: what arrives while it is made is new the next time.
    let now = archive.now()?;
    let changed = since.map(|since| archive.changed(since, &job.fetch)).transpose()?.flatten();
    let before = received.counts()?;
    let (series, all) = match changed {
        Some(changed) => (changed, false),
        None => (archive.series(&job.fetch)?, true),
    };
    if all && series.is_empty() {
        let server = server.clone();
        let instances = before.instances;
        return Err(if instances > 0 { Error::NothingLeft { server, instances } } else { Error::Nothing { server } });
    }
    received.keep_state(&State { server: server.clone(), filter: filter.clone(), seen: None })?;
    let work = Work {
        archive,
        received,
        most: job.fetch.max_size << 20,
        loaded: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        error: Mutex::new(None),
    };
    let removed = work.series(&series, patience.connections as usize, fresh)?;
    let gone = if all { received.retain(&series)? } else { 0 };
    let counts = received.counts()?;
    received.finish(&job.outputs.received, &counts)?;
    received.keep_state(&State { server, filter, seen: now })?;
    let (loaded, seconds) = (work.loaded.into_inner(), start.elapsed().as_secs_f64());
    tracing::info!(
        "{} instances of {} series, {} MB: {loaded} received in {seconds:.1} s{}",
        counts.instances,
        counts.series,
        counts.bytes / 1_000_000,
        if all { "" } else { ", asked for what is new alone" }
    );
    if gone + removed > 0 {
        tracing::info!("{gone} series and {removed} instances are no longer on the server, and were removed here");
    }
    if counts.refused > 0 {
        tracing::warn!(
            "{} instances are larger than fetch.max_size ({} MiB): their files are empty, and rejects of ingest",
            counts.refused,
            job.fetch.max_size
        );
    }
    Ok(counts)
}

impl Work<'_> {
    /// Receives what is missing of these series; gives the number of instances that are gone.
    fn series(&self, series: &[Series], connections: usize, fresh: bool) -> Result<u64, Error> {
        let (sender, queue) = bounded::<(Arc<Open>, Instance)>(QUEUE);
        let (next, removed, said) = (AtomicUsize::new(0), AtomicU64::new(0), Mutex::new(Instant::now()));
        // Lists one series after the other, until there are no more.
        let list = |sender: &Sender<(Arc<Open>, Instance)>| -> Result<(), Error> {
            while let Some(one) = series.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.say(&said, next.load(Ordering::Relaxed), series.len());
                let (open, missing, swept) = self.open(one, fresh)?;
                removed.fetch_add(swept, Ordering::Relaxed);
                for instance in missing {
                    if self.failed.load(Ordering::Relaxed) || sender.send((Arc::clone(&open), instance)).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..connections.max(1) {
                let queue = queue.clone();
                scope.spawn(move || self.receive(&queue));
            }
            // Lists are short questions: half as many askers keep the others busy.
            for _ in 0..connections.div_ceil(2) {
                let (sender, list) = (sender.clone(), &list);
                scope.spawn(move || list(&sender).unwrap_or_else(|error| self.fail(error)));
            }
            // The queue ends with its last sender.
            drop(sender);
        });
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(removed.into_inner()),
        }
    }

    /// A line now and then.
    fn say(&self, said: &Mutex<Instant>, number: usize, of: usize) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            let [loaded, bytes] = [&self.loaded, &self.bytes].map(|count| count.load(Ordering::Relaxed));
            tracing::info!("{number} of {of} series: {loaded} instances, {} MB", bytes / 1_000_000);
        }
    }

    /// The first error ends all.
    fn fail(&self, error: Error) {
        self.failed.store(true, Ordering::Relaxed);
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Lists a series and says which of its instances are missing here.
    fn open(&self, series: &Series, fresh: bool) -> Result<(Arc<Open>, Vec<Instance>, u64), Error> {
        let known = self.received.rows(series);
        let folder = self.received.folder_of(series);
        fs_err::create_dir_all(&folder)?;
        let as_known = |(name, row): (&String, &Row)| {
            row.refused.is_none() && fs_err::metadata(folder.join(name)).is_ok_and(|file| file.len() == row.bytes)
        };
        if !fresh && series.count == Some(known.len() as u64) && known.iter().all(as_known) {
            let swept = self.received.sweep(&folder, &known)?;
            let open = Open { series: series.clone(), folder, rows: Mutex::new(known), left: AtomicUsize::new(0) };
            return Ok((Arc::new(open), Vec::new(), swept));
        }
        let (mut rows, mut missing) = (Rows::new(), Vec::new());
        let mut instances: Vec<(String, Instance)> = self
            .archive
            .instances(series)?
            .into_iter()
            .map(|instance| (format!("{}.dcm", uid::name(&instance.uid)), instance))
            .collect();
        instances.sort_by(|a, b| a.0.cmp(&b.0));
        instances.dedup_by(|a, b| a.0 == b.0);
        for (name, instance) in instances {
            let here = fs_err::metadata(folder.join(&name)).ok().map(|file| file.len());
            let row = Row { bytes: here.unwrap_or_default(), version: instance.version.clone(), refused: None };
            let complete = match known.get(&name) {
                _ if fresh || here.is_none() => false,
                Some(known) => *known == row,
                // Of a fetch that was killed: whole, since a file gets its name last.
                None => here == instance.bytes && row.bytes > 0,
            };
            if !complete {
                missing.push(instance);
            }
            rows.insert(name, row);
        }
        let swept = self.received.sweep(&folder, &rows)?;
        let left = AtomicUsize::new(missing.len());
        let open = Open { series: series.clone(), folder, rows: Mutex::new(rows), left };
        if missing.is_empty() {
            let rows = open.rows.lock().unwrap_or_else(PoisonError::into_inner);
            if *rows != known {
                self.received.keep_rows(series, &rows)?;
            }
        }
        Ok((Arc::new(open), missing, swept))
    }

    /// Receives instances until there are no more, or one of all threads has failed.
    fn receive(&self, queue: &Receiver<(Arc<Open>, Instance)>) {
        for (open, instance) in queue {
            if self.failed.load(Ordering::Relaxed) {
                // The lister may wait for room.
                continue;
            }
            if let Err(error) = self.one(&open, &instance) {
                self.fail(error);
            }
        }
    }

    fn one(&self, open: &Open, instance: &Instance) -> Result<(), Error> {
        let name = format!("{}.dcm", uid::name(&instance.uid));
        let (bytes, refused) = match self.archive.load(&open.series, instance, self.most)? {
            Loaded::File(bytes) => (Some(bytes), None),
            Loaded::Refused(why) => (Some(Vec::new()), Some(why.to_owned())),
            Loaded::Gone => (None, None),
        };
        if let Some(bytes) = &bytes {
            self.received.put(&open.folder, &name, bytes)?;
            self.loaded.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        let mut rows = open.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match (bytes, rows.get_mut(&name)) {
            (Some(bytes), Some(row)) => (row.bytes, row.refused) = (bytes.len() as u64, refused),
            (None, _) => {
                rows.remove(&name);
                let file = open.folder.join(&name);
                if file.exists() {
                    fs_err::remove_file(file)?;
                }
            }
            (Some(_), None) => {}
        }
        if open.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.received.keep_rows(&open.series, &rows)?;
        }
        Ok(())
    }
}
