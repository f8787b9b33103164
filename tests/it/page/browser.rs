//! A window of Chromium that a test drives as a person would, by the protocol of W3C's WebDriver. The crate thirtyfour
//! speaks it too, but one of its dependencies adds an `Add` to `String`, after which `text + &other` of other tests no
//! longer compiles; the few commands that tests need are JSON over HTTP.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    chromium::PATIENCE,
    harness::{Api, Process},
};

/// Notes what goes wrong in a page and what it asks for, before any script of the page runs. What the test refuses is
/// answered without the replica.
const WITNESS: &str = "window.wrong = []; window.asked = []; window.refused = null;
    const ask = window.fetch;
    window.fetch = (path, ...more) => {
        asked.push(String(path));
        return refused?.test(path) ? Promise.resolve(new Response('{}', { status: 418 })) : ask(path, ...more);
    };
    addEventListener('error', event => wrong.push('error: ' + event.message));
    addEventListener('unhandledrejection', event => wrong.push('rejection: ' + event.reason));
    addEventListener('securitypolicyviolation', event => wrong.push('policy: ' + event.violatedDirective + ' ' + event.blockedURI), true);";

/// A browser with one window.
pub struct Browser {
    client: Client,
    /// The address of the session.
    session: String,
    base: String,
    // The driver ends before its folder goes.
    _chromedriver: Process,
    _profile: TempDir,
}

impl Browser {
    /// A window that shows a view of the page of a replica, 1,440 pixels wide and dark.
    pub async fn at(api: &Api, hash: &str) -> Self {
        let browser = Self::start(&format!("http://{}/", api.address)).await;
        browser.size(1440).await;
        browser.theme("dark").await;
        browser.open(hash).await;
        browser
    }

