//! Draws requests: something that the server says it takes, and then something wrong with it.

use everstep::testing::random::Random;
use serde_json::{Map, Value, json};

/// Headers that servers and those before them have stumbled over.
const HEADERS: &[&str] = &[
    "host: evil.example",
    "host: localhost",
    "content-length: 0",
    "content-length: 7",
    "content-length: -1",
    "content-length: 99999999999999999999",
    "content-length: 1, 1",
    "transfer-encoding: chunked",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding : chunked",
    "expect: 100-continue",
    "connection: upgrade",
    "upgrade: h2c",
    "connection: close",
    "content-type: application/json",
    "content-type: application/x-amz-json-1.0",
    "content-type: text/plain",
    "content-type: application/yaml",
    "content-type: \u{1}",
    "content-encoding: gzip",
    "origin: null",
    "sec-fetch-site: cross-site",
    "authorization: Bearer x",
    "authorization: AWS4-HMAC-SHA256 Credential=a/b/c/states/aws4_request, SignedHeaders=;;, Signature=",
    "x-amz-date: 99999999T999999Z",
    "x-amz-target: AWSStepFunctions.Nothing",
    "x-amz-target: AWSStepFunctions.",
    "last-event-id: 18446744073709551615",
    "last-event-id: -1",
    "idempotency-key: ",
    "idempotency-key: \u{e4}\u{f6}",
    "if-none-match: *",
    "range: bytes=0-0,5-",
    "cookie: a=b; a=b",
    "x: \t",
    ": nameless",
    "no colon at all",
];
const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "", "\0",
];
const TARGETS: &[&str] = &[
    "*",
    "",
    "//",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/",
    "/api/v1/executions/%00",
    "/api/v1/executions/%ff%fe",
    "/api/v1/executions/%",
    "/api/v1/executions/@/@",
    "/api/v1/executions?&&&=&",
    "/api/v1/executions?limit=99999999999999999999999",
    "http://evil.example/api/v1/executions",
    "localhost:80",
    "/\u{e4}",
    "/api/v1/executions#x",
];
/// Texts for whatever is a text.
const TEXTS: &[&str] = &[
    "w",
    "long",
    "@",
    "echo",
    "none",
    "",
    " ",
    ".",
    "..",
    "a/b",
    "\0",
    "\u{feff}",
    "%",
    "*",
    "'\"<>",
    "\u{202e}",
    "{}",
    "[1]",
    "{",
    "0",
    "-1",
    "true",
    "json",
    "{% 1/0 %}",
    "$..a[?(@)]",
    "arn:aws:states:us-east-1:000000000000:stateMachine:w",
    "arn:aws:states:us-east-1:000000000000:stateMachine:w:1",
    "arn:aws:states:us-east-1:000000000000:activity:a",
    "arn:aws:states:us-east-1:000000000000:mapRun:w/x:y",
    "arn:aws:states:::",
    "arn:::::::::",
    "arn:aws:iam::000000000000:role/r",
    r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#,
    r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}"#,
    r#"{"Type":"Task","Resource":"x","End":true}"#,
];
/// Values that are seldom what is asked for.
const VALUES: &[&str] = &[
    "null",
    "true",
    "-1",
    "0.5",
    "1e308",
    "1e999",
    "-0",
    "18446744073709551615",
    "9223372036854775808",
    "99999999999999999999999999",
    "\"\"",
    "[]",
    "{}",
    "[[[[[]]]]]",
    r#""\ud800""#,
    r#""\u0000""#,
    r#"{"a":1,"a":2}"#,
    "NaN",
    "01",
    "[1,]",
    "\u{7f}",
];

/// All that the server says it takes.
pub(super) struct Sayings {
    /// A method, a path, and what `/openapi.json` says of them.
    routes: Vec<(String, String, Value)>,
    /// Operations of the Step Functions API, and what they take.
    operations: Vec<(String, Value)>,
    texts: Vec<String>,
}

