//! `deepmcat sql`, and every query of docs/guide/queries.md: those in SQL by deepmcat and by DuckDB, the others in their language.

mod rust;

use std::path::Path;

use serde_json::Value;

use crate::python::python;
use crate::world::World;

const PAGE: &str = include_str!("../../docs/guide/queries.md");

/// The code block that follows the line of a name.
fn block(name: &str) -> String {
    let marker = format!("<!-- query: {name} -->");
    let after = PAGE.split_once(&marker).unwrap_or_else(|| panic!("docs/guide/queries.md has no `{marker}`")).1;
    let block = after.split_once("```").unwrap().1.split_once("```").unwrap().0;
    block.split_once('\n').unwrap().1.replace("runs/demo", "run")
}

/// The names of the queries in a language.
fn names(language: &str) -> Vec<&'static str> {
    let parts = PAGE.split("<!-- query: ").skip(1).filter_map(|part| part.split_once(" -->\n"));
    parts.filter(|(_, block)| block.starts_with(&format!("```{language}\n"))).map(|(name, _)| name).collect()
}

fn asked(world: &World, words: &[&str]) -> Vec<Value> {
    let said = world.deepmcat(&[&["sql", "run"], words, &["--format", "json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// A finished run of two networks whose images move.
fn run(networks: u32) -> World {
    let world = World::new();
    world.deepmcat(&["synth", "archive", "--subjects", "3", "--size", "48", "--format", "dicom"]);
    world.init("run");
    world.deepmcat(&["run", "run", "--set", "run.epochs=4", "--set", &format!("run.networks={networks}")]);
    world
}

/// Rows of numbers and texts, with as many digits as two programs agree on.
fn shown(rows: &[Value]) -> Vec<String> {
    let cell = |value: &Value| match value.as_f64() {
        Some(number) => format!("{number:.6}"),
        None => value.to_string(),
    };
    let row = |row: &Value| match row {
        Value::Object(cells) => cells.values().map(cell).collect::<Vec<_>>().join(" "),
        Value::Array(cells) => cells.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    rows.iter().map(row).collect()
}

#[test]
fn every_query_in_sql_gives_what_duckdb_gives() {
    let world = run(2);
    let names = names("sql");
    assert_eq!(names.len(), 9, "{names:?}");
    let answers: Vec<Vec<Value>> = names.iter().map(|name| asked(&world, &[&block(name)])).collect();
    for (name, rows) in names.iter().zip(&answers) {
        assert!(!rows.is_empty(), "{name} has an answer");
    }
    fs_err::write(world.path("views.sql"), world.deepmcat(&["sql", "run", "--duckdb"])).unwrap();
    let queries: Vec<String> = names.iter().map(|name| block(name)).collect();
    fs_err::write(world.path("queries.json"), serde_json::to_string(&queries).unwrap()).unwrap();
    let code = "
import duckdb, json
connection = duckdb.connect()
connection.execute(open('views.sql').read())
for query in json.load(open('queries.json')):
    answer = connection.execute(query)
    names = [column[0] for column in answer.description]
    rows = [{name: float(cell) if hasattr(cell, 'as_tuple') else cell for name, cell in zip(names, row)} for row in answer.fetchall()]
    print(json.dumps(rows))
";
    let Some(said) = python(&world, "duckdb", code) else { return };
    assert_eq!(said.lines().count(), names.len());
    for ((name, own), theirs) in names.iter().zip(&answers).zip(said.lines()) {
        let theirs: Vec<Value> = serde_json::from_str(theirs).unwrap();
        assert_eq!(shown(own), shown(&theirs), "{name}");
    }
}

#[test]
fn queries_agree_with_each_other_and_with_what_the_run_knows() {
    let world = run(2);
    assert_eq!(asked(&world, &[&block("restless images")]), asked(&world, &[&block("restless images by lag")]));
    let purity = asked(&world, &[&block("purity")]);
    let metrics = asked(&world, &["SELECT epoch, purity FROM metrics ORDER BY epoch"]);
    assert_eq!((shown(&purity), purity.len()), (shown(&metrics), 5));
    let flips = asked(&world, &[&block("flips by epoch")]);
    let history = world.deepmcat(&["history", "run", "--format", "json"]);
    let history: Vec<Value> = serde_json::from_str(&history).unwrap();
    for row in history.iter().filter(|row| row["flips"].as_u64().is_some_and(|flips| flips > 0)) {
        let same = flips.iter().find(|other| other["epoch"] == row["epoch"]).unwrap();
        assert_eq!(same["flips"], row["flips"]);
    }
}

#[test]
fn polars_and_pandas_find_the_same_images_and_clusters() {
    let world = run(2);
    let restless = asked(&world, &[&block("restless images")]);
    let majority = asked(&world, &[&block("majority")]);
    let pairs = |rows: &[Value], columns: [&str; 2]| -> Vec<String> {
        rows.iter().map(|row| format!("{} {}", row[columns[0]], row[columns[1]]).replace('"', "")).collect()
    };
    let expected = [pairs(&restless, ["image_id", "flips"]), pairs(&majority, ["cluster", "label"])].concat();
    let print = [
        ("polars", "for row in restless.rows() + majority.select('cluster', 'label').rows(): print(*row)"),
        ("pandas", "for row in restless.to_numpy().tolist() + list(majority['label'].items()): print(*row)"),
    ];
    for (package, print) in print {
        // The programs of this build are those that the page calls.
        let path = crate::world::program("deepmcat");
        let code = block(package).replace("\"deepmcat\"", &format!("{:?}", path.to_str().unwrap()));
        let Some(said) = python(&world, package, &format!("{code}\n{print}")) else { continue };
        let said: Vec<&str> = said.lines().collect();
        assert_eq!(said, expected, "{package}");
    }
}

#[test]
fn the_rust_of_the_page_finds_the_same_images() {
    let source = include_str!("queries/rust.rs").split("// ----\n").nth(1).unwrap();
    assert!(
        PAGE.contains(&format!("```rust\n{source}```\n")),
        "docs/guide/queries.md is not what tests/it/queries/rust.rs says"
    );
    let world = run(1);
    let frame = rust::restless(&world.path("run")).unwrap();
    let numbers = |name: &str| frame.column(name).unwrap().u32().unwrap().iter().flatten().collect::<Vec<u32>>();
    let found: Vec<Value> = numbers("image_id")
        .into_iter()
        .zip(numbers("flips"))
        .map(|(image, flips)| serde_json::json!({"image_id": image, "flips": flips}))
        .collect();
    assert_eq!((asked(&world, &[&block("restless images")]), found.len()), (found, 10));
}

#[test]
fn a_query_reads_what_it_names_and_nothing_else() {
    let world = run(1);
    let images = asked(&world, &["SELECT count(*) AS n FROM manifest"])[0]["n"].as_u64().unwrap();
    let count = |words: &[&str]| asked(&world, words)[0]["n"].as_u64().unwrap();
    assert_eq!(count(&["SELECT count(*) AS n FROM assignments"]), 5 * images);
    assert_eq!(count(&["--epochs", "3..", "SELECT count(*) AS n FROM assignments"]), 2 * images);
    assert_eq!(count(&["--epochs", "9", "SELECT count(*) AS n FROM assignments"]), 0);
    let some = asked(&world, &["--epochs", "2", "SELECT DISTINCT epoch FROM flips"]);
    assert_eq!(shown(&some), ["2.000000"]);
    // Every table, with all its columns, in every format.
    for table in asked(&world, &[]) {
        let name = table["table"].as_str().unwrap();
        let query = format!("SELECT * FROM {name} LIMIT 3");
        let columns: Vec<&str> = table["columns"].as_str().unwrap().split(", ").collect();
        let csv = world.deepmcat(&["sql", "run", &query, "--format", "csv"]);
        assert_eq!(csv.lines().next().unwrap().split(',').collect::<Vec<_>>(), columns, "{name}");
        world.deepmcat(&["sql", "run", &query, "--out", &format!("{name}.parquet")]);
        assert!(Path::new(&world.path(&format!("{name}.parquet"))).is_file());
    }
    // A damaged table matters to the query that names it alone, and so does a file that is no table.
    let labels = world.path("run/dataset/labels.parquet");
    fs_err::write(&labels, "PAR1 but not really").unwrap();
    assert_eq!(count(&["SELECT count(*) AS n FROM clusters WHERE epoch = 0"]), 13);
    let message = world.fails(2, &["sql", "run", "SELECT * FROM labels"]);
    assert!(message.contains("labels.parquet: not a readable Parquet file"), "{message}");
}

#[test]
fn what_is_no_question_to_the_run_is_refused() {
    let world = run(1);
    fs_err::write(world.path("secret.csv"), "a,b\n1,2\n").unwrap();
    for function in ["read_csv", "read_parquet", "read_ipc", "read_json"] {
        let message = world.fails(2, &["sql", "run", &format!("SELECT * FROM {function}('secret.csv')")]);
        assert!(message.contains("is not a supported table function"), "{message}");
    }
    let refused = [
        ("SELECT * FROM lables", "'lables' was not found\nhint: the tables here are manifest, labels, sources,"),
        ("SELECT * FROM 'secret.csv'", "was not found\nhint: the tables here are"),
        ("SELECT lable FROM labels", "hint: labels has image_id, label"),
        ("DROP TABLE labels", "`DROP`: a query only reads\nhint: begin it with SELECT"),
        ("SELECT 1; SELECT 2", "one (and only one) statement"),
        ("SELECT FROM WHERE", "the query cannot be answered: "),
        ("SELECT bit_xor_all(cluster) FROM assignments", "the query cannot be answered: "),
    ];
    for (query, expected) in refused {
        let message = world.fails(2, &["sql", "run", query]);
        assert!(message.contains(expected) && message.contains("\nhint: "), "{query}: {message}");
    }
    let message = world.fails(2, &["sql", "run", "SELECT 1", "--epochs", "4..2"]);
    assert!(message.contains("expected A..B"), "{message}");
    let message = world.fails(2, &["sql", "nowhere", "SELECT 1"]);
    assert!(message.contains("nowhere: no run.toml here"), "{message}");
}
