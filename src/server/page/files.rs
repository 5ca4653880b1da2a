//! The files of the page.

use std::borrow::Cow;

use axum::body::Bytes;
use rust_embed::RustEmbed;

/// The page itself; everything else is named by it.
pub(super) const INDEX: &str = "index.html";

/// `web/dist`. When it is missing the build fails, and says so.
#[derive(RustEmbed)]
#[folder = "web/dist/"]
struct Dist;

/// How the build packs files, the smallest first: the name of the coding, and how it ends the name
/// of the file.
const PACKED: &[(&str, &str)] = &[("br", "br"), ("gzip", "gz")];

/// A file of the page.
pub(super) struct File {
    pub(super) content_type: &'static str,
    /// The coding of the bytes; none for the file as it is.
    pub(super) coding: Option<&'static str>,
    pub(super) bytes: Bytes,
    /// A digest of the bytes.
    pub(super) tag: String,
}

/// Finds a file by its path below `web/dist`, packed in the best way that the reader takes. Only
/// files that were there when the program was built can be found, so no path leads anywhere else.
pub(super) fn find(path: &str, takes: impl Fn(&str) -> bool) -> Option<File> {
    let content_type = content_type(path)?;
    let mut packed = PACKED.iter().filter(|(coding, _)| takes(coding));
    let packed = packed
        .find_map(|(coding, end)| Some((Some(*coding), Dist::get(&format!("{path}.{end}"))?)));
    let (coding, file) = match packed {
        Some(packed) => packed,
        None => (None, Dist::get(path)?),
    };
    let bytes = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let digest = file.metadata.sha256_hash();
    let tag = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Some(File { content_type, coding, bytes, tag })
}

fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(path: &str) -> Option<File> {
        super::find(path, |_| false)
    }

    #[test]
    fn all_that_the_page_names_is_there() {
        let index = find(INDEX).unwrap();
        let text = std::str::from_utf8(&index.bytes).unwrap();
        let named: Vec<&str> =
            text.split('"').filter(|part| part.starts_with("/assets/")).collect();
        assert!(named.len() >= 2, "{named:?}");
        for path in named {
            assert!(find(path.trim_start_matches('/')).is_some(), "{path} is missing");
        }
    }

    #[test]
    fn every_file_has_a_content_type() {
        for path in Dist::iter() {
            let plain = PACKED.iter().find_map(|(_, end)| path.strip_suffix(&format!(".{end}")));
            let plain = plain.unwrap_or(&path);
            assert!(content_type(plain).is_some(), "{path} would not be sent");
            assert!(Dist::get(plain).is_some(), "{path} is of no file");
        }
    }

    #[test]
    fn scripts_and_styles_are_packed_in_every_way_and_smaller_then() {
        let large = Dist::iter().filter(|path| path.ends_with(".js") || path.ends_with(".css"));
        for path in large {
            let plain = find(&path).unwrap();
            for (coding, _) in PACKED {
                let packed = super::find(&path, |one| one == *coding).unwrap();
                assert_eq!(packed.coding, Some(*coding), "{path}");
                assert_eq!(packed.content_type, plain.content_type, "{path}");
                assert_ne!(packed.tag, plain.tag, "{path}: other bytes have another tag");
                assert!(packed.bytes.len() < plain.bytes.len(), "{path} as {coding}");
            }
            assert_eq!(super::find(&path, |_| true).unwrap().coding, Some("br"), "the smallest");
        }
    }

    #[test]
    fn the_page_runs_nothing_inline() {
        let index = find(INDEX).unwrap();
        let text = std::str::from_utf8(&index.bytes).unwrap();
        for script in text.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src="), "{script}");
        }
        assert!(!text.contains("style="), "styles stand in files");
    }

    #[test]
    fn no_path_leads_out_of_the_page() {
        for path in [
            "",
            "assets",
            "../Cargo.toml",
            "assets/../../Cargo.toml",
            "/etc/passwd",
            "assets/%2e%2e/x",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
