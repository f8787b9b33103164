//! The agent of the Rust client with one mistake, to see that the scenarios find it: `mistaken-agent NAME`. It passes
//! commands and messages on, and changes some of them. For mistakes on the wire it passes HTTP on and changes that.

mod messages;
mod wire;

use std::{
    env,
    io::{BufRead, BufReader, Write, stdin, stdout},
    process::{Command, ExitCode, Stdio, exit},
    sync::{Arc, Mutex},
    thread,
};

use messages::Messages;

/// The mistakes that naive clients make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// None, to see that what passes things on makes none.
    None,
    /// `held` is a flag that is cleared when the loss is told.
    HeldByFlag,
    /// An error of the body gives way to the loss of the lock.
    BodyErrorReplaced,
    /// No answer is taken for "nothing was done".
    DoubtForgotten,
    /// Each copy of a request has a new Idempotency-Key.
    KeyForEachCopy,
    /// A timer renews the lock once more after its release.
    RenewalAfterRelease,
    /// A cancelled acquire is not undone.
    CancelledAndKept,
    /// The token is written to the log.
    TokenInLog,
    /// The loss is told when the lease ends, without a grace.
    LateLoss,
}

const NAMES: [(&str, Mistake); 9] = [
    ("none", Mistake::None),
    ("held-by-flag", Mistake::HeldByFlag),
    ("body-error-replaced", Mistake::BodyErrorReplaced),
    ("doubt-forgotten", Mistake::DoubtForgotten),
    ("key-for-each-copy", Mistake::KeyForEachCopy),
    ("renewal-after-release", Mistake::RenewalAfterRelease),
    ("cancelled-and-kept", Mistake::CancelledAndKept),
    ("token-in-log", Mistake::TokenInLog),
    ("late-loss", Mistake::LateLoss),
];

fn main() -> ExitCode {
    let name = env::args().nth(1).unwrap_or_default();
    let Some((_, mistake)) = NAMES.iter().find(|(known, _)| *known == name) else {
        eprintln!("the mistakes are: {}", NAMES.map(|(name, _)| name).join(", "));
        return ExitCode::FAILURE;
    };
    match run(*mistake) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the mistaken agent can't go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mistake: Mistake) -> std::io::Result<()> {
    let server = env::var("GORILLA_URL").unwrap_or_default();
    let through = wire::start(mistake, server.trim_start_matches("http://"))?;
    let program = env::current_exe()?.with_file_name("rust-agent");
    let mut agent = Command::new(program)
        .env("GORILLA_URL", format!("http://{through}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut commands), Some(said)) = (agent.stdin.take(), agent.stdout.take()) else { return Ok(()) };
    let messages = Arc::new(Mutex::new(Messages::new(mistake)));
    let of_commands = Arc::clone(&messages);
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if let Ok(mut messages) = of_commands.lock() {
                messages.command(&line);
            }
            if writeln!(commands, "{line}").and_then(|()| commands.flush()).is_err() {
                break;
            }
        }
        // The agent ends when its standard input does.
    });
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let line = messages.lock().map(|mut messages| messages.message(line)).unwrap_or_default();
        if writeln!(stdout(), "{line}").and_then(|()| stdout().flush()).is_err() {
            break;
        }
    }
    exit(agent.wait()?.code().unwrap_or(1))
}
