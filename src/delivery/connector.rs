//! How connections to destinations are opened.

use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tower_service::Service;

use crate::component::renewed::Renewed;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens connections, for `https` with TLS as the files of its settings have it then.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tls: Renewed<ClientConfig>,
    http: HttpConnector,
    speaks: Speaks,
}

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

impl Connector {
    pub(super) fn new(tls: Renewed<ClientConfig>, speaks: Speaks) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        Self { tls, http, speaks }
    }

    /// Its parts are shared: this costs little beside a handshake.
    fn https(&self) -> HttpsConnector<HttpConnector> {
        let tls = ClientConfig::clone(&self.tls.current());
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        match self.speaks {
            Speaks::Http1 => builder.enable_http1().wrap_connector(self.http.clone()),
            Speaks::Http2 => builder.enable_http2().wrap_connector(self.http.clone()),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<HttpConnector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<HttpConnector> as Service<Uri>>::Error;
    type Future = <HttpsConnector<HttpConnector> as Service<Uri>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.https().call(uri)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::Request;
    use hyper::header::CONNECTION;

    use crate::component::files::Files;
    use crate::component::meters::{Families, Label, Meters};
    use crate::component::tls::TlsSettings;
    use crate::delivery::http::Client;
    use crate::delivery::test_peer::Peer;
    use crate::delivery::test_tls::Pki;

    const FILES: [&str; 3] = ["ca.pem", "client.pem", "client.key"];

    fn put(folder: &Path, pki: &Pki, names: &[&str]) {
        for name in names {
            fs::copy(pki.file(name), folder.join(name)).unwrap();
        }
    }

    fn client(folder: &Path, meters: &Meters) -> Client {
        let [ca_file, crt_file, key_file] = FILES.map(|name| Some(folder.join(name)));
        let settings = TlsSettings { ca_file, crt_file, key_file, ..TlsSettings::default() };
        Client::new(settings.renewed(&Files::default(), Some(meters)).unwrap())
    }

    /// Over a connection of its own.
    async fn ask(client: &Client, peer: &Peer) -> Result<u16, String> {
        let request = Request::get(format!("https://localhost:{}/", peer.address.port())).header(CONNECTION, "close");
        client.send(request.body(Full::new(Bytes::new())).unwrap()).await.map(|reply| reply.status.as_u16())
    }

    #[tokio::test]
    async fn certificate_and_authority_are_taken_as_the_files_have_them() {
        let meters = Families::default().meters(&Label { id: "it".into(), kind: "sink", type_name: "http" });
        let (before, now) = (Pki::new(), Pki::new());
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), &before, &FILES);
        let client = client(folder.path(), &meters);
        let peer = Peer::with_tls(now.server(), |_| (200, String::new())).await;
        assert!(ask(&client, &peer).await.is_err(), "neither knows the other");
        put(folder.path(), &now, &["ca.pem"]);
        assert!(ask(&client, &peer).await.is_err(), "the server does not know our certificate");
        put(folder.path(), &now, &["client.pem"]);
        assert!(ask(&client, &peer).await.is_err());
        assert_eq!(meters.error_count("tls_renewal"), 1, "the key is not its own yet");
        put(folder.path(), &now, &["client.key"]);
        assert_eq!(ask(&client, &peer).await, Ok(200));
        fs::write(folder.path().join("ca.pem"), "broken").unwrap();
        assert_eq!((ask(&client, &peer).await, ask(&client, &peer).await), (Ok(200), Ok(200)), "the one before");
        assert_eq!(meters.error_count("tls_renewal"), 2, "told once");
    }
}
