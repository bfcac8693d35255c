//! Every table of a run but the features: its columns, their types, units and meaning.

use crate::table::table;
use crate::{ClusterId, ImageId};

table! {
    /// One row an image of the data set, in the order of `image_id`.
    Manifest = "manifest" v 3 {
        /// Dense number of the image, 0 .. images-1.
        image_id: ImageId,
        /// Keyed hash of where the image came from, 16 hex digits; stable when the archive is moved, names the PNG.
        key: String,
        /// The PNG, relative to the dataset folder.
        path: String,
        /// Keyed hash of the subject (the person, phantom or specimen); null where nothing says which it is.
        subject: Option<String>,
        /// Keyed hash of the series.
        series: String,
        /// Number of the slice in its series, from 0.
        slice: u32,
        /// Hash (blake3, 16 hex digits) of the PNG's pixels and size: equal where two images are.
        pixels: String,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Distance of columns in mm; null where unknown.
        spacing_x: Option<f32>,
        /// Distance of rows in mm; null where unknown.
        spacing_y: Option<f32>,
        /// Bits a pixel of the PNG, 8 or 16.
        bits: u32,
        /// Raw intensity that became black.
        window_low: f32,
        /// Raw intensity that became white.
        window_high: f32,
        /// What the source was: `dicom`, `nifti` or `image`.
        format: String,
        /// True where text may be burned into the pixels (BurnedInAnnotation (0028,0301), Secondary Capture).
        burned_in: bool,
        /// What is odd about it, separated by commas: `blank` (one value), `tiny` (a side below 16), `long` (8 times as
        /// long as wide), `overlay` (planes (60xx,3000) that are not drawn), `duplicate` (an earlier image has its
        /// pixels); null where nothing is.
        flags: Option<String>,
    }
}

table! {
    /// One row an image that has a class by the class rules. In a table of its own, so that other rules change nothing
    /// else and no training can read it.
    Labels = "labels" v 1 {
        /// The image.
        image_id: ImageId,
        /// Its class. Used to measure, never to train.
        label: String,
    }
}

