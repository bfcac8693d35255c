//! Reads class rules from TOML; a fault names its line.

use std::path::Path;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_object::StandardDataDictionary;
use regex::Regex;
use toml_edit::{Document, Item, Table};

use super::{Action, BUILT_IN, Field, Rule, Rules};
use crate::Error;

impl Rules {
    /// The rules that `ingest.rules` names: a built-in name or a TOML file.
    ///
    /// # Errors
    /// When there are none of that name, or a rule cannot be used; the error names the line.
    pub fn load(name: &str) -> Result<Self, Error> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return parse(name, text);
        }
        let text = fs_err::read_to_string(Path::new(name)).map_err(|source| Error::NoRules {
            name: name.to_owned(),
            built_in: BUILT_IN.map(|(name, _)| name).join(", "),
            source,
        })?;
        parse(name, &text)
    }
}

/// Parses `repeats` and the `[[rule]]` tables; `origin` is the file or the built-in name.
pub(super) fn parse(origin: &str, text: &str) -> Result<Rules, Error> {
    let line_at = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
    let fault = |line, message: String| Error::Rule { origin: origin.to_owned(), line, message };
    let document = Document::parse(text)
        .map_err(|error| fault(line_at(error.span().map_or(0, |span| span.start)), error.message().to_owned()))?;
    let (mut rules, mut latest) = (Vec::<Rule>::new(), false);
    for (key, item) in document.iter() {
        let line = line_at(item.span().map_or(0, |span| span.start));
        if key == "repeats" {
            latest = match item.as_str() {
                Some("latest") => true,
                Some("all") => false,
                _ => return Err(fault(line, "`repeats` must be \"all\" or \"latest\"".to_owned())),
            };
            continue;
        }
        if key != "rule" {
            return Err(fault(line, format!("unknown key `{key}`, expected repeats or [[rule]]")));
        }
        let Some(tables) = item.as_array_of_tables() else {
            return Err(fault(line, "expected [[rule]], with double brackets".to_owned()));
        };
        for table in tables {
            let start = line_at(table.span().map_or(0, |span| span.start));
            // A key's own line is better than that of its table.
            let line_of = |item: Option<&Item>| item.and_then(Item::span).map_or(start, |span| line_at(span.start));
            let new = rule(table, start)
                .map_err(|(key, message)| fault(key.map_or(start, |key| line_of(table.get(key))), message))?;
            let same = |old: &&Rule| old.field == new.field && old.pattern.as_str() == new.pattern.as_str();
            if let Some(old) = rules.iter().find(same) {
                let message = format!("never matches, since the rule of {} looks for the same before it", old.name);
                return Err(fault(line_of(table.get("pattern")), message));
            }
            rules.push(new);
        }
    }
    Ok(Rules { rules, latest })
}

