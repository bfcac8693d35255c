//! UIDs of a server as names of files. A server is not trusted: what is no UID (PS3.5 9.1) never becomes a path.

/// True for a UID: numbers with dots between them, 64 characters at most.
#[must_use]
pub fn is_uid(text: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64 && text.split('.').all(number)
}

/// The name of a file or folder for a UID: itself, or a hash of what is none.
#[must_use]
pub fn name(uid: &str) -> String {
    if is_uid(uid) { uid.to_owned() } else { format!("odd-{}", &blake3::hash(uid.as_bytes()).to_hex()[..16]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_comes_out_of_a_uid() {
        assert_eq!(name("1.2.840.0"), "1.2.840.0");
        let long = "1".repeat(65);
        for odd in ["", ".", "..", "1..2", "../1", "1/2", "1.2\0", "1.2 ", "/etc/passwd", "١.٢", &long] {
            let name = name(odd);
            assert!(name.starts_with("odd-") && name.len() == 20, "{odd}: {name}");
        }
        assert_ne!(name("a"), name("b"));
    }
}
