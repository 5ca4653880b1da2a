//! Signed requests: AWS Signature Version 4, as SDKs of AWS put it into `Authorization`.

use axum::http::{HeaderMap, header};

/// The access key id that a request claims, when it looks like one.
pub(super) fn claimed(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = text.split_once("Credential=")?;
    let id = credential.split(['/', ',']).next()?;
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    ((1..=128).contains(&id.len()) && id.bytes().all(is_good)).then_some(id)
}
