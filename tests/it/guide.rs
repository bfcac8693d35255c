//! The pages: links and anchors lead somewhere, every reject reason is explained, and a block marked `console` shows what its
//! commands print.
//!
//! In such a block a line that begins with `$ ` is a command and the lines after it are what it prints, on stdout or stderr;
//! `...` stands for lines that are left out, `(exit code N)` for another exit code than 0. The blocks of the guide run one
//! after the other, in the order of docs/SUMMARY.md, in one folder; those of the README in another. A block after
//! `<!-- file: NAME -->` is written to that file. Blocks that cannot run here are marked otherwise (`sh`).

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use deepmcat_testing::has_encoder;

use crate::world::{World, program};

/// Folders that are not of the repository.
const NOT_OURS: [&str; 5] = ["target", "runs", ".git", ".libtorch", ".encoder"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every Markdown file of the repository.
fn pages() -> Vec<PathBuf> {
    let ours = |entry: &walkdir::DirEntry| !NOT_OURS.iter().any(|name| entry.file_name() == *name);
    let entries = walkdir::WalkDir::new(root()).sort_by_file_name().into_iter().filter_entry(ours).map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    files.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// The lines of a page outside its code blocks.
fn prose(page: &str) -> Vec<&str> {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !fence && !inside
    };
    page.lines().filter(outside).collect()
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// What the links and pictures of a page name.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page).into_iter().map(without_code).collect::<Vec<_>>().join("\n");
    let parts = prose.split("](").skip(1).filter_map(|part| part.split_once(')'));
    parts.map(|(link, _)| link.to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(page).into_iter().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        let anchor: String = kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect();
        let again = (1..).map(|number| format!("{anchor}-{number}")).find(|name| !anchors.contains(name));
        let new = if anchors.contains(&anchor) { again.unwrap() } else { anchor };
        anchors.insert(new);
    }
    anchors
}

/// A path without `..`, whether or not it is there.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// Why a link of a page leads nowhere.
fn dead(page: &Path, link: &str) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let to = if path.is_empty() { page.to_owned() } else { plain(&page.parent().unwrap().join(path)) };
    let docs = root().join("docs");
    if !to.exists() {
        return Some("is not there".to_owned());
    }
    // The book holds docs alone: a link out of it would be dead there.
    if page.starts_with(&docs) && !to.starts_with(&docs) {
        return Some("leads out of docs".to_owned());
    }
    let anchor = anchor?;
    let there = to.extension().is_some_and(|ending| ending == "md")
        && anchors(&fs_err::read_to_string(&to).unwrap()).contains(anchor);
    (!there).then(|| "has no such heading".to_owned())
}

/// The pages of the book, in order.
fn chapters() -> Vec<PathBuf> {
    let docs = root().join("docs");
    let summary = fs_err::read_to_string(docs.join("SUMMARY.md")).unwrap();
    links(&summary).iter().map(|link| docs.join(link)).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut dead_links = Vec::new();
    let pages = pages();
    assert!(pages.len() > 30, "{pages:?}");
    for page in &pages {
        let text = fs_err::read_to_string(page).unwrap();
        let shown = page.strip_prefix(root()).unwrap().display().to_string();
        for link in links(&text) {
            dead_links.extend(dead(page, &link).map(|why| format!("{shown}: {link} {why}")));
        }
        // What the book takes from other files.
        for included in text.split("{{#include ").skip(1).filter_map(|part| part.split_once("}}")) {
            let there = page.parent().unwrap().join(included.0).is_file();
            dead_links.extend((!there).then(|| format!("{shown}: {} is not there", included.0)));
        }
    }
    assert!(dead_links.is_empty(), "{}", dead_links.join("\n"));
}

#[test]
fn every_page_of_docs_is_in_the_book() {
    let chapters: BTreeSet<PathBuf> = chapters().into_iter().collect();
    let docs = root().join("docs");
    let left_out =
        |page: &PathBuf| page.starts_with(&docs) && !page.ends_with("SUMMARY.md") && !chapters.contains(page);
    let left_out: Vec<PathBuf> = pages().into_iter().filter(left_out).collect();
    assert!(left_out.is_empty(), "docs/SUMMARY.md does not name {left_out:?}");
}

