//! The inputs of an archive in columns: some eighty bytes each, since an archive has millions. Of each, one
//! [`Input`] is made when it is asked for.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deepmcat_schemas::FileStat;

use crate::place::{Member, Place};
use crate::texts::Texts;

/// One file of the archive.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Where its bytes are now.
    pub place: Place,
    /// Where it came from.
    pub origin: Origin,
    /// Where in its source the path below INPUT starts.
    pub start: usize,
    /// Of the file that is its source.
    pub stat: FileStat,
}

impl Input {
    /// Source and, in a zip, member as one path.
    pub fn name(&self) -> String {
        let Origin { source, member } = &self.origin;
        member.as_ref().map_or_else(|| source.clone(), |member| format!("{source}/{member}"))
    }
}

/// Where an input came from, as the tables say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Its path below INPUT with `/`; with several inputs, the input's name comes first. Bytes that are not UTF-8
    /// are written `\xNN`, and `\` is written `\\`, so that two names never become one.
    pub source: String,
    /// Its name in the zip that `source` is, with `/`.
    pub member: Option<String>,
}

/// A file whose members are inputs.
#[derive(Debug)]
pub(crate) struct Zip {
    /// Where it is.
    pub path: Arc<Path>,
    /// As of an input.
    pub source: String,
    /// As of an input.
    pub start: usize,
    /// As of an input.
    pub stat: FileStat,
}

/// What the names of inputs begin with.
#[derive(Debug)]
struct Folder {
    /// With `/` at its end, but for the outermost: below INPUT, or in the zip.
    name: Box<str>,
    lies: Lies,
}

#[derive(Debug)]
enum Lies {
    On(Box<Path>, usize),
    In(Arc<Zip>),
}

/// All inputs: first those that can be read, in the order of their names, then the others.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    folders: Vec<Folder>,
    /// Folders by a hash of what they are.
    known: HashMap<u64, u32>,
    /// The last parts of names.
    names: Texts,
    folder: Vec<u32>,
    /// Of a file what the file system says of it, of a member where its bytes are.
    facts: Vec<[u64; 4]>,
    /// Where files are whose names are no text.
    paths: HashMap<u32, PathBuf>,
    /// The other files of NIfTI pairs in zips.
    partners: HashMap<u32, u32>,
    /// Rows of the columns in the order of inputs.
    order: Vec<u32>,
    readable: usize,
}

/// The bit above a CRC that says that a member is deflated.
const DEFLATED: u64 = 1 << 32;

impl Inputs {
    /// Adds a file and gives its row.
    pub fn add_file(&mut self, path: &Path, source: &str, start: usize, stat: FileStat) -> u32 {
        let (folder, name) = parted(source);
        let at = path.parent().unwrap_or(path);
        let row = self.add(folder, name, &|| Lies::On(at.into(), start));
        self.facts.push([stat.bytes, stat.modified, stat.changed, stat.inode]);
        if self.path(row) != path {
            self.paths.insert(row, path.to_owned());
        }
        row
    }

    /// Adds a member of a zip and gives its row.
    pub fn add_member(&mut self, zip: &Arc<Zip>, member: &str, of: Option<&Member>) -> u32 {
        let (folder, name) = parted(member);
        let row = self.add(folder, name, &|| Lies::In(Arc::clone(zip)));
        let facts =
            |of: &Member| [of.start, of.packed, of.size, u64::from(of.crc) | if of.deflated { DEFLATED } else { 0 }];
        self.facts.push(of.map(facts).unwrap_or_default());
        row
    }

    fn add(&mut self, folder: &str, name: &str, lies: &dyn Fn() -> Lies) -> u32 {
        let lies = lies();
        let mut hasher = DefaultHasher::new();
        folder.hash(&mut hasher);
        match &lies {
            Lies::On(path, start) => (path, start).hash(&mut hasher),
            Lies::In(zip) => zip.path.hash(&mut hasher),
        }
        let hash = hasher.finish();
        let same = |known: &Folder| *known.name == *folder && known.lies.is(&lies);
        let found = self.known.get(&hash).copied().filter(|&known| same(&self.folders[known as usize]));
        let number = found.unwrap_or(self.folders.len() as u32);
        if found.is_none() {
            self.folders.push(Folder { name: folder.into(), lies });
            self.known.insert(hash, number);
        }
        self.names.push(name);
        self.folder.push(number);
        self.folder.len() as u32 - 1
    }

    /// The zip that a row, a file, is.
    pub fn zip(&self, row: u32, path: &Path) -> Zip {
        let start = if let Lies::On(_, start) = self.folder(row).lies { start } else { 0 };
        let [bytes, modified, changed, inode] = self.facts[row as usize];
        let stat = FileStat { bytes, modified, changed, inode };
        Zip { path: path.into(), source: self.origin_of(row).source, start, stat }
    }

    /// Tells a file of a pair of the other one.
    pub fn pair(&mut self, row: u32, partner: u32) {
        self.partners.insert(row, partner);
    }

