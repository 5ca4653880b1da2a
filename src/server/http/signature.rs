//! Signed requests: AWS Signature Version 4, as SDKs of AWS put it into `Authorization`.
//!
//! What is signed is the method, the path, headers and the whole body, so a request cannot be altered on
//! its way. It can be sent again within five minutes by whoever saw it; TLS keeps others from seeing it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use hmac::{Hmac, Mac};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use sha2::{Digest, Sha256};

use super::access_keys::AccessKey;
use super::problem::Problem;
use crate::engine::Timestamp;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that requests are signed for.
const SERVICE: &str = "states";
/// What ends every scope.
const END_OF_SCOPE: &str = "aws4_request";
/// How far the clock of a client may be off, in milliseconds.
const SKEW_MS: u64 = 5 * 60 * 1000;
/// Headers that have to be signed: without them a request could be sent elsewhere, later, or ask for
/// something else.
const SIGNED: [&str; 3] = ["host", "x-amz-date", "x-amz-target"];
/// The digest of the body, where a client tells it.
const DIGEST: &str = "x-amz-content-sha256";
/// The longest `Authorization` that is looked at.
const MOST_BYTES: usize = 4096;

/// The access key id that a request claims, when it looks like one.
pub(super) fn claimed(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = text.split_once("Credential=")?;
    let id = credential.split(['/', ',']).next()?;
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    ((1..=128).contains(&id.len()) && id.bytes().all(is_good)).then_some(id)
}

/// Whether a request says that it is signed.
pub(super) fn is_signed(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|it| it.as_bytes().starts_with(b"AWS4-"))
}

/// A signature that a request has, of which all but the signature itself is looked at.
#[derive(Debug)]
pub(super) struct Signature {
    /// The access key id.
    pub(super) key: String,
    date: String,
    region: String,
    headers: Vec<String>,
    signature: Vec<u8>,
    moment: String,
}

/// Nothing says who asks.
pub(super) fn missing() -> Problem {
    refused("MissingAuthenticationTokenException", "Missing Authentication Token")
}

/// The access key is not known, was revoked or has expired: which of them is nobody's business.
pub(super) fn unknown_key() -> Problem {
    let message = "The security token included in the request is invalid.";
    refused("UnrecognizedClientException", message)
}

fn refused(kind: &'static str, message: impl Into<String>) -> Problem {
    Problem::named(kind, StatusCode::UNAUTHORIZED, message)
}

fn invalid(message: impl Into<String>) -> Problem {
    refused("InvalidSignatureException", message)
}

