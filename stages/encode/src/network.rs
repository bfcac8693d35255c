//! Features of an ONNX network, by ONNX Runtime.
//!
//! Every thread has a session with one thread of its own and encodes small batches: threads wait for no other, and a
//! feature does not depend on their number.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use deepmcat_pixels::Images;
use deepmcat_pixels::augment::z_score;
use deepmcat_schemas::jobs::encode::{Encoder, Pooling};
use deepmcat_schemas::{ImageId, features};
use deepmcat_stage::Progress;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use rayon::prelude::*;

use crate::Error;
use crate::partial::Partial;

/// Images that one thread encodes at once.
pub(crate) const BATCH: usize = 16;
/// Images after which what there is is kept on the disk: whole batches, so that a program that goes on encodes the same ones.
const KEPT: usize = 64 * BATCH;

/// Encodes the images at `paths` of a data set that `partial` does not have yet, in their order; returns d.
///
/// # Errors
/// When ONNX Runtime is not there, the network does not fit the settings, an image cannot be read, a feature is no number,
/// or the disk is full.
pub(crate) fn encode(
    (model, bytes): (&Path, &[u8]),
    how: &Encoder,
    dataset: &Path,
    (ids, paths): (&[ImageId], &[String]),
    partial: &mut Partial,
) -> Result<usize, Error> {
    let wrong = |reason: String| Error::Network { path: model.to_owned(), reason };
    let environment = environment()?;
    let load = || Network::new(&environment, bytes, how).map_err(wrong);
    // Each thread loads a network of its own when it has something to encode.
    let networks: Vec<Mutex<Option<Network>>> = (0..rayon::current_num_threads()).map(|_| Mutex::new(None)).collect();
    let progress = Progress::new(paths.len() as u64, "images encoded");
    progress.inc(partial.rows as u64);
    let of_batch = |paths: &[String]| {
        let images = Images::open(dataset, paths, how.side as usize)?;
        let thread = rayon::current_thread_index().unwrap_or_default() % networks.len();
        let mut network = networks[thread].lock().unwrap_or_else(PoisonError::into_inner);
        let network = match &mut *network {
            Some(network) => network,
            none => none.insert(load()?),
        };
        let found = network.features(&images, how)?;
        progress.inc(paths.len() as u64);
        found.map_err(wrong)
    };
    for first in (partial.rows..paths.len()).step_by(KEPT) {
        let some = &paths[first..paths.len().min(first + KEPT)];
        let mut values = some.par_chunks(BATCH).map(of_batch).collect::<Result<Vec<Vec<f32>>, Error>>()?.concat();
        let dimensions = values.len() / some.len();
        features::normalise(&mut values, dimensions).map_err(|row| Error::NonFinite { image: ids[first + row] })?;
        partial.append(&values, dimensions)?;
    }
    progress.finish();
    // A part without images has the width of the others.
    if paths.is_empty() { load()?.dimensions(how).map_err(wrong) } else { Ok(partial.dimensions) }
}

/// The file of a network.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(model: &Path) -> Result<Vec<u8>, Error> {
    let reason =
        "it cannot be read\nhint: make setup fetches the built-in encoder; of another, give the path".to_owned();
    fs_err::read(model).map_err(|_| Error::Network { path: model.to_owned(), reason })
}

