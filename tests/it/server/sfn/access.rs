//! Who may do what, by token or by signature.

use everstep::engine::Timestamp;
use everstep::runtime::{Clock, SystemClock};
use everstep::server::http::{AccessKeyEntry, Role, TokenFile};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::super::Server;
use super::super::client::{Answer, Request};
use super::refusal;

struct Guarded {
    server: Server,
    file: TokenFile,
    _folder: TempDir,
}

impl Guarded {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::at(folder.path().join("tokens.json"));
        file.create("first", Role::Admin, now(), None).unwrap();
        let path = file.path().to_owned();
        let set = |settings: &mut everstep::server::http::Settings| {
            settings.tokens = Some(path);
            settings.limits.refusals_per_second = 10_000;
        };
        Self { server: Server::with(set, |builder| builder), file, _folder: folder }
    }

    fn key(&self, name: &str, role: Role) -> AccessKeyEntry {
        self.file.create_access_key(name, role, now(), None).unwrap()
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// The operations there are, as they are told, with the role that each needs.
fn operations(server: &Server, token: &str) -> Vec<(String, Role)> {
    let document = server.request("GET", "/openapi.json").token(token).send().json();
    let told = document["x-everstep-operations"].as_object().unwrap();
    let role = |one: &Value| one["x-everstep-role"].as_str().unwrap().parse().unwrap();
    told.iter().map(|(name, one)| (name.clone(), role(one))).collect()
}

fn is_let_in(answer: &Answer) -> bool {
    let kind = refusal(answer).0;
    !["AccessDeniedException", "MissingAuthenticationTokenException"].contains(&&*kind)
}

#[test]
fn every_operation_lets_in_those_who_may_and_nobody_else() {
    let guarded = Guarded::new();
    let create = |role: &Role| guarded.file.create(role.as_str(), *role, now(), None).unwrap();
    let tokens: Vec<(Role, String)> = Role::ALL.iter().map(|role| (*role, create(role))).collect();
    let server = &guarded.server;
    let operations = operations(server, &tokens[3].1);
    assert!(operations.len() >= 28, "only {operations:?}");
    for (name, needed) in operations {
        // No operation reads it: that is refused after the role.
        let probe = || server.operation(&name, &json!([]));
        assert!(!is_let_in(&probe().send()), "{name} without a token");
        for (role, token) in &tokens {
            let answer = probe().token(token).send();
            let may = *role == Role::Admin
                || *role == needed
                || (*role == Role::Operator && needed == Role::Viewer);
            assert_eq!(is_let_in(&answer), may, "{name} as {role}: {answer:?}");
        }
    }
    let unknown = server.operation("Nothing", &json!({})).send();
    assert_eq!(
        refusal(&unknown).0,
        "MissingAuthenticationTokenException",
        "strangers learn nothing"
    );
}

/// Puts a signature on a request, as SDKs do.
fn signed(
    request: Request,
    body: &[u8],
    host: &str,
    key: &AccessKeyEntry,
    at: Timestamp,
) -> Request {
    let target = "AWSStepFunctions.ListStateMachines";
    let text = at.to_string();
    let date: String = text.chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    let (date, day) = (format!("{date}Z"), &date[..8]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    let headers = "host;x-amz-date;x-amz-target";
    let canonical = format!(
        "POST\n/\n\nhost:{host}\nx-amz-date:{date}\nx-amz-target:{target}\n\n{headers}\n{}",
        digest(body)
    );
    let scope = format!("{day}/eu-west-1/states/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", digest(canonical.as_bytes()));
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let secret = format!("AWS4{}", key.secret_access_key).into_bytes();
    let derived = scope.split('/').fold(secret, |key, part| mac(&key, part));
    let signature = hex(&mac(&derived, &to_sign));
    let id = &key.access_key_id;
    request.header("x-amz-date", &date).header(
        "authorization",
        &format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={headers}, Signature={signature}"
        ),
    )
}

#[test]
fn a_signed_request_is_let_in_as_long_as_its_key_is_good_and_nothing_was_altered() {
    let guarded = Guarded::new();
    let server = &guarded.server;
    let key = guarded.key("sdk", Role::Viewer);
    let host = server.address.to_string();
    let ask = |key: &AccessKeyEntry, at: Timestamp, alter: &str| {
        let body = json!({"maxResults": 7}).to_string();
        let request = server.operation("ListStateMachines", &json!({"maxResults": 7}));
        let request = signed(request, body.as_bytes(), &host, key, at);
        let request = match alter {
            "body" => request.body(super::WIRE, br#"{"maxResults": 8}"#),
            "target" => request.header("x-amz-target", "AWSStepFunctions.ListActivities"),
            _ => request,
        };
        let answer = request.send();
        if answer.status == 200 { "good".to_owned() } else { refusal(&answer).0 }
    };
    assert_eq!(ask(&key, now(), ""), "good");
    assert_eq!(ask(&key, now(), "body"), "InvalidSignatureException");
    assert_eq!(ask(&key, now(), "target"), "InvalidSignatureException");
    let late = Timestamp(now().0 - 6 * 60 * 1000);
    assert_eq!(ask(&key, late, ""), "InvalidSignatureException");
    let wrong = AccessKeyEntry { secret_access_key: "other".to_owned(), ..key.clone() };
    assert_eq!(ask(&wrong, now(), ""), "InvalidSignatureException");
    let unknown = AccessKeyEntry { access_key_id: "EVSTX".to_owned(), ..key.clone() };
    assert_eq!(ask(&unknown, now(), ""), "UnrecognizedClientException");
    assert!(guarded.file.revoke("sdk").unwrap());
    assert_eq!(ask(&key, now(), ""), "UnrecognizedClientException", "it was revoked");
    let worker = guarded.key("worker", Role::Worker);
    assert_eq!(ask(&worker, now(), ""), "AccessDeniedException");
}

#[test]
fn a_signature_opens_nothing_but_the_wire_api() {
    let guarded = Guarded::new();
    let key = guarded.key("sdk", Role::Admin);
    let host = guarded.server.address.to_string();
    let request = guarded.server.request("GET", "/api/v1/executions");
    let answer = signed(request, b"", &host, &key, now()).send();
    assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHORIZED"));
}

#[test]
fn without_a_file_of_tokens_any_signature_is_let_in_unverified() {
    let server = Server::new();
    let request = server.operation("ListStateMachines", &json!({}));
    let nonsense = "AWS4-HMAC-SHA256 Credential=me/1/r/states/aws4_request, Signature=no";
    assert_eq!(request.header("authorization", nonsense).send().status, 200);
}
