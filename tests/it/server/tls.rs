//! The server on the network: with TLS and tokens, and nothing less. Certificate and key in `tls/`
//! are of these tests alone.
#![cfg(feature = "tls")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use everstep::engine::Timestamp;
use everstep::server::http::{Role, Settings, StartError, TlsFiles, TokenFile, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};

use super::Server;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server/tls").join(name)
}

fn files() -> TlsFiles {
    TlsFiles { cert: file("cert.pem"), key: file("key.pem") }
}

/// Asks over TLS, and gives the whole answer.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("cert.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", address.port())).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer).await);
    answer
}

#[test]
fn the_network_is_served_with_tokens_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = TokenFile::at(folder.path().join("tokens.json"));
    let token = tokens.create("ci", Role::Viewer, Timestamp(0), None).unwrap();
    let server = Server::with(
        |settings| {
            settings.listen = "0.0.0.0:0".parse().unwrap();
            settings.tokens = Some(tokens.path().to_owned());
            settings.tls = Some(files());
        },
        |builder| builder,
    );
    let get = |headers: &str| {
        let request = format!(
            "GET /api/v1/executions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n"
        );
        server.runtime.block_on(ask(server.address, &request))
    };
    assert!(get("").starts_with("HTTP/1.1 401 "));
    let answer = get(&format!("authorization: Bearer {token}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let mut plain = super::client::Connection::open(SocketAddr::new(
        [127, 0, 0, 1].into(),
        server.address.port(),
    ));
    plain.send(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut said = Vec::new();
    plain.rest(&mut said);
    assert!(!said.starts_with(b"HTTP"), "nothing is said without TLS");
}

#[test]
fn a_certificate_that_cannot_be_used_is_said_at_the_start() {
    let server = Server::new();
    let mut settings = Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() };
    let swapped = TlsFiles { cert: file("key.pem"), key: file("cert.pem") };
    let gone = TlsFiles { cert: file("gone.pem"), key: file("key.pem") };
    for files in [swapped, gone] {
        settings.tls = Some(files);
        let started = server.runtime.block_on(serve(server.engine.clone(), settings.clone()));
        assert!(matches!(started, Err(StartError::Tls { .. })), "{started:?}");
    }
}

#[cfg(feature = "remote")]
#[test]
fn a_remote_worker_comes_over_tls_to_a_server_that_its_authorities_vouch_for() {
    use everstep::worker::remote::{RemoteError, RemoteWorker};
    use everstep::worker::{JobContext, Registry};

    let folder = tempfile::tempdir().unwrap();
    let tokens = TokenFile::at(folder.path().join("tokens.json"));
    tokens.create("crawler", Role::Worker, Timestamp(0), None).unwrap();
    let server = Server::with(
        |settings| {
            settings.tokens = Some(tokens.path().to_owned());
            settings.tls = Some(files());
        },
        |builder| builder,
    );
    let worker = || {
        let mut registry = Registry::new();
        registry.handle("x", |_: JobContext, input: serde_json::Value| async move { Ok(input) });
        let url = format!("https://localhost:{}", server.address.port());
        RemoteWorker::builder(url).registry(registry).token("everstep_wrong")
    };
    // That the token is looked at shows that the server was reached.
    let known = worker().authorities(file("cert.pem")).build().unwrap();
    let refused = server.runtime.block_on(known.run(std::future::pending()));
    assert!(matches!(refused, Err(RemoteError::Refused { status: 401, .. })), "{refused:?}");
}
