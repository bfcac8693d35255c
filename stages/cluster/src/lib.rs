//! Cluster: features `[n, d]` to k clusters by exact k-means, numbered as the epoch before did.

mod align;
mod args;
mod assign;
mod bounds;
mod centroids;
mod error;
mod lloyd;
mod measure;
mod merge;
mod parameters;
mod search;
mod space;
mod start;

use deepmcat_machine::Compute;
use deepmcat_schemas::{Assignments, ClusterId, Clusters, ImageId, PART_0, jobs, read_folder, write_table};
use deepmcat_stage::{Means, Timings};
use tch::Device;

pub use align::align;
pub use args::Args;
pub use assign::Blocks;
pub use centroids::Centroids;
pub use deepmcat_features::{FeatureFiles, Features};
pub use error::Error;
pub use lloyd::{Fit, Iteration, fit};
pub use parameters::Parameters;

use deepmcat_features::{Graph, IMAGES};
use space::Space;

/// Images of a data set for each round of smoothing.
const IMAGES_A_ROUND: usize = 60;

/// Does a job.
///
/// # Errors
/// When a table is wrong, there are fewer images than clusters, features are not finite, or tables cannot be written.
pub fn run(job: jobs::Cluster, means: Means) -> Result<(), Error> {
    let mut timings = Timings::new();
    let device = Compute::start(job.compute, &means)?.device;
    let files = FeatureFiles::open(&job.inputs.features, &job.weights)?;
    let features = files.features()?;
    let previous: Option<Assignments> = job.inputs.previous.as_deref().map(read_folder).transpose()?;
    timings.lap("read");
    let mut parameters = Parameters::new(&job);
    if let Some(from) = job.merge_from {
        if from < job.cluster.k {
            return Err(Error::Merge { from, k: job.cluster.k });
        }
        parameters.groups = parameters.k;
        // A small data set cannot fill them all; of single images nothing is learned about what lies together.
        parameters.k = (from as usize).min(features.len() / 2).min(merge::MOST).max(parameters.groups);
    }
    parameters.smooth = rounds(job.smooth, features.len());
    if job.smooth > 0 && parameters.k > IMAGES {
        return Err(Error::Smooth { most: IMAGES, k: parameters.k });
    }
    let (assignments, clusters) = cluster(&features, previous.as_ref(), &parameters, device)?;
    timings.lap("compute");
    let stamp = job.stamp();
    write_table(&job.outputs.assignments.join(PART_0), &assignments, &stamp)?;
    write_table(&job.outputs.clusters.join(PART_0), &clusters, &stamp)?;
    timings.lap("write");
    timings.log();
    Ok(())
}

/// The number of smoothing rounds for a data set of `images` images: many rounds would mix the small classes of a small one.
fn rounds(asked: u32, images: usize) -> u32 {
    asked.min(u32::try_from(images / IMAGES_A_ROUND).unwrap_or(u32::MAX).max(1))
}

/// Groups features and numbers the clusters: the stage without its files.
///
/// # Errors
/// When there are fewer images than clusters, features are not finite, or memory runs out.
pub fn cluster(
    features: &Features<'_>,
    previous: Option<&Assignments>,
    parameters: &Parameters,
    device: Device,
) -> Result<(Assignments, Clusters), Error> {
    let merged = parameters.groups < parameters.k;
    let smooth = parameters.smooth > 0;
    let mut plain = Space::of(features, device)?;
    let graph = if smooth || merged { Some(Graph::new(features, device)?) } else { None };
    let (fit, all) = match &graph {
        Some(graph) if smooth => {
            let values = graph.smoothed(features, parameters.smooth)?;
            Space::smoothed(features, graph, &values, device)?.fit(previous, parameters)?
        }
        _ => plain.fit(previous, parameters)?,
    };
    let (centroids, own) = match &graph {
        Some(graph) => {
            let of_graph: Vec<u32> = graph.rows.iter().map(|&row| all[row]).collect();
            let groups = merge::merge(graph, &fit.centroids, &of_graph, parameters.groups);
            let own: Vec<u32> = all.into_iter().map(|cluster| groups[cluster as usize]).collect();
            let mut means = Centroids::zeros(parameters.groups, features.dimensions());
            means.update(features, &own);
            (means, own)
        }
        None => (fit.centroids.clone(), all),
    };
    let nearest = plain.blocks.two_nearest(&centroids)?;
    let numbers = match previous {
        None => (0..parameters.groups as u32).map(ClusterId).collect(),
        Some(previous) => align(&features.image_ids(), &own, previous, parameters.groups),
    };
    // An image that was smoothed or merged into a cluster may have another's mean nearer.
    let own = graph.is_some().then_some(own.as_slice());
    let (mut assignments, clusters) = measure::tables(features, &centroids, &nearest, own, &numbers);
    // Unsmoothed: varied pseudo-labels teach more than those that smoothing has made alike.
    assignments.others = others(&mut plain, &assignments.image_id, previous, parameters)?;
    let used = clusters.size.iter().filter(|&&size| size > 0).count();
    tracing::info!(
        "{} images in {used} of {} clusters, objective {:.6} after {} iterations",
        features.len(),
        parameters.groups,
        fit.objective(),
        fit.history.len() - 1
    );
    Ok((assignments, clusters))
}

/// The cluster of every image `[n]` in each further clustering, numbered as in the epoch before.
fn others(
    space: &mut Space<'_>,
    ids: &[ImageId],
    previous: Option<&Assignments>,
    parameters: &Parameters,
) -> Result<Vec<Vec<ClusterId>>, Error> {
    let mut others = vec![Vec::new(); ids.len()];
    for clustering in 1..parameters.clusterings {
        let before = previous.and_then(|previous| other(previous, clustering as usize - 1));
        let (_, found) = space.fit(before.as_ref(), &Parameters { clustering, ..*parameters })?;
        let numbers = before.map(|before| align(ids, &found, &before, parameters.k));
        for (others, cluster) in others.iter_mut().zip(found) {
            others.push(numbers.as_ref().map_or(ClusterId(cluster), |numbers| numbers[cluster as usize]));
        }
    }
    Ok(others)
}

/// A further clustering of the epoch before as assignments; `None` where there were fewer then.
fn other(previous: &Assignments, clustering: usize) -> Option<Assignments> {
    let cluster = previous.others.iter().map(|others| others.get(clustering).copied()).collect::<Option<_>>()?;
    Some(Assignments { image_id: previous.image_id.clone(), cluster, ..Assignments::default() })
}

#[cfg(test)]
mod tests {
    #[test]
    fn small_data_sets_are_smoothed_less() {
        let rounds = [12, 294, 588, 1016, 2376, 192_276].map(|images| super::rounds(40, images));
        assert_eq!(rounds, [1, 4, 9, 16, 39, 40]);
        assert_eq!((super::rounds(0, 5000), super::rounds(3, 294)), (0, 3));
    }
}
