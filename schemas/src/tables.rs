//! The tables of data set, epochs and result: their columns, types, units and meaning.

use crate::table::table;
use crate::{ClusterId, ImageId};

table! {
    /// One row for each image of the data set, in the order of `image_id`.
    Manifest = "manifest" v 3 {
        /// Dense number of the image, 0 .. images-1.
        image_id: ImageId,
        /// Keyed hash of the image's source, 16 hex digits; the same when the archive is moved. It is the name of the
        /// PNG.
        key: String,
        /// The PNG, relative to the dataset folder.
        path: String,
        /// Keyed hash of the subject (the person, phantom or specimen); null if nothing identifies it.
        subject: Option<String>,
        /// Keyed hash of the series.
        series: String,
        /// Number of the slice in its series, from 0.
        slice: u32,
        /// Hash (blake3, 16 hex digits) of the PNG's pixels and size: equal for equal images.
        pixels: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Distance of columns in mm; null if unknown.
        spacing_x: Option<f32>,
        /// Distance of rows in mm; null if unknown.
        spacing_y: Option<f32>,
        /// Bits a pixel of the PNG, 8 or 16.
        bits: u32,
        /// Raw intensity that became black.
        window_low: f32,
        /// Raw intensity that became white.
        window_high: f32,
        /// What the source was: `dicom`, `nifti` or `image`.
        format: String,
        /// True if text may be burned into the pixels (BurnedInAnnotation (0028,0301), Secondary Capture).
        burned_in: bool,
        /// What is odd about it, separated by commas: `blank` (one value), `tiny` (a side below 16), `long` (more than
        /// 8 times as long as wide), `overlay` (planes (60xx,3000) that are not drawn), `mosaic` (not split into its
        /// slices), `duplicate` (an earlier image has its pixels); null if nothing is.
        flags: Option<String>,
    }
}

table! {
    /// One row for each image that has a class by the class rules. A table of its own, so that other rules change
    /// nothing else and no training can read it.
    Labels = "labels" v 1 {
        /// The image.
        image_id: ImageId,
        /// Its class. Used to measure, never to train.
        label: String,
    }
}

table! {
    /// One row for each image, and one for each input that gave none: its file. The only table that names files and
    /// patients; the others refer to it by `image_id` and `input`.
    Sources = "sources" v 2 {
        /// Keyed hash of source and member, 16 hex digits: one for each input, in `rejects` and `inputs` too.
        input: String,
        /// The image; null if the input gave none.
        image_id: Option<u32>,
        /// Source file, as a path below the input.
        source: String,
        /// Member of a zip; null if the source is the file itself.
        member: Option<String>,
        /// Frame in the source file, from 0.
        frame: u32,
        /// Slice in the source file, from 0.
        slice: u32,
        /// PatientID (0010,0020).
        patient_id: Option<String>,
        /// StudyInstanceUID (0020,000D).
        study_uid: Option<String>,
        /// SeriesInstanceUID (0020,000E).
        series_uid: Option<String>,
        /// SOPInstanceUID (0008,0018).
        sop_uid: Option<String>,
        /// SeriesDescription (0008,103E).
        series_description: Option<String>,
    }
}

table! {
    /// One row for each input, or run of its frames, that gave no image: every frame of every input is in the manifest
    /// or here.
    Rejects = "rejects" v 2 {
        /// The input: `sources` says which file it is.
        input: String,
        /// The first frame that the row is about, from 0; null if it is about the whole input.
        frame: Option<u32>,
        /// Number of frames that the row is about; null if it is about the whole input.
        frames: Option<u32>,
        /// Reason code, for example `not_t0`, `unreadable`, `not_an_image`, `excluded`.
        reason: String,
        /// What was wrong, in words; names neither a file nor a patient.
        message: String,
    }
}

table! {
    /// One row for each input: its file as it was when it was read, so that the next ingest reads only what is new.
    Inputs = "inputs" v 2 {
        /// The input: `sources` says which file it is.
        input: String,
        /// Bytes of the source file.
        bytes: u64,
        /// When the source file's content was last changed, in nanoseconds since 1970; 0 if unknown.
        modified: u64,
        /// When its content, name or mode was last changed, in nanoseconds since 1970; 0 if unknown.
        changed: u64,
        /// Its inode; 0 if the file system has none.
        inode: u64,
        /// Hash of what was read of it: its frames and slices.
        work: u64,
        /// Hash of the sizes of the PNGs that were made from it.
        written: u64,
    }
}

table! {
    /// One row for each image: its cluster at this epoch.
    Assignments = "assignments" v 2 {
        /// The image.
        image_id: ImageId,
        /// Its cluster.
        cluster: ClusterId,
        /// Euclidean distance of its feature to the cluster's centroid.
        distance: f32,
        /// Distance to the nearest other centroid minus `distance`; small if the image is between clusters, below 0 if
        /// clusters were merged and another mean is nearer.
        margin: f32,
        /// Its cluster in each further clustering of the epoch (`cluster.clusterings`), each numbered by itself; empty
        /// if there is one clustering.
        others: Vec<ClusterId>,
    }
}

