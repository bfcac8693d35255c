//! The tables of names and categories: what people decided, and what follows for images, series and other archives.

use crate::table::table;
use crate::{ClusterId, ImageId};

table! {
    /// One row for each current name of a cluster or an image: the outcome of the log of decisions
    /// (`review/decisions.jsonl`).
    Names = "names" v 1 {
        /// What has the name: `cluster` or `image`. The name of an image outranks that of its cluster.
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
        /// those that both results have; null if it was not carried over.
        overlap: Option<f64>,
        /// Why it does not count: `older-result` (the cluster is of a result that is no longer there), `no-image` (the
        /// data set has no such image), `mixed` or `unsure` (a person looked at the cluster and gave it no name); null
        /// if it counts.
        flag: Option<String>,
    }
}

table! {
    /// One row for each image of a result whose clusters were named: the meaning of their numbers, kept for later
    /// results.
    Members = "members" v 1 {
        /// The image's key in the manifest.
        key: String,
        /// Its cluster.
        cluster: ClusterId,
    }
}

table! {
    /// One row for each image of the result: its category.
    Categories = "categories" v 1 {
        /// The image.
        image_id: ImageId,
        /// Its likeliest category.
        category: String,
        /// How likely, 0 to 1.
        confidence: f32,
        /// The second likeliest; null if there is one category.
        second: Option<String>,
        /// p-value of being unlike the images of other subjects: small if it is farther from them than they are from
        /// each other.
        novelty: f32,
        /// True if a person should look: the confidence is below the threshold, or the image is novel.
        abstain: bool,
        /// True if the image itself was named, or its label was used: category and confidence are then those of the
        /// name.
        named: bool,
        /// Its cluster.
        cluster: ClusterId,
    }
}

table! {
    /// One row for each series: the category of its images together.
    SeriesCategories = "series" v 1 {
        /// Keyed hash of the series, as in the manifest.
        series: String,
        /// Its likeliest category.
        category: String,
        /// How likely, 0 to 1.
        confidence: f32,
        /// Share of its images that have this category themselves.
        agreement: f32,
        /// Images in it.
        images: u32,
        /// True if a person should look: the confidence is below the threshold, or most of its images are novel.
        abstain: bool,
        /// What the header calls it: the most frequent SeriesDescription (0008,103E) of its images, as the scanner's
        /// staff typed it; null if there is none.
        header: Option<String>,
    }
}

table! {
    /// One row: how the categories of a result were made, so that those of other images are made in the same way.
    Classifier = "classifier" v 1 {
        /// `kernel` or `propagation`.
        method: String,
        /// tau of the kernel; null if labels were propagated.
        tau: Option<f64>,
        /// Power of the mean probabilities of a series.
        series_power: f64,
        /// Confidence below which a person should look.
        threshold: f64,
        /// p-value of novelty below which a person should look.
        novelty: f64,
        /// Number of the newest decision among the names that they were made from; 0 if they came from labels.
        decision: u64,
        /// Answers of people, or labels, that they were made from.
        answers: u32,
    }
}

table! {
    /// One row for each named point of feature space: an image that was named, or the mean of a named cluster and the
    /// images nearest to it.
    Points = "points" v 1 {
        /// Its category.
        category: String,
        /// Its weight: all points of one answer together have 1.
        weight: f32,
        /// Its feature `[d]`.
        value: Vec<f32>,
    }
}

table! {
    /// One row for each image of the result that others are compared with: all images, or a sample of many.
    References = "references" v 1 {
        /// Its cluster.
        cluster: ClusterId,
        /// Distance to the fifth nearest of other subjects; null if there is none.
        fifth: Option<f32>,
        /// This distance divided by that of its five nearest images; null if there is none.
        unlike: Option<f32>,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
        /// Its feature `[d]`.
        value: Vec<f32>,
    }
}

table! {
    /// One row per cluster that holds an image: the mean of its images' own probabilities.
    ClusterShares = "cluster-shares" v 1 {
        /// The cluster.
        cluster: ClusterId,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
    }
}

