//! A connection that is opened again when it broke.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

pub(super) struct Line {
    address: SocketAddr,
    open: Option<BufReader<TcpStream>>,
}

impl Line {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Asks once. Nothing when there was no whole answer: what was asked for may have happened.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Option<(u16, Value)> {
        let stream = match self.open.take() {
            Some(stream) => stream,
            None => open(self.address).await?,
        };
        let (stream, answer) =
            exchange(stream, &head(self.address, method, path, headers, &body.to_string())).await?;
        self.open = Some(stream);
        Some(answer)
    }
}

async fn open(address: SocketAddr) -> Option<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(BufReader::new(stream))
}

fn head(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = body.len();
    head + &format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

type Answered = (BufReader<TcpStream>, (u16, Value));

async fn exchange(mut stream: BufReader<TcpStream>, request: &str) -> Option<Answered> {
    stream.write_all(request.as_bytes()).await.ok()?;
    let (status, length) = answer_head(&mut stream).await?;
    let mut body = vec![0; length?];
    stream.read_exact(&mut body).await.ok()?;
    let body = serde_json::from_slice(&body).ok()?;
    Some((stream, (status, body)))
}

/// The status, and how long the body is where that is said.
async fn answer_head(stream: &mut BufReader<TcpStream>) -> Option<(u16, Option<usize>)> {
    let status = text_line(stream).await?.split(' ').nth(1)?.parse().ok()?;
    let mut length = None;
    loop {
        let line = text_line(stream).await?;
        if line.is_empty() {
            return Some((status, length));
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = Some(said.trim().parse().ok()?);
        }
    }
}

async fn text_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    Some(line.strip_suffix("\r\n")?.to_owned())
}

/// A stream of live news.
pub(super) struct News {
    stream: BufReader<TcpStream>,
    text: String,
}

impl News {
    /// Opens it where another broke off. Nothing when the server is away.
    pub(super) async fn open(address: SocketAddr, topic: &str, after: Option<u64>) -> Option<Self> {
        let mut stream = open(address).await?;
        let path = format!("/api/v1/stream?topics={topic}");
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let headers = [("last-event-id", after.as_str())];
        let headers = if after.is_empty() { &[][..] } else { &headers };
        stream.write_all(head(address, "GET", &path, headers, "").as_bytes()).await.ok()?;
        let (status, _) = answer_head(&mut stream).await?;
        assert!(status == 200 || status == 503, "{topic}: {status}");
        (status == 200).then_some(Self { stream, text: String::new() })
    }

    /// The next message: its event, its id and its data. Nothing when the stream has ended.
    pub(super) async fn next(&mut self) -> Option<(String, Option<u64>, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let id = field("id").map(|id| id.parse().unwrap());
                let event = field("event").unwrap_or_default().to_owned();
                let data =
                    field("data").map_or(Value::Null, |data| serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                if id.is_some() || !event.is_empty() {
                    return Some((event, id, data));
                }
            }
            let chunk = self.chunk().await?;
            self.text.push_str(&chunk);
        }
    }

    async fn chunk(&mut self) -> Option<String> {
        let length = usize::from_str_radix(&text_line(&mut self.stream).await?, 16).ok()?;
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).await.ok()?;
        chunk.truncate(length);
        String::from_utf8(chunk).ok().filter(|chunk| !chunk.is_empty())
    }
}
