//! What a web page can do to the locks of the machine on which a person looks at it: a real Chromium, a real `gorilla
//! dev`.

use std::convert::Infallible;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Method, Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::{
    chromium::{PATIENCE, chromium, shown_by},
    dev::Dev,
    harness::{Process, name},
};

/// A page that tries all that a browser lets it do without asking the server first: requests that need no preflight,
/// and forms. It tries each at both names of the loopback, of which one is same-site with the page and the other is
/// not.
const PAGE: &str = r#"<!doctype html><title>A page of somebody else</title><body><script>
const acquire = '{"owner":"page","timeout":86400}';
const form = (url, name, value) => new Promise(done => {
    const [frame, form, field] = ['iframe', 'form', 'input'].map(tag => document.createElement(tag));
    frame.name = form.target = 'frame-' + document.querySelectorAll('iframe').length;
    Object.assign(form, {method: 'post', action: url, enctype: 'text/plain'});
    Object.assign(field, {type: 'hidden', name, value});
    document.body.append(frame, form);
    if (name) form.append(field);
    frame.onload = () => done('sent');
    form.submit();
});
const sent = request => request.then(() => 'sent', error => String(error));
(async () => {
    const said = [];
    for (const host of ['localhost', '127.0.0.1']) {
        const locks = `http://${host}:PORT/api/v1/locks/`;
        said.push(await sent(fetch(locks + 'HELD/break', {method: 'POST', mode: 'no-cors'})));
        said.push(await sent(fetch(locks + 'FREE', {method: 'POST', mode: 'no-cors', body: new Blob([acquire])})));
        said.push(await sent(fetch(locks + 'FREE', {method: 'POST', mode: 'no-cors', body: acquire})));
        said.push(await form(locks + 'HELD/break'));
        said.push(await form(locks + 'FREE', '{"owner":"page","timeout":86400,"metadata":"', '"}'));
    }
    await fetch('/said', {method: 'POST', body: said.join()});
})();
</script>"#;
/// How many requests the page sends.
const ATTEMPTS: usize = 10;

/// Serves a page on a port of its own; what the page says comes out of the receiver.
async fn serve(page: String) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (page, sender) = (page.clone(), sender.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let (page, sender) = (page.clone(), sender.clone());
                async move {
                    if request.method() == Method::POST {
                        let said = request.into_body().collect().await.expect("a body").to_bytes();
                        let _ = sender.send(String::from_utf8_lossy(&said).into_owned()).await;
                    }
                    let page = Response::builder().header("Content-Type", "text/html").body(Body::from(page));
                    Ok::<_, Infallible>(page.expect("a page"))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (port, receiver)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_page_of_another_origin_neither_breaks_nor_takes_a_lock() {
    let (state, profile) = (folder(), folder());
    let dev = Dev::start(state.path());
    let (held, free) = (name("held"), name("free"));
    let lock = dev.api.granted(&held, "me", 3600).await;
    let (_, port) = dev.api.address.rsplit_once(':').expect("a port");
    let page = PAGE.replace("PORT", port).replace("HELD", &held).replace("FREE", &free);
    let (port, mut said) = serve(page).await;
    // The test does not use the port for debugging, but without one a browser that has no window ends at once.
    let mut command = chromium(profile.path());
    command.args(["--remote-debugging-port=0", &format!("http://localhost:{port}/")]);
    let _browser = Process::spawn(&mut command).expect("Chromium starts");
    let said = timeout(PATIENCE, said.recv()).await.expect("the page is done in time").expect("it says so");
    assert_eq!(said, ["sent"; ATTEMPTS].join(","), "the browser itself kept requests back, so nothing was tried");

    assert_eq!(dev.api.state(&held).await["id"], lock["id"], "the page broke a lock");
    assert_eq!(dev.api.state(&free).await["held"], false, "the page took a lock");
    let log = dev.log();
    let refused = log.lines().filter(|line| line.contains("\"POST\"") && line.contains("\"cross_origin\"")).count();
    assert_eq!(refused, ATTEMPTS, "{log}");
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_to_this_machine_reads_nothing() {
    let (state, profile) = (folder(), folder());
    let dev = Dev::start(state.path());
    let held = name("rebound");
    dev.api.granted(&held, "an-owner", 3600).await;
    let (_, port) = dev.api.address.rsplit_once(':').expect("a port");
    let read = |host: &str, path: &str| {
        let mut command = chromium(profile.path());
        command.args(["--host-resolver-rules=MAP evil.test 127.0.0.1", "--dump-dom"]);
        command.arg(format!("http://{host}:{port}{path}"));
        shown_by(command)
    };
    // What the browser may read, it shows.
    let path = format!("/api/v1/locks/{held}");
    assert!(read("localhost", &path).contains("an-owner"));
    for path in [&path, "/api/v1/locks"] {
        let shown = read("evil.test", path);
        assert!(shown.contains("host_not_allowed") && !shown.contains("an-owner"), "{shown}");
    }
}
