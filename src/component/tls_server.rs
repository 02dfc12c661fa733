//! TLS of sources: a certificate to show, and whose clients to let in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use schemars::JsonSchema;
use serde::Deserialize;

use super::files::{Files, Named};
use super::renewed::Renewed;
use super::row::{Context, Problem};
use super::tls::{at, authorities, certificates, key};

/// What clients may ask for, the first they know being taken.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS settings of a door; names are Vector's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TlsServerSettings {
    /// Is TLS spoken here? If it is not set: where there is a certificate.
    enabled: Option<bool>,
    /// PEM file of the certificate that clients are shown, with those between it and the authority.
    crt_file: Option<PathBuf>,
    /// PEM file of its private key.
    key_file: Option<PathBuf>,
    /// PEM file of the authority that signs the certificates of clients. With it, only clients that show one of these are
    /// let in.
    ca_file: Option<PathBuf>,
}

impl TlsServerSettings {
    fn is_on(&self) -> bool {
        self.enabled.unwrap_or(self.crt_file.is_some() || self.key_file.is_some() || self.ca_file.is_some())
    }

    /// Faults that can be told without opening a file; `setting` is where these settings stand.
    pub fn check(&self, setting: &str) -> Vec<Problem> {
        if !self.is_on() {
            let message = "TLS is switched off: what is sent here can be read on the way";
            let problem = Problem { is_warning: true, ..Problem::new(format!("{setting}.enabled"), message) };
            return self.crt_file.is_some().then_some(problem).into_iter().collect();
        }
        let missing =
            [("crt_file", &self.crt_file), ("key_file", &self.key_file)].into_iter().filter(|(_, path)| path.is_none());
        let problem = |(name, _): (&str, _)| {
            let message = format!("`{name}` is missing: a server shows a certificate, and proves that it is its own");
            Problem::new(setting, message).help(format!("name a PEM file: `{setting}.{name} = \"...\"`"))
        };
        missing.map(problem).collect()
    }

    /// The files; `setting` is where these settings stand.
    pub fn files(&self, setting: &str) -> Vec<Named> {
        let named = [("crt_file", &self.crt_file), ("key_file", &self.key_file), ("ca_file", &self.ca_file)];
        let named = named.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
        named.map(|(name, path)| Named::new(format!("{setting}.{name}"), path).renewed()).collect()
    }

    /// Faults in what the files hold, but for those that cannot be read.
    pub fn check_files(&self, setting: &str, files: &Files) -> Vec<Problem> {
        let there = |path: &Option<PathBuf>| path.clone().filter(|path| files.read(path).is_ok());
        let ca = there(&self.ca_file).and_then(|path| authorities(&path, files).err());
        let crt = there(&self.crt_file).and_then(|path| certificates(&path, files).err());
        let secret = there(&self.key_file).and_then(|path| key(&path, files).err());
        let faults = [("ca_file", ca), ("crt_file", crt), ("key_file", secret)];
        let faults = faults.into_iter().filter_map(|(name, why)| Some((name, why?)));
        let problems: Vec<_> = faults.map(|(name, why)| Problem::new(format!("{setting}.{name}"), why)).collect();
        if !problems.is_empty() || !self.files(setting).iter().all(|named| files.read(&named.path).is_ok()) {
            return problems;
        }
        // Each is fine by itself; what is left is that certificate and key do not belong together.
        let together = self.pair().and_then(|pair| self.build(files, pair).err());
        together.map(|why| Problem::new(format!("{setting}.key_file"), why)).into_iter().collect()
    }

    /// The server's configuration, made anew when the files change; none where TLS is not spoken.
    pub fn server(&self, context: &Context) -> Option<Result<Renewed<ServerConfig>, String>> {
        self.pair()?;
        let (settings, paths) = (self.clone(), self.files("").into_iter().map(|named| named.path).collect());
        let make = move |files: &Files| {
            let pair = settings.pair().ok_or("there is no certificate")?;
            settings.build(files, pair)
        };
        Some(Renewed::new(make, (&context.files, paths), Some(context.meters.clone())))
    }

    /// The files of the certificate and its key, where TLS is spoken.
    fn pair(&self) -> Option<(&Path, &Path)> {
        self.crt_file.as_deref().zip(self.key_file.as_deref()).filter(|_| self.is_on())
    }

    fn build(&self, files: &Files, (certificate, secret): (&Path, &Path)) -> Result<ServerConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| error.to_string())?;
        let builder = match &self.ca_file {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = Arc::new(authorities(path, files)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| at(path, &error))?)
            }
        };
        let built = builder.with_single_cert(certificates(certificate, files)?, key(secret, files)?);
        let mut config = built.map_err(|error| at(secret, &error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(config)
    }
}
