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

use super::files::{Files, Named};
use super::meters::Meters;
use super::renewed::Renewed;
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

    /// What has no effect where none of these addresses is of TLS; `setting` is where these settings stand.
    pub fn idle<'a>(&self, setting: &str, addresses: impl IntoIterator<Item = &'a str>) -> Option<Problem> {
        let mut addresses = addresses.into_iter().peekable();
        let is_plain = addresses.peek().is_some() && addresses.all(|address| address.starts_with("http://"));
        let why = "there is no TLS where the address begins with `http://`: `https://` asks for it";
        (is_plain && *self != Self::default()).then(|| Problem::idle(setting, why))
    }

    /// The files; `setting` is where these settings stand.
    pub fn files(&self, setting: &str) -> Vec<Named> {
        let named = [("ca_file", &self.ca_file), ("crt_file", &self.crt_file), ("key_file", &self.key_file)];
        named
            .iter()
            .filter_map(|(name, path)| Some(Named::new(format!("{setting}.{name}"), (*path).as_ref()?).renewed()))
            .collect()
    }

    /// Faults in what the files hold, but for those that cannot be read.
    pub fn check_files(&self, setting: &str, files: &Files) -> Vec<Problem> {
        let is_there = |path: &Path| files.read(path).is_ok();
        let ca = self.ca_file.as_deref().filter(|path| is_there(path)).and_then(|_| self.roots(files).err());
        let crt = self.crt_file.as_deref().filter(|path| is_there(path));
        let crt = crt.and_then(|path| certificates(path, files).err());
        let key = self.key_file.as_deref().filter(|path| is_there(path)).and_then(|path| key(path, files).err());
        let faults = [("ca_file", ca), ("crt_file", crt), ("key_file", key)];
        let faults = faults.into_iter().filter_map(|(name, why)| Some((name, why?)));
        let problems: Vec<_> = faults.map(|(name, why)| Problem::new(format!("{setting}.{name}"), why)).collect();
        if !problems.is_empty() || !self.files(setting).iter().all(|named| is_there(&named.path)) {
            return problems;
        }
        // Each is fine by itself; what is left is that certificate and key do not belong together.
        self.client(files).err().map(|why| Problem::new(format!("{setting}.key_file"), why)).into_iter().collect()
    }

    /// The client's configuration, made anew when the files change; `meters` count where that cannot be.
    pub fn renewed(&self, files: &Files, meters: Option<&Meters>) -> Result<Renewed<ClientConfig>, String> {
        let (settings, paths) = (self.clone(), self.files("").into_iter().map(|named| named.path).collect());
        Renewed::new(move |files| settings.client(files), (files, paths), meters.cloned())
    }

    /// The client's configuration, with what the files hold.
    pub fn client(&self, files: &Files) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| error.to_string())?;
        let builder = if self.verify_certificate {
            builder.with_root_certificates(self.roots(files)?)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        };
        match (&self.crt_file, &self.key_file) {
            (Some(certificate), Some(secret)) => {
                let built = builder.with_client_auth_cert(certificates(certificate, files)?, key(secret, files)?);
                built.map_err(|error| at(secret, &error))
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self, files: &Files) -> Result<RootCertStore, String> {
        if let Some(path) = &self.ca_file {
            return authorities(path, files);
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Ok(roots)
    }
}

/// The authorities in a PEM file.
pub(super) fn authorities(path: &Path, files: &Files) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, files)? {
        roots.add(certificate).map_err(|error| at(path, &error))?;
    }
    Ok(roots)
}

pub(super) fn key(path: &Path, files: &Files) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&files.private(path)?).map_err(|error| at(path, &error))
}

pub(super) fn certificates(path: &Path, files: &Files) -> Result<Vec<CertificateDer<'static>>, String> {
    let contents = files.read(path)?;
    let read = CertificateDer::pem_slice_iter(&contents).collect::<Result<Vec<_>, _>>();
    let found = read.map_err(|error| at(path, &error))?;
    if found.is_empty() { Err(format!("`{}` holds no certificate in PEM form", path.display())) } else { Ok(found) }
}

pub(super) fn at(path: &Path, error: &dyn std::fmt::Display) -> String {
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
