//! One connection to the server, opened again when it broke.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) struct Client {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, open: None }
    }

    /// Asks once, and gives the status and the answer, which is null where it is no JSON.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), String> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let whole = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok((status, serde_json::from_slice(&whole.to_bytes()).unwrap_or_default()))
    }

    /// Opens a stream of live news.
    pub(crate) async fn stream(&mut self, topic: &str) -> Result<News, String> {
        let path = format!("/api/v1/stream?topics={topic}");
        let answer = self.send("GET", &path, None).await?;
        match answer.status() {
            StatusCode::OK => Ok(News { body: answer.into_body(), text: Vec::new() }),
            other => Err(format!("{path}: {other}")),
        }
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", self.address.to_string());
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let mut sender = self.connection().await?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        self.open = Some(sender);
        Ok(answer)
    }

    /// The server may have closed one that was idle for long.
    async fn connection(&mut self) -> Result<SendRequest<Full<Bytes>>, String> {
        if let Some(mut open) = self.open.take()
            && open.ready().await.is_ok()
        {
            return Ok(open);
        }
        let stream = TcpStream::connect(self.address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// A stream of live news.
pub(crate) struct News {
    body: Incoming,
    text: Vec<u8>,
}

impl News {
    /// The data of the next message; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.text.drain(..end + 2).collect();
                let block = String::from_utf8_lossy(&block);
                let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                if let Some(data) = data.and_then(|data| serde_json::from_str(data).ok()) {
                    return Some(data);
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.text.extend_from_slice(frame.data_ref()?);
        }
    }
}
