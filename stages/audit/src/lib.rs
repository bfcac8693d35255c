//! Audit: draws images, takes a person's answers, and certifies the confidence above which categories are right.

mod args;
mod certify;
mod error;
mod sample;

use std::io::Write;
use std::path::Path;

use deepmcat_schemas::files::write_beside;
use deepmcat_schemas::{Audit, PART_0, Stamp, Table, write_table};
use serde_json::json;

pub use args::{Args, Command, Goal};
pub use certify::{Tried, allowed, certify, enough, least, upper_bound};
pub use error::Error;

use sample::Audited;

/// Does what the command line says.
///
/// # Errors
/// When there are no categories, a CSV is wrong, or something cannot be written.
pub fn run(args: Args) -> Result<(), Error> {
    match args.command {
        Command::Plan { goal, expect, json } => plan(&Audited::open(&args.run)?, goal, expect, json),
        Command::Draw { n, seed, out } => {
            let audited = Audited::open(&args.run)?;
            let sample = audited.draw(n as usize, seed)?;
            let text = audited.csv(&sample)?;
            write(&args.run, &sample)?;
            tracing::info!(
                "{} images drawn; fill in `answer`: yes, no, or the name of the right category",
                sample.key.len()
            );
            match out {
                None => print(&text),
                Some(file) => Ok(write_beside(&file, |file| writeln!(file, "{text}"))?),
            }
        }
        Command::Certify { answers, goal, json } => {
            let audited = Audited::open(&args.run)?;
            let answers = audited.answers(&answers)?;
            let tried = certify(&answers, goal);
            write(&args.run, &table(&audited, &tried, goal))?;
            say(&args.run, &audited, &tried, (answers.len(), goal), json)
        }
    }
}

fn write<T: Table>(run: &Path, table: &T) -> Result<(), Error> {
    let stamp = Stamp { stage: "audit".to_owned(), stage_version: "1".to_owned(), ..Stamp::default() };
    Ok(write_table(&run.join(T::NAME).join(PART_0), table, &stamp)?)
}

/// How many answers it takes.
fn plan(audited: &Audited, goal: Goal, expect: Option<f64>, as_json: bool) -> Result<(), Error> {
    let expect = expect.unwrap_or(goal.target / 4.0);
    let (least, enough, images) = (least(goal), enough(goal, expect), audited.open_images());
    if as_json {
        return print_json(&json!({
            "target": goal.target, "level": goal.level, "expect": expect, "images": images,
            "answers_without_an_error": least, "answers": enough,
        }));
    }
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let mut text = format!(
        "To certify that at most {} of the images above a threshold are wrong, at a level of {}:\n\
         {least} answers do, where every one of them is right",
        percent(goal.target),
        percent(goal.level)
    );
    text += &match enough {
        Some(enough) => format!(
            "\n{enough} answers do four times in five, where {} are wrong ({} of them may be)",
            percent(expect),
            allowed(enough, goal).unwrap_or_default()
        ),
        None => format!(
            "\nno number of answers does, where {} are wrong: ask for a target well above that",
            percent(expect)
        ),
    };
    text += &format!("\n{images} images can be drawn; answers below the resulting threshold do not count");
    print(&text)
}

fn table(audited: &Audited, tried: &[Tried], goal: Goal) -> Audit {
    let mut table = Audit::default();
    for one in tried {
        table.threshold.push(one.threshold);
        table.answered.push(one.answered);
        table.wrong.push(one.wrong);
        table.upper.push(one.upper);
        table.target.push(goal.target);
        table.level.push(goal.level);
        table.certified.push(one.certified);
        table.coverage.push(audited.coverage(one.threshold));
    }
    table
}

/// What the answers certify.
fn say(
    run: &Path,
    audited: &Audited,
    tried: &[Tried],
    (answers, goal): (usize, Goal),
    as_json: bool,
) -> Result<(), Error> {
    let best = tried.iter().rfind(|one| one.certified);
    if as_json {
        let certificate = best.map(|one| {
            json!({
                "threshold": one.threshold, "answered": one.answered, "wrong": one.wrong, "upper": one.upper,
                "coverage": audited.coverage(one.threshold),
            })
        });
        return print_json(&json!({
            "target": goal.target, "level": goal.level, "answers": answers, "certificate": certificate,
        }));
    }
    match best {
        Some(one) => {
            print(&format!(
                "certified: of the images with a confidence of {:.4} or more, at most {:.2} % are wrong (level {:.0} %): \
                 {:.1} % of all images; {} answers, {} wrong, bound {:.4}",
                one.threshold,
                100.0 * goal.target,
                100.0 * goal.level,
                100.0 * audited.coverage(one.threshold),
                one.answered,
                one.wrong,
                one.upper
            ))?;
            tracing::info!(
                "to use it: deepmcat categorize {} --threshold {}",
                run.display(),
                (one.threshold * 1e7).floor() / 1e7
            );
            Ok(())
        }
        None => {
            let why = match tried.first() {
                Some(one) => {
                    format!(
                        "{} of the {} answers with the highest confidence are wrong, bound {:.4}",
                        one.wrong, one.answered, one.upper
                    )
                }
                None => format!("{answers} answers are too few, at least {} are needed", least(goal)),
            };
            print(&format!("not certified: {why}"))
        }
    }
}

fn print(text: &str) -> Result<(), Error> {
    deepmcat_stage::print(text).map_err(Error::Print)
}

fn print_json(value: &serde_json::Value) -> Result<(), Error> {
    print(&serde_json::to_string_pretty(value).unwrap_or_default())
}