table! {
    /// One row per image of the result, recognised by its pixels: it keeps the probabilities that it has in the result.
    Known = "known" v 1 {
        /// Its key in the manifest.
        key: String,
        /// Hash of its pixels, as in the manifest.
        pixels: String,
        /// Its cluster.
        cluster: ClusterId,
        /// The category that a person gave to the image itself; null if none.
        named: Option<String>,
        /// p-value of novelty.
        novelty: f32,
        /// Probabilities of the categories `[c]`, in alphabetical order.
        shares: Vec<f32>,
    }
}

table! {
    /// One row for each series whose header contradicts its images, the surest first: similar images have other
    /// descriptions, and elsewhere images of its description can be distinguished from them.
    Contradictions = "contradictions" v 1 {
        /// Keyed hash of the series, as in the manifest.
        series: String,
        /// Its SeriesDescription (0008,103E).
        header: String,
        /// What such images are called elsewhere: the most frequent SeriesDescription of similar images.
        expected: String,
        /// Share of the similar images with such a description, weighted by how near they are.
        share: f32,
        /// Share of them with another description than its own: how certain it is that the header is wrong.
        confidence: f32,
        /// Images in it.
        images: u32,
    }
}

table! {
    /// One row for each image drawn for an audit of the categories, in the order of the draw.
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
    /// One row for each threshold that an audit tried, from strict to loose, up to the first that failed.
    Audit = "audit" v 1 {
        /// The confidence.
        threshold: f64,
        /// Answered images with this confidence or more.
        answered: u32,
        /// Wrong ones among them.
        wrong: u32,
        /// Upper end of the exact binomial interval of their error (Clopper and Pearson, one-sided).
        upper: f64,
        /// Error that was to be certified.
        target: f64,
        /// Probability that the certificate holds.
        level: f64,
        /// True if `upper` is at most `target` here and at every stricter threshold.
        certified: bool,
        /// Images of the result that have this confidence and are not novel, over all.
        coverage: f64,
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
        /// Share of wrong ones among these; null if there are none.
        error: Option<f64>,
        /// Series measured: those with measured images of one label.
        series: u32,
        /// Share of these whose category is that label; null if there are none.
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
        /// Share of these with that label; null if there are none, as are its ends.
        precision: Option<f64>,
        /// Lower end of its interval.
        precision_low: Option<f64>,
        /// Upper end.
        precision_high: Option<f64>,
        /// Share of the images with that label that have this category; null if there are none, as are its ends.
        recall: Option<f64>,
        /// Lower end of its interval.
        recall_low: Option<f64>,
        /// Upper end.
        recall_high: Option<f64>,
    }
}

table! {
    /// One row for each threshold: what remains, and how much of it is wrong, if less confident images are left to
    /// people.
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
    /// One row for each bin of confidence: how many of its images are right.
    Reliability = "reliability" v 1 {
        /// From this confidence on.
        low: f64,
        /// Below this; the last bin includes it.
        high: f64,
        /// Images in it.
        images: u32,
        /// Their mean confidence; null if there are none.
        confidence: Option<f64>,
        /// Share of them that are right; null if there are none.
        accuracy: Option<f64>,
    }
}

table! {
    /// One row a series by the UIDs that archive servers know it by, as `deepmcat pacs table` writes it outside of a run: it
    /// identifies studies.
    SeriesByUid = "series-by-uid" v 1 {
        /// StudyInstanceUID (0020,000D).
        study_uid: String,
        /// SeriesInstanceUID (0020,000E).
        series_uid: String,
        /// PatientID (0010,0020); null where there is none.
        patient_id: Option<String>,
        /// SeriesDescription (0008,103E); null where there is none.
        description: Option<String>,
        /// Its likeliest category.
        category: String,
        /// How likely, 0 to 1.
        confidence: f32,
        /// Share of its images whose own category is that.
        agreement: f32,
        /// Images in it.
        images: u32,
        /// True where a person should look.
        abstain: bool,
        /// One of its source files, as found below the input.
        source: String,
    }
}