impl Signature {
    /// Reads the signature of a request, and checks all that needs no key.
    ///
    /// # Errors
    /// Something is missing, it is not for us, it leaves out a header that counts, or its time is not
    /// about `now`.
    pub(super) fn read(parts: &Parts, now: Timestamp) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
        let one = given.next().filter(|_| given.next().is_none());
        let text = one.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let moment = only(&parts.headers, "x-amz-date").unwrap_or_default();
        let read = Self::parse(text, moment).ok_or_else(|| {
            let message = "Authorization header requires 'Credential', 'Signature' and \
                           'SignedHeaders' parameters, and an 'X-Amz-Date' header.";
            refused("IncompleteSignatureException", message)
        })??;
        for name in SIGNED.iter().chain(parts.headers.contains_key(DIGEST).then_some(&DIGEST)) {
            if !read.headers.iter().any(|signed| signed == name) {
                return Err(invalid(format!(
                    "'{name}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        read.check_moment(now)?;
        Ok(read)
    }

    /// Nothing when a part is missing.
    fn parse(text: &str, moment: &str) -> Option<Result<Self, Problem>> {
        let rest = text.strip_prefix(ALGORITHM).filter(|_| text.len() <= MOST_BYTES)?;
        let (mut credential, mut headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=')? {
                ("Credential", value) if credential.is_none() => credential = Some(value),
                ("SignedHeaders", value) if headers.is_none() => headers = Some(value),
                ("Signature", value) if signature.is_none() => signature = Some(value),
                _ => return None,
            }
        }
        let scope: Vec<&str> = credential?.split('/').collect();
        let [key, date, region, service, end] = scope.as_slice() else { return None };
        if *service != SERVICE || *end != END_OF_SCOPE {
            return Some(Err(invalid(format!(
                "Credential should be scoped to correct service: '{SERVICE}'."
            ))));
        }
        let owned = |text: &str| text.to_owned();
        Some(Ok(Self {
            key: owned(key),
            date: owned(date),
            region: owned(region),
            headers: headers?.split(';').map(owned).collect(),
            signature: bytes_of_hex(signature?)?,
            moment: owned(moment),
        }))
    }

    /// The time of the request has to be about now, and on the day of its scope.
    fn check_moment(&self, now: Timestamp) -> Result<(), Problem> {
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", &self.moment)
            .and_then(|at| Offset::UTC.to_timestamp(at))
            .map(|at| u64::try_from(at.as_millisecond()).unwrap_or(0))
            .map_err(|_| invalid("Date must be in ISO-8601 'basic format'."))?;
        if !self.moment.starts_with(&self.date) || self.date.len() != 8 {
            return Err(invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        if at.abs_diff(now.0) <= SKEW_MS {
            return Ok(());
        }
        let how = if at < now.0 { "expired" } else { "not yet current" };
        Err(invalid(format!("Signature {how}: {} is not within 5 min. of {now}.", self.moment)))
    }

    /// Checks the signature itself.
    ///
    /// # Errors
    /// It was not made with the key, or not of this request.
    pub(super) fn verify(
        &self,
        key: &AccessKey,
        parts: &Parts,
        body: &[u8],
    ) -> Result<(), Problem> {
        let mismatch = || {
            invalid(
                "The request signature we calculated does not match the signature you provided. \
                 Check your AWS Secret Access Key and signing method.",
            )
        };
        let digest = hex(&Sha256::digest(body));
        if only(&parts.headers, DIGEST).is_some_and(|said| said != digest) {
            return Err(mismatch());
        }
        let canonical = self.canonical(parts, &digest).ok_or_else(mismatch)?;
        let scope = format!("{}/{}/{SERVICE}/{END_OF_SCOPE}", self.date, self.region);
        let canonical = hex(&Sha256::digest(canonical));
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{canonical}", self.moment);
        let mut derived = format!("AWS4{}", key.secret).into_bytes();
        for part in [&*self.date, &*self.region, SERVICE, END_OF_SCOPE] {
            derived = mac(&derived, part).ok_or_else(mismatch)?.finalize().into_bytes().to_vec();
        }
        // In a time that does not tell how much of it is right.
        let mac = mac(&derived, &to_sign).ok_or_else(mismatch)?;
        mac.verify_slice(&self.signature).map_err(|_| mismatch())
    }

    /// The request as it was signed; nothing when a header that was signed is not there.
    fn canonical(&self, parts: &Parts, digest: &str) -> Option<String> {
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let mut text = format!("{}\n{path}\n{query}\n", parts.method);
        for name in &self.headers {
            let values = parts.headers.get_all(name.as_str()).iter();
            let values: Option<Vec<String>> = values
                .map(|value| {
                    Some(
                        value.to_str().ok()?.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
                    )
                })
                .collect();
            let values = values.filter(|values| !values.is_empty())?;
            text.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        text.push_str(&format!("\n{}\n{digest}", self.headers.join(";")));
        Some(text)
    }
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// A header that stands there once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut given = headers.get_all(name).iter();
    given.next().filter(|_| given.next().is_none())?.to_str().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..64).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::server::http::role::{Principal, Role};

    /// What boto3 1.44 sent to a server at this address with these keys.
    const BODY: &[u8] = b"{\"maxResults\": 3}";
    const MOMENT: &str = "20261126T014359Z";
    const SIGNED_BY_BOTO3: &str = "AWS4-HMAC-SHA256 Credential=EVST234567ABCDEFGHIJ/20261126/us-east-1/states/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=1ef919059eb145de1d5c5499b15cfad114a0bd228d84977b68990bfe57206371";

    fn key(secret: &str) -> AccessKey {
        let principal = Principal { name: "ci".into(), role: Role::Admin };
        AccessKey {
            id: "EVST234567ABCDEFGHIJ".to_owned(),
            secret: secret.to_owned(),
            principal,
            expires_ms: None,
        }
    }

    fn parts(change: impl FnOnce(&mut HeaderMap)) -> Parts {
        let request = Request::post("/")
            .header("host", "127.0.0.1:8099")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "AWSStepFunctions.ListStateMachines")
            .header("x-amz-date", MOMENT)
            .header("authorization", SIGNED_BY_BOTO3)
            .header("user-agent", "not signed");
        let mut parts = request.body(()).unwrap().into_parts().0;
        change(&mut parts.headers);
        parts
    }

    fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
        headers.insert(name, value.parse().unwrap());
    }

    /// When it was signed.
    fn now() -> Timestamp {
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", MOMENT).unwrap();
        let at = Offset::UTC.to_timestamp(at).unwrap().as_millisecond();
        Timestamp(u64::try_from(at).unwrap())
    }

    fn check(parts: &Parts, secret: &str, body: &[u8]) -> Result<(), Problem> {
        Signature::read(parts, now())?.verify(&key(secret), parts, body)
    }

    const SECRET: &str = "kX0pq7/example+secret0123456789abcdefghi";

    fn refusal(change: impl FnOnce(&mut HeaderMap)) -> String {
        let problem = check(&parts(change), SECRET, BODY).unwrap_err();
        assert_eq!(problem.status(), StatusCode::UNAUTHORIZED);
        problem.code().to_owned()
    }

    #[test]
    fn what_an_sdk_signed_is_good() {
        assert!(check(&parts(|_| {}), SECRET, BODY).is_ok());
        assert_eq!(claimed(&parts(|_| {}).headers), Some("EVST234567ABCDEFGHIJ"));
    }

    #[test]
    fn nothing_that_counts_can_be_altered() {
        assert!(check(&parts(|_| {}), "another", BODY).is_err(), "another secret");
        assert!(check(&parts(|_| {}), SECRET, b"{ }").is_err(), "another body");
        for (name, value) in [
            ("x-amz-target", "AWSStepFunctions.DeleteStateMachine"),
            ("host", "elsewhere"),
            ("content-type", "application/json"),
            ("x-amz-date", "20261126T014400Z"),
        ] {
            let code = refusal(|headers| set(headers, name, value));
            assert_eq!(code, "InvalidSignatureException", "{name}");
        }
        let other = SIGNED_BY_BOTO3.replace("us-east-1", "us-east-2");
        assert_eq!(
            refusal(|headers| set(headers, "authorization", &other)),
            "InvalidSignatureException"
        );
        let mut parts = parts(|_| {});
        parts.method = axum::http::Method::PUT;
        assert!(check(&parts, SECRET, BODY).is_err(), "another method");
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_before_and_after() {
        let parts = parts(|_| {});
        for (at, is_good) in [
            (now().plus_ms(SKEW_MS), true),
            (now().plus_ms(SKEW_MS + 1), false),
            (Timestamp(now().0 - SKEW_MS), true),
            (Timestamp(now().0 - SKEW_MS - 1), false),
        ] {
            assert_eq!(Signature::read(&parts, at).is_ok(), is_good, "{at}");
        }
    }

    #[test]
    fn headers_that_count_have_to_be_signed() {
        for name in ["host;", "x-amz-date;", ";x-amz-target"] {
            let fewer = SIGNED_BY_BOTO3.replace(name, "");
            assert_ne!(fewer, SIGNED_BY_BOTO3);
            assert_eq!(
                refusal(|headers| set(headers, "authorization", &fewer)),
                "InvalidSignatureException"
            );
        }
        let more = SIGNED_BY_BOTO3.replace("host;", "host;x-nothing;");
        assert_eq!(
            refusal(|headers| set(headers, "authorization", &more)),
            "InvalidSignatureException"
        );
        let added = refusal(|headers| set(headers, DIGEST, "UNSIGNED-PAYLOAD"));
        assert_eq!(added, "InvalidSignatureException", "the digest is told and not signed");
    }

    #[test]
    fn what_is_not_whole_is_refused_as_such() {
        for text in [
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=a/b/c/states/aws4_request",
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=00",
            "AWS4-ECDSA-P256-SHA256 Credential=a",
            &SIGNED_BY_BOTO3.replace("Signature=", "Signature=zz"),
            &SIGNED_BY_BOTO3
                .replace(" Credential=", " Credential=a/b/c/states/aws4_request, Credential="),
        ] {
            let code = refusal(|headers| set(headers, "authorization", text));
            assert_eq!(code, "IncompleteSignatureException", "{text}");
        }
        let service = SIGNED_BY_BOTO3.replace("/states/", "/sqs/");
        assert_eq!(
            refusal(|headers| set(headers, "authorization", &service)),
            "InvalidSignatureException"
        );
        assert_eq!(
            refusal(|headers| drop(headers.remove("x-amz-date"))),
            "InvalidSignatureException"
        );
    }
}
