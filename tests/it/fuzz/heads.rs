//! Heads that no client library sends, and requests that are cut and framed in any way.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::service::Service;

/// What may stand in a header: visible characters, spaces, tabs, and bytes that are not ASCII.
fn value() -> impl Strategy<Value = Bytes> {
    let known = [
        "",
        "application/problem+json",
        "*/*",
        "application/problem+json;q=0",
        "text/html, application/problem+json",
        ",,;",
        "00000000-0000-4000-8000-000000000000",
        "{00000000-0000-4000-8000-000000000000}",
        "-",
        "k-1",
        "100-continue",
        "close",
        "keep-alive, upgrade",
        "gzip",
        "é",
        "a b",
    ];
    let byte = prop_oneof![8 => 0x21..0x7fu8, 1 => select(b" \t".to_vec()), 1 => 0x80..=0xffu8];
    prop_oneof![
        2 => select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        2 => vec(byte, 0..40),
        1 => (0x21..0x7fu8, 100..300usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
    .prop_map(|value| Bytes::from(value.trim_ascii().to_vec()))
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, Bytes)>> {
    let names = [
        "Idempotency-Key",
        "idempotency-KEY",
        "Lock-Token",
        "LOCK-TOKEN",
        "Accept",
        "X-Request-Id",
        "Expect",
        "Upgrade",
        "Range",
        "If-None-Match",
        "X-HTTP-Method-Override",
        "Forwarded",
        "Cookie",
        "TE",
    ];
    vec((select(names.to_vec()), value()), 0..5)
}

#[test]
fn headers_of_any_value_are_taken_or_refused_by_name() {
    let service = Service::start();
    let requests = select(vec![
        ("POST", "", r#"{"owner":"me","timeout":30}"#),
        ("GET", "", ""),
        ("PUT", "", r#"{"timeout":30}"#),
        ("DELETE", "", ""),
        ("POST", "/break", ""),
    ]);
    service.for_all(600, (requests, headers()), async |((method, end, body), headers)| {
        service.redis("FLUSHDB", &[]).await;
        let before = service.changes().await;
        let path = format!("/api/v1/locks/heads{end}");
        let given: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        let answer = service.ask(method, path.as_bytes(), &given, body.as_bytes()).await;
        let of = |name: &str| -> Vec<&[u8]> {
            given.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value).collect()
        };
        let graphic = |value: &[u8], longest: usize| {
            (1..=longest).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
        };
        // If the id that the client gave is fit, the answer has it to the letter.
        let id = answer.header("x-request-id").expect("an id").as_bytes();
        let ids = of("X-Request-Id");
        match ids.first().filter(|id| graphic(id, 128)) {
            Some(fit) => assert_eq!(id, *fit),
            None => assert!(id.len() == 36 && !ids.contains(&id), "{answer:?}"),
        }
        if answer.status >= 300 {
            let problem = answer.header("content-type") == Some("application/problem+json");
            let texts = of("Accept")
                .into_iter()
                .filter_map(|value| std::str::from_utf8(value).ok().filter(|text| text.is_ascii()));
            let kinds =
                texts.flat_map(|text| text.split(',')).map(|kind| kind.split(';').next().unwrap_or_default().trim());
            let asked = kinds.into_iter().any(|kind| kind.eq_ignore_ascii_case("application/problem+json"));
            assert_eq!(problem, asked, "{answer:?}");
            assert_eq!(answer.json()["outcome"], "not_executed", "{answer:?}");
        }
        let (keys, tokens) = (of("Idempotency-Key"), of("Lock-Token"));
        let key_is_wrong = keys.len() > 1 || keys.first().is_some_and(|key| !graphic(key, 255));
        // What comes first decides: whether there is a token, then the key.
        let expected = match method {
            "GET" if tokens.is_empty() => (200, None),
            "GET" => (404, Some("lock_not_found")),
            "PUT" | "DELETE" if tokens.is_empty() => (400, Some("token_required")),
            _ if key_is_wrong => (400, Some("invalid_request")),
            "POST" if end.is_empty() => (200, None),
            _ => (404, Some("lock_not_found")),
        };
        let said = (answer.status >= 300).then(|| answer.json());
        let code = said.as_ref().and_then(|said| said["code"].as_str());
        assert_eq!((answer.status, code), expected, "{answer:?}");
        assert_eq!(service.changes().await == before, method != "POST" || !end.is_empty() || answer.status != 200);
    });
}

#[test]
fn a_head_is_taken_up_to_its_limits_and_refused_beyond() {
    let service = Service::start();
    service.for_all(60, (1..130usize, 0..80_000usize), async |(count, length)| {
        let each = length / count;
        let headers = vec![("X-Padding", vec![b'x'; each]); count];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let answer = service.ask("GET", b"/_health", &headers, b"").await;
        // Three more are those of the request itself; each has a name, a colon, a space, and its end.
        let (all, bytes) = (count + 3, count * (each + 13));
        // What arrives at once with the last bytes that were allowed is read too, so the limit is not sharp.
        let (fits, is_too_much) = (all <= 100 && bytes < 32_000, all > 100 || bytes > 66_000);
        match answer.status {
            200 => assert!(!is_too_much, "{all} headers, {bytes} bytes"),
            431 => assert!(!fits && answer.is_of_http(), "{all} headers, {bytes} bytes: {answer:?}"),
            _ => panic!("{answer:?}"),
        }
        service.still_serves().await;
    });
}

/// An acquire by owner `number`; its body in pieces of the given sizes, or whole where there are none.
fn request(number: usize, chunks: &[usize], trailer: bool, last: bool) -> Vec<u8> {
    let body = format!(r#"{{"owner":"owner-{number}","timeout":30}}"#);
    let close = if last { "Connection: close\r\n" } else { "" };
    let headers = format!("Host: localhost\r\nContent-Type: application/json\r\n{close}");
    let mut request = format!("POST /api/v1/locks/framed-{number} HTTP/1.1\r\n{headers}");
    if chunks.is_empty() {
        return format!("{request}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    }
    request.push_str("Transfer-Encoding: chunked\r\n\r\n");
    let (mut rest, mut sizes) = (body.as_str(), chunks.iter().cycle());
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at((*sizes.next().expect("a size")).min(rest.len()));
        // In hexadecimal of either case, and perhaps with an extension, which means nothing.
        let size =
            if number.is_multiple_of(2) { format!("{:x}", chunk.len()) } else { format!("{:04X};a=b", chunk.len()) };
        request.push_str(&format!("{size}\r\n{chunk}\r\n"));
        rest = behind;
    }
    request.push_str(if trailer { "0\r\nX-Trailer: 1\r\n\r\n" } else { "0\r\n\r\n" });
    request.into_bytes()
}

#[test]
fn pipelined_requests_mean_the_same_however_they_are_framed_and_cut() {
    let service = Service::start();
    let framed = vec((vec(1..20usize, 0..4), any::<bool>()), 1..8);
    service.for_all(150, (framed, vec(1..400usize, 1..20)), async |(requests, cuts)| {
        service.redis("FLUSHDB", &[]).await;
        let bytes: Vec<u8> = requests
            .iter()
            .enumerate()
            .flat_map(|(number, (chunks, trailer))| request(number, chunks, *trailer, number + 1 == requests.len()))
            .collect();
        let (mut pieces, mut rest, mut sizes) = (Vec::new(), bytes.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*sizes.next().expect("a size")).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        let answers = service.exchange(&pieces, false).await;
        assert_eq!(answers.len(), requests.len(), "{answers:?}");
        for (number, answer) in answers.iter().enumerate() {
            assert_eq!(
                (answer.status, &answer.json()["owner"]),
                (200, &format!("owner-{number}").into()),
                "{answer:?}"
            );
        }
    });
}

#[test]
fn a_stream_that_was_tampered_with_is_never_an_error_of_the_server() {
    let service = Service::start();
    let odd = select(vec![
        "\r\n",
        "\n",
        "\0",
        " ",
        ":",
        "\r\n\r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Upgrade: h2c\r\nConnection: upgrade\r\n",
        "HTTP/1.0",
        "HTTP/2.0",
        "ffffffffffffffff\r\n",
        "-1\r\n",
        " folded\r\n",
        "GET",
        "CONNECT",
        "*",
        "http://other/",
        "//",
        "?",
        "%",
        "é",
    ]);
    let edit = (
        0..2000usize,
        0..12usize,
        prop_oneof![odd.prop_map(Bytes::from), vec(any::<u8>(), 0..4).prop_map(Bytes::from)],
    );
    let framed = vec((vec(1..20usize, 0..3), any::<bool>()), 1..4);
    service.for_all(400, (framed, vec(edit, 1..4), any::<bool>()), async |(requests, edits, close)| {
        let mut bytes: Vec<u8> = requests
            .iter()
            .enumerate()
            .flat_map(|(number, (chunks, trailer))| request(number, chunks, *trailer, number + 1 == requests.len()))
            .collect();
        for (at, cut, put) in &edits {
            let at = at % (bytes.len() + 1);
            bytes.splice(at..(at + cut).min(bytes.len()), put.iter().copied());
        }
        for answer in service.exchange(&[&bytes], close).await {
            assert!(answer.status < 500, "{answer:?}");
            let known = answer.status < 300 || answer.is_of_http() || !answer.refusal().is_empty();
            assert!(known, "{answer:?}");
        }
        service.still_serves().await;
    });
}
