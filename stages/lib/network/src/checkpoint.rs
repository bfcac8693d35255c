//! Checkpoints: `model.safetensors` (weights and running statistics), `optimizer.safetensors` (momentum) and, where the
//! last layer is kept from epoch to epoch, `head.safetensors`.
//!
//! All are written atomically, hold no code (no pickle), and name tensors as PyTorch does: `load_state_dict` on
//! torchvision's `vgg16_bn` takes them. A reader checks every name, type and shape against the network.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use deepmcat_schemas::jobs::Network;
use deepmcat_schemas::{Stamp, files};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use tch::{Device, Kind, Tensor};

use crate::{Error, Head, Sgd, Vgg, fill};
use deepmcat_architecture::{Entry, Role, entries};
use deepmcat_machine::Compute;

/// Name of the file of weights in a checkpoint folder.
pub const MODEL: &str = "model.safetensors";
/// Name of the file of momentum in a checkpoint folder.
pub const OPTIMIZER: &str = "optimizer.safetensors";
/// Name of the file of the last layer in a checkpoint folder.
pub const HEAD: &str = "head.safetensors";
/// Version of the format, raised at every change.
pub const VERSION: u32 = 2;
/// The one metadata key: the safetensors crate writes several in random order, which would change the bytes.
const KEY: &str = "deepmcat";

/// Writes the weights of a network to `folder`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_model(folder: &Path, vgg: &Vgg, stamp: &Stamp) -> Result<(), Error> {
    write(&folder.join(MODEL), vgg.tensors(), stamp)
}

/// Writes the momentum of the body's SGD to `folder`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_optimizer(folder: &Path, vgg: &Vgg, sgd: &Sgd, stamp: &Stamp) -> Result<(), Error> {
    write(&folder.join(OPTIMIZER), vgg.trained().map(|(entry, _)| entry).zip(sgd.velocities()), stamp)
}

/// Writes the momentum of an SGD that has not begun: zeros.
///
/// # Errors
/// When the file cannot be written.
pub fn write_fresh_optimizer(folder: &Path, vgg: &Vgg, stamp: &Stamp) -> Result<(), Error> {
    let zeros = vgg.trained().map(|(entry, _)| fill::zeros(entry)).collect::<Result<Vec<_>, _>>()?;
    write(&folder.join(OPTIMIZER), vgg.trained().map(|(entry, _)| entry).zip(&zeros), stamp)
}

/// Reads the network that `[network]` describes from `folder`.
///
/// # Errors
/// When the file is absent, damaged, or of another network.
pub fn read_model(folder: &Path, network: &Network, compute: Compute) -> Result<Vgg, Error> {
    Vgg::new(network, read(&folder.join(MODEL), &entries(network))?, compute)
}

/// Reads the momentum of each trained tensor from `folder`.
///
/// # Errors
/// When the file is absent, damaged, or of another network.
pub fn read_optimizer(folder: &Path, network: &Network) -> Result<Vec<Tensor>, Error> {
    let mut entries = entries(network);
    entries.retain(|entry| entry.role.is_trained());
    read(&folder.join(OPTIMIZER), &entries)
}

/// Writes the last layer to `folder`; `None` removes what an earlier run left there.
///
/// # Errors
/// When the file cannot be written or removed.
pub fn write_head(folder: &Path, head: Option<&Head>, stamp: &Stamp) -> Result<(), Error> {
    let path = folder.join(HEAD);
    let Some(head) = head else {
        return if path.exists() { Ok(fs_err::remove_file(path)?) } else { Ok(()) };
    };
    let entries = head_entries(&head.weight.size());
    write(&path, entries.iter().zip([&head.weight, &head.bias]), stamp)
}