table! {
    /// One row an image, and one an input that gave none: the file it came from. The only table that names files and
    /// patients; kept apart from the others, which refer to it by `image_id` and `input`.
    Sources = "sources" v 2 {
        /// Keyed hash of source and member, 16 hex digits: one for each input, in `rejects` and `inputs` too.
        input: String,
        /// The image; null where the input gave none.
        image_id: Option<u32>,
        /// Source file, as found below the input.
        source: String,
        /// Member of an archive file; null where the source is the file itself.
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
    /// One row an input, or a run of its frames, that gave no image: images and rejects account for every frame of
    /// every input.
    Rejects = "rejects" v 2 {
        /// The input: `sources` says which file it is.
        input: String,
        /// The first frame that the row is about, from 0; null where it is about the whole input.
        frame: Option<u32>,
        /// Frames that the row is about; null where it is about the whole input.
        frames: Option<u32>,
        /// Reason code, for example `not_t0`, `unreadable`, `not_an_image`, `excluded`.
        reason: String,
        /// What was wrong, in words; names neither a file nor a patient.
        message: String,
    }
}

table! {
    /// One row an input: what its file was when it was read, so that the next ingest reads only what is new.
    Inputs = "inputs" v 2 {
        /// The input: `sources` says which file it is.
        input: String,
        /// Bytes of the source file.
        bytes: u64,
        /// When the source file's content was last changed, in nanoseconds since 1970; 0 where that is unknown.
        modified: u64,
        /// When its content, name or mode was last changed, in nanoseconds since 1970; 0 where that is unknown.
        changed: u64,
        /// Its inode; 0 where the file system has none.
        inode: u64,
        /// Hash of what was read of it: its frames and slices.
        work: u64,
        /// Hash of the sizes of the PNGs that were made of it.
        written: u64,
    }
}

table! {
    /// One row an image: the cluster it belongs to at this epoch.
    Assignments = "assignments" v 2 {
        /// The image.
        image_id: ImageId,
        /// Its cluster.
        cluster: ClusterId,
        /// Euclidean distance of its feature to the cluster's centroid.
        distance: f32,
        /// Distance to the nearest other centroid minus `distance`; small where the image is between clusters, below 0
        /// where clusters were merged and another's mean is nearer.
        margin: f32,
        /// Its cluster in each further clustering of the epoch (`cluster.clusterings`), numbered by itself; empty where
        /// there is one clustering.
        others: Vec<ClusterId>,
    }
}

table! {
    /// One row a cluster at this epoch, empty ones included.
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
    /// One row an image: where it lies on the map of the result.
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
    /// One row a cluster that holds an image: its cell on the map, by which images are placed.
    Cells = "cells" v 1 {
        /// The cluster.
        cluster: ClusterId,
        /// Where its middle is, in the layout's unit.
        x: f64,
        /// Where its middle is, in the layout's unit.
        y: f64,
        /// How far from the middle its images lie, in the layout's unit.
        radius: f64,
        /// Distance along the axes in feature space that is `radius` on the map; 0 where all its images are one.
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
    /// One row a draw: the training order of this epoch.
    Samples = "samples" v 2 {
        /// Place in the epoch, from 0.
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
    /// One row an optimiser step of this epoch.
    Training = "training" v 1 {
        /// Step in the epoch, from 0.
        step: u32,
        /// Multinomial logistic loss of the batch, natural logarithm (paper eq. 1).
        loss: f32,
        /// Learning rate of the network's body.
        learning_rate: f32,
        /// Images trained a second since the step before: wall-clock, so the only column that differs from run to run.
        images_per_second: f32,
    }
}

table! {
    /// One row a process that `deepmcat run` started and that has ended; a part for each `deepmcat run`.
    Events = "events" v 1 {
        /// The node, for example `embed@7`.
        node: String,
        /// Its stage.
        stage: String,
        /// Its epoch; null for what is before the first and for the raw-pixel baseline.
        epoch: Option<u32>,
        /// Which of the processes that share the node's work, from 0.
        shard: u32,
        /// Which attempt, from 1.
        attempt: u32,
        /// When it started: seconds since 1970, UTC.
        start: f64,
        /// When it ended: seconds since 1970, UTC.
        end: f64,
        /// Seconds between, by a clock that nobody sets.
        seconds: f64,
        /// Most memory that it held at once, in bytes.
        peak_memory: f64,
        /// Its exit code; null where a signal ended it.
        exit_code: Option<u32>,
        /// The signal that ended it; null where none did.
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
        /// NMI with the assignments of the epoch before (paper eq. 2); null at the first.
        nmi_previous: Option<f64>,
        /// Share of the images whose aligned cluster differs from the epoch before; null at the first.
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
        /// Mean squared distance of the features to their mean: 0 where the network gives all images the same feature,
        /// at most 1.
        spread: f64,
    }
}

table! {
    /// One row a name in force that a person gave to a cluster or to an image: what the log of decisions
    /// (`review/decisions.jsonl`) comes to.
    Names = "names" v 1 {
        /// What has the name: `cluster` or `image`. That of an image outranks its cluster's.
        kind: String,
        /// The cluster; null for an image.
        cluster: Option<u32>,
        /// The image's key in the manifest; null for a cluster.
        key: Option<String>,
        /// The image; null for a cluster and for an image that the data set does not have.
        image_id: Option<u32>,
        /// The name.
        category: String,
        /// Who gave it.
        author: String,
        /// When: seconds since 1970, UTC.
        time: f64,
        /// Number of the decision in the log.
        decision: u64,
        /// Of a name that was carried over from a cluster of another result: images in both over images in either, of
        /// those that both results have; null where it was not.
        overlap: Option<f64>,
        /// Why it does not count: `older-result` (the cluster is of a result that is no longer there), `no-image` (the data
        /// set has no such image), `mixed` or `unsure` (a person looked at the cluster and gave it no name); null where it
        /// counts.
        flag: Option<String>,
    }
}

table! {
    /// One row an image of a result whose clusters were named: what their numbers mean, kept for when the result is another.
    Members = "members" v 1 {
        /// The image's key in the manifest.
        key: String,
        /// Its cluster.
        cluster: ClusterId,
    }
}

table! {
    /// One row an image of the result: its category.
    Categories = "categories" v 1 {
        /// The image.
        image_id: ImageId,
        /// Its likeliest category.
        category: String,
        /// How likely, 0 to 1.
        confidence: f32,
        /// The second likeliest; null where there is one category.
        second: Option<String>,
        /// p-value of being unlike the images of other subjects: small where it is farther from them than they are from each
        /// other.
        novelty: f32,
        /// True where a person should look: the confidence is below the threshold, or the image is novel.
        abstain: bool,
        /// True where the image itself was named, or its label was used: category and confidence are then what was said.
        named: bool,
        /// Its cluster.
        cluster: ClusterId,
    }
}

table! {
    /// One row a series: the category of its images together.
    SeriesCategories = "series" v 1 {
        /// Keyed hash of the series, as in the manifest.
        series: String,
        /// Its likeliest category.
        category: String,
        /// How likely, 0 to 1.
        confidence: f32,
        /// Share of its images whose own category is that.
        agreement: f32,
        /// Images in it.
        images: u32,
        /// True where a person should look: the confidence is below the threshold, or most of its images are novel.
        abstain: bool,
        /// What the header calls it: the commonest SeriesDescription (0008,103E) of its images, as the scanner's staff typed
        /// it; null where there is none.
        header: Option<String>,
    }
}

table! {
    /// One row: how the categories of a result were made, so that those of other images are made in the same way.
    Classifier = "classifier" v 1 {
        /// `kernel` or `propagation`.
        method: String,
        /// tau of the kernel; null where labels were propagated.
        tau: Option<f64>,
        /// Power of the mean probabilities of a series.
        series_power: f64,
        /// Confidence below which a person should look.
        threshold: f64,
        /// p-value of novelty below which a person should look.
        novelty: f64,
        /// Number of the newest decision among the names that they were made from; 0 where they came from labels.
        decision: u64,
        /// Answers of people, or labels, that they were made from.
        answers: u32,
    }
}

table! {
    /// One row a named point of feature space: an image that was named, or the mean of a named cluster and the images
    /// nearest to it.
    Points = "points" v 1 {
        /// Its category.
        category: String,
        /// How much it counts: all points of one answer together 1.
        weight: f32,
        /// Its feature `[d]`.
        value: Vec<f32>,
    }
}

table! {
    /// One row an image of the result that others are compared with: all images, or those that were drawn of many.
    References = "references" v 1 {
        /// Its cluster.
        cluster: ClusterId,
        /// Distance to the fifth nearest of other subjects; null where there is none.
        fifth: Option<f32>,
        /// How many times that of its five nearest this is; null where nothing can be said.
        unlike: Option<f32>,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
        /// Its feature `[d]`.
        value: Vec<f32>,
    }
}

table! {
    /// One row a cluster that holds an image: what its images are told as on average, each by itself.
    ClusterShares = "cluster-shares" v 1 {
        /// The cluster.
        cluster: ClusterId,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
    }
}

table! {
    /// One row an image of the result, known by its pixels: what it was told as is what it is told as again.
    Known = "known" v 1 {
        /// Its key in the manifest.
        key: String,
        /// Hash of its pixels, as in the manifest.
        pixels: String,
        /// Its cluster.
        cluster: ClusterId,
        /// The category that it was given itself; null where it was not.
        named: Option<String>,
        /// p-value of novelty.
        novelty: f32,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
    }
}

table! {
    /// One row a series whose header says one thing and whose images say another, the surest first: images that look like
    /// its own have other descriptions, while images of its description can be told from them elsewhere.
    Contradictions = "contradictions" v 1 {
        /// Keyed hash of the series, as in the manifest.
        series: String,
        /// Its SeriesDescription (0008,103E).
        header: String,
        /// What its images are called elsewhere: the commonest SeriesDescription of most of those that look like them.
        expected: String,
        /// Share of those that look like them, by how near they are, of such a description.
        share: f32,
        /// Share of them that are not of its own description: how sure it is that the header is wrong.
        confidence: f32,
        /// Images in it.
        images: u32,
    }
}

table! {
    /// One row an image that was drawn for an audit of the categories, in the order in which they were drawn.
    AuditSample = "audit-sample" v 1 {
        /// The image's key in the manifest.
        key: String,
        /// The category that is audited.
        category: String,
        /// Its confidence.
        confidence: f32,
    }
}

table! {
    /// One row a threshold that an audit tried, from strict to loose, up to the first that failed.
    Audit = "audit" v 1 {
        /// The confidence.
        threshold: f64,
        /// Answered images that have it or more.
        answered: u32,
        /// Wrong ones among them.
        wrong: u32,
        /// Upper end of the exact binomial interval of their error (Clopper and Pearson, one-sided).
        upper: f64,
        /// Error that was to be certified.
        target: f64,
        /// Probability that the certificate holds.
        level: f64,
        /// True where `upper` is at most `target` here and at every stricter threshold.
        certified: bool,
        /// Images of the result that have this confidence and are not novel, over all.
        coverage: f64,
        /// Hash of the categories that were audited: those of other names have another.
        categories: String,
    }
}

table! {
    /// One row: accuracy of the categories, measured on the labelled images that nobody named. Intervals are 95 % bootstrap
    /// intervals over subjects.
    CategoryMetrics = "category-metrics" v 1 {
        /// Images measured, n.
        images: u32,
        /// Classes among them.
        classes: u32,
        /// Share whose category is their label.
        accuracy: f64,
        /// Lower end of its interval.
        accuracy_low: f64,
        /// Upper end.
        accuracy_high: f64,
        /// Mean over classes of recall.
        macro_recall: f64,
        /// Lower end of its interval.
        macro_recall_low: f64,
        /// Upper end.
        macro_recall_high: f64,
        /// Expected calibration error in 15 bins of equal width: mean distance of confidence and accuracy.
        ece: f64,
        /// Brier score over all categories, 0 to 2.
        brier: f64,
        /// Area under the risk-coverage curve: mean error of the most confident images, over all numbers of them.
        aurc: f64,
        /// Largest share of the images, the most confident, of which at most 2 % are wrong.
        coverage_at_2: f64,
        /// Share of wrong ones among the most confident 90 %.
        error_at_90: f64,
        /// Share of the images that are not abstained.
        coverage: f64,
        /// Share of wrong ones among these; null where there are none.
        error: Option<f64>,
        /// Series measured: those with measured images of one label.
        series: u32,
        /// Share of these whose category is that label; null where there are none.
        series_accuracy: Option<f64>,
    }
}

table! {
    /// One row per class: precision and recall, with 95 % bootstrap intervals over subjects.
    ClassMetrics = "class-metrics" v 1 {
        /// The class: a label, or a category that no label has.
        class: String,
        /// Images with that label.
        images: u32,
        /// Images of that category.
        predicted: u32,
        /// Share of these with that label; null where there are none, as are its ends.
        precision: Option<f64>,
        /// Lower end of its interval.
        precision_low: Option<f64>,
        /// Upper end.
        precision_high: Option<f64>,
        /// Share of the images with that label whose category it is; null where there are none, as are its ends.
        recall: Option<f64>,
        /// Lower end of its interval.
        recall_low: Option<f64>,
        /// Upper end.
        recall_high: Option<f64>,
    }
}

table! {
    /// One row a threshold: what is left and how much of it is wrong where less confident images are left to people.
    RiskCoverage = "risk-coverage" v 1 {
        /// The confidence.
        threshold: f64,
        /// Share of the images that have it or more.
        coverage: f64,
        /// Share of wrong ones among them.
        risk: f64,
    }
}

table! {
    /// One row a bin of confidence: how right the images in it are.
    Reliability = "reliability" v 1 {
        /// From this confidence on.
        low: f64,
        /// Below this; the last bin holds it too.
        high: f64,
        /// Images in it.
        images: u32,
        /// Their mean confidence; null where there are none.
        confidence: Option<f64>,
        /// Share of them that are right; null where there are none.
        accuracy: Option<f64>,
    }
}
