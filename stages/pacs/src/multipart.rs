//! `multipart/related` (RFC 2387), as WADO-RS answers with objects and STOW-RS takes them (PS3.18 8.6.1).

/// The boundary of what is sent; no DICOM file of ours holds it.
const BOUNDARY: &str = "deepmcat-part";

/// The first part of a body, without its headers; none where it does not end as it should.
pub(crate) fn first_part(kind: &str, body: Vec<u8>) -> Option<Vec<u8>> {
    let kind = kind.trim();
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        // Some servers answer with the object itself.
        return kind.to_ascii_lowercase().starts_with("application/dicom").then_some(body);
    }
    let boundary = kind.split(';').find_map(|word| {
        let (name, value) = word.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    })?;
    if boundary.is_empty() {
        return None;
    }
    let start = find(&body, format!("--{boundary}\r\n").as_bytes(), 0)?;
    let head = find(&body, b"\r\n\r\n", start)? + 4;
    let closing = format!("\r\n--{boundary}");
    // The length that the part says, where it ends with the boundary; else the boundary is looked for.
    let headers = String::from_utf8_lossy(&body[start..head]).to_ascii_lowercase();
    let said = headers.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let said = said
        .and_then(|length| head.checked_add(length))
        .filter(|&end| body.get(end..).is_some_and(|rest| rest.starts_with(closing.as_bytes())));
    let end = match said {
        Some(end) => end,
        None => find(&body, closing.as_bytes(), head)?,
    };
    let mut body = body;
    body.truncate(end);
    body.drain(..head);
    Some(body)
}

/// The place of `wanted` in `bytes`, from `from` on.
fn find(bytes: &[u8], wanted: &[u8], from: usize) -> Option<usize> {
    let first = *wanted.first()?;
    let mut at = from;
    while let Some(next) = bytes.get(at..)?.iter().position(|&byte| byte == first) {
        at += next;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Objects as one body.
pub(crate) fn parts(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for object in objects {
        body.extend(format!("--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
        body.extend(object);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/related; type=\"application/dicom\"; boundary=\"deepmcat-part\"";

    #[test]
    fn what_is_sent_is_what_is_read() {
        let object = b"DICM\r\n--deepmcat\r\n\r\n".to_vec();
        assert_eq!(first_part(KIND, parts(std::slice::from_ref(&object))).unwrap(), object);
        // A length that is right goes before a boundary in the object.
        let tricky = b"a\r\n--deepmcat-part\r\nb".to_vec();
        let mut body = format!("--deepmcat-part\r\nContent-Length: {}\r\n\r\n", tricky.len()).into_bytes();
        body.extend(&tricky);
        body.extend(b"\r\n--deepmcat-part--");
        assert_eq!(first_part(KIND, body).unwrap(), tricky);
        assert_eq!(first_part("application/dicom", object.clone()).unwrap(), object);
    }

    #[test]
    fn what_breaks_off_is_none() {
        let whole = parts(&[b"object".to_vec()]);
        for end in 0..whole.len() - 4 {
            let cut = first_part(KIND, whole[..end].to_vec());
            assert!(cut.is_none() || cut.unwrap() == b"object", "{end}");
        }
        assert!(first_part(KIND, whole[..whole.len() - 24].to_vec()).is_none());
        assert!(first_part("multipart/related", whole.clone()).is_none() && first_part("text/html", whole).is_none());
    }
}
