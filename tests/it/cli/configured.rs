//! What the commands take from their surroundings: the file of the user, and proxies.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::{Said, finish, gorilla};
use crate::harness::{Process, Replica};

/// Runs `gorilla ls` with a file of settings that has these permissions; what it said, and the path of the file.
async fn with_file(text: &str, mode: u32, args: &[&str]) -> (Said, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gorilla/config.toml");
    fs::create_dir(folder.path().join("gorilla")).expect("a folder");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its owner may");
    let url = format!("http://{}", Replica::shared().await.address);
    let mut command = gorilla(&url, args);
    let process = Process::spawn(command.env("XDG_CONFIG_HOME", folder.path())).expect("gorilla starts");
    (finish(process).await, path.display().to_string())
}

#[tokio::test]
async fn a_file_with_a_key_that_others_may_read_or_a_file_that_all_may_write_is_warned_of_once() {
    for (text, mode) in [("api_key = 'secret'", 0o644), ("api_key = 'secret'", 0o620), ("# url", 0o666)] {
        let (said, path) = with_file(text, mode, &["ls", "there-is-no-such-prefix"]).await;
        let warnings: Vec<_> = said.err.lines().filter(|line| line.contains(&path)).collect();
        assert_eq!((said.code, warnings.len()), (0, 1), "{text} {mode:o}: {said:?}");
        for part in [&format!("{mode:04o}"), "chmod 600"] {
            assert!(warnings[0].contains(part), "{part}: {said:?}");
        }
        assert!(!said.err.contains("secret"), "{said:?}");
    }
    for (text, mode) in [("api_key = 'secret'", 0o600), ("api_key = 'secret'", 0o400), ("# url", 0o664)] {
        let (said, path) = with_file(text, mode, &["ls", "there-is-no-such-prefix"]).await;
        assert!(said.code == 0 && !said.err.contains(&path), "{text} {mode:o}: {said:?}");
    }
}

#[tokio::test]
async fn who_listens_to_events_as_json_gets_the_warning_as_one() {
    let (said, path) = with_file("api_key = 'secret'", 0o644, &["lock", "warned", "--json", "--", "true"]).await;
    let events = said.err.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let events: Vec<serde_json::Value> = events.collect();
    assert_eq!((said.code, &events[0]["event"]), (0, &"warning".into()), "{said:?}");
    assert!(events[0]["reason"].as_str().is_some_and(|reason| reason.contains(&path)), "{said:?}");
}

/// A proxy that answers every request with 502; its port, and how many clients have asked.
fn proxy() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Relaxed);
            let mut stream = stream.expect("a connection");
            // A client that hangs up gets no answer.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (port, asked)
}

async fn with_proxy(proxy: &str, url: &str) -> Said {
    let mut command = gorilla(url, &["lock", "x", "--wait", "200ms", "--", "true"]);
    for name in ["http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    finish(Process::spawn(command.env("HTTP_PROXY", proxy)).expect("gorilla starts")).await
}

#[tokio::test]
async fn addresses_of_this_machine_are_reached_without_a_proxy() {
    let (port, asked) = proxy();
    let proxy = format!("http://127.0.0.1:{port}");
    let here = format!("http://{}", Replica::shared().await.address);
    let said = with_proxy(&proxy, &here).await;
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    for url in
        ["http://localhost:1", "http://LOCALHOST:1", "http://127.9.9.9:1", "http://[::1]:1", "http://a.localhost:1"]
    {
        let said = with_proxy(&proxy, url).await;
        assert!(said.code == 69 && !said.err.contains("proxy"), "{url}: {said:?}");
    }
    assert_eq!(asked.load(Relaxed), 0, "the proxy was asked");
}

#[tokio::test]
async fn an_error_names_the_proxy_without_its_password() {
    let (port, asked) = proxy();
    for port in [port, 1] {
        let said = with_proxy(&format!("http://user:secret@127.0.0.1:{port}"), "http://gorilla.invalid:4000").await;
        assert!(said.code == 69 && said.err.contains("http://gorilla.invalid:4000"), "{said:?}");
        assert!(said.err.contains(&format!("through the proxy http://127.0.0.1:{port}")), "{said:?}");
        assert!(!said.err.contains("secret") && !said.err.contains("user"), "{said:?}");
    }
    assert!(asked.load(Relaxed) > 0, "the proxy was not asked");
}
