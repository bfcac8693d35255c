//! Files that systems leave beside others: no images, and no damaged ones either.

use crate::reject::{Reason, Reject};

/// Folders in which a NAS keeps thumbnails that it made of the files beside them.
const THUMBNAILS: [&str; 2] = ["@eaDir", ".@__thumb"];

/// A file in such a folder, whatever it holds.
pub(super) fn thumbnail(name: &str) -> Option<Reject> {
    let folders = name.rsplit_once('/').map_or("", |(folders, _)| folders);
    let is = folders.split('/').any(|folder| THUMBNAILS.contains(&folder));
    is.then(|| Reject::new(Reason::Companion, "in a folder of thumbnails that a NAS made"))
}

/// AppleDouble and AppleSingle (RFC 1740): what macOS knows of the file `x` goes into `._x` where the disk cannot hold
/// it.
pub(super) fn apple_double(head: &[u8]) -> Option<Reject> {
    let is = head.starts_with(&[0, 5, 0x16, 7, 0, 2, 0, 0]) || head.starts_with(&[0, 5, 0x16, 0, 0, 2, 0, 0]);
    is.then(|| Reject::new(Reason::Companion, "what macOS keeps of the file beside it"))
}

/// A file by its name, once its content is known to be no image.
pub(super) fn by_name(name: &str) -> Option<Reject> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let lower = last.to_ascii_lowercase();
    let of_a_desktop = [".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", ".directory"];
    let is = of_a_desktop.contains(&lower.as_str()) || last.starts_with("._") || name.starts_with("__MACOSX/");
    (is || name.contains("/__MACOSX/")).then(|| Reject::new(Reason::Companion, "what a desktop keeps of a folder"))
}
