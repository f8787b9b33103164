//! The document itself: what a replica sends for `/`.

use sha2::{Digest, Sha256};

use super::Browser;
use crate::harness::{Method, Replica, name};

#[tokio::test]
async fn the_page_is_one_document_with_a_strict_policy() {
    let api = Replica::shared().await;
    let page = api.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    let rules = ["default-src 'none'", "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'"];
    for rule in rules.into_iter().chain(["frame-ancestors 'none'", "require-trusted-types-for 'script'"]) {
        assert!(policy.split("; ").any(|given| given == rule), "the policy has not {rule}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    // Whatever the page needs is in it.
    for elsewhere in ["src=\"", "@import", ":url("] {
        assert!(!page.text.contains(elsewhere), "the page loads something: {elsewhere}");
    }
    let links: Vec<_> = page.text.split("<link ").skip(1).filter_map(|link| link.split('>').next()).collect();
    assert!(links.iter().all(|link| link.contains("href=\"data:")), "{links:?}");
    assert!(page.text.len() <= 120_000, "{} bytes", page.text.len());
}

#[tokio::test]
async fn a_browser_gets_it_compressed_and_again_only_when_it_has_changed() {
    let api = Replica::shared().await;
    let plain = api.get("/").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let packed = api.send(Method::HEAD, "/", &[("Accept-Encoding", "deflate, gzip;q=0.8, br")], None).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let length: usize = packed.header("content-length").expect("a length").parse().expect("a number");
    assert!(length < 40_000, "{length} bytes over the wire");
    let never = api.send(Method::HEAD, "/", &[("Accept-Encoding", "gzip;q=0")], None).await;
    assert_eq!(never.header("content-encoding"), None);
    let tag = plain.header("etag").expect("an ETag").to_string();
    let again = api.send(Method::GET, "/", &[("If-None-Match", &tag)], None).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
}

#[tokio::test]
async fn the_first_view_of_a_lock_is_the_page_and_one_question() {
    let (api, name) = (Replica::shared().await, name("first-view"));
    api.granted(&name, "me", 600).await;
    let browser = Browser::at(&api, &format!("#/locks/{name}")).await;
    browser.shows(".holder", "me").await;
    // What the view shows first waits for no other answer: it is asked for before any of them is there.
    let times = "const asked = performance.getEntriesByType('resource').filter(each => each.name.includes('/api/'));
        const lock = asked.find(each => each.name.endsWith(arguments[0]));
        return [lock.startTime, ...asked.map(each => each.responseEnd).filter(end => end > 0)]";
    let times = browser.run(times, format!("/api/v1/locks/{name}")).await;
    let times: Vec<f64> = times.as_array().expect("times").iter().map(|time| time.as_f64().expect("a time")).collect();
    assert!(times[1..].iter().all(|end| times[0] <= *end), "asked for after an answer came: {times:?}");
}

#[test]
fn what_the_page_takes_from_others_is_unchanged() {
    let library = include_bytes!("../../../ui/vendor/htm-preact.js");
    let digest: String = Sha256::digest(library).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(include_str!("../../../ui/vendor/README.md").contains(&digest), "{digest} is not in ui/vendor/README.md");
}
