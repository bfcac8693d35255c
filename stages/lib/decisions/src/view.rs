//! The table `names`: the names in force, made of the log.

use deepmcat_schemas::{Names, PART_0, Stamp, Table, write_table};

use crate::{Error, Log, RunResult, Target};

/// Flag of a name whose cluster is of a result that is no longer there.
pub const OLDER_RESULT: &str = "older-result";
/// Flag of a name whose image the data set does not have.
pub const NO_IMAGE: &str = "no-image";

/// In the place of a cluster's name: it holds images of several categories.
pub const MIXED: &str = "?mixed";
/// In the place of a cluster's name: who looked at it cannot say what it is.
pub const UNSURE: &str = "?unsure";

/// What a mark says that stands in the place of a name, which then does not count; none for a name.
#[must_use]
pub fn mark(category: &str) -> Option<&str> {
    [MIXED, UNSURE].contains(&category).then(|| category.trim_start_matches('?'))
}

/// The names in force: clusters by number, then images by key.
#[must_use]
pub fn names(log: &Log, result: &RunResult) -> Names {
    let mut names = Names::default();
    for (target, decision) in log.in_force() {
        let Some(category) = &decision.category else { continue };
        let (kind, cluster, key, image, flag) = match target {
            Target::Cluster { cluster, result: of } => {
                ("cluster", Some(cluster.0), None, None, (*of != result.id).then_some(OLDER_RESULT))
            }
            Target::Image { image: key } => {
                let image = result.image(key);
                ("image", None, Some(key.clone()), image, image.is_none().then_some(NO_IMAGE))
            }
        };
        let flag = flag.or(mark(category));
        names.kind.push(kind.to_owned());
        names.cluster.push(cluster);
        names.key.push(key);
        names.image_id.push(image.map(|image| image.0));
        names.category.push(category.clone());
        names.author.push(decision.author.clone());
        names.time.push(decision.time);
        names.decision.push(decision.number);
        names.overlap.push(decision.overlap);
        names.flag.push(flag.map(str::to_owned));
    }
    names
}

/// Writes the table `names` of a run anew and returns it.
///
/// # Errors
/// When it cannot be written.
pub fn write_names(log: &Log, result: &RunResult) -> Result<Names, Error> {
    let names = names(log, result);
    let stamp = Stamp { stage: "names".to_owned(), stage_version: "1".to_owned(), ..Stamp::default() };
    write_table(&result.run.join(Names::NAME).join(PART_0), &names, &stamp)?;
    Ok(names)
}