    /// A window without a page.
    pub async fn start(base: &str) -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", profile.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut chromedriver =
            Process::spawn(&mut command).expect("chromedriver is in PATH; tests/install-browser installs it");
        let mut said = BufReader::new(chromedriver.child.stdout.take().expect("its output is piped")).lines();
        let port = said.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split("started successfully on port ").nth(1)?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says where it listens");
        std::thread::spawn(move || said.for_each(drop));
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // By a pipe, so that Chromium ends when its driver does, however that ends.
            "--remote-debugging-pipe",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": arguments }, "goog:loggingPrefs": { "browser": "ALL" } });
        let client = Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().expect("a client");
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let begun = client.post(format!("http://127.0.0.1:{port}/session")).body(wanted.to_string()).send().await;
        let begun: Value = begun.expect("the driver answers").json().await.expect("JSON");
        let id = begun["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("Chromium does not start: {begun}"));
        let session = format!("http://127.0.0.1:{port}/session/{id}");
        let browser = Self { client, session, base: base.into(), _chromedriver: chromedriver, _profile: profile };
        browser.tell("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WITNESS })).await;
        browser
    }

    /// A command of WebDriver; what it gives.
    async fn command(&self, method: Method, path: &str, arguments: Value) -> Value {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.session));
        if method == Method::POST {
            request = request.body(arguments.to_string());
        }
        let answer = request.send().await.expect("the driver answers");
        let mut answer: Value = answer.json().await.expect("JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{path} {arguments}: {value}");
        value
    }

    /// Opens a view anew, as from a bookmark.
    pub async fn open(&self, hash: &str) {
        self.command(Method::POST, "/url", json!({ "url": "about:blank" })).await;
        self.command(Method::POST, "/url", json!({ "url": format!("{}{hash}", self.base) })).await;
    }

    /// Loads the page anew, as its button in the browser does.
    pub async fn reload(&self) {
        self.command(Method::POST, "/refresh", json!({})).await;
    }

    /// A command of the protocol of Chromium's tools.
    pub async fn tell(&self, command: &str, arguments: Value) -> Value {
        self.command(Method::POST, "/goog/cdp/execute", json!({ "cmd": command, "params": arguments })).await
    }

    /// Makes the window so many pixels wide; below 500 it is a phone.
    pub async fn size(&self, width: u32) {
        let (height, mobile) = if width < 500 { (844, true) } else { (900, false) };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// `light` or `dark`, as the system of the person prefers it.
    pub async fn theme(&self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// What the body of a function in the page returns. `arguments[0]` is the argument.
    pub async fn run(&self, script: &str, argument: impl Into<Value>) -> Value {
        self.command(Method::POST, "/execute/sync", json!({ "script": script, "args": [argument.into()] })).await
    }

    /// What the body of a function gives to its last argument, whenever it does.
    pub async fn run_later(&self, script: &str) -> Value {
        self.command(Method::POST, "/execute/async", json!({ "script": script, "args": [] })).await
    }

    /// The text that a person sees, of the first element for a selector; empty if there is none.
    pub async fn text(&self, selector: &str) -> String {
        let text = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector).await;
        text.as_str().unwrap_or_default().to_string()
    }

    /// Waits until the first element for a selector shows a text.
    pub async fn shows(&self, selector: &str, wanted: &str) {
        let what = format!("{selector} shows {wanted:?}");
        self.becomes(
            &what,
            "return (document.querySelector(arguments[0][0])?.innerText ?? '').includes(arguments[0][1])",
            json!([selector, wanted]),
        )
        .await;
    }

    /// Waits until the body of a function in the page returns true.
    pub async fn becomes(&self, what: &str, script: &str, argument: impl Into<Value>) {
        let (begun, argument) = (Instant::now(), argument.into());
        while self.run(script, argument.clone()).await != Value::Bool(true) {
            if begun.elapsed() > PATIENCE / 2 {
                let shown = self.text("body").await;
                panic!("not: {what}. The page shows: {shown}\nand wrong is {:?}", self.wrong().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks the first element for a selector with this text, as soon as it is there.
    pub async fn click(&self, selector: &str, text: &str) {
        let script = "const [selector, text] = arguments[0];
            const found = [...document.querySelectorAll(selector)].find(element => element.innerText.includes(text) && !element.disabled);
            found?.click();
            return found != null;";
        self.becomes(&format!("a {selector} with {text:?} can be clicked"), script, json!([selector, text])).await;
    }

    /// Clicks the first element for a selector with the mouse. A browser lets a page copy only after that.
    pub async fn click_with_mouse(&self, selector: &str) {
        let place = self.point_at(selector).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.tell("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types into the field for a selector, in place of what it has.
    pub async fn fill(&self, selector: &str, text: &str) {
        let ready = "const field = document.querySelector(arguments[0]); field?.focus(); field?.select?.(); return field != null;";
        self.becomes(&format!("{selector} is there"), ready, selector).await;
        self.tell("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a key, wherever the focus is.
    pub async fn press(&self, key: &str) {
        let text = if key.chars().count() == 1 {
            key
        } else if key == "Enter" {
            "\r"
        } else {
            ""
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            _ => 0,
        };
        let down = json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.tell("Input.dispatchKeyEvent", down).await;
        self.tell("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code }))
            .await;
    }

    /// Moves the pointer onto the first element for a selector; where that is.
    pub async fn point_at(&self, selector: &str) -> Value {
        let place = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.x + Math.min(20, box.width / 2), box.y + box.height / 2];";
        let place = self.run(place, selector).await;
        self.tell("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": place[0], "y": place[1] })).await;
        place
    }

    /// Tells the page that nobody sees it any more, or that somebody does again.
    pub async fn hide(&self, is_hidden: bool) {
        let hide = "Object.defineProperty(document, 'hidden', { get: () => arguments[0], configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));";
        self.run(hide, is_hidden).await;
    }

    /// A picture of what the window shows.
    pub async fn picture(&self, file: &Path) {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        let picture = self.command(Method::GET, "/screenshot", Value::Null).await;
        let bytes = STANDARD.decode(picture.as_str().expect("base64")).expect("base64");
        std::fs::write(file, bytes).expect("a file");
    }

    /// What went wrong in the page: errors of scripts, and what its policy refused.
    pub async fn wrong(&self) -> Vec<String> {
        let noted = self.run("return window.wrong ?? []", Value::Null).await;
        let noted = noted.as_array().into_iter().flatten().map(|each| each.as_str().unwrap_or_default().to_string());
        let log = self.command(Method::POST, "/se/log", json!({ "type": "browser" })).await;
        let log = log.as_array().into_iter().flatten();
        // A replica of another version answers 404, and the browser says so in its console.
        let said = log.filter(|line| line["source"] != "network" && line["level"] == "SEVERE");
        noted.chain(said.map(|line| line["message"].to_string())).collect()
    }

    /// Asserts that nothing went wrong, and that the page asked nobody but the replica.
    pub async fn is_clean(&self) {
        assert_eq!(self.wrong().await, Vec::<String>::new());
        let asked = "return performance.getEntriesByType('resource').map(each => each.name).filter(url => !url.startsWith(location.origin + '/') && !url.startsWith('data:'))";
        assert_eq!(self.run(asked, Value::Null).await, json!([]), "requests to elsewhere");
    }

    /// From now on the page has no answer to requests whose paths match.
    pub async fn refuse(&self, paths: &str) {
        self.run("window.refused = new RegExp(arguments[0]); asked.length = 0", paths).await;
    }

    /// What the page has asked for since it was opened or last refused something, if the paths match.
    pub async fn asked(&self, paths: &str) -> Vec<String> {
        let asked = self.run("return asked.filter(path => RegExp(arguments[0]).test(path))", paths).await;
        asked.as_array().into_iter().flatten().filter_map(|path| path.as_str().map(String::from)).collect()
    }

    /// Opens more tabs with a view; the last one is shown.
    pub async fn more_tabs(&self, count: usize, hash: &str) {
        for _ in 0..count {
            let tab = self.command(Method::POST, "/window/new", json!({ "type": "tab" })).await;
            self.switch(&tab["handle"]).await;
            self.command(Method::POST, "/url", json!({ "url": format!("{}{hash}", self.base) })).await;
        }
    }

    /// All tabs.
    pub async fn tabs(&self) -> Vec<Value> {
        self.command(Method::GET, "/window/handles", Value::Null).await.as_array().expect("tabs").clone()
    }

    /// Shows a tab.
    pub async fn switch(&self, tab: &Value) {
        self.command(Method::POST, "/window", json!({ "handle": tab })).await;
    }
}
