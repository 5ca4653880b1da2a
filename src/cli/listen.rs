//! Where and how the server listens: flags and environment, then the config, then the usual.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Context;
use super::engine::Engine;
use super::exit::Exit;
use super::fault::Fault;
use crate::config::{Config, Listen};
use crate::server::http::{HttpLimits, Settings, StartError, TlsFiles};

/// The file of tokens in a data folder.
const TOKENS: &str = "tokens.json";

#[derive(Default, clap::Args)]
pub(super) struct ListenArgs {
    /// Where to listen, or `off` [default: 127.0.0.1:7979, or what everstep.toml says]
    #[arg(long, value_name = "ADDRESS:PORT", env = "EVERSTEP_LISTEN")]
    pub(super) listen: Option<Listen>,
    /// A name by which clients call the server, besides localhost; may be given more than once
    #[arg(long = "host", value_name = "NAME", env = "EVERSTEP_HOSTS", value_delimiter = ',')]
    pub(super) hosts: Vec<String>,
    /// The file of tokens [default: tokens.json in the data folder]
    #[arg(long, value_name = "FILE", env = "EVERSTEP_TOKENS")]
    pub(super) tokens: Option<PathBuf>,
    /// The certificate chain, as PEM
    #[arg(long, value_name = "FILE", env = "EVERSTEP_TLS_CERT", requires = "tls_key")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", env = "EVERSTEP_TLS_KEY", requires = "tls_cert")]
    pub(super) tls_key: Option<PathBuf>,
    /// Listen on the network even without tokens or TLS: anybody can then do everything
    #[arg(long, env = "EVERSTEP_INSECURE")]
    pub(super) insecure: bool,
}

#[derive(Serialize)]
struct Listening {
    url: String,
    address: String,
    port: u16,
}

impl ListenArgs {
    /// How to listen; nothing when that is not wanted.
    pub(super) fn settings(
        &self,
        config: Option<&Config>,
        data: &Path,
    ) -> Result<Option<Settings>, Box<Fault>> {
        let file = config.map(|config| config.server.clone()).unwrap_or_default();
        let usual = Settings::default();
        let listen = match self.listen.or(file.listen) {
            Some(Listen::Off) => return Ok(None),
            Some(Listen::At(address)) => address,
            None => usual.listen,
        };
        let cert = self.tls_cert.clone().or(file.tls_cert);
        let tls = match (cert, self.tls_key.clone().or(file.tls_key)) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => {
                let reason = "a certificate and its key go together".to_owned();
                return Err(StartError::Tls { reason }.into());
            }
        };
        let limits = HttpLimits::default();
        Ok(Some(Settings {
            listen,
            hosts: if self.hosts.is_empty() { file.hosts } else { self.hosts.clone() },
            tokens: Some(tokens(self.tokens.as_deref(), config, data)),
            tls,
            insecure: self.insecure,
            region: file.region.unwrap_or(usual.region),
            account: file.account.unwrap_or(usual.account),
            data: Some(data.to_owned()),
            traces: usual.traces,
            limits: HttpLimits {
                connections: file.connections.unwrap_or(limits.connections),
                streams: file.streams.unwrap_or(limits.streams),
                streams_of_one: file.streams_of_one.unwrap_or(limits.streams_of_one),
                requests_per_second: file.requests_per_second.unwrap_or(limits.requests_per_second),
                ..limits
            },
        }))
    }

    /// Whether somebody said where to listen.
    fn is_asked(&self, config: Option<&Config>) -> bool {
        self.listen.or(config.and_then(|config| config.server.listen)).is_some()
    }

    /// Listens, and says where: on stdout, for programs too.
    ///
    /// # Errors
    /// It cannot, and somebody asked for it. That another server has the usual address is no error.
    pub(super) async fn listen(
        &self,
        context: &Context,
        config: Option<&Config>,
        settings: Settings,
        engine: &mut Engine,
    ) -> Result<(), Box<Fault>> {
        match engine.listen(settings).await {
            Ok((url, address)) => say(context, url, address),
            Err(error @ StartError::Address { .. }) if !self.is_asked(config) => {
                // Another folder is served there; work goes on without.
                context.ui.complain(&Box::<Fault>::from(error));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The file of tokens.
pub(super) fn tokens(asked: Option<&Path>, config: Option<&Config>, data: &Path) -> PathBuf {
    let configured = || config.and_then(|config| config.server.tokens.clone());
    asked.map(Path::to_owned).or_else(configured).unwrap_or_else(|| data.join(TOKENS))
}

fn say(context: &Context, url: String, address: SocketAddr) -> Result<(), Box<Fault>> {
    if !context.ui.is_json() {
        return context.ui.print(&format!("listening on {url}\n"));
    }
    let listening = Listening { url, address: address.ip().to_string(), port: address.port() };
    context.ui.document("everstep.listening/v1", &listening)
}

impl From<StartError> for Box<Fault> {
    fn from(error: StartError) -> Self {
        let (code, hint) = (error.code(), error.hint());
        Fault::new(code, Exit::Other, error.to_string()).hint(hint)
    }
}
