//! Batches of images, prepared by a thread of its own ahead of the network.
//!
//! The views of a batch are rendered in parallel (rayon) while the network works on the batch before; a bounded
//! channel keeps at most `AHEAD` batches waiting. A view depends on its item alone, so no batch depends on timing. Where
//! the network is on a card, batches are on their way there before it asks for them.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::{Error, vgg};
use deepmcat_pixels::{Images, View};

/// Batches that may wait for the network.
const AHEAD: usize = 2;

/// One image of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Its row in [`Images`].
    pub row: usize,
    /// What its random draws are numbered by.
    pub draw: u32,
}

/// Images ready for the network.
#[derive(Debug)]
pub struct Batch {
    /// Place of the first item in the order that was asked for.
    pub start: usize,
    /// Number of images, b.
    pub count: usize,
    /// `[b, 1, side, side]`, channels-last, on the device.
    pub pixels: Tensor,
}

/// The batches of an order, as an iterator.
#[derive(Debug)]
pub struct Batches {
    receiver: Option<Receiver<Result<Batch, Error>>>,
    producer: Option<JoinHandle<()>>,
    left: usize,
}

impl Batches {
    /// Starts to prepare `items` for `device` in their order, `size` a batch (the last may be smaller), `side` pixels
    /// square.
    #[must_use]
    pub fn start(
        images: Arc<Images>,
        items: Vec<Item>,
        view: View,
        (size, side): (usize, usize),
        device: Device,
    ) -> Self {
        let size = size.max(1);
        let left = items.len().div_ceil(size);
        let (sender, receiver) = crossbeam_channel::bounded(AHEAD);
        let producer = std::thread::spawn(move || {
            for (number, items) in items.chunks(size).enumerate() {
                let batch = prepare(&images, items, &view, side)
                    .and_then(|pixels| vgg::images(&pixels, items.len(), side, device));
                let batch = batch.map(|pixels| Batch { start: number * size, count: items.len(), pixels });
                let failed = batch.is_err();
                // The receiver is gone when the network has failed.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Self { receiver: Some(receiver), producer: Some(producer), left }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let batch = self.receiver.as_ref()?.recv().unwrap_or(Err(Error::Producer));
        if batch.is_err() {
            self.left = 0;
        }
        Some(batch)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        // A producer that waits for room ends when the channel closes.
        self.receiver = None;
        if let Some(producer) = self.producer.take() {
            drop(producer.join());
        }
    }
}

/// Renders the views of one batch.
fn prepare(images: &Images, items: &[Item], view: &View, side: usize) -> Result<Vec<f32>, Error> {
    let mut pixels = vec![0.0; items.len() * side * side];
    pixels.par_chunks_exact_mut(side * side).zip(items).try_for_each(|(target, item)| {
        view.render(&images.pixels(item.row)?, images.side(), item.draw, side, target);
        Ok::<(), Error>(())
    })?;
    Ok(pixels)
}