struct Drawn {
    method: String,
    target: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Sayings {
    /// Reads `/openapi.json`; `ids` are executions that there are.
    pub(super) fn read(document: &Value, ids: &[String]) -> Self {
        let mut routes = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, said) in methods.as_object().unwrap() {
                routes.push((method.to_uppercase(), path.clone(), said.clone()));
            }
        }
        let operations = document["x-everstep-operations"].as_object().unwrap();
        let operations =
            operations.iter().map(|(name, said)| (name.clone(), said["input"].clone())).collect();
        let mut texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
        for id in ids {
            texts.push(id.clone());
            for machine in ["w", "long"] {
                texts.push(format!(
                    "arn:aws:states:us-east-1:000000000000:execution:{machine}:{id}"
                ));
            }
        }
        Self { routes, operations, texts }
    }

    /// The bytes of a request.
    pub(super) fn draw(&self, random: &mut Random) -> Vec<u8> {
        let mut drawn = if random.one_in(3) { self.operation(random) } else { self.route(random) };
        // Some are left as they are: what they do makes more of the server reachable.
        for _ in 0..random.below(3) {
            match random.below(5) {
                0 => drawn.method = pick(random, METHODS).to_owned(),
                1 => drawn.target = self.other_target(random, &drawn.target),
                2 => other_headers(random, &mut drawn.headers),
                3 => drawn.body = self.other_body(random, &drawn.body),
                _ => drawn.body = random.mutated(&drawn.body),
            }
        }
        let bytes = drawn.bytes(random);
        if random.one_in(6) { random.mutated(&bytes) } else { bytes }
    }

    fn route(&self, random: &mut Random) -> Drawn {
        let (method, path, said) = random.pick(&self.routes).unwrap();
        let mut target = String::new();
        for part in path.split('/').skip(1) {
            target.push('/');
            let is_name = part.starts_with('{');
            target.push_str(&if is_name { escaped(self.text(random)) } else { part.to_owned() });
        }
        let mut separator = '?';
        for parameter in said["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "query" && random.one_in(2) {
                let value = match self.fitting(random, &parameter["schema"]) {
                    Value::String(text) => text,
                    Value::Array(words) => words.first().map(text_of).unwrap_or_default(),
                    value => value.to_string(),
                };
                let name = parameter["name"].as_str().unwrap();
                target.push_str(&format!("{separator}{name}={}", escaped(&value)));
                separator = '&';
            }
        }
        let mut drawn = Drawn {
            method: method.clone(),
            target,
            headers: usual_headers(random),
            body: Vec::new(),
        };
        if let Some(content) = said["requestBody"]["content"].as_object() {
            let kinds: Vec<_> = content.iter().collect();
            let (kind, said) = random.pick(&kinds).unwrap();
            drawn.headers.push(format!("content-type: {kind}"));
            drawn.body = if said["schema"]["type"] == "object" {
                self.fitting(random, &said["schema"]).to_string().into_bytes()
            } else {
                self.text(random).as_bytes().to_vec()
            };
        }
        drawn
    }

    fn operation(&self, random: &mut Random) -> Drawn {
        let (name, input) = random.pick(&self.operations).unwrap();
        let mut headers = usual_headers(random);
        headers.push("content-type: application/x-amz-json-1.0".to_owned());
        headers.push(format!("x-amz-target: AWSStepFunctions.{name}"));
        let body = self.fitting(random, input).to_string().into_bytes();
        Drawn { method: "POST".to_owned(), target: "/".to_owned(), headers, body }
    }

    fn text(&self, random: &mut Random) -> &str {
        random.pick(&self.texts).unwrap()
    }

    /// A value that a schema lets in, more or less.
    fn fitting(&self, random: &mut Random, schema: &Value) -> Value {
        if let Some(words) = schema["enum"].as_array() {
            return random.pick(words).cloned().unwrap_or_default();
        }
        let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
        match kind {
            Some("string") => json!(self.text(random)),
            Some("integer" | "number") => {
                let most = schema["maximum"].clone();
                random.pick(&[json!(0), json!(1), json!(7), json!(5000), most]).cloned().unwrap()
            }
            Some("boolean") => json!(random.one_in(2)),
            Some("array") => {
                let count = random.below(3);
                (0..count).map(|_| self.fitting(random, &schema["items"])).collect()
            }
            Some("object") => {
                let required = schema["required"].as_array();
                let mut fields = Map::new();
                for (name, said) in schema["properties"].as_object().into_iter().flatten() {
                    let must = required.is_some_and(|required| required.contains(&json!(name)));
                    if must || random.one_in(3) {
                        fields.insert(name.clone(), self.fitting(random, said));
                    }
                }
                fields.into()
            }
            _ => serde_json::from_str(pick(random, VALUES)).unwrap_or_default(),
        }
    }

    fn other_target(&self, random: &mut Random, target: &str) -> String {
        match random.below(4) {
            0 => pick(random, TARGETS).to_owned(),
            1 => format!("{target}{}{}", pick(random, &["?", "/", "&x=", "%"]), self.text(random)),
            2 => format!("{target}?q={}", "%41".repeat(random.index(4000))),
            _ => String::from_utf8_lossy(&random.mutated(target.as_bytes())).into_owned(),
        }
    }

    /// A body with a value in place of another, or far too much of something.
    fn other_body(&self, random: &mut Random, body: &[u8]) -> Vec<u8> {
        match random.below(8) {
            0 => "[".repeat(random.index(5000)).into_bytes(),
            1 => format!("{{\"input\":{}1", "{\"a\":".repeat(random.index(300))).into_bytes(),
            2 => json!({"name": "x".repeat(random.index(3 << 19))}).to_string().into_bytes(),
            3 => self.text(random).as_bytes().to_vec(),
            _ => {
                let Ok(mut document) = serde_json::from_slice::<Value>(body) else {
                    return random.mutated(body);
                };
                let mark = "~here~";
                *place_in(random, &mut document) = json!(mark);
                let value = pick(random, VALUES);
                document.to_string().replace(&format!("\"{mark}\""), value).into_bytes()
            }
        }
    }
}

