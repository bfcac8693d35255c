//! What an ingest tells its user at the end.

use crate::scan::Compared;
use crate::summary::Summary;

/// Kinds of unmatched files that a dry run shows.
const SHOWN: usize = 10;

/// Logs the counts of an ingest; of a dry run what each class rule would do, too.
pub(crate) fn log(summary: &Summary, dry_run: bool) {
    let images = match (summary.images, dry_run) {
        (Some(images), false) => format!("{images} images of {} series from {} files", summary.series, summary.files),
        (Some(images), true) => {
            format!("would give {images} images of {} series from {} files", summary.series, summary.files)
        }
        (None, _) => format!("{} files would be read", summary.files),
    };
    tracing::info!("{} inputs: {images}; {}", summary.inputs, summary.reasons());
    for (reason, frames) in &summary.frames {
        tracing::info!("{frames:>9} frames of these files are left out: {reason}");
    }
    if !dry_run && summary.taken_over > 0 {
        let read = summary.files.saturating_sub(summary.taken_over);
        tracing::info!("{} files were taken over from an earlier ingest, {read} were decoded", summary.taken_over);
    }
    if let Some(labels) = labels(summary) {
        tracing::info!("classes: {labels}");
    }
    for (flag, count) in &summary.flags {
        tracing::info!("{count:>9} images are flagged {flag}");
    }
    let Compared { same, different, absent } = summary.compared;
    if different + absent > 0 {
        tracing::warn!(
            "of the files that the archive's own lists name, {same} are as listed, {different} have another \
             SeriesDescription (the file's counts) and {absent} are missing"
        );
    }
    rules(summary, dry_run);
}

/// `12 SA, 3 LVOT, 7 without a class`; none where there are no classes.
fn labels(summary: &Summary) -> Option<String> {
    if summary.labels.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = summary.labels.iter().map(|(label, count)| format!("{count} {label}")).collect();
    let labelled: u64 = summary.labels.values().sum();
    if let Some(without @ 1..) = summary.images.map(|images| images.saturating_sub(labelled)) {
        parts.push(format!("{without} without a class"));
    }
    Some(parts.join(", "))
}

fn rules(summary: &Summary, dry_run: bool) {
    let idle = summary.idle_rules.len();
    if !dry_run {
        match (summary.rules.len(), idle) {
            (_, 0) => {}
            (0, _) => {
                tracing::warn!("no class rule matched any file: are the rules (ingest.rules) for another archive?")
            }
            (some, idle) => {
                tracing::info!("{idle} of {} class rules matched no file; --dry-run lists them", some + idle)
            }
        }
        return;
    }
    for (rule, count) in &summary.rules {
        tracing::info!("{count:>9} files by the rule of {rule}");
    }
    for rule in &summary.idle_rules {
        tracing::warn!("no file matched the rule of {rule}");
    }
    let mut unmatched: Vec<_> = summary.unmatched.iter().collect();
    unmatched.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    for (what, count) in unmatched.iter().take(SHOWN) {
        tracing::info!("{count:>9} files by no rule: {what}");
    }
    if unmatched.len() > SHOWN {
        tracing::info!("          and {} more kinds by no rule; --json lists all", unmatched.len() - SHOWN);
    }
}
