//! PEM blocks (RFC 7468): from the first dashes to the last, with line ends as they are or as `\n`. Certificates and
//! public keys stay. A block without an end goes to the end of the text. A block that a log writes as a line for each
//! line of it is found on its first line only.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

const BEGIN: &[u8] = b"-----BEGIN ";
static FIND_BEGIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(BEGIN));
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// Bytes of the longest label.
const LABEL: usize = 64;
/// What anybody may see.
const PUBLIC: [&[u8]; 4] = [b"CERTIFICATE", b"PUBLIC KEY", b"X509 CRL", b"PKCS7"];

/// Appends the spans of all blocks in `text`, in order and without overlap.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(start) = FIND_BEGIN.find(&text[from..]).map(|offset| from + offset) {
        let label = start + BEGIN.len();
        let room = &text[label..text.len().min(label + LABEL)];
        from = label;
        let Some(length) = memmem::find(room, DASHES) else { continue };
        if PUBLIC.iter().any(|name| memmem::find(&room[..length], name).is_some()) {
            continue;
        }
        from = end_of_block(text, label + length + DASHES.len());
        found.push(start..from);
    }
}

fn end_of_block(text: &[u8], from: usize) -> usize {
    let Some(end) = memmem::find(&text[from..], END) else { return text.len() };
    let label = from + end + END.len();
    memmem::find(&text[label..], DASHES).map_or(text.len(), |offset| label + offset + DASHES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_blocks_go_and_public_ones_stay() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----";
        let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
        let text = format!("a {key} {public} -----BEGIN x {key}\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl");
        let mut found = Vec::new();
        find(text.as_bytes(), &mut found);
        let blocks: Vec<&str> = found.into_iter().map(|span| &text[span]).collect();
        assert_eq!(blocks.len(), 3);
        assert_eq!(blocks[0], key);
        assert!(blocks[2].starts_with("-----BEGIN OPENSSH") && blocks[2].ends_with("b3Bl"));
    }
}
