//! The engine's side: the socket and its connections.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::error::Error;
use super::place::{Place, own_user};
use super::protocol::{AnswerLine, Hello, PROTOCOL_VERSION, Part, Refusal, line_of};
use super::session::Session;
use crate::runtime::Orchestrator;

/// Clients that may be connected at once.
pub(super) const MAX_CONNECTIONS: usize = 64;
/// How long requests that are being carried out may take when the server stops.
const STOP_GRACE: Duration = Duration::from_millis(800);
/// The pause after the system refused a connection, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long somebody may take to answer on a socket that seems to be left over.
const PROBE: Duration = Duration::from_secs(2);

/// A control socket that is being served. Dropping it ends it at once; prefer
/// [`ControlServer::stop`].
#[derive(Debug)]
pub struct ControlServer {
    place: Place,
    stopping: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Opens the control socket of the data folder and answers on it.
///
/// Must be called inside a tokio runtime, by the process that holds the folder's lock. The socket
/// is `control.sock` in the folder; where that path is too long for a socket, it is in a folder
/// under `/tmp` that only this user may enter, and `control.path` in the data folder names it. A
/// socket on which nobody answers is replaced.
///
/// # Errors
/// Another engine answers on the socket, or it cannot be made.
pub async fn serve(orchestrator: Orchestrator, data: &Path) -> Result<ControlServer, Error> {
    let mut place = Place::prepare(data)?;
    let probe = tokio::time::timeout(PROBE, UnixStream::connect(&place.socket)).await;
    if !matches!(probe, Ok(Err(_))) {
        return Err(Error::InUse { socket: place.socket });
    }
    place.remove_stale()?;
    let listener = UnixListener::bind(&place.socket).map_err(|error| place.failed(&error))?;
    place.publish()?;
    let hello = Arc::new(Hello {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL_VERSION,
        pid: std::process::id(),
        data: std::fs::canonicalize(data).unwrap_or_default().to_string_lossy().into_owned(),
    });
    let (stopping, stop) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tasks.spawn(accept(Accept { listener, orchestrator, hello, stop }));
    Ok(ControlServer { place, stopping, tasks })
}

impl ControlServer {
    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.place.socket
    }

    /// Stops answering and removes the socket, within a second. Requests that are being carried
    /// out are finished if they can be in that time; those that wait or follow are not.
    pub async fn stop(mut self) {
        self.place.remove();
        self.stopping.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

impl Drop for ControlServer {
    /// The tasks end with their set.
    fn drop(&mut self) {
        self.place.remove();
    }
}

struct Accept {
    listener: UnixListener,
    orchestrator: Orchestrator,
    hello: Arc<Hello>,
    stop: watch::Receiver<bool>,
}

async fn accept(accept: Accept) {
    let mut stop = accept.stop.clone();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            connection = accept.listener.accept() => match connection {
                Ok((stream, _)) => begin(&accept, stream, &mut sessions),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the control socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = sessions.join_next() => report(ended),
            () = stopped(&mut stop) => break,
        }
    }
    drop(accept);
    while sessions.join_next().await.is_some() {}
}

/// Waits until the server stops, or is gone.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a session of the control socket broke down");
    }
}

fn begin(accept: &Accept, stream: UnixStream, sessions: &mut JoinSet<()>) {
    // Between bind and chmod the umask alone decides who may connect: hold it here too.
    let may_connect = |user: u32| user == own_user() || user == 0;
    match stream.peer_cred() {
        Ok(peer) if may_connect(peer.uid()) => {}
        Ok(peer) => {
            tracing::warn!(user = peer.uid(), "turned away another user on the control socket");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "cannot tell who is on the control socket");
            return;
        }
    }
    // Sessions that have ended but were not looked at yet must not count.
    while let Some(ended) = sessions.try_join_next() {
        report(ended);
    }
    if sessions.len() >= MAX_CONNECTIONS {
        let refusal = Refusal::busy(MAX_CONNECTIONS);
        let part: Part<'_, ()> = Part::Error(&refusal);
        if let Ok(line) = line_of(&AnswerLine { id: None, part, nulls: Vec::new() }) {
            // A new socket has room for a line; should it not, the client learns less.
            drop(stream.try_write(&line));
        }
        return;
    }
    let (orchestrator, hello) = (accept.orchestrator.clone(), accept.hello.clone());
    sessions.spawn(Session::new(stream, orchestrator, hello, accept.stop.clone()).run());
}