/// Reads the last layer from `folder`, for features of `dimensions`; `None` before the first epoch.
///
/// # Errors
/// When the file is damaged, or of other features.
pub fn read_head(folder: &Path, dimensions: i64) -> Result<Option<Head>, Error> {
    let path = folder.join(HEAD);
    if !path.exists() {
        return Ok(None);
    }
    let [clusterings, clusters] = {
        let buffer = fs_err::read(&path)?;
        let file = SafeTensors::deserialize(&buffer)
            .map_err(|error| Error::Unreadable { path: path.clone(), reason: error.to_string() })?;
        let shape = file.tensor(HEAD_WEIGHT).map(|view| view.shape().to_vec()).unwrap_or_default();
        [0, 1].map(|axis| shape.get(axis).and_then(|&size| i64::try_from(size).ok()).unwrap_or_default())
    };
    let mut tensors = read(&path, &head_entries(&[clusterings, clusters, dimensions]))?.into_iter();
    Ok(tensors.next().zip(tensors.next()).map(|(weight, bias)| Head { weight, bias }))
}

const HEAD_WEIGHT: &str = "head.weight";

/// The tensors of last layers `[h, k, d]`.
fn head_entries(shape: &[i64]) -> [Entry; 2] {
    let weight = Entry { name: HEAD_WEIGHT.to_owned(), shape: shape.to_vec(), role: Role::Weight { sd: 0.0 } };
    [weight, Entry { name: "head.bias".to_owned(), shape: shape[..2].to_vec(), role: Role::Bias }]
}

