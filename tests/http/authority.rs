//! Certificates that are made here, and servers and clients that have them.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::running::Running;

/// A secured connection.
pub(crate) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and a folder with what it has issued.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let folder = std::env::temp_dir().join(format!("lossd-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    /// Issues a certificate for localhost into `<name>.pem` and `<name>.key`.
    pub(crate) fn issue(&self, name: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        certificate.der().clone()
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().unwrap().to_owned()
    }

    /// A server with `server.pem`, health and metrics on a port of their own, and more settings.
    pub(crate) fn serve(&self, more: &[&str]) -> Running {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        let secure = ["--tls-certificate-file", &certificate, "--tls-key-file", &key];
        let operations = ["--operations-listen", "127.0.0.1:0"];
        Running::start(&[&secure[..], &operations, more].concat())
    }

    /// What a client offers: protocols, and a certificate of this name.
    pub(crate) fn client(
        &self,
        protocols: &[&str],
        certificate: Option<&str>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = CertificateDer::from_pem_file(self.path(&format!("{name}.pem")));
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key")));
                builder.with_client_auth_cert(vec![chain.unwrap()], key.unwrap()).unwrap()
            }
        };
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Left behind at worst.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// A connection after the handshake.
pub(crate) fn connect(server: &Running, config: Arc<ClientConfig>) -> Secured {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream =
        StreamOwned::new(ClientConnection::new(config, name).unwrap(), server.connect());
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream
}