impl Drawn {
    fn bytes(mut self, random: &mut Random) -> Vec<u8> {
        let is_in_parts = random.one_in(12);
        let has_length = !self.body.is_empty() || self.method != "GET";
        if is_in_parts {
            self.headers.push("transfer-encoding: chunked".to_owned());
            let length = self.body.len() + random.index(2);
            let mut parts = format!("{length:x}\r\n").into_bytes();
            parts.append(&mut self.body);
            parts.extend_from_slice(b"\r\n0\r\n\r\n");
            self.body = parts;
        } else if has_length && !random.one_in(20) {
            self.headers.push(format!("content-length: {}", self.body.len()));
        }
        let version =
            if random.one_in(30) { pick(random, &["0.9", "1.0", "2", "9.9"]) } else { "1.1" };
        let head = format!(
            "{} {} HTTP/{version}\r\n{}\r\n\r\n",
            self.method,
            self.target,
            self.headers.join("\r\n")
        );
        [head.as_bytes(), &self.body].concat()
    }
}

fn usual_headers(random: &mut Random) -> Vec<String> {
    let mut headers = vec!["host: localhost".to_owned()];
    if !random.one_in(5) {
        // The others have to wait until it is clear that nothing more comes.
        headers.push("connection: close".to_owned());
    }
    headers
}

fn other_headers(random: &mut Random, headers: &mut Vec<String>) {
    let at = random.index(headers.len());
    match random.below(5) {
        0 if at < headers.len() => drop(headers.remove(at)),
        1 => headers.extend(headers.get(at).cloned()),
        2 => {
            let many = random.index(100);
            headers.extend((0..many).map(|number| format!("x-{number}: {number}")));
        }
        3 => headers.push(format!("x: {}", "y".repeat(random.index(40_000)))),
        _ => headers.push(pick(random, HEADERS).to_owned()),
    }
}

/// Some value within a document.
fn place_in<'d>(random: &mut Random, document: &'d mut Value) -> &'d mut Value {
    let length = match &document {
        Value::Array(values) => values.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if length == 0 || random.one_in(6) {
        return document;
    }
    let at = random.index(length);
    match document {
        Value::Array(values) => place_in(random, &mut values[at]),
        Value::Object(fields) => place_in(random, fields.values_mut().nth(at).unwrap()),
        other => other,
    }
}

fn pick(random: &mut Random, texts: &'static [&'static str]) -> &'static str {
    random.pick(texts).unwrap()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text as it stands in a target.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte);
    text.bytes().fold(String::new(), |target, byte| {
        if is_plain(byte) {
            target + &char::from(byte).to_string()
        } else {
            target + &format!("%{byte:02x}")
        }
    })
}
