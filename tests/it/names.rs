//! Names for the clusters and images of a result: given, taken back, carried over, and not lost.

use std::collections::BTreeSet;
use std::time::Duration;

use deepmcat_schemas::layout::partition;
use deepmcat_schemas::{Assignments, Epoch, Manifest, Names, read_folder, read_table};
use serde_json::Value;

use crate::world::World;

/// A finished run: key of every image, in the order of their numbers, and their clusters.
fn finished() -> (World, Vec<String>, Vec<u32>) {
    let world = World::new();
    world.small_run();
    world.deepmcat(&["run", "run"]);
    let (keys, clusters) = result(&world, "run");
    (world, keys, clusters)
}

fn result(world: &World, run: &str) -> (Vec<String>, Vec<u32>) {
    let manifest: Manifest = read_table(&world.path(run).join("dataset/manifest.parquet")).unwrap();
    let assignments: Assignments = read_folder(&partition(&world.path(run), "assignments", Epoch(2))).unwrap();
    assert_eq!(assignments.image_id, manifest.image_id);
    (manifest.key, assignments.cluster.iter().map(|cluster| cluster.0).collect())
}

fn log(world: &World) -> Vec<Value> {
    serde_json::from_str(&world.deepmcat(&["names", "run", "log", "--json"])).unwrap()
}

fn table(world: &World, run: &str) -> Vec<String> {
    let names: Names = read_folder(&world.path(run).join("names")).unwrap();
    let what =
        |row: usize| names.cluster[row].map_or_else(|| names.key[row].clone().unwrap(), |cluster| cluster.to_string());
    let flag = |row: usize| names.flag[row].as_deref().unwrap_or("ok").to_owned();
    (0..names.kind.len()).map(|row| format!("{} {} {}", what(row), names.category[row], flag(row))).collect()
}

#[test]
fn names_are_given_by_csv_listed_and_taken_back() {
    let (world, keys, clusters) = finished();
    let (cluster, key) = (clusters[0], &keys[0]);
    // As a spreadsheet of half of Europe writes it: a mark, semicolons, more columns, a row that is not filled in.
    let csv = format!("\u{feff}note;what;category\nx;{cluster};SA, basal\nx;{key};LVOT\nx;{};\n", keys[1]);
    fs_err::write(world.path("names.csv"), csv).unwrap();
    world.deepmcat(&["names", "run", "import", "names.csv", "--author", "anna"]);
    assert_eq!(table(&world, "run"), [format!("{cluster} SA, basal ok"), format!("{key} LVOT ok")]);
    let decisions = log(&world);
    assert_eq!(decisions.len(), 2);
    assert_eq!((&decisions[0]["author"], &decisions[1]["image"]), (&"anna".into(), &key.as_str().into()));
    // Again: nothing is decided twice. What is exported is what is imported.
    let exported = world.deepmcat(&["names", "run", "export"]);
    assert!(exported.contains(&format!("{cluster},\"SA, basal\",cluster,anna,1,,\n")), "{exported}");
    world.deepmcat(&["names", "run", "export", "out/again.csv"]);
    world.deepmcat(&["names", "run", "import", "out/again.csv", "--author", "anna"]);
    assert_eq!(log(&world).len(), 2);
    world.deepmcat(&["names", "run", "undo", "--author", "ben"]);
    assert_eq!(table(&world, "run"), [format!("{cluster} SA, basal ok")]);
    let said = world.deepmcat(&["names", "run", "log"]);
    assert!(said.contains(&format!("3  image {key}: `LVOT` -> no name  undoes 2  ben")), "{said}");
    let message = world.fails(2, &["names", "run", "undo", "2"]);
    assert!(message.contains("2 decisions to undo, but there are only 1"), "{message}");
}

#[test]
fn a_second_person_agrees_or_not() {
    let (world, keys, clusters) = finished();
    let mut other = clusters.clone();
    other.retain(|&cluster| cluster != clusters[0]);
    let import = |author: &str, csv: String| {
        fs_err::write(world.path("names.csv"), csv).unwrap();
        world.deepmcat(&["names", "run", "import", "names.csv", "--author", author]);
    };
    import("anna", format!("{},SA\n{},AO\n{},LVOT\n", clusters[0], other[0], keys[0]));
    assert_eq!(
        world.deepmcat(&["names", "run", "agreement"]).trim(),
        "no two people have named the same cluster or image"
    );
    import("ben", format!("{},SA\n{},LVOT\n", clusters[0], other[0]));
    let said = world.deepmcat(&["names", "run", "agreement"]);
    let expected = format!(
        "anna and ben: 2 named by both, 1 with the same name, kappa 0.333\n  {}: `AO` (anna), `LVOT` (ben)\n",
        other[0]
    );
    assert_eq!(said, expected);
    let json: Value = serde_json::from_str(&world.deepmcat(&["names", "run", "agreement", "--json"])).unwrap();
    assert_eq!((&json[0]["same"], &json[0]["different"][0]["names"][1]), (&1.into(), &"LVOT".into()));
    // Who said it already says nothing new.
    import("ben", format!("{},SA\n", clusters[0]));
    assert_eq!(log(&world).len(), 5);
}

