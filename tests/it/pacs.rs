//! In and out of a real archive server, Orthanc: what is received is what lies there, and gives what a folder gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use deepmcat_schemas::files::hash_file;
use deepmcat_schemas::{SeriesByUid, read_table};
use deepmcat_testing::{Need, shared, skip};
use serde_json::json;

use crate::orthanc::{Orthanc, PASSWORD, free_port, ok, signed_in};
use crate::python::python;
use crate::world::World;

/// Content hash of every file below a folder, by its path there.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    let entries = entries.filter(|entry| entry.file_type().is_file());
    let one = |entry: walkdir::DirEntry| {
        (entry.path().strip_prefix(folder).unwrap().to_owned(), hash_file(entry.path()).unwrap())
    };
    entries.map(one).collect()
}

/// A server with real files: a pig's cines and a part of a person's diffusion images.
fn filled(world: &World) -> Option<(Orthanc, Vec<PathBuf>)> {
    let sources = vec![shared("pig-ep-cmr")?, shared("mr-sequences-philips")?.join("DWI_b0")];
    let server = Orthanc::start(world, "orthanc", &json!({}))?;
    let taken: usize = sources.iter().map(|source| server.upload(source, usize::MAX)).sum();
    assert!(taken > 180, "{taken} files were taken");
    Some((server, sources))
}

#[test]
fn a_server_gives_what_a_folder_gives() {
    let world = World::new();
    let Some((server, sources)) = filled(&world) else { return };
    fs_err::write(world.path("key"), [7; 32]).unwrap();
    let sets = ["--preset", "ci", "--set", "ingest.key_file=key", "--set", "run.epochs=1"];
    ok(&world, &[&["init", &server.address(), "--run", "run"], &sets[..]].concat());
    ok(&world, &["run", "run", "--until", "ingest"]);
    // Every file that the server took came back as it was.
    let instances = world.path("run/received/instances");
    let received = files(&instances);
    let mut of: BTreeMap<String, PathBuf> = BTreeMap::new();
    for source in &sources {
        of.extend(files(source).into_iter().map(|(path, hash)| (hash, source.join(path))));
    }
    for (path, hash) in &received {
        let to = world.path("folder").join(path);
        fs_err::create_dir_all(to.parent().unwrap()).unwrap();
        fs_err::copy(of.get(hash).unwrap_or_else(|| panic!("{} is none of the files", path.display())), to).unwrap();
    }
    // The same files in a folder give the same PNGs, ids and tables.
    ok(&world, &["ingest", "folder", "--out", "dataset", "--config", "run/run.toml", "--key-file", "key"]);
    let made = |folder: &str| {
        let mut files = files(&world.path(folder));
        // Times and inodes of the inputs.
        files.remove(Path::new("inputs.parquet"));
        files
    };
    assert!(made("dataset").len() > 20);
    assert_eq!(made("run/dataset"), made("dataset"));
    // DICOMweb gives the same bytes.
    ok(&world, &["fetch", &server.dicomweb(), "--out", "web", "--set", "fetch.description=*cine*"]);
    let web = files(&world.path("web/instances"));
    assert!(web.len() == 180 && web.iter().all(|(path, hash)| received.get(path) == Some(hash)), "{}", web.len());
    let (_, said) = ok(&world, &["fetch", &server.dicomweb(), "--out", "web", "--set", "fetch.description=*cine*"]);
    assert!(said.contains(" 0 received"), "{said}");
    // Nobody wrote the password down.
    for entry in walkdir::WalkDir::new(world.path("run")).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            let bytes = fs_err::read(entry.path()).unwrap();
            let found = bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
            assert!(!found, "{}", entry.path().display());
        }
    }
}

