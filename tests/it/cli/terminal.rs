//! Commands on a terminal: `script` makes one.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::gorilla;
use crate::harness::{Process, Replica, eventually, name};

/// A shell on a terminal, and the keyboard of a person.
struct Terminal {
    process: Process,
    keyboard: std::process::ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// An interactive shell that has `$gorilla` and the server in its environment.
    async fn start() -> Self {
        let url = format!("http://{}", Replica::shared().await.address);
        let like = gorilla(&url, &[]);
        let mut command = Command::new("env");
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["--default-signal", "script", "-q", "-e", "-c", "bash --norc --noprofile -i", "/dev/null"]);
        command.env("gorilla", env!("CARGO_BIN_EXE_gorilla")).env("PS1", "$ ").env("TERM", "dumb");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command).expect("script is in PATH");
        let keyboard = process.child.stdin.take().expect("it is piped");
        let mut stdout = process.child.stdout.take().expect("it is piped");
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut bytes) {
                shown.lock().expect("the screen").push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Self { process, keyboard, screen }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).and_then(|()| self.keyboard.flush()).expect("the shell reads");
    }

    fn screen(&self) -> String {
        self.screen.lock().expect("the screen").clone()
    }

    /// Waits until the screen shows it.
    async fn shows(&self, text: &str) {
        let begun = std::time::Instant::now();
        while !self.screen().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(15), "{text:?} is not on the screen:\n{}", self.screen());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn the_command_has_the_terminal_and_the_shell_gets_it_back() {
    let (mut terminal, resource) = (Terminal::start().await, name("tty"));
    terminal.types(&format!(
        "$gorilla lock {resource} -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo on-a-tt\"\"y; read line; echo heard-$line'\n"
    ));
    terminal.shows("on-a-tty").await;
    terminal.types("hello\n");
    terminal.shows("heard-hello").await;
    terminal.types("echo code-$?\n");
    terminal.shows("code-0").await;
    assert_eq!(Replica::shared().await.state(&resource).await["held"], false);
}

#[tokio::test]
async fn ctrl_c_ends_the_command_and_gorilla_tells_the_shell() {
    let (mut terminal, resource) = (Terminal::start().await, name("interrupt"));
    terminal.types(&format!("$gorilla lock {resource} -- sh -c 'echo rea\"\"dy; exec sleep 1000'\n"));
    terminal.shows("ready").await;
    terminal.types("\x03");
    tokio::time::sleep(Duration::from_millis(500)).await;
    terminal.types("echo code-$?\n");
    terminal.shows("code-130").await;
    assert_eq!(Replica::shared().await.state(&resource).await["held"], false);
}

#[tokio::test]
async fn ctrl_z_stops_the_job_and_fg_has_it_go_on() {
    let (mut terminal, resource) = (Terminal::start().await, name("suspended"));
    terminal.types(&format!(
        "$gorilla lock {resource} --ttl 20s -- sh -c 'echo rea\"\"dy; read line; echo heard-$line; exit 7'\n"
    ));
    terminal.shows("ready").await;
    terminal.types("\x1a");
    terminal.shows("Stopped").await;
    terminal.types("echo shell-liv\"\"es\n");
    terminal.shows("shell-lives").await;
    terminal.types("fg\n");
    tokio::time::sleep(Duration::from_millis(500)).await;
    terminal.types("hello\n");
    terminal.shows("heard-hello").await;
    terminal.types("echo code-$?\n");
    terminal.shows("code-7").await;
}

#[tokio::test]
async fn colours_are_for_terminals_and_no_color_is_honoured() {
    let (mut terminal, resource) = (Terminal::start().await, name("colours"));
    let _lock = Replica::shared().await.granted(&resource, "somebody", 30).await;
    terminal.types(&format!("TERM=xterm $gorilla ls {resource}; echo shown-$?\n"));
    terminal.shows("shown-0").await;
    assert!(terminal.screen().contains("\x1b[32m█"), "{:?}", terminal.screen());
    let before = terminal.screen().len();
    terminal.types(&format!("TERM=xterm NO_COLOR=1 $gorilla ls {resource}; echo shown-again-$?\n"));
    terminal.shows("shown-again-0").await;
    let after = terminal.screen()[before..].to_string();
    assert!(after.contains("█") && !after.contains("\x1b[32m"), "{after:?}");
    terminal.types("exit\n");
    eventually("the shell ends", Duration::from_secs(10), || {
        let ended = terminal.process.child.try_wait().expect("a child").is_some();
        async move { ended }
    })
    .await;
}