#[test]
fn a_csv_that_is_wrong_changes_nothing() {
    let (world, keys, clusters) = finished();
    let import = |csv: &str| {
        fs_err::write(world.path("names.csv"), csv).unwrap();
        world.fails(2, &["names", "run", "import", "names.csv"])
    };
    let (cluster, key) = (clusters[0], &keys[0]);
    let message = import(&format!("what,category\n{key},SA\n{cluster},AO\n{key},LVOT\n"));
    assert!(message.contains(&format!("`{key}` is called `SA` on line 2 and `LVOT` on line 4")), "{message}");
    let message = import(&format!("what,category\n{key},SA\n99,AO\n0123456789abcdef,AO\n"));
    assert!(message.contains("2 rows match nothing in this run, the first on line 3: `99`"), "{message}");
    let message = import(&format!("what,category\n{key},\"two\nlines\"\n"));
    assert!(message.contains("cannot be a category: it holds a line break"), "{message}");
    let message = world.fails(2, &["names", "run", "import", "absent.csv"]);
    assert!(message.contains("absent.csv"), "{message}");
    assert!(!world.path("run/review/decisions.jsonl").exists() && !world.path("run/names").exists());

    // A run without a result, a folder that is no run.
    world.init("fresh");
    let message = world.fails(2, &["names", "fresh", "log"]);
    assert!(message.contains("no result yet: no assignments of epoch 2"), "{message}");
    let message = world.fails(2, &["names", "archive", "log"]);
    assert!(message.contains("archive: no run.toml here"), "{message}");
}

#[test]
fn a_torn_log_keeps_all_but_its_half_line() {
    let (world, keys, _) = finished();
    let name = |number: usize| {
        fs_err::write(world.path("names.csv"), format!("{},SA\n", keys[number])).unwrap();
        world.command(&["names", "run", "import", "names.csv"]).output().unwrap()
    };
    assert!(name(0).status.success() && name(1).status.success());
    let path = world.path("run/review/decisions.jsonl");
    let whole = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, format!("{whole}{}", &whole[..40])).unwrap();
    let output = name(2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("decisions.jsonl: line 3 is incomplete and is ignored"), "{said}");
    let text = fs_err::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.lines().count() == 3 && log(&world)[2]["number"] == 3, "{text}");
    fs_err::write(&path, text.replacen("\"author\"", "\"auth", 1)).unwrap();
    let message = world.fails(2, &["names", "run", "log"]);
    assert!(message.contains("line 1 is not a decision") && message.contains("hint:"), "{message}");
}

