//! Where a server is.

use hyper::Uri;

use super::error::RemoteError;

/// The address of a server, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) is_tls: bool,
    /// The host to connect to, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as they stand in requests.
    pub(crate) authority: String,
    /// What stands before every path, without a slash at its end.
    pub(crate) prefix: String,
}

impl Address {
    /// Reads `http://HOST:PORT/PREFIX` or `https://…`.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn read(url: &str) -> Result<Self, RemoteError> {
        let fault = |reason: &str| RemoteError::Url { url: url.to_owned(), reason: reason.into() };
        let uri: Uri = url.parse().map_err(|_| fault("it is no URL"))?;
        let (is_tls, usual) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(fault("it begins with neither http:// nor https://")),
        };
        let authority = uri.authority().ok_or_else(|| fault("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("a password has no place in it; give a token"));
        }
        if uri.query().is_some() {
            return Err(fault("a query has no place in it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(fault("it names no host"));
        }
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(usual),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> (bool, String, u16, String) {
        let address = Address::read(url).unwrap();
        (address.is_tls, address.host, address.port, address.prefix)
    }

    #[test]
    fn an_address_has_a_host_a_port_and_perhaps_a_path() {
        let plain = |host: &str, port| (false, host.to_owned(), port, String::new());
        assert_eq!(read("http://127.0.0.1:7979"), plain("127.0.0.1", 7979));
        assert_eq!(read("http://example.org/"), plain("example.org", 80));
        assert_eq!(read("http://[::1]:81"), plain("::1", 81));
        let secret = (true, "x.org".to_owned(), 443, "/everstep".to_owned());
        assert_eq!(read("https://x.org/everstep/"), secret);
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_reason() {
        for url in ["", "localhost:7979", "ftp://x", "http://", "http://a:b@x", "http://x/?y=1"] {
            let error = Address::read(url).unwrap_err();
            assert_eq!(error.code(), "WORKER_URL", "{url}");
        }
    }
}
