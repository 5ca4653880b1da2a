//! How the HTTP server listens, whom it lets in, and what it bears.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::traces::Traces;

/// The port when nobody says otherwise.
pub const DEFAULT_PORT: u16 = 7979;

/// How the HTTP server listens and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The address; port 0 for one that is free.
    pub listen: SocketAddr,
    /// Names by which clients may call it, besides those of the loopback and the address itself.
    pub hosts: Vec<String>,
    /// The file of tokens. Without such a file everybody who can connect may do everything.
    pub tokens: Option<PathBuf>,
    /// Certificate chain and private key, as PEM files.
    pub tls: Option<TlsFiles>,
    /// Whether it may listen on the network without tokens or TLS.
    pub insecure: bool,
    /// The region in names of the Step Functions API.
    pub region: String,
    /// The account in such names.
    pub account: String,
    /// The data folder, whose size is a figure.
    pub data: Option<PathBuf>,
    /// Where it tells what it was asked.
    pub traces: Traces,
    /// What it bears.
    pub limits: HttpLimits,
}

/// Where TLS gets its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), DEFAULT_PORT),
            hosts: Vec::new(),
            tokens: None,
            tls: None,
            insecure: false,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            data: None,
            traces: Traces::default(),
            limits: HttpLimits::default(),
        }
    }
}

/// What the server bears of its clients. Every number has a reason in `docs/SERVER.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once. Default 8,192.
    pub connections: usize,
    /// Streams at once. Default 3,072, so that ordinary requests go on.
    pub streams: usize,
    /// Streams of one client at once. Default 2,048.
    pub streams_of_one: usize,
    /// Workers that wait for jobs at once. Default 3,072.
    pub polls: usize,
    /// Requests of one client in a second, in the long run. Default 50,000.
    pub requests_per_second: u32,
    /// Refused credentials from one address in a second, in the long run. Default 10.
    pub refusals_per_second: u32,
    /// Bytes of the head of a request. Default 32 KiB.
    pub head_bytes: usize,
    /// Bytes of the path and query of a request. Default 8 KiB.
    pub target_bytes: usize,
    /// Bytes of a definition, or of a document that holds no payload. Default 1 MiB.
    pub document_bytes: usize,
    /// How long a client may take for the head of a request, or be idle before it. Default 30 s.
    pub head_timeout: Duration,
    /// How long a client may take for the body of a request. Default 30 s.
    pub body_timeout: Duration,
    /// How long a client may take nothing of an answer. Default 30 s.
    pub stall_timeout: Duration,
    /// How often a stream without news gives a sign of life. Default 15 s.
    pub keep_alive: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 8192,
            streams: 3072,
            streams_of_one: 2048,
            polls: 3072,
            requests_per_second: 50_000,
            refusals_per_second: 10,
            head_bytes: 32 * 1024,
            target_bytes: 8 * 1024,
            document_bytes: 1024 * 1024,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
        }
    }
}
