//! TLS of sinks: rustls with ring, the system's roots or an authority of one's own, client certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use schemars::JsonSchema;
use serde::Deserialize;

use super::row::Problem;

/// TLS settings; names are Vector's.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file of the authority that signed the server's certificate; the system's roots if not set.
    pub ca_file: Option<PathBuf>,
    /// PEM file of our certificate, where the server asks for one.
    pub crt_file: Option<PathBuf>,
    /// PEM file of its private key.
    pub key_file: Option<PathBuf>,
    /// Check the server's certificate. Without it anyone on the way can read and change everything.
    pub verify_certificate: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { ca_file: None, crt_file: None, key_file: None, verify_certificate: true }
    }
}

impl TlsSettings {
    /// Faults that can be told without opening a file; `setting` is where these settings stand.
    pub fn check(&self, setting: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let missing = match (&self.crt_file, &self.key_file) {
            (Some(_), None) => Some(("crt_file", "key_file")),
            (None, Some(_)) => Some(("key_file", "crt_file")),
            _ => None,
        };
        if let Some((found, expected)) = missing {
            let message = format!("`{found}` is set without `{expected}`: a client certificate needs both");
            problems.push(Problem::new(format!("{setting}.{found}"), message));
        }
        if !self.verify_certificate {
            let message = "the server's certificate is not checked: anyone on the way can read and change everything";
            let problem = Problem::new(format!("{setting}.verify_certificate"), message);
            let help = "set `ca_file` to the authority that signed it instead";
            problems.push(Problem { is_warning: true, ..problem.help(help) });
        }
        problems
    }

    /// The client's configuration; reads the files.
    pub fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| error.to_string())?;
        let builder = if self.verify_certificate {
            builder.with_root_certificates(self.roots()?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        };
        match (&self.crt_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| at(key, &error))?;
                builder.with_client_auth_cert(certificates(certificate)?, key).map_err(|error| error.to_string())
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca_file else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| at(path, &error))?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| at(path, &error))?;
    if found.is_empty() { Err(format!("`{}` holds no certificate in PEM form", path.display())) } else { Ok(found) }
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("cannot use `{}`: {error}", path.display())
}

/// `verify_certificate = false`: signatures are checked, the certificate is not.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