    /// Says which rows are inputs, and puts them in order; gives the numbers that the `others` have now.
    pub fn arrange(&mut self, mut readable: Vec<u32>, others: &[u32]) -> Vec<u32> {
        readable.sort_by(|&a, &b| self.compare(a, b));
        let mut by_name: Vec<usize> = (0..others.len()).collect();
        by_name.sort_by(|&a, &b| self.compare(others[a], others[b]));
        self.readable = readable.len();
        self.order = readable;
        let mut numbers = vec![0; others.len()];
        for other in by_name {
            numbers[other] = self.order.len() as u32;
            self.order.push(others[other]);
        }
        self.known = HashMap::new();
        numbers
    }

    /// All of them.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Those that can be read, which are the first.
    pub fn readable(&self) -> usize {
        self.readable
    }

    /// Where an input came from.
    pub fn origin(&self, number: u32) -> Origin {
        self.origin_of(self.order[number as usize])
    }

    /// Source and, in a zip, member as one path.
    pub fn name(&self, number: u32) -> String {
        let row = self.order[number as usize];
        let (Folder { name, lies }, last) = (self.folder(row), self.names.get(row));
        match lies {
            Lies::On(..) => format!("{name}{last}"),
            Lies::In(zip) => format!("{}/{name}{last}", zip.source),
        }
    }

    /// What the file system said of the file that an input is, or lies in; nothing of one that cannot be read.
    pub fn stat(&self, number: u32) -> FileStat {
        let row = self.order[number as usize];
        match &self.folder(row).lies {
            _ if number as usize >= self.readable => FileStat::default(),
            Lies::On(..) => {
                let [bytes, modified, changed, inode] = self.facts[row as usize];
                FileStat { bytes, modified, changed, inode }
            }
            Lies::In(zip) => zip.stat,
        }
    }

    /// One that can be read.
    pub fn get(&self, number: u32) -> Input {
        let row = self.order[number as usize];
        let (place, start) = match &self.folder(row).lies {
            Lies::On(_, start) => (Place::File(self.path(row)), *start),
            Lies::In(zip) => {
                let partner = self.partners.get(&row).map(|&partner| Arc::new(self.member(zip, partner, None)));
                (Place::Member(self.member(zip, row, partner)), zip.start)
            }
        };
        Input { place, origin: self.origin_of(row), start, stat: self.stat(number) }
    }

    /// The order of two inputs by their names.
    pub fn by_name(&self, a: u32, b: u32) -> Ordering {
        let both_read = (a.max(b) as usize) < self.readable;
        if both_read { a.cmp(&b) } else { self.compare(self.order[a as usize], self.order[b as usize]) }
    }

    /// By source, then by member: one pair of texts, each in two parts.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let [(one, of_one), (two, of_two)] = [a, b].map(|row| (self.folder(row), self.names.get(row)));
        if std::ptr::eq(one, two) {
            return of_one.cmp(of_two);
        }
        fn source<'a>(folder: &'a Folder, last: &'a str) -> impl Iterator<Item = u8> + 'a {
            let parts = match &folder.lies {
                Lies::On(..) => [&*folder.name, last],
                Lies::In(zip) => [zip.source.as_str(), ""],
            };
            parts.into_iter().flat_map(str::bytes)
        }
        let member = |folder: &Folder| matches!(folder.lies, Lies::In(_));
        let sources = source(one, of_one).cmp(source(two, of_two));
        sources.then_with(|| member(one).cmp(&member(two))).then_with(|| {
            let members = [(one, of_one), (two, of_two)].map(|(folder, last)| folder.name.bytes().chain(last.bytes()));
            let [a, b] = members;
            a.cmp(b)
        })
    }

    fn folder(&self, row: u32) -> &Folder {
        &self.folders[self.folder[row as usize] as usize]
    }

    /// Where the file of a row is.
    pub fn path(&self, row: u32) -> PathBuf {
        let Lies::On(path, _) = &self.folder(row).lies else { return PathBuf::new() };
        self.paths.get(&row).cloned().unwrap_or_else(|| path.join(self.names.get(row)))
    }

    fn origin_of(&self, row: u32) -> Origin {
        let (Folder { name, lies }, last) = (self.folder(row), self.names.get(row));
        let whole = format!("{name}{last}");
        match lies {
            Lies::On(..) => Origin { source: whole, member: None },
            Lies::In(zip) => Origin { source: zip.source.clone(), member: Some(whole) },
        }
    }

    fn member(&self, zip: &Zip, row: u32, partner: Option<Arc<Member>>) -> Member {
        let [start, packed, size, crc] = self.facts[row as usize];
        let (zip, deflated) = (Arc::clone(&zip.path), crc & DEFLATED != 0);
        Member { zip, start, packed, size, crc: crc as u32, deflated, partner }
    }
}

impl Lies {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::On(path, start), Self::On(other, at)) => (path, start) == (other, at),
            (Self::In(zip), Self::In(other)) => Arc::ptr_eq(zip, other),
            _ => false,
        }
    }
}

/// A path in two: the folder with its `/`, and the last part.
fn parted(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |at| at + 1))
}

/// A name as text: bytes that are not UTF-8 become `\xNN` and `\` becomes `\\`, so that two names never become one.
pub(crate) fn lossless(name: &[u8]) -> String {
    let mut whole = String::new();
    for chunk in name.utf8_chunks() {
        whole.push_str(&chunk.valid().replace('\\', "\\\\"));
        chunk.invalid().iter().for_each(|byte| whole.push_str(&format!("\\x{byte:02x}")));
    }
    whole
}
