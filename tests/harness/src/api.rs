//! A client that talks to a replica as the programs of users do.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Answer, Authority, Key, document};

/// A client of a replica, with connections of its own. Clones share the connections.
#[derive(Clone)]
pub struct Api {
    /// `host:port`.
    pub address: String,
    client: Client,
    key: Option<String>,
    /// The authority of the replica's certificate, if the replica serves HTTPS.
    authority: Option<Authority>,
}

/// A connection that may be one with TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket beneath.
    fn socket(self: Box<Self>) -> TcpStream;
}

impl Connection for TcpStream {
    fn socket(self: Box<Self>) -> TcpStream {
        *self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn socket(self: Box<Self>) -> TcpStream {
        self.into_inner().0
    }
}

/// How a client ends its connection.
#[derive(Clone, Copy, Debug)]
pub enum HangUp {
    /// The client says that it will send no more, and still reads: FIN.
    Finish,
    /// The client doesn't read any more either, as after a crash: RST.
    Reset,
}

impl HangUp {
    /// Ends a connection. The returned value keeps the half open that the client still reads.
    pub async fn end(self, mut stream: TcpStream) -> Option<TcpStream> {
        match self {
            Self::Finish => {
                stream.shutdown().await.expect("an open connection");
                Some(stream)
            }
            Self::Reset => {
                stream.set_zero_linger().expect("a socket");
                None
            }
        }
    }
}

impl Api {
    /// A client of the replica at `host:port`.
    pub fn at(address: &str) -> Self {
        // reqwest is compiled with TLS, because gorilla-client needs it, and wants a provider of TLS. Fails if another
        // test has already given it one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Tests use only HTTP, and a debug build takes 10 ms or more to read the certificates of the system.
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30)).build();
        let client = client.expect("a client");
        Self { address: address.into(), client, key: None, authority: None }
    }

    /// The same client, which sends this API key with each request.
    pub fn with_key(&self, key: &Key) -> Self {
        Self { key: Some(key.bearer()), ..self.clone() }
    }

    /// A client of the replica at `host:port` that speaks HTTPS and trusts this authority alone.
    pub fn secure(address: &str, authority: &Authority) -> Self {
        let tls = authority.client();
        let client =
            Client::builder().no_proxy().tls_backend_preconfigured(tls).timeout(Duration::from_secs(30)).build();
        Self {
            address: address.into(),
            client: client.expect("a client"),
            key: None,
            authority: Some(authority.clone()),
        }
    }

    /// The same, with the same API key, over connections of its own.
    #[must_use]
    pub fn apart(&self) -> Self {
        let apart = match &self.authority {
            None => Self::at(&self.address),
            Some(authority) => Self::secure(&self.address, authority),
        };
        Self { key: self.key.clone(), ..apart }
    }

    /// Opens a connection, with TLS if the replica speaks it.
    pub async fn connection(&self) -> Box<dyn Connection> {
        let stream = TcpStream::connect(&self.address).await.expect("a connection");
        match &self.authority {
            None => Box::new(stream),
            Some(authority) => {
                let name = "127.0.0.1".try_into().expect("an address");
                let connector = TlsConnector::from(Arc::new(authority.client()));
                Box::new(connector.connect(name, stream).await.expect("a handshake"))
            }
        }
    }

    /// The certificate, in DER, that the replica shows to a new client.
    pub async fn certificate(&self) -> Vec<u8> {
        let authority = self.authority.as_ref().expect("a replica that serves HTTPS");
        let stream = TcpStream::connect(&self.address).await.expect("a connection");
        let connector = TlsConnector::from(Arc::new(authority.client()));
        let stream = connector.connect("127.0.0.1".try_into().expect("an address"), stream).await.expect("a handshake");
        let shown = stream.get_ref().1.peer_certificates().expect("a certificate");
        shown[0].to_vec()
    }

    /// The address with its scheme.
    pub fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// `POST` with the fields that an acquire needs.
    pub async fn acquire(&self, resource: &str, owner: &str, timeout: impl Into<Value>) -> Answer {
        self.acquire_with(resource, &json!({ "owner": owner, "timeout": timeout.into() }), &[]).await
    }

    /// Acquires with any body and headers.
    pub async fn acquire_with(&self, resource: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, &lock_path(resource), headers, Some(body.to_string())).await
    }

    /// Acquires, and expects success. Returns the lock.
    pub async fn granted(&self, resource: &str, owner: &str, timeout: impl Into<Value>) -> Value {
        let answer = self.acquire(resource, owner, timeout).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// `PUT` with the token in the path.
    pub async fn extend(&self, resource: &str, token: &str, timeout: impl Into<Value>) -> Answer {
        self.extend_with(resource, token, timeout, &[]).await
    }

    /// The same with headers.
    pub async fn extend_with(
        &self,
        resource: &str,
        token: &str,
        timeout: impl Into<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let path = format!("{}/{token}", lock_path(resource));
        self.send(Method::PUT, &path, headers, Some(json!({ "timeout": timeout.into() }).to_string())).await
    }

    /// `DELETE` with the token in the path.
    pub async fn release(&self, resource: &str, token: &str) -> Answer {
        self.release_with(resource, token, &[]).await
    }

    /// The same with headers.
    pub async fn release_with(&self, resource: &str, token: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::DELETE, &format!("{}/{token}", lock_path(resource)), headers, None).await
    }

    /// `GET` with the token in the path.
    pub async fn status(&self, resource: &str, token: &str) -> Answer {
        self.get(&format!("{}/{token}", lock_path(resource))).await
    }

    /// The public state.
    pub async fn state(&self, resource: &str) -> Value {
        let answer = self.get(&lock_path(resource)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// `POST` to break.
    pub async fn break_lock(&self, resource: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, &format!("{}/break", lock_path(resource)), headers, Some(body.to_string())).await
    }

    /// `POST` of a batch.
    pub async fn batch(&self, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, "/api/v1/batch", headers, Some(body.to_string())).await
    }

    /// `GET` of any path.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Any request. A body is JSON unless a header says otherwise.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        self.try_send(method, path, headers, body).await.expect("an answer")
    }

    /// Any request, also if no answer may come. An answer that docs/openapi.json does not describe fails the test.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> reqwest::Result<Answer> {
        let mut request: RequestBuilder = self.client.request(method.clone(), format!("{}{path}", self.url()));
        if let Some(body) = body {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                request = request.header("Content-Type", "application/json");
            }
            request = request.body(body);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.key {
            request = request.header("Authorization", key);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await? };
        if let Err(problem) = document::check(&method, path, &answer) {
            panic!("{method} {path} got an answer that is not described: {problem}; {answer:?}");
        }
        Ok(answer)
    }

    /// `GET` of a path whose answer has no end, such as a stream of events. The body is read from what is returned.
    pub async fn open(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = self.client.get(format!("{}{path}", self.url()));
        if let Some(key) = &self.key {
            request = request.header("Authorization", key);
        }
        request.send().await
    }

    /// `POST` of a client that hangs up after a while: it says that it will send no more, as a client that ends does,
    /// and still reads what is on its way. None if no answer came.
    pub async fn abandoned(&self, path: &str, headers: &[(&str, &str)], body: &str, after: Duration) -> Option<Answer> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        request += &format!("\r\n{body}");
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        tokio::time::sleep(after).await;
        let mut read = Vec::new();
        let _ = stream.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut read)).await;
        let text = String::from_utf8_lossy(&read);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, headers: HeaderMap::new(), text: body.into() })
    }

    /// Sends bytes as they are. Returns the connection, from which nothing was read.
    pub async fn sent(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(bytes.as_bytes()).await.expect("a replica that reads");
        stream
    }

    /// Sends bytes as they are, and reads at the same time, until the server closes the connection. For more bytes than
    /// the server takes before somebody reads its answers.
    pub async fn sent_while_read(&self, bytes: &str) -> String {
        let stream = TcpStream::connect(&self.address).await.expect("a connection");
        let (mut reader, mut writer) = stream.into_split();
        let mut read = Vec::new();
        let both = async { tokio::join!(writer.write_all(bytes.as_bytes()), reader.read_to_end(&mut read)) };
        let _ = tokio::time::timeout(Duration::from_secs(60), both).await.expect("the server closes");
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Sends bytes as they are, and reads until the server closes the connection. For bytes that no real client sends.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        // The server may close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut read = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut read))
            .await
            .expect("the server closes");
        String::from_utf8_lossy(&read).into_owned()
    }
}

/// The path of a resource whose name may have any character.
pub fn lock_path(resource: &str) -> String {
    format!("/api/v1/locks/{}", percent_encoding::utf8_percent_encode(resource, percent_encoding::NON_ALPHANUMERIC))
}

/// The token of a lock.
pub fn token(lock: &Value) -> &str {
    lock["token"].as_str().expect("a lock has a token")
}
