//! Requests to the server: HTTP/1.1 over connections that are kept.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::address::Address;
use super::tls::Tls;
use super::wire::Problem;
use crate::worker::Clock;

/// How long the server may take to greet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take to answer, beyond the time that it was asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of an answer: far more than jobs in number have, and each has at most 8 MiB.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The most of a refusal's words that is kept.
const DETAIL_BYTES: usize = 1024;

/// Why there is no answer that helps.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server cannot be reached: it has not got what was asked.
    Unreached(String),
    /// The server is overloaded, or its answer was cut off: it may have done what was asked.
    Away(String),
    /// The answer is larger than one may be.
    TooLarge,
    /// It does not want this request.
    Refused { status: u16, code: String, detail: String },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreached(why) | Self::Away(why) => f.write_str(why),
            Self::TooLarge => write!(f, "its answer has more than {ANSWER_BYTES} bytes"),
            Self::Refused { status, code, detail } => write!(f, "{detail} ({status} {code})"),
        }
    }
}

/// How the server is reached.
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) tls: Option<Tls>,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A connection, opened when it is needed and again after it broke. One request at a time.
pub(super) struct Connection {
    server: Arc<Server>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, sender: None }
    }

    /// Sends a document and reads the answer, which may take `patience` and half a minute.
    pub(super) async fn post<Q, A>(
        &mut self,
        path: &str,
        document: &Q,
        patience: Duration,
    ) -> Result<A, Trouble>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
    {
        let body = serde_json::to_vec(document).map_err(|error| away(&error))?;
        let (status, answer) = self.exchange(path, body.into(), patience).await?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&answer)
                .map_err(|error| Trouble::Away(format!("its answer is not understood: {error}")));
        }
        Err(refusal(status, &answer))
    }

    async fn exchange(
        &mut self,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Trouble> {
        let clock = self.server.clock.clone();
        // A connection that breaks is not used again.
        let kept = self.sender.take();
        let was_kept = kept.is_some();
        let mut sender = match kept {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect(&*clock).await?,
        };
        let mut answered = self.within(&mut sender, path, body.clone(), patience).await;
        if was_kept && matches!(answered, Err(Lost { was_sent: false, .. })) {
            // The server hung up while nothing was going on, as servers do.
            sender = self.connect(&*clock).await?;
            answered = self.within(&mut sender, path, body, patience).await;
        }
        let answer = answered.map_err(|lost| lost.trouble)?;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// Waits for an answer as long as is reasonable.
    async fn within(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<(StatusCode, Bytes), Lost> {
        let late = self.server.clock.sleep(patience.saturating_add(ANSWER_TIMEOUT));
        tokio::select! {
            answer = self.ask(sender, path, body) => answer,
            () = late => Err(Lost::sent(Trouble::Away("it did not answer in time".to_owned()))),
        }
    }

    async fn ask(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Lost> {
        let unsent = |trouble| Lost { trouble, was_sent: false };
        let request = self.request(path, body).map_err(|error| unsent(unreached(&error)))?;
        sender.ready().await.map_err(|error| unsent(unreached(&error)))?;
        let answer: Response<Incoming> = sender
            .send_request(request)
            .await
            .map_err(|error| Lost { was_sent: !error.is_canceled(), trouble: away(&error) })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        match body {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Lost::sent(Trouble::TooLarge))
            }
            Err(error) => Err(Lost::sent(Trouble::Away(error.to_string()))),
        }
    }

    fn request(&self, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let server = &self.server;
        let mut request = Request::post(format!("{}{path}", server.address.prefix))
            .header(HOST, &server.address.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("everstep-worker/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &server.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }

    async fn connect(&self, clock: &dyn Clock) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let late = clock.sleep(CONNECT_TIMEOUT);
        tokio::select! {
            connected = self.greet() => connected,
            () = late => Err(Trouble::Unreached("it cannot be reached in time".to_owned())),
        }
    }

    async fn greet(&self) -> Result<SendRequest<Full<Bytes>>, Trouble> {
        let Address { host, port, .. } = &self.server.address;
        let stream =
            TcpStream::connect((host.as_str(), *port)).await.map_err(|error| unreached(&error))?;
        // Requests are written whole; waiting for more of them would only delay.
        stream.set_nodelay(true).map_err(|error| away(&error))?;
        match &self.server.tls {
            None => shake_hands(stream).await,
            Some(tls) => {
                shake_hands(tls.greet(stream).await.map_err(|error| unreached(&error))?).await
            }
        }
    }
}

/// An answer that did not come.
struct Lost {
    trouble: Trouble,
    /// Whether the server may have got the request.
    was_sent: bool,
}

impl Lost {
    fn sent(trouble: Trouble) -> Self {
        Self { trouble, was_sent: true }
    }
}

async fn shake_hands<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| unreached(&error))?;
    // It ends when the sender is dropped. What breaks it is told to the sender, too.
    drop(tokio::spawn(async move { drop(connection.await) }));
    Ok(sender)
}

fn away(error: &dyn std::error::Error) -> Trouble {
    Trouble::Away(with_source(error))
}

fn unreached(error: &dyn std::error::Error) -> Trouble {
    Trouble::Unreached(with_source(error))
}

/// With what caused it: hyper keeps the system's words there.
fn with_source(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    if let Some(source) = error.source() {
        words = format!("{words}: {source}");
    }
    words
}

fn refusal(status: StatusCode, answer: &[u8]) -> Trouble {
    let problem: Problem = serde_json::from_slice(answer).unwrap_or_default();
    let detail = crate::engine::event::cut(problem.detail, DETAIL_BYTES);
    let passes = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if passes {
        return Trouble::Away(format!("it answers {} {} {detail}", status.as_u16(), problem.code));
    }
    Trouble::Refused { status: status.as_u16(), code: problem.code, detail }
}
