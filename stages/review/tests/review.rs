//! The real server, asked over TCP: who may ask, what is decided and kept, and what the pictures are.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::{Duration, Instant};

use deepmcat_decisions::Log;
use deepmcat_schemas::{Names, read_folder};
use serde_json::{Value, json};

use world::{HOSTILE, World};

#[test]
fn the_link_lets_one_browser_in() {
    let world = World::new();
    let server = world.serve(&[]);
    assert_eq!(server.bare("GET", "/", &[], b"").status, 403);
    assert_eq!(server.bare("GET", "/api/state", &[], b"").status, 403);
    assert_eq!(server.bare("GET", "/?token=0000", &[], b"").status, 403);
    assert_eq!(server.bare("GET", "/api/state?token=0000", &[], b"").status, 403);
    let link = format!("/?token={}", server.token);
    assert_eq!(server.bare("GET", &link, &[], b"").status, 403, "the first one was used when the server was started");
    let page = server.get("/");
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("access-control-allow-origin"), "");
    let cookie = &server.cookie;
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    for script in ["audit", "audit.js", "main.js", "view.js", "logic.js", "canvas.js", "style.css", "icon.svg"] {
        assert_eq!(server.get(&format!("/{script}")).status, 200, "{script}");
    }
    // A cookie of another server on this machine is none.
    let other = format!("{}=00", cookie.split('=').next().unwrap());
    assert_eq!(server.bare("GET", "/", &[("cookie", &other)], b"").status, 403);
}

#[test]
fn drawn_images_are_answered_one_by_one() {
    let world = World::new();
    let server = world.serve(&[]);
    assert_eq!(
        (server.get("/audit").status, &server.json("/api/audit")["drawn"]),
        (200, &json!([])),
        "nothing is drawn"
    );
    let answer = json!({"first": 0, "place": 0, "answer": "no"}).to_string();
    assert_eq!(server.post_to("/api/audit", &answer).status, 404);
    drop(server);
    world.draw();
    let server = world.serve(&[]);
    let told = server.get("/api/audit").json();
    assert_eq!((told["drawn"].as_array().unwrap().len(), &told["drawn"][1]["category"]), (3, &json!("one")));
    let first = told["drawn"][0]["image"].clone();
    let say = |place: u32, answer: Value| {
        server.post_to("/api/audit", &json!({"first": first, "place": place, "answer": answer}).to_string())
    };
    assert_eq!(say(1, json!("no")).json()["answered"], 1);
    assert_eq!(say(2, json!("=two")).json()["answered"], 2);
    assert_eq!(say(2, Value::Null).json()["answered"], 1);
    assert_eq!((say(3, json!("no")).status, say(0, json!(" ")).status), (404, 422));
    let other = json!({"first": 23, "place": 0, "answer": "no"}).to_string();
    assert_eq!(server.post_to("/api/audit", &other).status, 404, "of another draw");
    drop(server);
    let csv = fs_err::read_to_string(world.run().join("review/audit.csv")).unwrap();
    assert!(csv.contains(&format!("{},one,no\n{},two,\n", world.keys[1], world.keys[2])), "{csv}");
    // The next server goes on there.
    let told = world.serve(&[]).json("/api/audit");
    assert_eq!((&told["drawn"][1]["answer"], &told["drawn"][2]["answer"]), (&json!("no"), &Value::Null));
}

#[test]
fn foreign_hosts_and_pages_are_refused() {
    let world = World::new();
    let server = world.serve(&[]);
    for host in ["evil.example", "evil.example:80", "127.0.0.1", "localhost:1", ""] {
        let answer = server.with(&[("host", host)], "GET", "/api/state", b"");
        assert!([400, 421].contains(&answer.status), "{host}: {}", answer.status);
    }
    let own = format!("http://{}", server.address);
    let decision = world.name(0, 3, "SA");
    for origin in ["http://evil.example", "null", "", &own.replace("http:", "https:"), &format!("{own}.evil.example")] {
        let answer = server.with(&[("origin", origin)], "POST", "/api/decide", decision.as_bytes());
        assert_eq!(answer.status, 403, "{origin}");
    }
    assert_eq!(server.without_origin("/api/decide", decision.as_bytes()).status, 403);
    assert_eq!(server.get("/api/decide").status, 405);
    assert!(world.log().decisions().is_empty());
    assert_eq!(server.post(&decision).status, 200);
}