#[test]
fn every_reject_reason_is_explained() {
    let code = fs_err::read_to_string(root().join("stages/ingest/src/reject.rs")).unwrap();
    let codes = code.split("=> \"").skip(1).filter_map(|part| part.split_once('"'));
    let codes: BTreeSet<&str> = codes.map(|(code, _)| code).collect();
    assert!(codes.contains("not_t0") && codes.len() >= 13, "{codes:?}");
    let page = fs_err::read_to_string(root().join("docs/guide/problems.md")).unwrap();
    let missing: Vec<&&str> = codes.iter().filter(|code| !page.contains(&format!("\n| `{code}` |"))).collect();
    assert!(missing.is_empty(), "docs/guide/problems.md does not explain {missing:?}");
}

/// A line as far as it is the same on every machine: without the time of a log line, with `#` for what holds a digit.
fn shape(line: &str) -> String {
    let mut words = line.split_whitespace().peekable();
    words.next_if(|word| {
        word.ends_with('Z') && word.contains('T') && word.starts_with(|letter: char| letter.is_ascii_digit())
    });
    let shape = |word: &str| if word.contains(|letter: char| letter.is_ascii_digit()) { "#" } else { word }.to_owned();
    words.map(shape).collect::<Vec<_>>().join(" ")
}

/// Runs a command line of a page in a folder and compares what it prints with what the page shows.
fn command(world: &World, line: &str, shown: &[&str]) -> Result<(), String> {
    let programs = program("deepmcat").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        // As many images as the page has would take minutes.
        .args(["-c", &line.replace("--subjects 97", "--subjects 12")])
        .current_dir(world.path(""))
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("USER", "ann")
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).join("\n");
    let code = |line: &&str| line.strip_prefix("(exit code ")?.strip_suffix(')')?.parse::<i32>().ok();
    let expected = shown.iter().find_map(code).unwrap_or(0);
    if output.status.code() != Some(expected) {
        return Err(format!("$ {line}\n{}, not {expected}\n{said}", output.status));
    }
    let printed: BTreeSet<String> = said.lines().map(shape).collect();
    let is_text = |line: &&&str| **line != "..." && code(line).is_none();
    match shown.iter().filter(is_text).find(|line| !printed.contains(&shape(line))) {
        Some(missing) => Err(format!("$ {line}\ndoes not print\n{missing}\nbut\n{said}")),
        None => Ok(()),
    }
}

/// Runs the `console` blocks of a page; returns what went wrong and how many commands there were.
fn console(world: &World, page: &str) -> (Vec<String>, usize) {
    let (mut wrong, mut count) = (Vec::new(), 0);
    let mut file = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) {
            file = Some(name);
        }
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(name) = file.take() {
            fs_err::write(world.path(name), block.join("\n") + "\n").unwrap();
        }
        if language != "console" {
            continue;
        }
        let starts: Vec<usize> = (0..block.len()).filter(|&at| block[at].starts_with("$ ")).collect();
        for (number, &start) in starts.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(block.len());
            wrong.extend(command(world, &block[start][2..], &block[start + 1..end]).err());
            count += 1;
        }
    }
    (wrong, count)
}

#[test]
fn what_the_readme_shows_is_what_happens() {
    if !has_encoder() {
        return;
    }
    let page = fs_err::read_to_string(root().join("README.md")).unwrap();
    let (wrong, count) = console(&World::new(), &page);
    assert!(wrong.is_empty() && count >= 3, "{count} commands\n{}", wrong.join("\n\n"));
}

#[test]
fn what_the_guide_shows_is_what_happens() {
    if !has_encoder() {
        return;
    }
    let world = World::new();
    let mut commands = 0;
    for page in chapters() {
        let (wrong, count) = console(&world, &fs_err::read_to_string(&page).unwrap());
        assert!(wrong.is_empty(), "{}:\n{}", page.display(), wrong.join("\n\n"));
        commands += count;
    }
    assert!(commands > 20, "{commands}");
}

#[test]
fn dead_links_are_seen() {
    let page = root().join("docs/README.md");
    assert_eq!(links("a [b](c.md#d) `[x](y)`\n```\n[z](z)\n```\n![e](f.png)"), ["c.md#d", "f.png"]);
    let anchors = anchors("# One `two` (v3)\n## Same\n## Same\n```\n# not this\n```");
    assert_eq!(anchors.into_iter().collect::<Vec<_>>(), ["one-two-v3", "same", "same-1"]);
    assert_eq!(dead(&page, "guide/start.md#build"), None);
    assert_eq!(dead(&page, "https://example.org/x"), None);
    assert!(dead(&page, "guide/absent.md").is_some());
    assert!(dead(&page, "guide/start.md#absent").is_some());
    assert!(dead(&page, "../README.md").is_some(), "out of the book");
    assert_eq!(shape("2026-11-28T17:20:23.7Z  INFO 97 subjects:  AO"), "INFO # subjects: AO");
}
