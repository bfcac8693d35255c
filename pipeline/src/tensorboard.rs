//! Loss and metrics for TensorBoard: `tensorboard/events.out.tfevents.*`, a file for each `deepmcat run` that added some.
//!
//! A file is a sequence of records (length, payload and their masked CRC-32C, all little endian: TensorFlow's
//! `record_writer.h`); a payload is an `Event` message (`event.proto`), of which four fields are needed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use deepmcat_schemas::layout::partition;
use deepmcat_schemas::{Epoch, Table, Training};

use crate::dag::{NodeId, Pass, Stage};
use crate::summary::{Row, read};
use crate::{Error, RunFolder, lock};

/// Writes what nodes that have ended measured.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    file: Option<fs_err::File>,
}

impl TensorBoard {
    /// Of a run folder; a file is there only once there is something to write.
    #[must_use]
    pub fn new(run: &Path) -> Self {
        Self { folder: run.join("tensorboard"), file: None }
    }

    /// Adds the loss of a training node, or the figures `row` of an evaluation.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, run: &RunFolder, node: NodeId, row: Option<&Row>) -> Result<(), Error> {
        match (node.stage, node.pass, row) {
            (Stage::Train, Pass::Epoch(epoch), _) => self.training(run, epoch),
            (Stage::Evaluate, pass, Some(row)) => self.metrics(pass, row),
            _ => Ok(()),
        }
    }

    /// Loss and rate by optimiser step; epochs have the same number of steps.
    fn training(&mut self, run: &RunFolder, epoch: Epoch) -> Result<(), Error> {
        let Some(table) = read::<Training>(&partition(&run.path, "training", epoch))? else { return Ok(()) };
        let before = u64::from(epoch.0) * table.step.len() as u64;
        for row in 0..table.step.len() {
            let step = before + u64::from(table.step[row]);
            let values = [
                ("train/loss", table.loss[row]),
                ("train/learning_rate", table.learning_rate[row]),
                ("train/images_per_second", table.images_per_second[row]),
            ];
            self.scalars(step, &values)?;
        }
        Ok(())
    }

    /// Metrics by epoch; those of the baselines under names of their own.
    fn metrics(&mut self, pass: Pass, row: &Row) -> Result<(), Error> {
        let (group, step) = match pass {
            Pass::Epoch(epoch) => ("clusters", epoch.0),
            Pass::Encoder => ("encoder", 0),
            _ => ("raw_pixels", 0),
        };
        let figures = row.metrics.json(0);
        let named =
            figures.iter().filter_map(|(name, value)| Some((format!("{group}/{name}"), value.as_f64()? as f32)));
        let named: Vec<(String, f32)> = named.collect();
        let named: Vec<(&str, f32)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        self.scalars(step.into(), &named)
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f32)]) -> Result<(), Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                fs_err::create_dir_all(&self.folder)?;
                let name = format!("events.out.tfevents.{}.{}", now.as_micros(), lock::host());
                let mut file = fs_err::File::create_new(self.folder.join(name))?;
                // Event.file_version = 3; what came in another file at a later step was of a run before this one.
                file.write_all(&record(&message(now.as_secs_f64(), 0, &[field(3, b"brain.Event:2")])))?;
                none.insert(file)
            }
        };
        // Event.summary = 5, Summary.value = 1, Value.tag = 1, Value.simple_value = 2 (a float: wire type 5).
        let summary: Vec<u8> = values
            .iter()
            .flat_map(|(tag, value)| {
                let value = [&[2 << 3 | 5][..], &value.to_le_bytes()].concat();
                field(1, &[field(1, tag.as_bytes()), value].concat())
            })
            .collect();
        Ok(file.write_all(&record(&message(now.as_secs_f64(), step, &[field(5, &summary)])))?)
    }
}

/// An `Event`: wall_time = 1 (a double: wire type 1), step = 2, and the given fields.
fn message(wall_time: f64, step: u64, fields: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![1 << 3 | 1];
    message.extend(wall_time.to_le_bytes());
    message.push(2 << 3);
    message.extend(varint(step));
    message.extend(fields.concat());
    message
}

/// A field of bytes: its number with wire type 2, its length, its bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), payload, &masked(payload)].concat()
}

/// CRC-32C, turned and shifted, so that a checksum of data that holds checksums stays one.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