#[test]
fn images_are_asked_for_by_number_and_requests_are_small() {
    let world = World::new();
    let server = world.serve(&[]);
    for path in [
        "/api/pixels/..%2f..%2frun.toml",
        "/api/pixels/images/0.png",
        "/api/pixels/-1",
        "/api/pixels/4294967295",
        "/api/tiles/64/..%2f..%2frun.toml",
        "/api/tiles/64/0,1,x",
        "/api/tiles/64/4294967295",
        "/api/tiles/100000/0",
        "/api/sheet/0/..%2f/0",
        "/api/sheet/99/nearest/0",
        "/../../run.toml",
        "/run.toml",
    ] {
        let status = server.get(path).status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    let many = format!("/api/tiles/16/{}0", "0,".repeat(500));
    assert_eq!(server.get(&many).status, 404);
    let long = world.name(0, 3, &"x".repeat(70_000));
    assert_eq!(server.post(&long).status, 413);
    assert!(world.log().decisions().is_empty());
}

#[test]
fn listening_beyond_this_machine_is_refused_without_the_flag() {
    let world = World::new();
    let output = world.command(&["--listen", "0.0.0.0"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("other machines could connect") && said.contains("hint:"), "{said}");
    assert!(output.stdout.is_empty());
    let server = world.serve(&["--listen", "0.0.0.0", "--i-know-others-can-connect"]);
    assert_eq!(server.get("/api/last").status, 200, "by this machine's number");
    assert_eq!(server.with(&[("host", "evil.example")], "GET", "/api/last", b"").status, 421);
}

#[test]
fn names_are_given_taken_back_and_given_again() {
    let world = World::new();
    let server = world.serve(&["--author", "anna"]);
    let state = server.decide(&world.name(0, 3, "SA"));
    assert_eq!((&state["last"], &state["said"], &state["named"]), (&json!(1), &json!("cluster 3 is “SA”"), &json!(1)));
    let images = json!({"after": 1, "author": "ben", "do": {"images": {"images": [0, 1, 2], "name": "LVOT"}}});
    let state = server.decide(&images.to_string());
    assert_eq!((&state["last"], &state["said"]), (&json!(4), &json!("3 images are “LVOT”")));
    let state = server.decide(&json!({"after": 4, "do": {"mark": {"cluster": 5, "mark": "mixed"}}}).to_string());
    assert_eq!(state["said"], "cluster 5 is mixed");
    let told = world.told(&state, 5);
    assert_eq!((&told["name"], &told["mark"], &state["named"]), (&Value::Null, &json!("mixed"), &json!(1)));
    let categories = json!([{"name": "SA", "clusters": 1, "images": 7}, {"name": "LVOT", "clusters": 0, "images": 3}]);
    assert_eq!((&state["categories"], &state["covered"]), (&categories, &json!(10)));

    // One press takes back what one press did, from the last to the first, and again.
    let step = |what: &str, after: u64| {
        let state = server.decide(&format!(r#"{{"after": {after}, "do": {{"{what}": {{}}}}}}"#));
        (state["said"].as_str().unwrap().to_owned(), state["last"].as_u64().unwrap(), state)
    };
    let (said, last, _) = step("undo", 5);
    assert_eq!((said.as_str(), last), ("Taken back: cluster 5 is mixed", 6));
    let (said, last, state) = step("undo", last);
    assert_eq!(
        (said.as_str(), last, &state["redo"]),
        ("Taken back: 3 images are “LVOT”", 9, &json!("3 images are “LVOT”"))
    );
    let (said, last, state) = step("undo", last);
    assert_eq!(
        (said.as_str(), &state["named"], &state["undo"], &state["at"]),
        ("Taken back: cluster 3 is “SA”", &json!(0), &Value::Null, &json!(3))
    );
    assert_eq!(server.post(&format!(r#"{{"after": {last}, "do": {{"undo": {{}}}}}}"#)).status, 422);
    let (said, last, _) = step("redo", last);
    assert_eq!(said, "Again: cluster 3 is “SA”");
    let (said, last, state) = step("redo", last);
    assert_eq!((said.as_str(), &state["categories"]), ("Again: 3 images are “LVOT”", &categories));
    let (_, last, state) = step("redo", last);
    assert_eq!((&world.told(&state, 5)["mark"], &state["redo"]), (&json!("mixed"), &Value::Null));
    assert_eq!(server.post(&format!(r#"{{"after": {last}, "do": {{"redo": {{}}}}}}"#)).status, 422);
    // Something new ends what can be done again.
    let (_, last, _) = step("undo", last);
    let state = server.decide(&world.name(last, 7, "AO"));
    assert_eq!(state["redo"], Value::Null);

    // The table follows; a mark is no name.
    let last = state["last"].as_u64().unwrap();
    server.decide(&json!({"after": last, "do": {"mark": {"cluster": 5, "mark": "unsure"}}}).to_string());
    assert_eq!(server.end(), Some(0));
    let names: Names = read_folder(&world.run().join("names")).unwrap();
    let rows = names.category.iter().zip(&names.flag).map(|(name, flag)| (name.as_str(), flag.as_deref()));
    let expected =
        [("SA", None), ("?unsure", Some("unsure")), ("AO", None), ("LVOT", None), ("LVOT", None), ("LVOT", None)];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
    assert!(world.run().join("review/members").is_dir());
    let authors: Vec<String> = world.log().decisions().iter().take(2).map(|decision| decision.author.clone()).collect();
    assert_eq!(authors, ["anna", "ben"]);
}

#[test]
fn a_page_that_has_not_seen_the_last_decision_decides_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    server.decide(&world.name(0, 3, "SA"));
    let answer = server.post(&world.name(0, 3, "AO"));
    assert_eq!(answer.status, 409);
    assert!(answer.text().contains("decision 1 is the last one"), "{}", answer.text());
    // The command line names too, while the page is open.
    world.names_import(&format!("what,category\n5,LVOT\n{},AO\n", world.keys[0]));
    assert_eq!(server.post(&world.name(1, 7, "SA")).status, 409);
    let state = server.json("/api/state");
    assert_eq!((&state["last"], &world.told(&state, 5)["name"]), (&json!(3), &json!("LVOT")));
    assert_eq!(server.json("/api/last")["last"], 3);
    // Two servers on one run are two authors.
    let other = world.serve(&["--author", "ben"]);
    other.decide(&world.name(3, 7, "SA"));
    assert_eq!(server.post(&world.name(3, 7, "AO")).status, 409);
    assert_eq!(world.told(&server.json("/api/state"), 7)["author"], "ben");
}

#[test]
fn what_cannot_be_decided_is_refused_and_changes_nothing() {
    let world = World::new();
    let server = world.serve(&[]);
    let decide = |what: Value| server.post(&json!({"after": 0, "do": what}).to_string()).status;
    assert_eq!(decide(json!({"name": {"clusters": [99], "name": "SA"}})), 404);
    assert_eq!(decide(json!({"images": {"images": [99], "name": "SA"}})), 404);
    assert_eq!(decide(json!({"images": {"images": [1], "name": "?mixed"}})), 422);
    assert_eq!(decide(json!({"name": {"clusters": [], "name": "SA"}})), 422);
    for name in ["", " ", "two\nlines", " SA", &"x".repeat(201)] {
        assert_eq!(decide(json!({"name": {"clusters": [3], "name": name}})), 422, "{name:?}");
    }
    assert_eq!(decide(json!({"delete": {}})), 422);
    assert_eq!(decide(json!({"part": {"cluster": 3, "parts": 9, "part": 0, "name": "SA"}})), 422);
    assert_eq!(decide(json!({"part": {"cluster": 3, "parts": 2, "part": 2, "name": "SA"}})), 404);
    assert_eq!(server.post("no json").status, 422);
    let author = json!({"after": 0, "author": "two\nlines", "do": {"name": {"clusters": [3], "name": "SA"}}});
    assert_eq!(server.post(&author.to_string()).status, 422);
    assert!(world.log().decisions().is_empty());
}

#[test]
fn a_cluster_is_shown_split_and_compared() {
    let world = World::new();
    let server = world.serve(&[]);
    let run = server.json("/api/run");
    assert_eq!((&run["images"], run["clusters"].as_array().unwrap().len()), (&json!(24), 3));
    assert_eq!(
        run["clusters"][0],
        json!({"number": 3, "size": 10, "medoid": 0, "subjects": 5, "proposal": {"name": HOSTILE, "share": 1.0, "from": "headers"}, "confidence": null})
    );
    let beside = server.json("/api/cluster/3");
    assert_eq!(beside["neighbours"].as_array().unwrap().len(), 2);
    assert_eq!(beside["headers"], json!({"different": 1, "first": [[HOSTILE, 10]]}));
    let sheet = |order: &str| server.json(&format!("/api/sheet/3/{order}/0"))["images"].clone();
    assert_eq!(sheet("nearest"), json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    assert_eq!(sheet("farthest"), json!([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]));
    assert_eq!(sheet("unsure")[0], 9, "its margin is the smallest");
    assert_eq!(server.get("/api/sheet/3/nearest/1").status, 404);
    // Even and odd images differ in their features.
    let parts = server.json("/api/split/3/2")["parts"].clone();
    assert_eq!((&parts[0]["images"], &parts[1]["size"]), (&json!([0, 2, 4, 6, 8]), &json!(5)));
    let state = server
        .decide(&json!({"after": 0, "do": {"part": {"cluster": 3, "parts": 2, "part": 1, "name": "odd"}}}).to_string());
    assert_eq!((&state["said"], &world.told(&state, 3)["own"]), (&json!("5 images are “odd”"), &json!(5)));
    assert_eq!(server.json("/api/sheet/3/nearest/0")["names"][1], "odd");
    let similar = server.json("/api/similar/4");
    assert_eq!((&similar["images"][0], &similar["clusters"][0]), (&json!(4), &json!(3)));
    assert_eq!(similar["images"].as_array().unwrap().len(), 24);
    assert_eq!(server.get("/api/map").status, 404, "this run has none");

    let tiles = server.get("/api/tiles/32/0,1,2");
    assert_eq!((tiles.header("content-type"), &tiles.body[..2]), ("image/jpeg", &[0xff, 0xd8][..]));
    let pixels = server.get("/api/pixels/2");
    assert_eq!(pixels.body[..8], [8, 0, 0, 0, 6, 0, 0, 0]);
    assert_eq!((pixels.body.len(), &pixels.body[8..10]), (8 + 2 * 48, &[2, 2][..]), "8 bits are spread over 16");
    let image = server.json("/api/image/2");
    assert_eq!((&image["cluster"], &image["slices"], &image["header"]), (&json!(3), &json!([2, 3]), &json!(HOSTILE)));
    fs_err::remove_file(world.run().join("dataset/images/1.png")).unwrap();
    assert_eq!(server.get("/api/tiles/32/0,1,2").status, 200, "the others are shown");
    assert_eq!(server.get("/api/pixels/1").status, 500);
}

#[test]
fn what_a_cluster_was_called_in_an_earlier_result_is_proposed() {
    let world = World::new();
    let server = world.serve(&[]);
    server.decide(&world.name(0, 3, "SA"));
    server.decide(&json!({"after": 1, "do": {"mark": {"cluster": 5, "mark": "mixed"}}}).to_string());
    drop(server);
    world.move_an_image();
    let server = world.serve(&[]);
    let proposals: Vec<Value> = server.json("/api/run")["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cluster| cluster["proposal"].clone())
        .collect();
    assert_eq!(proposals[0], json!({"name": "SA", "share": 0.9, "from": "earlier"}));
    assert_eq!((&proposals[1]["from"], &proposals[2]["from"]), (&json!("headers"), &json!("headers")));
    assert_eq!(world.told(&server.json("/api/state"), 3)["name"], Value::Null, "it is only proposed");
}

#[test]
fn headers_are_never_html() {
    let world = World::new();
    let server = world.serve(&[]);
    for path in ["/api/run", "/api/cluster/3", "/api/image/0"] {
        let answer = server.get(path);
        assert!(answer.text().contains("script"), "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
    assert!(!server.get("/").text().contains("alert("));
}

#[test]
fn a_server_without_features_still_names() {
    let world = World::new();
    fs_err::remove_dir_all(world.run().join("features")).unwrap();
    let server = world.serve(&[]);
    let answer = server.get("/api/split/3/2");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("the features of the result cannot be read"), "{}", answer.text());
    server.decide(&world.name(0, 3, "SA"));
}

#[test]
fn nothing_that_was_answered_is_lost_however_often_the_server_is_killed() {
    let world = World::new();
    let mut answered = Vec::new();
    // DEEPMCAT_KILLS=100 for more.
    let kills = std::env::var("DEEPMCAT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    for kill in 0..kills {
        let server = world.serve(&[]);
        let mut last = server.json("/api/last")["last"].as_u64().unwrap();
        let pid = server.child.id().to_string();
        // Each time a little later, in the middle of whatever goes on.
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(15 + 7 * (kill % 20)));
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        });
        let start = Instant::now();
        for number in 0_u64.. {
            let name = format!("{kill}-{number}");
            let Some(answer) = server.try_post(&world.name(last, 3, &name)) else { break };
            assert_eq!(answer.status, 200);
            last = answer.json()["last"].as_u64().unwrap();
            answered.push((last, name));
            assert!(start.elapsed() < Duration::from_secs(60), "it was not killed");
        }
        killer.join().unwrap();
    }
    let log = Log::open(world.run()).unwrap();
    for (number, name) in &answered {
        let decision = &log.decisions()[*number as usize - 1];
        assert_eq!((decision.number, decision.category.as_ref()), (*number, Some(name)));
    }
    assert!(answered.len() as u64 > kills, "only {} were answered", answered.len());
}
