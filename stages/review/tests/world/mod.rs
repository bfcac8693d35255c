//! A small finished run as its tables, the server on it, and a client that says what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use deepmcat_decisions::Log;
use deepmcat_names::Command as NamesCommand;
use deepmcat_schemas::features::{self, Values};
use deepmcat_schemas::{
    Assignments, AuditSample, Categories, ClusterId, Clusters, ImageId, Manifest, Sources, Stamp, read_table,
    write_table,
};
use serde_json::{Value, json};

/// What a header may say.
pub const HOSTILE: &str = "</script><script>alert(\"\u{202e}1\")</script> \u{1f480} &amp;";

/// Cluster and images of the run, the largest first.
const CLUSTERS: [(u32, u32); 3] = [(3, 10), (5, 8), (7, 6)];

/// A run of 24 images of 8 by 6 pixels in three clusters.
pub struct World {
    folder: tempfile::TempDir,
    /// Of each image.
    pub keys: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        fs_err::write(run.join("run.toml"), "[run]\nepochs = 1\n").unwrap();
        let of: Vec<u32> = CLUSTERS.iter().flat_map(|&(cluster, size)| (0..size).map(move |_| cluster)).collect();
        let ids: Vec<ImageId> = (0..of.len() as u32).map(ImageId).collect();
        deepmcat_testing::dataset(&run.join("dataset"), ids.iter().map(|id| ([8, 6], vec![id.0 as u8; 48])));
        let path = run.join("dataset/manifest.parquet");
        let mut manifest: Manifest = read_table(&path).unwrap();
        manifest.key = ids.iter().map(|id| format!("{:016x}", u64::from(id.0) * 0x9e37_79b9)).collect();
        manifest.series = ids.iter().map(|id| format!("series {}", id.0 / 2)).collect();
        manifest.subject = ids.iter().map(|id| Some(format!("subject {}", id.0 / 2))).collect();
        manifest.slice = ids.iter().map(|id| id.0 % 2).collect();
        write_table(&path, &manifest, &Stamp::default()).unwrap();
        let none = || vec![None; ids.len()];
        let sources = Sources {
            input: manifest.key.clone(),
            image_id: ids.iter().map(|id| Some(id.0)).collect(),
            source: manifest.path.clone(),
            member: none(),
            frame: vec![0; ids.len()],
            slice: vec![0; ids.len()],
            patient_id: none(),
            study_uid: none(),
            series_uid: none(),
            sop_uid: none(),
            series_description: vec![Some(HOSTILE.to_owned()); ids.len()],
        };
        write_table(&run.join("dataset/sources.parquet"), &sources, &Stamp::default()).unwrap();
        let assignments = Assignments {
            image_id: ids.clone(),
            cluster: of.iter().copied().map(ClusterId).collect(),
            distance: ids.iter().map(|id| id.0 as f32 / 100.0).collect(),
            margin: ids.iter().map(|id| 1.0 - id.0 as f32 / 100.0).collect(),
            others: vec![Vec::new(); ids.len()],
        };
        write_table(&run.join("assignments/epoch=1/part-0.parquet"), &assignments, &Stamp::default()).unwrap();
        let clusters = Clusters {
            cluster: CLUSTERS.iter().map(|&(cluster, _)| ClusterId(cluster)).collect(),
            size: CLUSTERS.iter().map(|&(_, size)| size).collect(),
            inertia: vec![0.0; 3],
            centroid: CLUSTERS.iter().map(|&(cluster, _)| vec![cluster as f32, 0.0, 0.0, 0.0]).collect(),
        };
        write_table(&run.join("clusters/epoch=1/part-0.parquet"), &clusters, &Stamp::default()).unwrap();
        let values: Vec<f32> =
            ids.iter().zip(&of).flat_map(|(id, &of)| [of as f32, (id.0 % 2) as f32, 0.01 * id.0 as f32, 0.0]).collect();
        let path = run.join("features/epoch=1/part-0.arrow");
        features::write(&path, &ids, 4, Values::F32(&values), &Stamp::default()).unwrap();
        fs_err::create_dir_all(run.join("nodes")).unwrap();
        fs_err::write(run.join("nodes/cluster@1.toml"), job()).unwrap();
        Self { keys: manifest.key, folder }
    }

    pub fn run(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> Log {
        Log::open(self.run()).unwrap()
    }

    /// The program on the run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deepmcat-review"));
        command.arg(self.run()).args(["--no-open", "--quiet"]).args(args);
        command
    }

    /// The server, and a client that came by its link.
    pub fn serve(&self, args: &[&str]) -> Server {
        let mut child = self.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut link = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut link).unwrap();
        let (address, token) = link.trim().strip_prefix("http://").unwrap().split_once("/?token=").unwrap();
        let address = address.replace("0.0.0.0", "127.0.0.1");
        let mut server = Server { child, address, token: token.to_owned(), cookie: String::new() };
        let answer = server.bare("GET", &format!("/?token={token}"), &[], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        server.cookie = answer.header("set-cookie").to_owned();
        server
    }

    /// Draws the first three images for an audit.
    pub fn draw(&self) {
        let n = self.keys.len();
        let categories = Categories {
            image_id: (0..n as u32).map(ImageId).collect(),
            category: (0..n).map(|place| if place % 2 == 0 { "two" } else { "one" }.to_owned()).collect(),
            confidence: vec![0.9; n],
            second: vec![None; n],
            novelty: vec![1.0; n],
            abstain: vec![false; n],
            named: vec![false; n],
            cluster: vec![ClusterId(3); n],
        };
        write_table(&self.run().join("categories/part-0.parquet"), &categories, &Stamp::default()).unwrap();
        let sample = AuditSample {
            key: self.keys[..3].to_vec(),
            category: categories.category[..3].to_vec(),
            confidence: vec![0.9; 3],
        };
        write_table(&self.run().join("audit-sample/part-0.parquet"), &sample, &Stamp::default()).unwrap();
    }

    /// The request that names a cluster.
    pub fn name(&self, after: u64, cluster: u32, name: &str) -> String {
        json!({"after": after, "do": {"name": {"clusters": [cluster], "name": name}}}).to_string()
    }

    /// Another result: the last image of cluster 3 is in cluster 7.
    pub fn move_an_image(&self) {
        let path = self.run().join("assignments/epoch=1/part-0.parquet");
        let mut assignments: Assignments = read_table(&path).unwrap();
        assignments.cluster[9] = ClusterId(7);
        write_table(&path, &assignments, &Stamp::default()).unwrap();
    }

    /// What a state says of a cluster.
    pub fn told<'s>(&self, state: &'s Value, cluster: u32) -> &'s Value {
        &state["clusters"][CLUSTERS.iter().position(|&(number, _)| number == cluster).unwrap()]
    }

    /// `deepmcat names RUN import`.
    pub fn names_import(&self, csv: &str) {
        let file = self.run().join("names.csv");
        fs_err::write(&file, csv).unwrap();
        let command = NamesCommand::Import { file, author: Some("cli".to_owned()) };
        let verbosity = deepmcat_stage::Verbosity::default();
        deepmcat_names::run(deepmcat_names::Args { run: self.run().to_owned(), command, verbosity }).unwrap();
    }
}

