//! TLS to the server, when the crate was built with it.

use std::io;
use std::path::Path;

use tokio::net::TcpStream;

use super::address::Address;
use super::error::RemoteError;

#[cfg(feature = "tls")]
mod real {
    use std::sync::Arc;

    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};

    use super::{Address, Path, RemoteError, TcpStream, io};

    /// Knows whom to trust: TLS 1.2 and 1.3.
    #[derive(Clone)]
    pub(crate) struct Tls {
        connector: TlsConnector,
        name: ServerName<'static>,
    }

    impl Tls {
        /// Trusts the authorities in a PEM file, or those that the web trusts.
        ///
        /// # Errors
        /// The file cannot be used, or the host has no name that a certificate could have.
        pub(crate) fn new(
            address: &Address,
            authorities: Option<&Path>,
        ) -> Result<Self, RemoteError> {
            let failed = |error: &dyn ToString| RemoteError::Tls { reason: error.to_string() };
            let mut roots = RootCertStore::empty();
            match authorities {
                None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
                Some(file) => read(file, &mut roots)?,
            }
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(DEFAULT_VERSIONS)
                .map_err(|error| failed(&error))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let name = ServerName::try_from(address.host.clone());
            let name = name.map_err(|error| failed(&error))?;
            Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
        }

        /// Greets the server, and insists that it is the one.
        pub(crate) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
            self.connector.connect(self.name.clone(), stream).await
        }
    }

    fn read(file: &Path, roots: &mut RootCertStore) -> Result<(), RemoteError> {
        let failed = |error: &dyn ToString| RemoteError::Tls {
            reason: format!("{}: {}", file.display(), error.to_string()),
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
        if roots.is_empty() {
            return Err(failed(&"it holds no certificate"));
        }
        Ok(())
    }
}

#[cfg(not(feature = "tls"))]
mod none {
    use super::{Address, Path, RemoteError, TcpStream, io};

    /// There is none.
    #[derive(Clone)]
    pub(crate) struct Tls(std::convert::Infallible);

    impl Tls {
        /// Says that there is none.
        ///
        /// # Errors
        /// Always.
        pub(crate) fn new(_: &Address, _: Option<&Path>) -> Result<Self, RemoteError> {
            let reason = "this program was built without it (feature `tls`)".to_owned();
            Err(RemoteError::Tls { reason })
        }

        /// Never called.
        pub(crate) fn greet(&self, _: TcpStream) -> std::future::Ready<io::Result<TcpStream>> {
            match self.0 {}
        }
    }
}

#[cfg(not(feature = "tls"))]
pub(crate) use none::Tls;
#[cfg(feature = "tls")]
pub(crate) use real::Tls;