#[test]
fn what_is_new_is_received_alone_and_what_is_gone_goes() {
    let world = World::new();
    let Some(pig) = shared("pig-ep-cmr") else { return };
    let Some(server) = Orthanc::start(&world, "orthanc", &json!({})) else { return };
    assert_eq!(server.upload(&pig.join("E774S6-longAxis"), usize::MAX), 80);
    let fetch = || ok(&world, &["fetch", &server.address(), "--out", "received"]).1;
    assert!(fetch().contains("80 instances of 1 series, ") && fetch().contains(" 0 received"));
    server.upload(&pig.join("E774S5-shortAxis"), 30);
    let said = fetch();
    assert!(said.contains("110 instances of 2 series") && said.contains(": 30 received"), "{said}");
    assert!(said.contains("asked for what is new alone"), "{said}");
    // A file that is lost here comes back.
    let lost = world.path("received/instances").join(files(&world.path("received/instances")).keys().next().unwrap());
    fs_err::remove_file(&lost).unwrap();
    assert!(fetch().contains(": 1 received") && lost.is_file());
    // A server that stores an instance again, or loses one, is listed anew.
    let series = server.json("/series?expand");
    let long = series.as_array().unwrap().iter().find(|one| one["Instances"].as_array().unwrap().len() == 80).unwrap();
    server.delete(&format!("/instances/{}", long["Instances"][0].as_str().unwrap()));
    let said = fetch();
    assert!(
        said.contains("109 instances of 2 series") && said.contains("0 series and 1 instances are no longer"),
        "{said}"
    );
    server.delete(&format!("/series/{}", long["ID"].as_str().unwrap()));
    assert!(fetch().contains("1 series and 0 instances are no longer"));
    assert_eq!(files(&world.path("received/instances")).len(), 30);
    // Nothing left is more likely a mistake.
    let filter = ["fetch", &server.address(), "--out", "received", "--set", "fetch.modality=[\"CT\"]"];
    let output = signed_in(&world, &filter).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("30 were received before"), "{said}");
    // Who has no credentials is told how to give them.
    let output = world.command(&["fetch", &server.address(), "--out", "x"]).env("NETRC", "absent").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("DEEPMCAT_PACS_USER"), "{said}");
    let netrc = format!("machine 127.0.0.1 login anna password {PASSWORD}\n");
    fs_err::write(world.path("netrc"), netrc).unwrap();
    let output = world.command(&["fetch", &server.address(), "--out", "x"]).env("NETRC", "netrc").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_killed_fetch_goes_on() {
    let world = World::new();
    let Some((server, _)) = filled(&world) else { return };
    ok(&world, &["fetch", &server.address(), "--out", "whole"]);
    let whole = files(&world.path("whole/instances"));
    let (mut cut, words) = (0, ["fetch", &server.address(), "--out", "received", "--connections", "1"]);
    for wait in (0..12).map(|step| 10 + 7 * step) {
        let mut child = signed_in(&world, &words).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        cut += usize::from(!child.wait().unwrap().success());
        let instances = world.path("received/instances");
        let now = if instances.exists() { files(&instances) } else { BTreeMap::new() };
        assert!(now.iter().all(|(path, hash)| whole.get(path) == Some(hash)), "half a file after {wait} ms");
    }
    assert!(cut > 3, "only {cut} were killed in time");
    ok(&world, &words);
    assert_eq!(files(&world.path("received/instances")), whole);
}

/// A run over all that a server has, with a category for every series: that of its cluster.
fn categorized(world: &World, server: &Orthanc, preset: &[&str]) {
    ok(
        world,
        &[&["init", &server.address(), "--run", "run", "--preset", "ci", "--set", "run.epochs=1"], preset].concat(),
    );
    ok(world, &["run", "run"]);
}

