//! A real Orthanc of a test's own: on a free port of loopback, with its storage in the test's directory, ended with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deepmcat_testing::{Need, skip};
use serde_json::{Value, json};
use ureq::Agent;

use crate::world::World;

/// The user of all servers of tests.
pub const USER: &str = "anna";
/// Its password, which must be found in no file.
pub const PASSWORD: &str = "s3cret-of-a-test";
/// Where Debian's package has the plugin.
const DICOMWEB: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";

/// A server.
pub struct Orthanc {
    child: Option<Child>,
    folder: PathBuf,
    pub port: u16,
    agent: Agent,
}

/// A port that nobody listens at now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Orthanc {
    /// Starts a server with more settings; none, and a skip, where Orthanc is not installed.
    pub fn start(world: &World, name: &str, more: &Value) -> Option<Self> {
        let there = Command::new("Orthanc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() || !Path::new(DICOMWEB).is_file() {
            skip(Need::Orthanc, "Orthanc and its DICOMweb plugin are not installed (Debian: orthanc orthanc-dicomweb)");
            return None;
        }
        let folder = world.path(name);
        fs_err::create_dir_all(&folder).unwrap();
        let port = free_port();
        let mut settings = json!({
            "Name": "test", "StorageDirectory": folder.join("db"), "IndexDirectory": folder.join("db"), "HttpPort": port,
            "DicomServerEnabled": false, "RemoteAccessAllowed": false, "AuthenticationEnabled": true,
            "RegisteredUsers": {USER: PASSWORD}, "Plugins": [DICOMWEB], "DicomWeb": {"Enable": true}, "SaveJobs": false,
            "HttpThreadsCount": 8,
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs_err::write(folder.join("orthanc.json"), settings.to_string()).unwrap();
        let agent = Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        let mut server = Self { child: None, folder, port, agent };
        server.up();
        Some(server)
    }

    /// Starts it again on its storage.
    pub fn up(&mut self) {
        let log = fs_err::File::create(self.folder.join("log")).unwrap().into_parts().0;
        let mut command = Command::new("Orthanc");
        command.arg(self.folder.join("orthanc.json")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let start = Instant::now();
        while self.try_get("/system").is_none() {
            assert!(start.elapsed() < Duration::from_secs(30), "{:?}", fs_err::read_to_string(self.folder.join("log")));
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Ends it.
    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            // As `systemctl stop` does, so that its index is whole.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            child.wait().unwrap();
        }
    }

    pub fn address(&self) -> String {
        format!("orthanc://127.0.0.1:{}", self.port)
    }

    pub fn dicomweb(&self) -> String {
        format!("dicomweb+http://127.0.0.1:{}/dicom-web", self.port)
    }

    fn header() -> String {
        // anna:s3cret-of-a-test
        "Basic YW5uYTpzM2NyZXQtb2YtYS10ZXN0".to_owned()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn try_get(&self, path: &str) -> Option<Vec<u8>> {
        let response = self.agent.get(self.url(path)).header("Authorization", Self::header()).call().ok()?;
        let status = response.status().as_u16();
        (status == 200).then(|| response.into_body().into_with_config().limit(1 << 30).read_to_vec().unwrap())
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.try_get(path).unwrap_or_else(|| panic!("GET {path}"))
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path)).unwrap()
    }

    pub fn put(&self, path: &str, body: &str) {
        let response = self.agent.put(self.url(path)).header("Authorization", Self::header()).send(body).unwrap();
        assert!(response.status().is_success(), "PUT {path}: {}", response.status());
    }

    pub fn delete(&self, path: &str) {
        let response = self.agent.delete(self.url(path)).header("Authorization", Self::header()).call().unwrap();
        assert!(response.status().is_success(), "DELETE {path}: {}", response.status());
    }

    /// Stores the DICOM files below a folder, `most` at most; gives how many were taken.
    pub fn upload(&self, folder: &Path, most: usize) -> usize {
        let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file()).take(most);
        let store = |entry: walkdir::DirEntry| {
            let bytes = fs_err::read(entry.path()).unwrap();
            let request = self.agent.post(self.url("/instances")).header("Authorization", Self::header());
            request.send(&bytes[..]).unwrap().status().is_success()
        };
        files.map(store).filter(|&taken| taken).count()
    }

    /// All series and studies with their metadata, as a plain HTTP client reads them: the server's state but for instances.
    pub fn metadata(&self) -> Vec<String> {
        let mut all = Vec::new();
        for level in ["series", "studies"] {
            let mut ids: Vec<String> = serde_json::from_value(self.json(&format!("/{level}"))).unwrap();
            ids.sort();
            for id in ids {
                let mut names: Vec<String> =
                    serde_json::from_value(self.json(&format!("/{level}/{id}/metadata"))).unwrap();
                names.sort();
                for name in names {
                    let value = String::from_utf8(self.get(&format!("/{level}/{id}/metadata/{name}"))).unwrap();
                    all.push(format!("{level} {id} {name} {value}"));
                }
            }
        }
        all
    }
}

impl Drop for Orthanc {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The command with the credentials in its environment.
pub fn signed_in(world: &World, words: &[&str]) -> Command {
    let mut command = world.command(words);
    command.env("DEEPMCAT_PACS_USER", USER).env("DEEPMCAT_PACS_PASSWORD", PASSWORD);
    command
}

/// Runs it, which must succeed; stdout and stderr.
pub fn ok(world: &World, words: &[&str]) -> (String, String) {
    let output = signed_in(world, words).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "deepmcat {words:?}\n{err}");
    (out, err)
}
