//! Digests and Base64.

use base64::prelude::{BASE64_STANDARD, Engine};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The digest of a text's UTF-8 bytes, in lower-case hexadecimal.
pub(in super::super) fn digest(text: &str, algorithm: &str) -> Result<String, String> {
    let bytes = match algorithm {
        "MD5" => Md5::digest(text).to_vec(),
        "SHA-1" => Sha1::digest(text).to_vec(),
        "SHA-256" => Sha256::digest(text).to_vec(),
        "SHA-384" => Sha384::digest(text).to_vec(),
        "SHA-512" => Sha512::digest(text).to_vec(),
        other => {
            return Err(format!(
                "there is no algorithm '{other}'; there are MD5, SHA-1, SHA-256, SHA-384, SHA-512"
            ));
        }
    };
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn encode(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

pub(super) fn decode(text: &str) -> Result<String, String> {
    let bytes =
        BASE64_STANDARD.decode(text).map_err(|error| format!("the text is not Base64: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "the decoded bytes are not UTF-8 text".to_owned())
}
