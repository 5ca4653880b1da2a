//! The way to the collector: one HTTP/1.1 request for each batch, on a connection of its own.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::error::TracesError;
use crate::worker::remote::{Address, RemoteError, Tls};

/// The most bytes of an answer that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// Where a collector is, and what became of the last request to it.
pub(super) struct Collector {
    address: Address,
    tls: Option<Tls>,
    timeout: Duration,
    trouble: Mutex<Option<Trouble>>,
}

/// Why a collector did not take spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// For people.
    pub(super) words: String,
    /// Whether the same may be taken later.
    pub(super) passes: bool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Collector {
    /// The one at an address, which has `timeout` for each answer.
    ///
    /// # Errors
    /// The address or the authorities that vouch for it cannot be used.
    pub(super) fn new(
        url: &str,
        timeout: Duration,
        authorities: Option<PathBuf>,
    ) -> Result<Self, TracesError> {
        let fault = |error: RemoteError| match error {
            RemoteError::Url { url, reason } => TracesError::Endpoint { url, reason },
            error => TracesError::Settings { reason: error.to_string() },
        };
        let address = Address::read(url).map_err(fault)?;
        let tls = address.is_tls.then(|| Tls::new(&address, authorities.as_deref())).transpose();
        Ok(Self { tls: tls.map_err(fault)?, address, timeout, trouble: Mutex::default() })
    }

    /// Why the last request was in vain, asked once.
    pub(super) fn take_trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        *request.uri_mut() = path;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&self.address.authority)?);
        let agent = concat!("everstep/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        match &self.tls {
            None => ask(stream, request).await,
            Some(tls) => ask(tls.greet(stream).await?, request).await,
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answered = tokio::time::timeout(self.timeout, self.exchange(request)).await;
        let answered = answered.unwrap_or_else(|_| Err("it did not answer in time".into()));
        let trouble = match &answered {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => {
                let status = answer.status().as_u16();
                // Those that the protocol lets be repeated.
                let passes = matches!(status, 429 | 502 | 503 | 504);
                Some(Trouble { words: format!("it answers {}", answer.status()), passes })
            }
            Err(error) => Some(Trouble { words: with_source(&**error), passes: true }),
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        answered
    }
}

async fn ask<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with this request, whatever becomes of that.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let answer = sender.send_request(request.map(Full::new)).await?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
    Ok(Response::from_parts(parts, body))
}

/// With what caused it: hyper keeps the system's words there.
fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