/// A tensor's bytes, as safetensors wants them.
struct Bytes {
    kind: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl View for &Bytes {
    fn dtype(&self) -> Dtype {
        self.kind
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}

fn write<'a>(path: &Path, tensors: impl Iterator<Item = (&'a Entry, &'a Tensor)>, stamp: &Stamp) -> Result<(), Error> {
    let mut named = Vec::new();
    for (entry, tensor) in tensors {
        named.push((entry.name.as_str(), bytes(entry, tensor)?));
    }
    let metadata = HashMap::from([(KEY.to_owned(), describe(stamp))]);
    let serialized = safetensors::serialize(named.iter().map(|(name, bytes)| (*name, bytes)), Some(metadata))
        .map_err(|error| Error::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    Ok(files::write_atomic(path, |file| file.write_all(&serialized))?)
}

/// Copies a tensor to memory, in PyTorch's order of the shape whatever its strides are.
fn bytes(entry: &Entry, tensor: &Tensor) -> Result<Bytes, Error> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let (kind, size) = kind_of(entry);
    let count = tensor.numel();
    let mut data = vec![0; count * size];
    tensor.f_copy_data_u8(&mut data, count)?;
    let shape = entry.shape.iter().map(|&side| usize::try_from(side).unwrap_or_default()).collect();
    Ok(Bytes { kind, shape, data })
}

/// Type of a tensor's values and their size in bytes.
fn kind_of(entry: &Entry) -> (Dtype, usize) {
    if entry.role == Role::Batches { (Dtype::I64, 8) } else { (Dtype::F32, 4) }
}

/// `checkpoint v1; stage train 0.1.0; seed 1; configuration 0123456789abcdef`
fn describe(stamp: &Stamp) -> String {
    let Stamp { stage, stage_version, config_hash, seed } = stamp;
    format!("{}; stage {stage} {stage_version}; seed {seed}; configuration {config_hash}", version(VERSION))
}

fn version(number: u32) -> String {
    format!("checkpoint v{number}")
}

/// Reads the tensors of `entries` in their order; a tensor more or less is an error.
fn read(path: &Path, entries: &[Entry]) -> Result<Vec<Tensor>, Error> {
    let buffer = fs_err::read(path)?;
    let unreadable =
        |error: safetensors::SafeTensorError| Error::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let (_, metadata) = SafeTensors::read_metadata(&buffer).map_err(unreadable)?;
    let found = metadata.metadata().as_ref().and_then(|pairs| pairs.get(KEY));
    let found = found.and_then(|text| text.split(';').next()).unwrap_or("no version").to_owned();
    if found != version(VERSION) {
        return Err(Error::Version { path: path.to_owned(), expected: version(VERSION), found });
    }
    let file = SafeTensors::deserialize(&buffer).map_err(unreadable)?;
    if let Some(extra) = file.names().into_iter().filter(|name| entries.iter().all(|entry| entry.name != *name)).min() {
        return Err(mismatch(path, extra, "no such tensor".to_owned(), "one".to_owned()));
    }
    entries.iter().map(|entry| tensor(path, entry, file.tensor(&entry.name).ok())).collect()
}

fn tensor(path: &Path, entry: &Entry, view: Option<TensorView<'_>>) -> Result<Tensor, Error> {
    let (kind, _) = kind_of(entry);
    let expected = format!("{kind:?} {:?}", entry.shape);
    let Some(view) = view else {
        return Err(mismatch(path, &entry.name, expected, "none".to_owned()));
    };
    let shape: Vec<i64> = view.shape().iter().map(|&side| i64::try_from(side).unwrap_or(i64::MAX)).collect();
    if view.dtype() != kind || shape != entry.shape {
        return Err(mismatch(path, &entry.name, expected, format!("{:?} {shape:?}", view.dtype())));
    }
    let kind = if kind == Dtype::I64 { Kind::Int64 } else { Kind::Float };
    Ok(Tensor::f_from_data_size(view.data(), &shape, kind)?)
}

fn mismatch(path: &Path, tensor: &str, expected: String, found: String) -> Error {
    Error::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), expected, found }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use deepmcat_schemas::jobs::FeatureLayer;
    use deepmcat_stage::Failure;

    fn network(width: f64) -> Network {
        Network { width, input: 32, pool: 1, features: FeatureLayer::Fc, fc: Some(16) }
    }

    fn written(folder: &Path) -> Vgg {
        let vgg = Vgg::draw(&network(0.0625), (7, 0), Compute::cpu()).unwrap();
        write_model(folder, &vgg, &Stamp::default()).unwrap();
        write_fresh_optimizer(folder, &vgg, &Stamp::default()).unwrap();
        vgg
    }

    #[test]
    fn what_is_written_is_read_and_written_alike() {
        let (folder, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let vgg = written(folder.path());
        let read = read_model(folder.path(), &network(0.0625), Compute::cpu()).unwrap();
        for ((entry, one), (_, other)) in vgg.tensors().zip(read.tensors()) {
            assert!(one.equal(other), "{}", entry.name);
        }
        assert_eq!(read_optimizer(folder.path(), &network(0.0625)).unwrap().len(), vgg.trained().count());
        write_model(again.path(), &read, &Stamp::default()).unwrap();
        let bytes = |folder: &Path| fs_err::read(folder.join(MODEL)).unwrap();
        assert_eq!(bytes(folder.path()), bytes(again.path()));
    }

    #[test]
    fn a_checkpoint_of_another_network_names_file_tensor_and_shapes() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let error = read_model(folder.path(), &network(0.25), Compute::cpu()).unwrap_err();
        let text = error.to_string();
        assert!(error.is_usage());
        for part in [MODEL, "features.0.weight", "F32 [16, 1, 3, 3]", "F32 [8, 1, 3, 3]", "hint:"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let pool = Network { features: FeatureLayer::Pool, ..network(0.0625) };
        let error = read_model(folder.path(), &pool, Compute::cpu()).unwrap_err();
        assert!(error.to_string().contains("classifier.0.bias"), "{error}");
    }

    #[test]
    fn damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join(MODEL);
        let whole = fs_err::read(&path).unwrap();
        for cut in [0, 7, 100, whole.len() - 1] {
            let part = &whole[..cut];
            files::write_atomic(&path, |file| file.write_all(part)).unwrap();
            let error = read_model(folder.path(), &network(0.0625), Compute::cpu()).unwrap_err();
            assert!(matches!(error, Error::Unreadable { .. }), "{cut}: {error}");
        }
        fs_err::remove_file(&path).unwrap();
        let error = read_model(folder.path(), &network(0.0625), Compute::cpu()).unwrap_err();
        assert!(matches!(error, Error::Io(_)) && error.is_usage(), "a missing input: {error}");
    }
}
