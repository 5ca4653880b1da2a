//! TLS, when the program was built with it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use super::error::StartError;
use super::settings::TlsFiles;

#[cfg(feature = "tls")]
mod real {
    use std::sync::Arc;

    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{DEFAULT_VERSIONS, ServerConfig};

    use super::{AsyncRead, AsyncWrite, StartError, TlsFiles, io};

    /// Greets clients: TLS 1.2 and 1.3.
    #[derive(Clone)]
    pub(in super::super) struct Tls(TlsAcceptor);

    impl Tls {
        /// Reads certificate chain and private key.
        ///
        /// # Errors
        /// They are not there, or do not fit each other.
        pub(in super::super) fn read(files: &TlsFiles) -> Result<Self, StartError> {
            let failed = |what: &str, error: &dyn ToString| StartError::Tls {
                reason: format!("{what}: {}", error.to_string()),
            };
            let cert = files.cert.display().to_string();
            let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert)
                .and_then(Iterator::collect)
                .map_err(|error| failed(&cert, &error))?;
            let key = PrivateKeyDer::from_pem_file(&files.key)
                .map_err(|error| failed(&files.key.display().to_string(), &error))?;
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_protocol_versions(DEFAULT_VERSIONS)
                .map_err(|error| failed("the versions of TLS", &error))?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(|error| failed(&cert, &error))?;
            Ok(Self(TlsAcceptor::from(Arc::new(config))))
        }

        /// Greets a client.
        pub(in super::super) async fn accept<S>(
            &self,
            stream: S,
        ) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + 'static + use<S>>
        where
            S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        {
            self.0.accept(stream).await
        }
    }
}

#[cfg(not(feature = "tls"))]
mod none {
    use super::{AsyncRead, AsyncWrite, StartError, TlsFiles, io};

    /// There is none.
    #[derive(Clone)]
    pub(in super::super) struct Tls(std::convert::Infallible);

    impl Tls {
        /// Says that there is none.
        ///
        /// # Errors
        /// Always.
        pub(in super::super) fn read(_: &TlsFiles) -> Result<Self, StartError> {
            let reason = "this program was built without it (feature `tls`)".to_owned();
            Err(StartError::Tls { reason })
        }

        /// Never called.
        pub(in super::super) fn accept<S>(&self, _: S) -> std::future::Ready<io::Result<S>>
        where
            S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        {
            match self.0 {}
        }
    }
}

#[cfg(not(feature = "tls"))]
pub(super) use none::Tls;
#[cfg(feature = "tls")]
pub(super) use real::Tls;
