//! The HTTP server: how the network reaches a running engine.
//!
//! ```text
//!  connection ─▶ accept (places, time) ─▶ gate (who, whether, what) ─▶ a route of rest/ ─▶ engine
//! ```
//!
//! A request is let in by `gate`, by what its `route` says; nothing can be reached that is not in
//! the table of routes, and no route can be in it without a role. What can be asked stands in
//! `server/rest/`, one file for each thing.

mod accept;
mod access_keys;
mod app;
mod counts;
mod error;
mod fields;
#[cfg(any(test, feature = "testing"))]
pub(in crate::server) mod fuzz;
mod gate;
mod health;
mod hub;
mod metrics;
mod openapi;
mod problem;
mod query;
mod rate;
mod reply;
mod role;
mod route;
mod settings;
mod signature;
mod stall;
mod tls;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::http::{Request, StatusCode};
use axum::routing::{MethodFilter, on};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::accept::Accept;
use self::rate::{Rates, Seats};
use self::tls::Tls;
use self::tokens::Tokens;
use crate::runtime::Orchestrator;

pub use access_keys::AccessKeyEntry;
pub use error::StartError;
pub use role::Role;
pub use settings::{DEFAULT_PORT, HttpLimits, Settings, TlsFiles};
pub use tokens::{TokenEntry, TokenFile};

pub(super) use app::App;
pub(super) use fields::check_depth;
pub(super) use hub::{GATHER, MOST_ROWS, News, rows};
pub(super) use problem::Problem;
pub(super) use reply::{
    CountsOfAll, Outlet, channel, counted_items, created, document, items, of_type, tagged, with,
};
pub(super) use route::{Access, Answer, Call, Document, Given, Kind, Param, Route, Size, Taken};

/// How long requests that are being answered may take when the server stops.
const STOP_GRACE: Duration = Duration::from_millis(800);

/// An HTTP server that is answering. Dropping it ends it at once; prefer [`HttpServer::stop`].
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    has_tls: bool,
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Listens, and answers for the engine.
///
/// Must be called inside a tokio runtime.
///
/// # Errors
/// The address cannot be listened on, it can be reached from other machines without tokens or TLS, or
/// those cannot be used.
pub async fn serve(engine: Orchestrator, settings: Settings) -> Result<HttpServer, StartError> {
    let tokens = settings.tokens.clone().map(TokenFile::at).map(Tokens::open).transpose()?;
    check_exposure(&settings, tokens.as_ref().is_some_and(Tokens::are_required))?;
    let tls = settings.tls.as_ref().map(Tls::read).transpose()?;
    let listen = settings.listen;
    let listener = TcpListener::bind(listen).await;
    let address = listener
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|listener| listener.local_addr().map_err(|error| error.to_string()));
    let address = address.map_err(|reason| StartError::Address { listen, reason })?;
    let listener =
        listener.map_err(|error| StartError::Address { listen, reason: error.to_string() })?;
    let (stopping, stop) = watch::channel(false);
    let limits = &settings.limits;
    let app = Arc::new(App {
        seats: Seats::new(limits.streams, limits.streams_of_one),
        poll_seats: Seats::new(limits.polls, limits.polls),
        hub: hub::Hub::new(),
        stop: stop.clone(),
        routes: routes(),
        targets: super::sfn::Targets::new(),
        arns: super::sfn::Arns::new(&settings.region, &settings.account),
        tokens,
        rates: Rates::new(limits.requests_per_second),
        refusals: Rates::new(limits.refusals_per_second),
        hosts: hosts(&settings, address),
        verifying: Arc::new(tokio::sync::Semaphore::new(1)),
        counts: counts::Counts::default(),
        engine: engine.clone(),
        settings,
    });
    let has_tls = tls.is_some();
    let mut tasks = JoinSet::new();
    tasks.spawn(app.hub.clone().run(engine, stop));
    let router = router(&app);
    tasks.spawn(Accept { listener, app, router, tls }.run());
    Ok(HttpServer { address, has_tls, stopping, tasks })
}

impl HttpServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, for people and browsers.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.has_tls { "https" } else { "http" }, self.address)
    }

    /// Stops listening, tells streams that it is over, and ends within a second. Requests that are
    /// being answered are finished if they can be in that time.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Nobody but this machine, unless it is known who asks and nobody listens in.
fn check_exposure(settings: &Settings, has_tokens: bool) -> Result<(), StartError> {
    let listen = settings.listen;
    if listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let missing = match (has_tokens, settings.tls.is_some()) {
        (true, true) => return Ok(()),
        (false, true) => "there are no tokens, so anybody could do everything",
        (true, false) => "there is no TLS, so tokens could be read on their way",
        (false, false) => "there are no tokens and no TLS, so anybody could do everything",
    };
    if settings.insecure {
        tracing::warn!(%listen, "INSECURE: the server listens on the network, and {missing}");
        return Ok(());
    }
    Err(StartError::Exposed { listen, missing })
}

/// The names by which clients may call the server.
fn hosts(settings: &Settings, address: SocketAddr) -> Vec<String> {
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    hosts.extend(settings.hosts.iter().map(|host| host.to_ascii_lowercase()));
    if !address.ip().is_unspecified() {
        let host = SocketAddr::new(address.ip(), 1).to_string();
        hosts.push(gate::name_of(&host).to_owned());
    }
    hosts
}

/// Every way into the server.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = super::rest::routes();
    routes.extend(health::routes());
    routes.extend(metrics::routes());
    routes.extend(openapi::routes());
    routes.extend(super::page::routes());
    routes
}

fn router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    for route in &app.routes {
        let filter = match MethodFilter::try_from(route.method.clone()) {
            Ok(filter) => filter,
            Err(error) => {
                tracing::error!(route = route.name, %error, "a route cannot be taken");
                continue;
            }
        };
        router = router.route(route.path, on(filter, enter(app, route.clone())));
    }
    router = router.route("/", on(MethodFilter::POST, enter_target(app)));
    let other = "this path does not take the method; the header Allow names those that it takes";
    let none =
        gate::nowhere("NO_SUCH_ROUTE", StatusCode::NOT_FOUND, "there is nothing at this path");
    let other = gate::nowhere("METHOD_NOT_ALLOWED", StatusCode::METHOD_NOT_ALLOWED, other);
    router.fallback(enter(app, none)).method_not_allowed_fallback(enter(app, other))
}

type Entering = std::pin::Pin<Box<dyn Future<Output = axum::http::Response<Body>> + Send>>;

/// Leads a request to the gate.
fn enter(
    app: &Arc<App>,
    route: Route,
) -> impl Fn(Result<RawPathParams, RawPathParamsRejection>, Request<Body>) -> Entering + Clone + use<>
{
    let app = app.clone();
    move |params, request| {
        let path = params
            .map(|params| {
                params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            })
            .map_err(|_| Problem::bad_request("the path is not UTF-8"));
        Box::pin(gate::enter(app.clone(), route.clone(), path, request))
    }
}

/// Leads a request for an operation to the gate.
fn enter_target(app: &Arc<App>) -> impl Fn(Request<Body>) -> Entering + Clone + use<> {
    let app = app.clone();
    move |request| {
        let route = app.targets.route(request.headers()).clone();
        Box::pin(gate::enter(app.clone(), route, Ok(Vec::new()), request))
    }
}
