//! A client of a few lines: what goes over the wire is what a test says, so that it can be wrong.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// What nothing here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a problem, which has all that a problem has.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        for field in ["type", "title", "detail", "instance"] {
            assert!(problem[field].is_string(), "{field} of {problem}");
        }
        problem["code"].as_str().unwrap().to_owned()
    }
}

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A server that has hung up has answered before.
        drop(self.stream.write_all(bytes));
    }

    /// Reads until `end` has come, and gives what was before it; nothing when the server hung up.
    pub(super) fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                let rest = self.read.split_off(at + end.len());
                let before = std::mem::replace(&mut self.read, rest);
                return Some(String::from_utf8(before[..at].to_vec()).unwrap());
            }
            let mut part = [0; 16 * 1024];
            match self.stream.read(&mut part) {
                Ok(0) => return None,
                Ok(count) => self.read.extend_from_slice(&part[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}; so far {:?}", String::from_utf8_lossy(&self.read)),
            }
        }
    }

    fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            let mut part = [0; 16 * 1024];
            match self.stream.read(&mut part) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.read.extend_from_slice(&part[..count]),
            }
        }
        let rest = self.read.split_off(count);
        Some(std::mem::replace(&mut self.read, rest))
    }

    /// The head of an answer.
    pub(super) fn head(&mut self) -> Option<Answer> {
        let head = self.until(b"\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Some(Answer { status, headers: headers.collect(), body: String::new() })
    }

    /// An answer; nothing when the server hung up without one.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head()?;
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                answer.body.push_str(&chunk);
            }
        } else {
            let length = answer.header("content-length").map_or(0, |n| n.parse().unwrap());
            answer.body = String::from_utf8(self.exactly(length)?).unwrap();
        }
        Some(answer)
    }

    /// The next part of a body that comes in parts; nothing at its end.
    pub(super) fn chunk(&mut self) -> Option<String> {
        let length = usize::from_str_radix(&self.until(b"\r\n")?, 16).unwrap();
        let chunk = self.exactly(length)?;
        self.exactly(2)?;
        (length > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// All that comes until the server hangs up.
    #[cfg(feature = "tls")]
    pub(super) fn rest(&mut self, into: &mut Vec<u8>) {
        drop(self.stream.read_to_end(into));
    }

    /// Whether the server has hung up, or does now.
    pub(super) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0))
    }
}

/// A request that is not sent yet.
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let host = ("host".to_owned(), address.to_string());
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { address, method, target, headers: vec![host], body: Vec::new() }
    }

    /// Sets a header, in place of what there was of it.
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().as_bytes())
    }

    pub(crate) fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self.header("content-type", content_type)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it, and gives the connection.
    pub(super) fn open(self) -> Connection {
        let mut connection = Connection::open(self.address);
        connection.send(&self.bytes());
        connection
    }

    /// Sends it, and gives the answer.
    pub(crate) fn send(self) -> Answer {
        let said = format!("{} {}", self.method, self.target);
        self.open().answer().unwrap_or_else(|| panic!("{said}: the server hung up"))
    }
}

/// A message of a stream of events.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) event: String,
    pub(super) id: Option<u64>,
    pub(super) data: Value,
}

/// A stream of events.
pub(super) struct Stream {
    connection: Connection,
    text: String,
    /// The position that was told last.
    pub(super) id: u64,
}

impl Stream {
    pub(super) fn open(request: Request) -> Self {
        let mut connection = request.open();
        let head = connection.head().unwrap();
        assert_eq!(head.header("content-type"), Some("text/event-stream"), "{head:?}");
        assert_eq!(head.header("cache-control"), Some("no-store, no-transform"), "{head:?}");
        Self { connection, text: String::new(), id: 0 }
    }

    /// The next block of lines; nothing when the stream has ended.
    fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            self.text.push_str(&self.connection.chunk()?);
        }
    }

    /// The next comment.
    pub(super) fn comment(&mut self) -> String {
        loop {
            if let Some(comment) = self.block().expect("the stream ended").strip_prefix(": ") {
                return comment.to_owned();
            }
        }
    }

    /// The next message that is one; nothing when the stream has ended.
    pub(super) fn next(&mut self) -> Option<Message> {
        loop {
            let block = self.block()?;
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            let id = field("id").map(|id| id.parse().unwrap());
            self.id = id.unwrap_or(self.id);
            if let (Some(event), Some(data)) = (field("event"), field("data")) {
                let data = serde_json::from_str(data).unwrap();
                return Some(Message { event: event.to_owned(), id, data });
            }
        }
    }

    /// The next message that fits.
    pub(super) fn find(&mut self, fits: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next().expect("the stream ended");
            if fits(&message) {
                return message;
            }
        }
    }
}
