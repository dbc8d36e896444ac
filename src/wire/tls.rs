//! TLS: the certificate, its key and the authority of clients, read again when their files change.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::interval;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::config::Config;
use crate::service::stamp::Watched;

/// HTTP/2 as ALPN calls it.
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// What new connections are secured with.
pub struct Tls {
    files: Files,
    current: RwLock<Arc<ServerConfig>>,
    /// The files as they were read at the start.
    opened: Watched,
}

/// The names of the files; that of the authority is empty where clients need no certificate.
struct Files {
    certificate: String,
    key: String,
    client_ca: String,
}

impl Tls {
    /// Reads the files that the settings name; none if they name none.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it.
    pub fn open(config: &Config) -> Result<Option<Arc<Tls>>, String> {
        if !config.is_secure() {
            return Ok(None);
        }
        let files = Files {
            certificate: config.tls_certificate_file.clone(),
            key: config.tls_key_file.clone(),
            client_ca: config.tls_client_ca_file.clone(),
        };
        let paths = [&files.certificate, &files.key, &files.client_ca];
        let opened = Watched::new(paths.into_iter().map(PathBuf::from).collect());
        let current = RwLock::new(Arc::new(files.read()?));
        Ok(Some(Arc::new(Tls { files, current, opened })))
    }

    /// Does the server's part of a handshake.
    ///
    /// # Errors
    /// If the client does not do its own.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        TlsAcceptor::from(current).accept(stream).await
    }

    /// Reads the files again.
    fn reload(&self) -> Result<(), String> {
        let renewed = Arc::new(self.files.read()?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }
}

/// Whether a client has chosen HTTP/2.
pub fn is_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(HTTP_2)
}

/// Reads the files again whenever one of them changes. For ever.
pub async fn watch(tls: Arc<Tls>) {
    let mut every = interval(Duration::from_secs(1));
    let mut files = tls.opened.clone();
    loop {
        every.tick().await;
        // Before they are read: what changes meanwhile is another change.
        if !files.has_changed() {
            continue;
        }
        match tls.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::warn!(error = ?error, "the certificate stays as it was"),
        }
    }
}

impl Files {
    fn read(&self) -> Result<ServerConfig, String> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| format!("cannot read a private key in {}: {error}", self.key))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.client_ca.is_empty() {
            builder.with_no_client_auth()
        } else {
            let wrong = |error: String| {
                format!("the certificates in {} are wrong: {error}", self.client_ca)
            };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&self.client_ca)? {
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.build().map_err(|error| wrong(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            let Files { certificate, key, .. } = self;
            format!("{certificate} and {key} cannot be used together: {error}")
        })?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(config)
    }
}

/// The certificates in a file, of which there is at least one.
fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("there is no certificate in {path}")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("cannot read the certificates in {path}: {error}")),
    }
}
