//! For tests of sinks: an authority, a server's certificate for `localhost`, a client's certificate.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

/// A small public-key infrastructure whose PEM files lie in a temporary folder.
pub(crate) struct Pki {
    folder: TempDir,
    authority: CertificateDer<'static>,
    server: (CertificateDer<'static>, Vec<u8>),
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        let sign = |name: &str| {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap(), key)
        };
        let ((server, server_key), (client, client_key)) = (sign("localhost"), sign("client"));
        fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        fs::write(folder.path().join("server.pem"), server.pem()).unwrap();
        fs::write(folder.path().join("server.key"), server_key.serialize_pem()).unwrap();
        fs::write(folder.path().join("client.pem"), client.pem()).unwrap();
        fs::write(folder.path().join("client.key"), client_key.serialize_pem()).unwrap();
        Self { folder, authority: authority.der().clone(), server: (server.der().clone(), server_key.serialize_der()) }
    }

    /// Path of a file: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A server that asks for a certificate of our authority.
    pub(crate) fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let (certificate, key) = self.server.clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        builder.with_client_cert_verifier(clients).with_single_cert(vec![certificate], key).unwrap()
    }
}

/// A certificate for `localhost` that signed itself, in a PEM file.
pub(crate) struct SelfSigned {
    folder: TempDir,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

/// Makes one; marked as an authority's or not.
pub(crate) fn self_signed(is_authority: bool) -> SelfSigned {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // Two of one name would be taken for each other's authority.
    params.distinguished_name.push(DnType::CommonName, format!("it {}", fastrand::u64(..)));
    params.is_ca = if is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.path().join("it.pem"), certificate.pem()).unwrap();
    SelfSigned { folder, certificate: certificate.der().clone(), key: key.serialize_der() }
}

impl SelfSigned {
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("it.pem")
    }

    /// A server that shows it and asks for none.
    pub(crate) fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        builder.with_no_client_auth().with_single_cert(vec![self.certificate.clone()], key).unwrap()
    }
}
