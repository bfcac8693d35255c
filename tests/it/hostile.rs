//! A server that fails or means harm: a few lines of TCP that speak Orthanc's API, and answer as a test wants.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::orthanc::{PASSWORD, ok, signed_in};
use crate::world::World;

/// What a request is answered with; none: nothing, for as long as the client waits.
type Answer = dyn Fn(&str, &str, &[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Serves until the test's process ends; the port, and how many requests came.
fn serve(answer: Arc<Answer>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, counted) = (Arc::clone(&answer), Arc::clone(&counted));
            std::thread::spawn(move || drop(one(stream, &*answer, &counted)));
        }
    });
    (port, count)
}

fn one(mut stream: TcpStream, answer: &Answer, counted: &AtomicUsize) -> std::io::Result<()> {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    let head = loop {
        if let Some(end) = text.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            count => text.extend(&bytes[..count]),
        }
    };
    let lines = String::from_utf8_lossy(&text[..head]).into_owned();
    let length =
        lines.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    while text.len() < head + length.unwrap_or(0) {
        match stream.read(&mut bytes)? {
            0 => break,
            count => text.extend(&bytes[..count]),
        }
    }
    counted.fetch_add(1, Ordering::SeqCst);
    let mut words = lines.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match answer(method, path, &text[head..]) {
        Some(answer) => stream.write_all(&answer),
        None => {
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        }
    }
}