#[test]
fn names_are_carried_over_to_another_result() {
    let (world, keys, clusters) = finished();
    let rows: BTreeSet<String> = clusters.iter().map(|cluster| format!("{cluster},name {cluster}\n")).collect();
    fs_err::write(world.path("names.csv"), rows.iter().cloned().collect::<String>() + &format!("{},LVOT\n", keys[3]))
        .unwrap();
    world.deepmcat(&["names", "run", "import", "names.csv"]);

    // The same archive and key, one run with the same settings and one with fewer clusters.
    world.init("same");
    world.deepmcat(&["run", "same"]);
    let said: Vec<Value> = serde_json::from_str(&world.deepmcat(&["names", "same", "carry", "run", "--json"])).unwrap();
    assert!(said.iter().all(|row| row["verdict"] == "carried" && row["overlap"] == 1.0), "{said:?}");
    assert_eq!(table(&world, "same"), table(&world, "run"));
    assert!(world.deepmcat(&["names", "same", "log"]).contains("carried 1.00"));
    let again = world.deepmcat(&["names", "same", "carry", "run"]);
    assert!(again.lines().all(|line| line.starts_with("has a name")), "{again}");

    // In the same folder: names of the result before do not count until they are carried over, and are not lost.
    world.deepmcat(&["run", "run", "--set", "final.k=9"]);
    let said = world.command(&["names", "run", "carry", "--dry-run"]).output().unwrap();
    assert!(String::from_utf8(said.stdout).unwrap().contains(" <- "));
    let output = world.command(&["names", "run", "carry"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("names are of clusters of an earlier result"));
    let (said, table) = (String::from_utf8(output.stdout).unwrap(), table(&world, "run"));
    let carried = said.lines().filter(|line| line.starts_with("carried")).count();
    assert_eq!(table.iter().filter(|row| row.ends_with("older-result")).count(), rows.len());
    assert_eq!(table.iter().filter(|row| row.ends_with("ok")).count(), carried + 1);
    for line in said.lines() {
        let overlap: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert_eq!(line.starts_with("carried"), overlap >= 0.8, "{line}");
    }

    // Another key: nothing tells which image is which.
    world.deepmcat(&["init", "archive", "--run", "other", "--preset", "ci", "--set", "compute.threads=1"]);
    world.deepmcat(&["run", "other"]);
    let message = world.fails(2, &["names", "other", "carry", "run"]);
    assert!(message.contains("run: none of its images is in other"), "{message}");
}

#[test]
fn what_to_name_next_is_clusters_first_and_can_be_filled_in() {
    let (world, _, clusters) = finished();
    let used: BTreeSet<u32> = clusters.iter().copied().collect();
    let ask = |n: usize| world.deepmcat(&["names", "run", "ask", "-n", &n.to_string()]);
    let asked = ask(used.len() + 4);
    let lines: Vec<&str> = asked.lines().skip(1).collect();
    let first: BTreeSet<u32> =
        lines[..used.len()].iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(first, used);
    assert!(
        lines[used.len()..].iter().all(|line| line.contains(",unsure image")) && lines.len() == used.len() + 4,
        "{asked}"
    );
    for line in &lines {
        assert!(world.path("run").join(line.rsplit(',').next().unwrap()).is_file(), "{line}");
    }
    // The largest first.
    let sizes: Vec<u32> =
        lines[..used.len()].iter().map(|line| line.split(',').nth(4).unwrap().parse().unwrap()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    fs_err::write(world.path("todo.csv"), asked.replacen(",,", ",SA,", 3)).unwrap();
    world.deepmcat(&["names", "run", "import", "todo.csv"]);
    assert_eq!(log(&world).len(), 3);
    assert_eq!(ask(used.len()).lines().filter(|line| line.contains("its medoid")).count(), used.len() - 3);
}

/// As `benches/names_kills.py` does a hundred times.
#[test]
fn killed_programs_lose_no_name_that_was_kept() {
    let (world, keys, _) = finished();
    let mut kept = BTreeSet::new();
    for (number, key) in keys.iter().take(30).enumerate() {
        let file = format!("{number}.csv");
        fs_err::write(world.path(&file), format!("{key},name {number}\n")).unwrap();
        let mut process = world.command(&["names", "run", "import", &file, "-q"]).spawn().unwrap();
        // From before it reads the run until after it has ended.
        std::thread::sleep(Duration::from_micros(1500 * number as u64));
        drop(process.kill());
        if process.wait().unwrap().success() {
            kept.insert(format!("name {number}"));
        }
    }
    let decisions = log(&world);
    let named: BTreeSet<String> = decisions.iter().map(|one| one["category"].as_str().unwrap().to_owned()).collect();
    assert!(kept.is_subset(&named), "{:?}", kept.difference(&named));
    let numbers: Vec<u64> = decisions.iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=decisions.len() as u64).collect::<Vec<_>>());
    world.deepmcat(&["names", "run", "export", "all.csv"]);
    assert_eq!(table(&world, "run").len(), named.len());
}

#[test]
fn processes_side_by_side_get_numbers_of_their_own() {
    let (world, keys, _) = finished();
    let start = |(number, key): (usize, &String)| {
        let file = format!("{number}.csv");
        fs_err::write(world.path(&file), format!("{key},name {number}\n")).unwrap();
        world.command(&["names", "run", "import", &file, "-q"]).spawn().unwrap()
    };
    let processes: Vec<_> = keys.iter().take(12).enumerate().map(start).collect();
    assert!(processes.into_iter().all(|mut process| process.wait().unwrap().success()));
    let numbers: Vec<u64> = log(&world).iter().map(|one| one["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<u64>>());
    world.deepmcat(&["names", "run", "export", "all.csv"]);
    assert_eq!(table(&world, "run").len(), 12);
}
