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

/// A file of the page.
pub(super) struct File {
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
    /// A digest of the bytes.
    pub(super) tag: String,
}

/// Finds a file by its path below `web/dist`. Only files that were there when the program was built
/// can be found, so no path leads anywhere else.
pub(super) fn find(path: &str) -> Option<File> {
    let content_type = content_type(path)?;
    let file = Dist::get(path)?;
    let bytes = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let digest = file.metadata.sha256_hash();
    let tag = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    Some(File { content_type, bytes, tag })
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
            assert!(content_type(&path).is_some(), "{path} would not be sent");
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
        for path in
            ["", "../Cargo.toml", "assets/../../Cargo.toml", "/etc/passwd", "assets/%2e%2e/x"]
        {
            assert!(find(path).is_none(), "{path}");
        }
    }
}