fn with(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json_answer(value: &Value) -> Option<Vec<u8>> {
    Some(with("200 OK", "Content-Type: application/json\r\n", value.to_string().as_bytes()))
}

/// A name as Orthanc makes them.
fn id(number: usize) -> String {
    format!("{number:08x}-00000000-00000000-00000000-00000000")
}

/// An Orthanc of one series of three instances, as it should be.
fn sound(path: &str) -> Option<Vec<u8>> {
    let instance = |number: usize| json!({"ID": id(number), "FileSize": 3, "FileUuid": "u", "MainDicomTags": {"SOPInstanceUID": format!("1.2.{number}")}});
    match path.split('?').next().unwrap_or_default() {
        "/changes" => json_answer(&json!({"Changes": [], "Done": true, "Last": 7})),
        "/statistics" => json_answer(&json!({"CountInstances": 3})),
        "/tools/find" => json_answer(&json!([
            {"ID": id(9), "ParentStudy": id(8), "MainDicomTags": {"SeriesInstanceUID": "1.9", "Modality": "MR"}}
        ])),
        path if path.starts_with("/studies/") => {
            json_answer(&json!({"ID": id(8), "MainDicomTags": {"StudyInstanceUID": "1.8"}}))
        }
        path if path.ends_with("/instances") => json_answer(&json!([instance(1), instance(2), instance(3)])),
        path if path.ends_with("/file") => Some(with("200 OK", "", b"one")),
        _ => Some(with("404 Not Found", "", b"")),
    }
}

/// What a fetch from a server says, its exit code, and how long it took.
fn fetch(world: &World, out: &str, port: u16, more: &[&str]) -> (String, Option<i32>, Duration) {
    let start = Instant::now();
    let address = format!("orthanc://127.0.0.1:{port}");
    let words = [&["fetch", &address, "--out", out, "--timeout", "1", "--connections", "2"], more].concat();
    let output = signed_in(world, &words).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked") && !said.contains(PASSWORD), "{said}");
    (said, output.status.code(), start.elapsed())
}

/// A server that answers every file as `file` says, by the number of the question from 0; all else is sound.
fn files_as(file: impl Fn(usize) -> Option<Vec<u8>> + Send + Sync + 'static) -> u16 {
    let asked = AtomicUsize::new(0);
    let answer = move |_: &str, path: &str, _: &[u8]| {
        if path.ends_with("/file") { file(asked.fetch_add(1, Ordering::SeqCst)) } else { sound(path) }
    };
    serve(Arc::new(answer)).0
}

fn received(world: &World, out: &str) -> usize {
    let files = walkdir::WalkDir::new(world.path(out).join("instances")).into_iter().map(Result::unwrap);
    files.filter(|entry| entry.file_type().is_file() && entry.metadata().unwrap().len() == 3).count()
}

#[test]
fn a_failing_server_is_asked_again_and_left_in_the_end() {
    let world = World::new();
    let half = || b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\no".to_vec();
    let busy = |status: &str, headers: &str| with(status, headers, b"");
    let whole = || Some(with("200 OK", "", b"one"));
    // It fails twice, and then it is well.
    let goes_on = [
        ("500", with("500 Internal Server Error", "", b"<html>")),
        ("429", with("429 Too Many Requests", "Retry-After: 1\r\n", b"")),
        ("half", half()),
    ];
    for (name, bad) in goes_on {
        let port = files_as(move |asked| if asked < 2 { Some(bad.clone()) } else { whole() });
        let (said, code, took) = fetch(&world, name, port, &[]);
        assert!(code == Some(0) && received(&world, name) == 3, "{name}: {said}");
        assert!(name != "429" || took >= Duration::from_secs(1), "{took:?}");
    }
    // It never is: a clear end, and nothing half received.
    let ends: [(&str, Option<Vec<u8>>, &str); 4] = [
        ("always 503", Some(busy("503 Service Unavailable", "")), "answers 503, after 2 tries"),
        ("always half", Some(half()), "the answer ends early, after 2 tries"),
        ("silent", None, "it is silent for too long, after 2 tries"),
        ("closes", Some(Vec::new()), "after 2 tries"),
    ];
    for (name, answer, expected) in ends {
        let port = files_as(move |_| answer.clone());
        let (said, code, took) = fetch(&world, name, port, &["--retries", "1"]);
        assert!(code == Some(1) && said.contains(expected), "{name}: {code:?} {said}");
        assert!(took < Duration::from_secs(10) && received(&world, name) == 0, "{name}: {took:?}");
    }
    // The same command goes on when the server is well.
    let port = files_as(|asked| if asked == 2 { None } else { Some(with("200 OK", "", b"one")) });
    let (said, code, _) = fetch(&world, "goes on", port, &["--retries", "0"]);
    assert_eq!(code, Some(1), "{said}");
    let (said, code, _) = fetch(&world, "goes on", port, &[]);
    assert!(code == Some(0) && received(&world, "goes on") == 3 && said.contains(": 1 received"), "{said}");
}

#[test]
fn a_server_that_means_harm_does_none() {
    let world = World::new();
    let (elsewhere, asked) = serve(Arc::new(|_: &str, _: &str, _: &[u8]| Some(with("200 OK", "", b"[]"))));
    let location = format!("Location: http://127.0.0.1:{elsewhere}/\r\n");
    let port = files_as(move |_| Some(with("302 Found", &location, b"")));
    let (said, code, _) = fetch(&world, "redirect", port, &[]);
    assert!(code == Some(2) && said.contains("a redirect, which is not followed"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody else was asked");

    // Lists that are none.
    let list = |name: &str, answer: Vec<u8>| {
        let answer = move |_: &str, path: &str, _: &[u8]| {
            if path == "/tools/find" { Some(answer.clone()) } else { sound(path) }
        };
        let (said, code, took) = fetch(&world, name, serve(Arc::new(answer)).0, &["--retries", "0"]);
        assert!(took < Duration::from_secs(20), "{name}: {took:?}");
        (said, code)
    };
    let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n[".to_vec();
    let (said, code) = list("huge", huge);
    assert!(code == Some(1) && said.contains("answers with more than 256 MiB"), "{said}");
    let endless = [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(), vec![b' '; 257 << 20]].concat();
    let (said, code) = list("endless", endless);
    assert!(code == Some(1) && said.contains("answers with more than 256 MiB"), "{said}");
    let (said, code) = list("deep", with("200 OK", "", "[".repeat(1 << 20).as_bytes()));
    assert!(code == Some(1) && said.contains("no JSON as expected"), "{said}");
    let (said, code) = list("page", with("200 OK", "", b"<html>DOE^JOHN</html>"));
    assert!(code == Some(1) && said.contains("no JSON as expected") && !said.contains("DOE"), "{said}");
    let path = json!([{"ID": "../../system", "ParentStudy": id(8), "MainDicomTags": {"SeriesInstanceUID": "1.9"}}]);
    let (said, code) = list("path", with("200 OK", "", path.to_string().as_bytes()));
    assert!(code == Some(1) && said.contains("an ID that Orthanc does not make"), "{said}");
    let (said, code) = list("nothing", with("200 OK", "", b"[]"));
    assert!(code == Some(2) && said.contains("are the filters"), "{said}");

    // UIDs that are paths, an instance above the limit by the list, and one above it by its answer.
    let odd = |_: &str, path: &str, _: &[u8]| {
        let instance = |number: usize, uid: &str, size: Value| json!({"ID": id(number), "FileSize": size, "MainDicomTags": {"SOPInstanceUID": uid}});
        if path.ends_with("/instances") {
            let list = [
                instance(1, "../../../../evil", json!(3)),
                instance(2, "1.2/../../x", json!(3)),
                instance(3, "1.3", json!(5 << 20)),
                instance(4, "1.4", Value::Null),
            ];
            return json_answer(&json!(list));
        }
        if path.starts_with("/studies/") {
            return json_answer(&json!({"ID": id(8), "MainDicomTags": {"StudyInstanceUID": "../../.."}}));
        }
        if path == format!("/instances/{}/file", id(4)) {
            return Some(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\n1".to_vec());
        }
        sound(path)
    };
    let (said, code, _) = fetch(&world, "odd", serve(Arc::new(odd)).0, &["--set", "fetch.max_size=4"]);
    assert!(code == Some(0) && said.contains("2 instances are larger than fetch.max_size (4 MiB)"), "{said}");
    let mut names = BTreeMap::new();
    for entry in walkdir::WalkDir::new(world.path("odd/instances")).into_iter().map(Result::unwrap) {
        if entry.file_type().is_file() {
            let study = entry.path().parent().and_then(Path::parent).unwrap().file_name().unwrap().to_string_lossy();
            assert!(study.starts_with("odd-"), "{study}");
            names.insert(entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().len());
        }
    }
    assert_eq!((names.len(), names["1.3.dcm"], names["1.4.dcm"]), (4, 0, 0), "{names:?}");
    assert!(names.keys().filter(|name| name.starts_with("odd-")).count() == 2, "{names:?}");
    // Every one of them is accounted for.
    let output = world.command(&["ingest", "odd/instances", "--out", "dataset", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("no image in 4 input files"), "{said}");
}

#[test]
fn labels_of_a_newer_orthanc_are_set_and_taken_back() {
    let world = World::new();
    world.deepmcat(&["synth", "archive", "--subjects", "3", "--size", "32", "--format", "dicom"]);
    world.init("run");
    world.deepmcat(&["run", "run"]);
    world.deepmcat(&["categorize", "run", "--from-labels", "--threshold", "0"]);
    let values: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&values);
    let answer = move |method: &str, path: &str, body: &[u8]| {
        let mut values = kept.lock().unwrap();
        let text = String::from_utf8_lossy(body).into_owned();
        Some(match (method, path) {
            (_, "/system") => return json_answer(&json!({"Version": "1.12.6", "HasLabels": true})),
            (_, "/tools/lookup") => {
                let digits: usize = text.bytes().fold(7, |sum, byte| (sum * 31 + usize::from(byte)) % 0x0fff_ffff);
                return json_answer(
                    &json!([{"ID": id(digits), "Type": "Series"}, {"ID": id(digits), "Type": "Study"}]),
                );
            }
            ("PUT", path) => {
                values.insert(path.to_owned(), body.to_vec());
                with("200 OK", "", b"")
            }
            ("DELETE", path) if values.remove(path).is_some() => with("200 OK", "", b""),
            ("GET", path) if values.contains_key(path) => with("200 OK", "", &values[path]),
            _ => with("404 Not Found", "", b""),
        })
    };
    let address = format!("orthanc://127.0.0.1:{}", serve(Arc::new(answer)).0);
    let pacs = |words: &[&str]| ok(&world, &[words, &["--server", &address]].concat()).1;
    let count = |part: &str| values.lock().unwrap().keys().filter(|path| path.contains(part)).count();
    pacs(&["pacs", "write", "run", "--apply", "--labels", "--study-labels"]);
    let (metadata, series) = (count("/metadata/7077"), count("/series/") - count("/metadata/7077"));
    assert!(metadata > 20 && series == metadata, "{metadata} {series}");
    assert!(count("/studies/") >= 3 && count("/labels/deepmcat-SA") > 3, "{:?}", values.lock().unwrap().keys());
    // Without them the labels that are there go; the metadata stay.
    pacs(&["pacs", "write", "run", "--apply"]);
    assert_eq!((count("/metadata/7077"), count("/labels/")), (metadata, 0));
    let said = pacs(&["pacs", "undo", "run", "--apply"]);
    assert!(values.lock().unwrap().is_empty(), "{said}");
}