/// The key at fault, where it is one, and the message.
type Fault = (Option<&'static str>, String);

fn rule(table: &Table, line: usize) -> Result<Rule, Fault> {
    if let Some((key, _)) = table.iter().find(|(key, _)| !["field", "pattern", "class", "exclude"].contains(key)) {
        return Err((None, format!("unknown key `{key}` in a rule")));
    }
    let field = string(table, "field")?.ok_or_else(|| (None, "the rule has no `field`".to_owned()))?;
    let pattern = string(table, "pattern")?.ok_or_else(|| (None, "the rule has no `pattern`".to_owned()))?;
    let regex = Regex::new(pattern).map_err(|error| {
        // The crate's message draws the place over several lines; the last one says what is wrong.
        let text = error.to_string();
        (Some("pattern"), format!("`{pattern}` is no regular expression: {}", text.lines().last().unwrap_or_default()))
    })?;
    Ok(Rule {
        field: parse_field(field).map_err(|message| (Some("field"), message))?,
        action: action(table, &regex)?,
        pattern: regex,
        name: format!("line {line}, {field} {pattern}"),
    })
}

fn action(table: &Table, pattern: &Regex) -> Result<Action, Fault> {
    let exclude = match table.get("exclude") {
        None => false,
        Some(item) => item.as_bool().ok_or((Some("exclude"), "`exclude` must be true or false".to_owned()))?,
    };
    match (string(table, "class")?, exclude) {
        (Some(""), false) => Err((Some("class"), "`class` is empty".to_owned())),
        (Some(class), false) => {
            check_groups(class, pattern).map_err(|message| (Some("class"), message))?;
            Ok(Action::Class(class.to_owned()))
        }
        (None, true) => Ok(Action::Exclude),
        (Some(_), true) => Err((Some("exclude"), "a rule has either `class` or `exclude`, not both".to_owned())),
        (None, false) => Err((None, "the rule has neither `class` nor `exclude = true`".to_owned())),
    }
}

/// Refuses a class that asks for a group which the pattern does not have: it would be empty for every file.
fn check_groups(class: &str, pattern: &Regex) -> Result<(), String> {
    let groups =
        Regex::new(r"\$\$|\$\{(?<braces>[^}]*)\}|\$(?<bare>[_0-9A-Za-z]+)").map_err(|error| error.to_string())?;
    for group in groups.captures_iter(class) {
        let Some(name) = group.name("braces").or_else(|| group.name("bare")) else { continue }; // `$$` is a dollar
        let name = name.as_str();
        let is = match name.parse::<usize>() {
            Ok(number) => number < pattern.captures_len(),
            Err(_) => pattern.capture_names().flatten().any(|known| known == name),
        };
        if is {
            continue;
        }
        let digits = name.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(name.len());
        let (number, rest) = name.split_at(digits);
        let has =
            format!("`class` names the group `${name}`, and the pattern has {} groups", pattern.captures_len() - 1);
        return Err(match group.name("bare") {
            Some(_) if digits > 0 && !rest.is_empty() => {
                format!("{has}; for group {number} write `${{{number}}}{rest}`")
            }
            _ => has,
        });
    }
    Ok(())
}

fn string<'a>(table: &'a Table, key: &'static str) -> Result<Option<&'a str>, Fault> {
    match table.get(key) {
        None => Ok(None),
        Some(item) => item.as_str().map(Some).ok_or((Some(key), format!("`{key}` must be a text in quotes"))),
    }
}

fn parse_field(name: &str) -> Result<Field, String> {
    match name {
        "path" => Ok(Field::Path),
        "file_name" => Ok(Field::FileName),
        "folder" => Ok(Field::Folder),
        keyword => match StandardDataDictionary.by_name(keyword) {
            Some(entry) => Ok(Field::Tag(entry.tag())),
            None => Err(format!("`{keyword}` is neither path, file_name, folder nor the keyword of a DICOM attribute")),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (usize, String) {
        match parse("my.toml", text).unwrap_err() {
            Error::Rule { line, message, .. } => (line, message),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn faults_name_their_line() {
        let good = "[[rule]]\nfield = \"path\"\npattern = \"x\"\nclass = \"X\"\n";
        assert_eq!(parse("my.toml", good).unwrap().rules().len(), 1);
        let with = |rule: &str| fault(&format!("{good}\n[[rule]]\n{rule}"));
        let (line, message) = with("field = \"path\"\npattern = \"(\"\nclass = \"X\"\n");
        assert_eq!(line, 8);
        assert!(message.contains("unclosed group"), "{message}");
        assert_eq!(with("field = \"SeriesDescripton\"\npattern = \"x\"\nclass = \"X\"\n").0, 7);
        assert_eq!(with("field = \"path\"\npattern = \"x\"\n").0, 6);
        assert_eq!(with("field = \"path\"\npattern = 5\nclass = \"X\"\n").0, 8);
        assert!(with("field = \"path\"\npattern = \"x\"\nclass = \"X\"\nexclude = true\n").1.contains("not both"));
        assert!(with("field = \"path\"\npatern = \"x\"\nclass = \"X\"\n").1.contains("`patern`"));
        let (line, message) = with("field = \"path\"\npattern = \"x\"\nclass = \"Y\"\n");
        assert!(line == 8 && message.contains("line 1, path x"), "{line} {message}");
        assert_eq!(fault("[[rule]]\nfield = \n").0, 2);
        let class = |class: &str| format!("field = \"path\"\npattern = '(?<who>y)_(z)'\nclass = '{class}'\n");
        let (line, message) = with(&class("phase_$1_x"));
        assert!(line == 9 && message.contains("write `${1}_x`"), "{line} {message}");
        assert!(with(&class("$3")).1.contains("has 2 groups"));
        assert!(with(&class("${whose}")).1.contains("`$whose`"));
        for sound in ["phase_${1}_x", "$who-$2", "$$5", "$0"] {
            assert!(parse("my.toml", &format!("[[rule]]\n{}", class(sound))).is_ok(), "{sound}");
        }
        assert!(fault("repeats = \"newest\"\n").1.contains("latest"));
        assert!(parse("my.toml", &format!("repeats = \"latest\"\n{good}")).unwrap().latest());
        assert!(fault("[rule]\nfield = \"path\"\n").1.contains("double brackets"));
    }

    #[test]
    fn any_dicom_keyword_is_a_field() {
        let rules = "[[rule]]\nfield = \"ImageComments\"\npattern = \"T1 Map\"\nclass = \"MAP\"\n";
        let rules = parse("my.toml", rules).unwrap();
        assert_eq!(rules.rules()[0].field, Field::Tag(dicom_dictionary_std::tags::IMAGE_COMMENTS));
        assert_eq!(rules.rules()[0].name, "line 1, ImageComments T1 Map");
    }
}