/// ONNX Runtime: the library that ORT_DYLIB_PATH names, or the one that the set-up fetched.
fn environment() -> Result<Environment, Error> {
    let path = deepmcat_config::onnx_runtime();
    let missing = |reason: String| Error::NoRuntime { path: path.clone(), reason: first_line(&reason) };
    if !path.is_file() {
        return Err(missing("there is no such file".to_owned()));
    }
    let builder = ort::init_from(&path).map_err(|error| missing(error.to_string()))?;
    builder.with_telemetry(false).build().map_err(|error| missing(error.to_string()))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// A network that one thread runs.
struct Network {
    session: Session,
    input: String,
    output: String,
    /// Images that it takes at once, where it takes one number alone.
    fixed: Option<usize>,
}

impl Network {
    /// Loads a network and checks what it takes: `[n, channels, side, side]`.
    fn new(environment: &Environment, bytes: &[u8], how: &Encoder) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| {
            let said = first_line(&error.to_string());
            format!("ONNX Runtime cannot load it: {said}\nhint: it has to be an ONNX network without custom operators")
        };
        let mut builder = Session::builder(environment)
            .and_then(|builder| Ok(builder.with_intra_threads(1)?))
            .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
            .map_err(|error| failed(&error))?;
        let session = builder.commit_from_memory(bytes).map_err(|error| failed(&error))?;
        let [input] = session.inputs() else {
            let count = session.inputs().len();
            return Err(format!("it takes {count} inputs\nhint: export it with the image as its only input"));
        };
        let shape: Vec<i64> = input.dtype().tensor_shape().map(|shape| shape.to_vec()).unwrap_or_default();
        let side = i64::from(how.side);
        let wanted = [-1, i64::from(how.channels), side, side];
        let fits = shape.len() == 4 && shape.iter().zip(wanted).skip(1).all(|(&has, wants)| has < 0 || has == wants);
        if !fits {
            return Err(format!(
                "its input is of shape {shape:?} (-1: any), the settings give [n, {}, {side}, {side}]\nhint: set encoder.channels and encoder.side",
                how.channels
            ));
        }
        let names: Vec<String> = session.outputs().iter().map(|output| output.name().to_owned()).collect();
        let output = match names.first() {
            Some(first) if how.output.is_empty() => first.clone(),
            _ if names.contains(&how.output) => how.output.clone(),
            _ => {
                let names = names.join(", ");
                return Err(format!("it has no output `{}`\nhint: encoder.output is one of {names}", how.output));
            }
        };
        let (input, fixed) = (input.name().to_owned(), usize::try_from(shape[0]).ok().filter(|&count| count > 0));
        Ok(Self { session, input, output, fixed })
    }

    /// Features `[n * d]` of images.
    fn features(&mut self, images: &Images, how: &Encoder) -> Result<Result<Vec<f32>, String>, Error> {
        let size = how.side as usize * how.side as usize * how.channels as usize;
        let mut features = Vec::new();
        let each = self.fixed.unwrap_or(images.len());
        for first in (0..images.len()).step_by(each) {
            let count = each.min(images.len() - first);
            // A last batch of a network that takes one number alone is filled up with black.
            let mut pixels = vec![0.0; each * size];
            for (row, target) in (first..first + count).zip(pixels.chunks_exact_mut(size)) {
                fill(&images.pixels(row)?, how, target);
            }
            match self.run(&pixels, each, how) {
                Ok(found) => features.extend_from_slice(&found[..found.len() / each * count]),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(features))
    }

    /// d, of a black image.
    fn dimensions(&mut self, how: &Encoder) -> Result<usize, String> {
        let count = self.fixed.unwrap_or(1);
        let pixels = vec![0.0; count * how.side as usize * how.side as usize * how.channels as usize];
        Ok(self.run(&pixels, count, how)?.len() / count)
    }

    fn run(&mut self, pixels: &[f32], count: usize, how: &Encoder) -> Result<Vec<f32>, String> {
        let failed = |error: ort::Error| format!("ONNX Runtime fails: {}", first_line(&error.to_string()));
        let side = how.side as usize;
        let shape = [count, how.channels as usize, side, side];
        let tensor = TensorRef::from_array_view((shape, pixels)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![self.input.as_str() => tensor]).map_err(failed)?;
        let (shape, values) = outputs[self.output.as_str()].try_extract_tensor::<f32>().map_err(failed)?;
        pooled(shape, values, count, how.pooling)
    }
}

/// An image as the network takes it: `[channels, side, side]`.
fn fill(pixels: &[u8], how: &Encoder, target: &mut [f32]) {
    let (first, others) = target.split_at_mut(pixels.len());
    first.iter_mut().zip(pixels).for_each(|(value, &pixel)| *value = f32::from(pixel) / 255.0);
    if how.mean.is_empty() {
        z_score(first);
    }
    others.chunks_exact_mut(pixels.len()).for_each(|channel| channel.copy_from_slice(first));
    // Of no channel where there is no mean.
    for (channel, (mean, deviation)) in target.chunks_exact_mut(pixels.len()).zip(how.mean.iter().zip(&how.deviation)) {
        channel.iter_mut().for_each(|value| *value = ((f64::from(*value) - mean) / deviation) as f32);
    }
}

/// One vector an image `[n * d]` of an output `[n, d]`, `[n, t, d]` (tokens) or `[n, d, h, w]` (a map).
fn pooled(shape: &[i64], values: &[f32], images: usize, pooling: Pooling) -> Result<Vec<f32>, String> {
    let sizes: Vec<usize> = shape.iter().map(|&size| usize::try_from(size).unwrap_or_default()).collect();
    let mean = |values: &mut dyn Iterator<Item = f32>, count: usize| {
        (values.map(f64::from).sum::<f64>() / count as f64) as f32
    };
    match (&sizes[..], pooling) {
        ([n, ..], _) if *n != images || values.is_empty() => Err(format!("it gives {n} vectors of {images} images")),
        ([_, _], _) => Ok(values.to_vec()),
        ([_, tokens, d], Pooling::First) => {
            Ok(values.chunks_exact(tokens * d).flat_map(|image| &image[..*d]).copied().collect())
        }
        ([_, tokens, d], Pooling::Mean) => {
            let of_image = |image: &[f32]| -> Vec<f32> {
                (0..*d).map(|at| mean(&mut image.iter().skip(at).step_by(*d).copied(), *tokens)).collect()
            };
            Ok(values.chunks_exact(tokens * d).flat_map(of_image).collect())
        }
        ([_, _, h, w], _) => Ok(values.chunks_exact(h * w).map(|map| mean(&mut map.iter().copied(), h * w)).collect()),
        _ => Err(format!(
            "its output is of shape {shape:?}\nhint: encoder.output has to be [n, d], [n, t, d] or [n, d, h, w]"
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_maps_become_one_vector_an_image() {
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        let tokens = |pooling| pooled(&[2, 3, 2], &values, 2, pooling).unwrap();
        assert_eq!(tokens(Pooling::First), [0.0, 1.0, 6.0, 7.0]);
        assert_eq!(tokens(Pooling::Mean), [2.0, 3.0, 8.0, 9.0]);
        assert_eq!(pooled(&[1, 3, 2, 2], &values, 1, Pooling::Mean).unwrap(), [1.5, 5.5, 9.5]);
        assert_eq!(pooled(&[6, 2], &values, 6, Pooling::First).unwrap(), values);
        assert!(pooled(&[12], &values, 12, Pooling::Mean).unwrap_err().contains("shape [12]"));
        assert!(pooled(&[3, 4], &values, 2, Pooling::Mean).unwrap_err().contains("3 vectors of 2 images"));
    }
}