/// As `deepmcat run` writes it.
fn job() -> &'static str {
    "stage = \"cluster\"\nseed = 1\nepoch = 1\nweights = []\nsmooth = 0\nresult_version = 3\n\
     [inputs]\nfeatures = [\"features/epoch=1\"]\n\
     [outputs]\nassignments = \"assignments/epoch=1\"\nclusters = \"clusters/epoch=1\"\n\
     [cluster]\nk = 3\nclusterings = 1\nstart = \"spread\"\niterations = 20\nredo = 10\ntolerance = 0.0\n\
     [compute]\ndevice = \"cpu\"\n"
}

/// A running server.
pub struct Server {
    pub child: Child,
    pub address: String,
    pub token: String,
    /// As the server set it, with its attributes.
    pub cookie: String,
}

/// What it answered.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Server {
    /// A request with just these headers beside the host.
    pub fn bare(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.ask(method, path, headers, body).unwrap()
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            head += &format!("host: {}\r\n", self.address);
        }
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        // A server may answer before it has read all.
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        drop(stream.write_all(body));
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let (first, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
        let status = first.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = rest
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let body = bytes[end + 4..].to_vec();
        let length =
            headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
        // Half an answer is none.
        if ended.is_err() && length != Some(body.len()) || length.is_some_and(|length: usize| length > body.len()) {
            return None;
        }
        Some(Answer { status, headers, body })
    }

    fn pair(&self) -> &str {
        self.cookie.split(';').next().unwrap()
    }

    /// A request of the page, with these headers in the place of its own.
    pub fn with(&self, headers: &[(&str, &str)], method: &str, path: &str, body: &[u8]) -> Answer {
        let mut all = vec![("cookie", self.pair())];
        all.extend(headers);
        self.bare(method, path, &all, body)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.with(&[], "GET", path, b"")
    }

    pub fn json(&self, path: &str) -> Value {
        self.get(path).json()
    }

    pub fn without_origin(&self, path: &str, body: &[u8]) -> Answer {
        self.with(&[], "POST", path, body)
    }

    /// A decision that the page asks for.
    pub fn post(&self, body: &str) -> Answer {
        self.try_post(body).unwrap()
    }

    /// The same; none where the server ended before it had answered.
    pub fn try_post(&self, body: &str) -> Option<Answer> {
        self.ask_page("/api/decide", body)
    }

    /// Something else that the page sends.
    pub fn post_to(&self, path: &str, body: &str) -> Answer {
        self.ask_page(path, body).unwrap()
    }

    fn ask_page(&self, path: &str, body: &str) -> Option<Answer> {
        let origin = format!("http://{}", self.address);
        self.ask("POST", path, &[("cookie", self.pair()), ("origin", &origin)], body.as_bytes())
    }

    /// The state after a decision that is taken.
    pub fn decide(&self, body: &str) -> Value {
        self.post(body).json()
    }

    /// Ends it as Ctrl-C does; its exit code.
    pub fn end(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
