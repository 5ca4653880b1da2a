//! The `[server]` table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::check::Checker;

const CONNECTIONS: RangeInclusive<u64> = 1..=1_000_000;
const STREAMS: RangeInclusive<u64> = 1..=1_000_000;
const REQUESTS: RangeInclusive<u64> = 1..=10_000_000;
/// Names by which a server may be called.
const MOST_HOSTS: usize = 64;

/// Where the HTTP server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address; port 0 for one that is free.
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if matches!(text, "off" | "no") {
            return Ok(Self::Off);
        }
        if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            return Ok(Self::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)));
        }
        text.parse()
            .map(Self::At)
            .map_err(|_| format!("{text:?} is no address: write 127.0.0.1:7979, [::1]:7979 or off"))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

/// The `[server]` table. What is missing is left to the program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: Option<Listen>,
    /// Names by which clients may call it, besides those of the loopback.
    pub hosts: Vec<String>,
    /// The file of tokens, as an absolute path.
    pub tokens: Option<PathBuf>,
    /// The certificate chain, as an absolute path.
    pub tls_cert: Option<PathBuf>,
    /// The private key, as an absolute path.
    pub tls_key: Option<PathBuf>,
    /// The region in names of the Step Functions API.
    pub region: Option<String>,
    /// The account in such names.
    pub account: Option<String>,
    /// Connections at once, 1 to 1,000,000.
    pub connections: Option<usize>,
    /// Streams and long polls at once, 1 to 1,000,000.
    pub streams: Option<usize>,
    /// Those of one client, 1 to 1,000,000.
    pub streams_of_one: Option<usize>,
    /// Requests of one client in a second, 1 to 10,000,000.
    pub requests_per_second: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    listen: Option<Spanned<String>>,
    hosts: Option<Spanned<Vec<String>>>,
    tokens: Option<Spanned<String>>,
    tls_cert: Option<Spanned<String>>,
    tls_key: Option<Spanned<String>>,
    region: Option<Spanned<String>>,
    account: Option<Spanned<String>>,
    connections: Option<Spanned<u64>>,
    streams: Option<Spanned<u64>>,
    streams_of_one: Option<Spanned<u64>>,
    requests_per_second: Option<Spanned<u64>>,
}

impl Checker<'_> {
    pub(super) fn server(&self, raw: &RawServer) -> Result<ServerConfig, ConfigError> {
        let of_one = raw.streams_of_one.as_ref();
        let requests = raw.requests_per_second.as_ref();
        Ok(ServerConfig {
            listen: self.listen(raw.listen.as_ref())?,
            hosts: self.hosts(raw.hosts.as_ref())?,
            tokens: self.folder(raw.tokens.as_ref(), "tokens")?,
            tls_cert: self.folder(raw.tls_cert.as_ref(), "tls_cert")?,
            tls_key: self.folder(raw.tls_key.as_ref(), "tls_key")?,
            region: self.word(raw.region.as_ref(), "region")?,
            account: self.word(raw.account.as_ref(), "account")?,
            connections: self.size(raw.connections.as_ref(), "connections", CONNECTIONS)?,
            streams: self.size(raw.streams.as_ref(), "streams", STREAMS)?,
            streams_of_one: self.size(of_one, "streams_of_one", STREAMS)?,
            requests_per_second: self.small(requests, "requests_per_second", REQUESTS)?,
        })
    }

    fn listen(&self, raw: Option<&Spanned<String>>) -> Result<Option<Listen>, ConfigError> {
        let read = |text: &Spanned<String>| {
            text.get_ref().parse().map_err(|what: String| {
                let why = "the server listens at an address and a port, or not at all";
                self.invalid(&text.span(), &what, why, "write one of these, or leave the key out")
            })
        };
        raw.map(read).transpose()
    }

    /// Part of a name that the Step Functions API makes.
    fn word(
        &self,
        raw: Option<&Spanned<String>>,
        key: &str,
    ) -> Result<Option<String>, ConfigError> {
        let Some(raw) = raw else { return Ok(None) };
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let word = raw.get_ref();
        if (1..=32).contains(&word.len()) && word.bytes().all(is_good) {
            return Ok(Some(word.clone()));
        }
        Err(self.invalid(
            &raw.span(),
            &format!("`{key}` is no part of an ARN"),
            "it stands in every name that the Step Functions API makes",
            "write 1 to 32 letters, digits or '-', as region = \"eu-west-1\"",
        ))
    }

    fn hosts(&self, raw: Option<&Spanned<Vec<String>>>) -> Result<Vec<String>, ConfigError> {
        let Some(raw) = raw else { return Ok(Vec::new()) };
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte);
        let is_name = |host: &String| (1..=253).contains(&host.len()) && host.bytes().all(is_good);
        let hosts = raw.get_ref();
        if hosts.len() <= MOST_HOSTS && hosts.iter().all(is_name) {
            return Ok(hosts.clone());
        }
        Err(self.invalid(
            &raw.span(),
            "`hosts` holds something that is no name of a host, or too many",
            "requests that call the server by another name are refused",
            "write names without ports, as hosts = [\"jobs.example.org\"]",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_listen_is_an_address_or_nowhere() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert_eq!("[::1]:80".parse(), Ok(Listen::At("[::1]:80".parse().unwrap())));
        assert_eq!("localhost:80".parse(), Ok(Listen::At("127.0.0.1:80".parse().unwrap())));
        for text in ["", "7979", "example.org:80", "127.0.0.1", "localhost:x"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
