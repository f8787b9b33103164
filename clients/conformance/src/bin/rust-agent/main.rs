//! The agent of the Rust client. README.md of this crate has the protocol.

mod commands;
mod elections;
mod errors;
mod holds;
mod out;

use std::{collections::BTreeMap, process, rc::Rc};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::{AbortHandle, LocalSet},
};

use commands::Agent;
use errors::Failed;

fn main() {
    // One thread for everything, so that a blocking command blocks the client too.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, serve()),
        Err(error) => {
            eprintln!("the agent can't run: {error}");
            process::exit(1);
        }
    }
}

async fn serve() {
    out::line(&json!({
        "agent": "gorilla-client for Rust",
        "version": env!("CARGO_PKG_VERSION"),
        "without": {
            "fork": "a process with the threads of tokio can't go on after a fork",
            "again": "a request is used up by its acquire, so two tasks can't share it",
            "close": "a client holds nothing: each guard releases its own lock",
            "stubborn": "a body is a future, which is dropped when the lease ends",
        },
    }));
    let agent = Rc::new(Agent::default());
    let mut running = BTreeMap::<u64, AbortHandle>::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(command) = serde_json::from_str::<Value>(&line) else {
            eprintln!("this is not a command: {line}");
            continue;
        };
        let Some(id) = command["id"].as_u64() else { continue };
        if command["do"] == "cancel" {
            let of = command["of"].as_u64().unwrap_or_default();
            if let Some(task) = running.remove(&of).filter(|task| !task.is_finished()) {
                task.abort();
                out::answer(of, &Err(Failed::cancelled()));
            }
            out::answer(id, &Ok(json!({})));
            continue;
        }
        let agent = Rc::clone(&agent);
        let task = tokio::task::spawn_local(async move {
            let answer = agent.execute(&command).await;
            out::answer(id, &answer);
            if command["do"] == "exit" {
                process::exit(0);
            }
        });
        running.insert(id, task.abort_handle());
    }
    process::exit(0);
}