table! {
    /// One row for each cluster at this epoch, empty ones included.
    Clusters = "clusters" v 1 {
        /// The cluster.
        cluster: ClusterId,
        /// Images in it.
        size: u32,
        /// Sum of squared distances of its images to its centroid.
        inertia: f64,
        /// Centroid `[d]` in feature space.
        centroid: Vec<f32>,
    }
}

table! {
    /// One row for each image: its place on the map of the result.
    Map = "map" v 1 {
        /// The image.
        image_id: ImageId,
        /// From the left, 0 to 65,535.
        x: u32,
        /// From the bottom, 0 to 65,535.
        y: u32,
    }
}

table! {
    /// One row for each cluster that holds an image: its cell on the map, by which images are placed.
    Cells = "cells" v 1 {
        /// The cluster.
        cluster: ClusterId,
        /// Where its middle is, in the layout's unit.
        x: f64,
        /// Where its middle is, in the layout's unit.
        y: f64,
        /// How far from the middle its images lie, in the layout's unit.
        radius: f64,
        /// Distance along the axes in feature space that is `radius` on the map; 0 if all its images are equal.
        reach: f32,
        /// Its centroid `[d]`.
        centre: Vec<f32>,
        /// The direction `[d]` in which its features differ most: to the right.
        first: Vec<f32>,
        /// The direction `[d]` in which they differ most besides: up.
        second: Vec<f32>,
    }
}

table! {
    /// One row for each draw: the training order of this epoch.
    Samples = "samples" v 2 {
        /// Position in the epoch, from 0.
        position: u32,
        /// The image drawn; an image may be drawn more than once.
        image_id: ImageId,
        /// Its pseudo-label.
        cluster: ClusterId,
        /// Its pseudo-labels of the further clusterings.
        others: Vec<ClusterId>,
    }
}

table! {
    /// One row for each optimiser step of this epoch.
    Training = "training" v 1 {
        /// Step in the epoch, from 0.
        step: u32,
        /// Multinomial logistic loss of the batch, natural logarithm (paper eq. 1).
        loss: f32,
        /// Learning rate of the network's body.
        learning_rate: f32,
        /// Images trained a second since the previous step. Measured, so the only column that differs from run to run.
        images_per_second: f32,
    }
}

table! {
    /// One row for each process that `deepmcat run` started and that has ended; one part for each `deepmcat run`.
    Events = "events" v 1 {
        /// The node, for example `embed@7`.
        node: String,
        /// Its stage.
        stage: String,
        /// Its epoch; null for nodes before the first epoch and for the raw-pixel baseline.
        epoch: Option<u32>,
        /// Number of the process among those that share the node's work, from 0.
        shard: u32,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// When it started: seconds since 1970, UTC.
        start: f64,
        /// When it ended: seconds since 1970, UTC.
        end: f64,
        /// Seconds between, by a monotonic clock.
        seconds: f64,
        /// Peak memory, in bytes.
        peak_memory: f64,
        /// Its exit code; null if a signal ended it.
        exit_code: Option<u32>,
        /// The signal that ended it; null if none did.
        signal: Option<u32>,
    }
}

table! {
    /// One row: how good and how stable the assignments of this epoch are.
    Metrics = "metrics" v 2 {
        /// Images assigned.
        images: u32,
        /// Clusters asked for (k).
        clusters: u32,
        /// Clusters that hold an image.
        clusters_used: u32,
        /// Share of the images in the largest cluster.
        largest_share: f64,
        /// NMI with the assignments of the previous epoch (paper eq. 2); null at the first.
        nmi_previous: Option<f64>,
        /// Share of the images whose aligned cluster differs from the previous epoch; null at the first.
        changed_share: Option<f64>,
        /// NMI with the labels, 2 I / (H + H) (paper eq. 2); null without labels, as are all that follow.
        nmi_labels: Option<f64>,
        /// Cluster purity (paper eq. 3).
        purity: Option<f64>,
        /// Mean over classes of the share of the class's images whose cluster has that majority.
        balanced_purity: Option<f64>,
        /// Adjusted Rand index with the labels.
        ari: Option<f64>,
        /// Adjusted mutual information with the labels (arithmetic mean of entropies).
        ami: Option<f64>,
        /// Images that have a label.
        labelled: u32,
        /// Classes among them.
        classes: u32,
        /// k-means objective: sum of squared distances to the centroids.
        inertia: f64,
        /// Mean squared distance of the features to their mean: 0 if the network gives all images the same feature, at
        /// most 1.
        spread: f64,
    }
}