/// The series of a plan as JSON, by verdict.
fn verdicts(text: &str) -> BTreeMap<String, usize> {
    let plan: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut counts = BTreeMap::new();
    for place in plan["places"].as_array().unwrap() {
        *counts.entry(place["verdict"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn categories_go_to_the_server_and_come_back_off_it() {
    let world = World::new();
    let Some((server, _)) = filled(&world) else { return };
    categorized(&world, &server, &["--set", "cluster.k=4", "--set", "ingest.rules=none"]);
    let names = "what,category\n0,cine\n1,\"DWI, b0\"\n2,cine\n3,other\n";
    fs_err::write(world.path("names.csv"), names).unwrap();
    ok(&world, &["names", "run", "import", "names.csv"]);
    ok(&world, &["categorize", "run", "--threshold", "0"]);
    let series: Vec<String> = serde_json::from_value(server.json("/series")).unwrap();
    // One series has a value of somebody else at our place.
    server.put(&format!("/series/{}/metadata/7077", series[0]), "a radiologist's own");
    let before = server.metadata();
    let all = verdicts(&ok(&world, &["pacs", "write", "run", "--json"]).0);
    assert_eq!((all.get("others"), all.values().sum::<usize>()), (Some(&1), series.len()), "{all:?}");
    let (said, told) = ok(&world, &["pacs", "write", "run"]);
    assert!(said.contains("(of others)") && !said.contains("radiologist"), "{said}");
    assert!(told.contains("nothing was changed; --apply does it"), "{told}");
    assert_eq!(server.metadata(), before, "a plan changes nothing");
    let written = verdicts(&ok(&world, &["pacs", "write", "run", "--apply", "--json"]).0).get("new").copied().unwrap();
    assert!(written > 0);
    let now = server.metadata();
    assert_eq!(now.len(), before.len() + written);
    assert!(
        now.iter().any(|line| line.contains(" 7077 {\"agreement\":") && line.contains("\"by\":\"deepmcat\"")),
        "{now:?}"
    );
    // Again: all as it should be. Another key is another place, and what stood at the old one goes.
    let again = verdicts(&ok(&world, &["pacs", "write", "run", "--apply", "--json"]).0);
    assert_eq!(again.get("same"), Some(&written), "{again:?}");
    let moved = verdicts(&ok(&world, &["pacs", "write", "run", "--apply", "--key", "8088", "--json"]).0);
    assert_eq!((moved.get("new"), moved.get("remove")), (Some(&(written + 1)), Some(&written)), "{moved:?}");
    // Somebody changes one of ours: it is theirs from then on.
    server.put(&format!("/series/{}/metadata/8088", series[1]), "changed by hand");
    let (status, _) = ok(&world, &["pacs", "status", "run", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["of_others_now"], 1, "{status}");
    let (_, told) = ok(&world, &["pacs", "undo", "run", "--apply"]);
    assert!(told.contains("1 of others, which are left"), "{told}");
    server.delete(&format!("/series/{}/metadata/8088", series[1]));
    assert_eq!(server.metadata(), before);
    // Names that the server does not know, labels that it does not have, no server at all.
    let fails = |words: &[&str], expected: &str| {
        let output = signed_in(&world, words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{words:?}: {said}");
    };
    fails(&["pacs", "write", "run", "--key", "nobody", "--apply"], "does not know `metadata/nobody`");
    fails(&["pacs", "write", "run", "--key", "7"], "no key of metadata");
    fails(&["pacs", "write", "run", "--labels"], "has no labels");
    fails(&["pacs", "write", "run", "--server", "orthanc://pacs.example.org"], "fetch.plain_http=true");
}

#[test]
fn a_kill_in_write_or_undo_leaves_nothing_half_done() {
    let world = World::new();
    let registered = json!({"UserMetadata": {"deepmcat": 4711}});
    let Some(server) = Orthanc::start(&world, "orthanc", &registered) else { return };
    ok(&world, &["synth", "archive", "--subjects", "4", "--size", "32", "--format", "dicom"]);
    server.upload(&world.path("archive"), usize::MAX);
    categorized(&world, &server, &[]);
    ok(&world, &["categorize", "run", "--from-labels", "--threshold", "0"]);
    let before = server.metadata();
    let write = ["pacs", "write", "run", "--apply", "--key", "deepmcat"];
    ok(&world, &write);
    let after = server.metadata();
    assert!(after.len() > before.len() + 50, "{} and {}", after.len(), before.len());
    ok(&world, &["pacs", "undo", "run", "--apply"]);
    assert_eq!(server.metadata(), before);
    let mut halves = 0;
    for round in 0..10 {
        for (words, done, other) in
            [(&write[..], &after, &before), (&["pacs", "undo", "run", "--apply"][..], &before, &after)]
        {
            let mut child = signed_in(&world, words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(40 + 25 * round));
            child.kill().unwrap();
            child.wait().unwrap();
            // Every value is whole: that of before or that of after.
            let now = server.metadata();
            assert!(now.iter().all(|line| done.contains(line) || other.contains(line)), "half a value");
            halves += usize::from(now != *done && now != *other);
            ok(&world, words);
            assert_eq!(server.metadata(), *done, "round {round} of {words:?}");
        }
    }
    assert!(halves > 2, "only {halves} of 20 kills came in the middle");
}

/// TLS in front of a server: Python's, since it is there.
struct Front(std::process::Child);

impl Front {
    fn start(world: &World, port: u16, behind: u16) -> Self {
        let code = format!(
            "import socket, ssl, threading\n\
             tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
             tls.load_cert_chain('cert.pem', 'key.pem')\n\
             def copy(a, b):\n    try:\n        while data := a.recv(65536):\n            b.sendall(data)\n    \
             except OSError:\n        pass\n    finally:\n        b.close()\n\
             def serve(one):\n    try:\n        one = tls.wrap_socket(one, server_side=True)\n    except OSError:\n        return\n    \
             other = socket.create_connection(('127.0.0.1', {behind}))\n    \
             threading.Thread(target=copy, args=(other, one), daemon=True).start()\n    copy(one, other)\n\
             listener = socket.create_server(('127.0.0.1', {port}))\n\
             while True:\n    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()\n"
        );
        let child = Command::new("python3").args(["-c", &code]).current_dir(world.path("")).spawn().unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn tls_needs_a_certificate_that_is_trusted() {
    let world = World::new();
    let Some(pig) = shared("pig-ep-cmr") else { return };
    // An authority of one's own, and the server's certificate, which it signs.
    let made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own -keyout ca.key -out ca.pem && \
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out asked.pem && \
        openssl x509 -req -in asked.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy -out cert.pem";
    let made = Command::new("sh").args(["-c", made]).current_dir(world.path("")).output().unwrap();
    if !made.status.success() {
        return skip(Need::Orthanc, "openssl is not installed");
    }
    let Some(server) = Orthanc::start(&world, "orthanc", &json!({})) else { return };
    server.upload(&pig.join("E774S6-longAxis"), 3);
    // Debian's Orthanc 1.10.1 crashes when it serves TLS itself: something else does it in front of it, as in a hospital.
    let port = free_port();
    let _front = Front::start(&world, port, server.port);
    let address = format!("orthanc+https://localhost:{port}");
    let words = ["fetch", &address, "--out", "received", "--retries", "0"];
    let output = signed_in(&world, &words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.to_lowercase().contains("certificate"), "{said}");
    ok(&world, &[&words[..], &["--set", "fetch.ca=ca.pem"]].concat());
    assert_eq!(files(&world.path("received/instances")).len(), 3);
    fs_err::write(world.path("none.pem"), "no certificate").unwrap();
    let output = signed_in(&world, &[&words[..], &["--set", "fetch.ca=none.pem"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("no certificates in PEM"), "{said}");
}

#[test]
fn a_server_that_comes_back_is_asked_again() {
    let world = World::new();
    let Some(pig) = shared("pig-ep-cmr") else { return };
    let Some(mut server) = Orthanc::start(&world, "orthanc", &json!({})) else { return };
    server.upload(&pig.join("E774S6-longAxis"), 20);
    server.down();
    let words = ["fetch", &server.address(), "--out", "received"];
    let output = signed_in(&world, &[&words[..], &["--retries", "1"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("after 2 tries\nhint: is the server up"), "{said}");
    let waiting = signed_in(&world, &words).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(600));
    server.up();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(&world.path("received/instances")).len(), 20);
}

/// What a program of others says of a file.
fn judged(program: &str, file: &Path) -> Option<String> {
    let Ok(output) = Command::new(program).arg(file).output() else {
        skip(Need::Orthanc, &format!("{program} is not installed (Debian: dcmtk, dicom3tools)"));
        return None;
    };
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn reports_are_valid_and_reach_the_server_and_tables_have_uids() {
    let world = World::new();
    let Some((server, _)) = filled(&world) else { return };
    categorized(&world, &server, &["--set", "cluster.k=4", "--set", "ingest.rules=none"]);
    let names = "what,category\n0,Kurze Achse – übliche\n1,dwi\n2,cine\n3,=other\n";
    fs_err::write(world.path("names.csv"), names).unwrap();
    ok(&world, &["names", "run", "import", "names.csv"]);
    ok(&world, &["categorize", "run", "--threshold", "0"]);
    fs_err::write(world.path("codes.csv"), "category,scheme,code,meaning\ncine,99TEST,1234,A cine\n").unwrap();
    let sr = ["pacs", "sr", "run", "--out", "reports", "--codes", "codes.csv"];
    ok(&world, &sr);
    let reports: Vec<PathBuf> =
        fs_err::read_dir(world.path("reports")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(reports.len(), 2, "one a study");
    for report in &reports {
        let Some(said) = judged("dsrdump", report) else { return };
        assert!(said.contains("Comprehensive SR Document") && !said.contains("E: "), "{said}");
        assert!(said.contains("(MR image,)") && said.contains("Image category"), "{said}");
        let Some(said) = judged("dciodvfy", report) else { return };
        assert!(said.contains("ComprehensiveSR") && !said.contains("Error"), "{said}");
    }
    // Another library reads the same categories.
    let read = "import highdicom, glob\nfor path in sorted(glob.glob('reports/*.dcm')):\n    \
        report = highdicom.sr.srread(path)\n    for group in report.content.get_image_measurement_groups():\n        \
        category = group.get_qualitative_evaluations()[0].value\n        sure = group.get_measurements()[0]\n        \
        print(report.StudyInstanceUID, len(group.source_images), category.scheme_designator, category.value, \
        category.meaning, sure.value, sure.unit.value, sep='|')\n";
    let Some(read) = python(&world, "highdicom", read) else { return };
    ok(&world, &["pacs", "table", "run", "--out", "tables"]);
    let table: SeriesByUid = read_table(&world.path("tables/series.parquet")).unwrap();
    assert_eq!(read.lines().count(), table.category.len(), "{read}");
    for (row, category) in table.category.iter().enumerate() {
        let found = |line: &&str| {
            let cells: Vec<&str> = line.split('|').collect();
            let meaning = if category == "cine" { "A cine" } else { category };
            cells[0] == table.study_uid[row] && cells[1] == table.images[row].to_string() && cells[4] == meaning
        };
        assert!(read.lines().any(|line| found(&line)), "{category} in {read}");
    }
    // STOW-RS, twice, is on the server once.
    let count = || server.json("/statistics")["CountInstances"].as_u64().unwrap();
    let before = count();
    for _ in 0..2 {
        ok(&world, &[&sr[..], &["--send", "--server", &server.dicomweb()]].concat());
    }
    assert_eq!(count(), before + 2);
    let found = server.json("/dicom-web/series?Modality=SR");
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    // What a person filled in stays; no cell of others is a formula.
    let bids = fs_err::read_to_string(world.path("tables/bids.csv")).unwrap();
    assert!(bids.contains("\ndwi,dwi,dwi,,") || !table.category.contains(&"dwi".to_owned()), "{bids}");
    assert!(!bids.contains("\n=other"), "{bids}");
    let line = bids
        .lines()
        .find(|line| line.starts_with("cine,"))
        .map(|line| line.replace("cine,,,,", "cine,anat,cine,acq-sax,"));
    if let Some(line) = &line {
        fs_err::write(world.path("tables/bids.csv"), format!("category,datatype,suffix,entities,series\n{line}\n"))
            .unwrap();
        ok(&world, &["pacs", "table", "run", "--out", "tables"]);
        assert!(fs_err::read_to_string(world.path("tables/bids.csv")).unwrap().contains(line));
    }
    let csv = fs_err::read_to_string(world.path("tables/series.csv")).unwrap();
    assert_eq!(csv.lines().count(), table.category.len() + 1);
}
