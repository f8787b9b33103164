//! `gorilla events`: tells what happens to locks, as it happens.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use gorilla_client::{Client, Error, Event, History, Missed, Told};
use gorilla_wire::{Control, EVENT_TYPES};

use super::{Remote, asking::name, cells::shown, remote::block_on};
use crate::{
    commands::{
        exit,
        messages::{fail, tell},
        runtime::runtime,
    },
    printable::in_json,
};

/// Tell what happens to locks, as it happens.
#[derive(Args)]
#[command(
    after_help = "Runs until you end it. If the server goes away, gorilla connects again and goes on where it was; it says \
    so if events were missed meanwhile.\n\nExamples:\n  gorilla events\n  gorilla events deploy-web deploy-api\n  \
    gorilla events --prefix deploy- --types granted,broken\n  gorilla events --recent 20\n  gorilla events --json | jq -r 'select(.type == \"expired\") | .resource'\n  \
    gorilla events deploy-web --past"
)]
pub struct Events {
    /// The locks; all that you may follow if there is no name. At most 16
    #[arg(value_name = "NAME", value_parser = name)]
    names: Vec<String>,
    /// Only locks whose names begin with this
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    /// Only events with this owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Only events of these types, with commas between them
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = EVENT_TYPES)]
    types: Vec<String>,
    /// Begin with what happened after this cursor, which an earlier event had
    #[arg(long, value_name = "CURSOR", conflicts_with = "past")]
    since: Option<String>,
    /// Begin with so many of the last events, as far as the server has recorded them; at most 500
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=500), conflicts_with_all = ["since", "past"])]
    recent: u32,
    /// Tell what has happened to one lock instead, newest first, as far as the server has recorded it
    #[arg(long, conflicts_with_all = ["prefix", "owner", "types"])]
    past: bool,
    /// Print JSON, one event a line, with the fields of the HTTP API
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Events {
    pub fn run(&self) -> Result<(), ExitCode> {
        let client = self.remote.client()?;
        match (self.past, self.names.as_slice()) {
            (false, _) => self.follow(&client),
            (true, [name]) => self.look_back(&client, name),
            (true, _) => {
                tell("--past needs the name of one lock.");
                Err(ExitCode::from(exit::USAGE))
            }
        }
    }

    /// Prints what happens until the server refuses.
    fn follow(&self, client: &Client) -> Result<(), ExitCode> {
        let mut request = client.watch().types(self.types.iter().cloned()).recent(self.recent);
        for name in &self.names {
            request = request.resource(name);
        }
        if let Some(prefix) = &self.prefix {
            request = request.prefix(prefix);
        }
        if let Some(owner) = &self.owner {
            request = request.owner(owner);
        }
        if let Some(since) = &self.since {
            request = request.since(since);
        }
        let mut watch = request.start();
        let (mut has_connected, mut is_away) = (false, false);
        runtime(1)?.block_on(async {
            loop {
                match watch.next().await {
                    Ok(Told::Connected { .. }) => {
                        if is_away {
                            tell("connected again.");
                        }
                        (has_connected, is_away) = (true, false);
                    }
                    Ok(Told::Event(event)) => self.print(&event)?,
                    Ok(Told::Missed(reason)) => {
                        tell(format_args!("events are missing here: {}.", because(reason)));
                        if self.json {
                            self.write(serde_json::to_string(&Control::Missed { reason }).unwrap_or_default())?;
                        }
                    }
                    Ok(_) => {}
                    // The watch tries again, and resumes where it was.
                    Err(Error::Unavailable(why)) if has_connected => {
                        if !is_away {
                            tell(format_args!("{why}; trying again."));
                        }
                        is_away = true;
                    }
                    Err(error) => return Err(exit::with(&error)),
                }
            }
        })
    }

    /// Prints what has happened to a lock.
    fn look_back(&self, client: &Client, name: &str) -> Result<(), ExitCode> {
        let mut before = None;
        let mut is_first = true;
        loop {
            let page = block_on(client.history(name, before.as_deref()))?;
            let History { recorded_since, events, cursor, .. } = page;
            if std::mem::take(&mut is_first) && !self.json {
                match recorded_since {
                    Some(since) => tell(format_args!("recorded since {since}, newest first.")),
                    None => tell(
                        "the server records no events now: it does while somebody listens, and always with \
                                      events.record = \"always\".",
                    ),
                }
            }
            events.iter().try_for_each(|event| self.print(event))?;
            before = cursor;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    fn print(&self, event: &Event) -> Result<(), ExitCode> {
        match self.json {
            true => self.write(serde_json::to_string(event).map(in_json).unwrap_or_default()),
            false => self.write(line(event)),
        }
    }

    /// Writes a line. Ends if nobody reads any more, as behind `| head`.
    fn write(&self, line: String) -> Result<(), ExitCode> {
        writeln!(anstream::stdout(), "{line}").map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            _ => fail(format_args!("the events can't be written: {error}.")),
        })
    }
}

/// An event as a line: when, what, which lock, and what else there is to know.
fn line(event: &Event) -> String {
    let mut words = Vec::new();
    let mut word = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.push(format!("{name} {value}"));
        }
    };
    let seconds = |ms: Option<u64>| ms.map(|ms| format!("{:.1} s", ms as f64 / 1000.0));
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let text = |text: &Option<String>| text.as_deref().map(shown);
    word("by", text(&event.owner));
    word("fence", number(event.fence));
    word("position", number(event.position));
    word("behind", number(event.holder_fence));
    word("permits", event.permits.map(|permits| permits.to_string()));
    word("waited", seconds(event.waited_ms));
    word("held", seconds(event.held_ms));
    word("until", text(&event.expire_at));
    word("because", text(&event.cause));
    word("with the key", text(&event.by));
    word("reason", event.reason.as_deref().map(|reason| format!("\"{}\"", shown(reason))));
    // The types of this version are padded, so that names stand below each other.
    format!("{}  {:<8}  {}  {}", shown(&event.at), shown(&event.kind), shown(&event.resource), words.join(", "))
}

fn because(why: Missed) -> &'static str {
    match why {
        Missed::Trimmed => "Redis keeps only the newest",
        Missed::Restarted => "Redis has lost them, or does not know the cursor",
        Missed::Failover => "another Redis server has taken over, which may lack the last ones",
        Missed::Slow => "this command or its server could not keep up",
        Missed::NotRecorded => "nobody listened for longer than two minutes, so that none were recorded",
        _ => "the server does not say why in words that this version knows",
    }
}
