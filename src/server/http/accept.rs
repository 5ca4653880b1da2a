//! Connections: how many there may be, how slow they may be, and how they end.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::Resource;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::app::App;
use super::gate::Peer;
use super::stall::Unstalled;
use super::tls::Tls;

/// The pause after the system refused a connection, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// File descriptors that connections leave to the engine at least; a quarter of all when that is more.
const OWN_DESCRIPTORS: usize = 64;
/// What is said to those who find no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\
    retry-after: 1\r\nconnection: close\r\n\r\n";

/// What is needed to take connections.
pub(super) struct Accept {
    pub(super) listener: TcpListener,
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) tls: Option<Tls>,
}

impl Accept {
    /// Takes connections until the server stops, and then waits for those that are open.
    pub(super) async fn run(self) {
        let places = Arc::new(Semaphore::new(places(self.app.settings.limits.connections)));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer, &places, &mut connections),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
                () = self.app.stopped() => break,
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }

    fn begin(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        places: &Arc<Semaphore>,
        connections: &mut JoinSet<()>,
    ) {
        let Ok(place) = places.clone().try_acquire_owned() else {
            self.app.counts.turned_away.fetch_add(1, Ordering::Relaxed);
            // At once, so that a crowd that is turned away holds no descriptors. A new socket has room
            // for a line; should it not, the client learns less.
            drop(stream.into_std().and_then(|mut stream| stream.write(FULL)));
            return;
        };
        let (app, router, tls) = (self.app.clone(), self.router.clone(), self.tls.clone());
        connections.spawn(async move {
            app.counts.connections.fetch_add(1, Ordering::Relaxed);
            // Answers are written whole: waiting for more only makes them late.
            drop(stream.set_nodelay(true));
            let limits = &app.settings.limits;
            let stream = Unstalled::new(stream, limits.stall_timeout);
            match tls {
                None => serve(&app, stream, peer, router).await,
                Some(tls) => {
                    let greeted = tokio::time::timeout(limits.head_timeout, tls.accept(stream));
                    match greeted.await {
                        Ok(Ok(stream)) => serve(&app, stream, peer, router).await,
                        _ => tracing::debug!(%peer, "a connection did not speak TLS"),
                    }
                }
            }
            app.counts.connections.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
}

/// How many connections there may be: as many as are wanted, but the engine needs descriptors of its
/// own, for the control socket, files and the programs that it runs.
fn places(wanted: usize) -> usize {
    let Some(most) = rustix::process::getrlimit(Resource::Nofile).current else { return wanted };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let left = most.saturating_sub(OWN_DESCRIPTORS.max(most / 4)).max(1);
    if left < wanted {
        tracing::info!(descriptors = most, "there may be {left} connections, not {wanted}");
    }
    wanted.min(left)
}

async fn serve<S>(app: &App, stream: S, peer: SocketAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &app.settings.limits;
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let answer: Answering<'_> = Box::pin(inner.call(request));
        answer
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(MOST_HEADERS)
        // The least that the reader takes.
        .max_buf_size(limits.head_bytes.max(8192))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.stopped() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients may hang up whenever they like.
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

type Answering<'a> =
    std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send + 'a>>;
