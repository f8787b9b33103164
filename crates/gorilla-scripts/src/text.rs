//! The texts of the scripts, put together from the files of `lua/`.
//!
//! A line `--- include NAME` stands for `lua/lib/NAME.lua`, once in a script. A line `--- inline NAME` stands for the steps
//! in `lua/lib/inline/NAME.lua`, each time: to define a function, and to call it, costs Redis more than many steps. A line
//! `--- constant NAME` stands for a setting of the deployment. `--- plain` and `--- decide` each begin a part that runs
//! once for each request. If the first part has replied to all requests, Redis doesn't even define what the second part
//! needs, which saves much of the work. All other lines go into the text as they are.
//!
//! The header of a script lists its arguments, in the order in which the call packs them. A part `plain` has each of
//! them under its name, and `lock`; a part `decide` has `lock`, and them as the fields of `req`. Redis takes as long to
//! make that table as for a command, so `plain` does without it.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write, sync::Arc, time::Duration};

use redis_protocol::bytes_utils::Str;
use sha1_smol::Sha1;

macro_rules! library {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../lua/lib/", $name, ".lua")))),*]
    };
}

const LIBRARY: [(&str, &str); 48] = library!(
    "acquire" "broken" "claim" "clock" "events" "fence" "grant" "group/call" "group/group" "group/holder" "group/join"
    "group/limit" "holders/blocks" "holders/ending" "holders/find" "holders/next_end" "holders/remove"
    "holders/renew" "holders/shorten" "incarnation" "inline/clock" "inline/expires" "inline/fence" "inline/grant"
    "inline/granted" "inline/many" "inline/note_granted" "inline/note_released" "inline/place" "inline/record_granted"
    "inline/record_released" "inline/stem" "inline/take_turn" "inline/turn" "inline/waits" "keys" "now" "number" "place" "queue" "quota" "rank"
    "record" "released" "stale" "stream" "time" "turn"
);
/// What a line begins with that stands for steps in place.
const INLINE: &str = "--- inline ";
/// Writes what was noted of changes, as one entry. It must not fail what was done: those who listen find out that a stream can't
/// be written.
const RECORD: &str = "redis.pcall('XADD', STREAM, 'MAXLEN', '~', '20000', '*', 'e', table.concat(noted))";
/// Says besides which stream has one: in a Cluster nobody can wait for entries of thousands of streams.
const TELL: &str = " redis.pcall('PUBLISH', CHANNEL, STREAM)";
const REQUESTS: &str = include_str!("../../../lua/lib/requests.lua");
const RUN: &str = include_str!("../../../lua/lib/run.lua");
/// Replies to all requests.
const REPLY: &str = "return count == 1 and replied or table.concat(replied)";

/// What is the same for all calls of a deployment, and so stands in the texts.
#[derive(Clone, Copy, Debug)]
pub struct Constants<'a> {
    /// How long grants wait after Redis may have lost data; zero if they don't wait.
    pub grace: Duration,
    /// How long what became of a request is kept.
    pub window: Duration,
    /// How long the last fence is kept after a grant.
    pub fence_kept: Duration,
    /// How long a place is kept for a client that is away.
    pub place_kept: Duration,
    /// The longest life of an attempt.
    pub longest_attempt: Duration,
    /// How many places a queue may have.
    pub room: usize,
    /// How many clients may hold a shared lock.
    pub holders: usize,
    /// Where what happens is recorded.
    pub events: Recording<'a>,
}

/// Where scripts record what happens to locks, while there is such a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording<'a> {
    /// Nowhere.
    Off,
    /// In one stream for all locks, at this key.
    At(&'a str),
    /// In a stream for each slot of a Cluster, because a script can have keys of one slot only: the last of the keys of a
    /// call. What was recorded is told over this channel.
    InSlot(&'a str),
}

/// A script that Redis runs, with the name by which Redis knows it.
pub struct Script {
    /// The whole text.
    pub source: Str,
    /// The SHA-1 of the text, in hexadecimal.
    pub sha: Str,
    /// Its place in `Scripts::NAMES`; that of the last for a script that is not among them.
    pub number: usize,
    /// Whether it goes to Redis before other scripts of the same moment.
    pub goes_first: bool,
    /// Whether each of its requests is a command of its own: each has keys that the others don't have.
    pub goes_alone: bool,
}

/// Each script has a field. What it takes and replies stands in its file.
#[allow(missing_docs, reason = "each field is the file of that name in lua/")]
pub struct Scripts {
    pub try_acquire: Arc<Script>,
    pub claim: Arc<Script>,
    pub extend: Arc<Script>,
    pub release: Arc<Script>,
    pub release_later: Arc<Script>,
    pub handover: Arc<Script>,
    pub break_lock: Arc<Script>,
    pub inspect: Arc<Script>,
    pub cancel: Arc<Script>,
    pub hold: Arc<Script>,
    pub take_all: Arc<Script>,
    pub renew: Arc<Script>,
    pub wake: Arc<Script>,
    pub ready: Arc<Script>,
    pub settle: Arc<Script>,
    pub confirm: Arc<Script>,
    pub join: Arc<Script>,
    pub shared_extend: Arc<Script>,
    pub shared_release: Arc<Script>,
    pub shared_break: Arc<Script>,
    pub shared_inspect: Arc<Script>,
    pub convert: Arc<Script>,
    pub limit: Arc<Script>,
    pub queue: Arc<Script>,
    pub listen: Arc<Script>,
    pub listen_cluster: Arc<Script>,
    pub listen_slots: Arc<Script>,
    pub expired: Arc<Script>,
    pub past_break: Arc<Script>,
}

impl Constants<'_> {
    fn get(&self, name: &str) -> String {
        match name {
            "GRACE" => self.grace.as_millis().to_string(),
            "WINDOW" => self.window.as_millis().to_string(),
            "FENCE_KEPT" => self.fence_kept.as_millis().to_string(),
            "PLACE_KEPT" => self.place_kept.as_millis().to_string(),
            "LONGEST_ATTEMPT" => self.longest_attempt.as_millis().to_string(),
            "ROOM" => self.room.to_string(),
            "HOLDERS" => self.holders.to_string(),
            // The texts are a part of this program, and a test puts all of them together.
            _ => panic!("a script asks for the constant {name}, which there isn't"),
        }
    }
}

impl Script {
    /// Puts a script together.
    pub fn new(file: &str, constants: &Constants<'_>) -> Self {
        let source = Text { constants, included: BTreeSet::new(), literals: Vec::new(), all: String::new() }.of(file);
        Self::of(source)
    }

    /// A script with this text.
    pub fn of(source: String) -> Self {
        let sha = Sha1::from(&source).digest().to_string();
        let number = Scripts::NAMES.len() - 1;
        Self { source: source.into(), sha: sha.into(), number, goes_first: false, goes_alone: false }
    }
}

/// A text in the making.
struct Text<'a> {
    constants: &'a Constants<'a>,
    included: BTreeSet<String>,
    /// Constants that were named up to here, and what stands for them.
    literals: Vec<(String, String)>,
    all: String,
}

impl Text<'_> {
    fn of(mut self, file: &str) -> String {
        let (head, parts) = split(file);
        let names = arguments(&head);
        let mut head = head.lines();
        // Redis wants the flags in the first line.
        self.all.extend([head.next().unwrap_or_default(), "\n"]);
        // The arguments of a request, by name. A call without any packs a nil, so that something stands behind the number of
        // requests.
        let request = if names.is_empty() { "none".into() } else { names.join(", ") };
        let run = RUN.replace("REQUEST", &request).replace("ARGUMENTS", &names.len().max(1).to_string());
        self.all.push_str(REQUESTS);
        head.for_each(|line| self.line(line));
        for Part { is_plain, text } in parts {
            // What a part needs is defined before the part, and not again for each request.
            let is_need = |line: &&str| line.starts_with("--- ") && !line.starts_with(INLINE);
            let (needs, body): (Vec<_>, Vec<_>) = text.lines().partition(is_need);
            needs.into_iter().for_each(|line| self.line(line));
            let _ = writeln!(self.all, "local function part(lock, {request})");
            if !is_plain {
                let fields: Vec<_> = names.iter().map(|name| format!("{name} = {name}")).collect();
                let _ = writeln!(self.all, "local req = {{{}}}", fields.join(", "));
            }
            body.into_iter().for_each(|line| self.line(line));
            // What happened is recorded when all of it has been done.
            let tell = if matches!(self.constants.events, Recording::InSlot(_)) { TELL } else { "" };
            let has_noted = self.included.contains("stream");
            let record = if has_noted { format!("if noted then {RECORD}{tell} end ") } else { String::new() };
            let record = self.with_literals(&record).into_owned();
            let _ = writeln!(self.all, "end\n{run}if done == count then {record}{REPLY} end");
        }
        // If a request has no reply after the last part, an error says so.
        self.all.push_str("return redis.error_reply('ERR a request has no reply')\n");
        self.all
    }

    fn line(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("--- include ") {
            if self.included.insert(name.into()) {
                self.library(name);
            }
        } else if let Some(name) = line.strip_prefix(INLINE) {
            self.library(&format!("inline/{name}"));
        } else if let Some(name) = line.strip_prefix("--- constant ") {
            self.constant(name);
        } else {
            let line = self.with_literals(line);
            self.all.extend([&line, "\n"]);
        }
    }

    /// A line in which each constant that was named up to here stands as its value.
    fn with_literals<'line>(&self, line: &'line str) -> Cow<'line, str> {
        self.literals.iter().fold(Cow::from(line), |line, (name, value)| match line.contains(name) {
            true => line.replace(name, value).into(),
            false => line,
        })
    }

    /// Has a constant stand in the lines behind this one. It is not a local of the text: to use that in a function costs each
    /// call as much as to make it. The stream of a slot is another in each call, so it is a local.
    fn constant(&mut self, name: &str) {
        if !self.included.insert(name.into()) {
            return;
        }
        match self.constants.events {
            Recording::InSlot(channel) if name == "STREAM" => {
                let _ = writeln!(self.all, "local STREAM, CHANNEL = KEYS[#KEYS], '{channel}'");
            }
            Recording::At(key) if name == "STREAM" => self.literals.push((name.into(), format!("'{key}'"))),
            Recording::Off if name == "STREAM" => self.literals.push((name.into(), "false".into())),
            _ => self.literals.push((name.into(), format!("'{}'", self.constants.get(name)))),
        }
    }

    fn library(&mut self, name: &str) {
        let found = LIBRARY.iter().find(|(known, _)| *known == name);
        let (_, text) = found.unwrap_or_else(|| panic!("a script needs {name}, which there isn't"));
        text.lines().for_each(|line| self.line(line));
    }
}

/// A part of a script that runs once for each request.
struct Part {
    is_plain: bool,
    text: String,
}

/// What stands before the first part, and the parts.
fn split(file: &str) -> (String, Vec<Part>) {
    let (mut head, mut parts) = (String::new(), Vec::<Part>::new());
    for line in file.lines() {
        match line {
            "--- plain" | "--- decide" => parts.push(Part { is_plain: line == "--- plain", text: String::new() }),
            line => parts.last_mut().map_or(&mut head, |part| &mut part.text).extend([line, "\n"]),
        }
    }
    (head, parts)
}

/// The names of the arguments that the header of a script lists: the first word of each line below `-- Arguments` that is
/// not the rest of an earlier line.
fn arguments(head: &str) -> Vec<&str> {
    let listed = head.lines().skip_while(|line| *line != "-- Arguments").skip(1);
    let listed = listed.map_while(|line| line.strip_prefix("--   ")).filter(|line| !line.starts_with(' '));
    listed.filter_map(|line| line.split(' ').next()).filter(|name| *name != "none").collect()
}

impl Scripts {
    /// The names of their files in `lua/`, and a name for all others.
    pub const NAMES: [&str; 30] = [
        "try",
        "claim",
        "extend",
        "renew",
        "release",
        "release_later",
        "handover",
        "break",
        "inspect",
        "cancel",
        "take_all",
        "hold",
        "wake",
        "ready",
        "settle",
        "confirm",
        "join",
        "shared_extend",
        "shared_release",
        "shared_break",
        "shared_inspect",
        "convert",
        "limit",
        "queue",
        "listen",
        "listen_cluster",
        "listen_slots",
        "expired",
        "past_break",
        "other",
    ];

    /// Puts all scripts together for a deployment.
    pub fn new(constants: &Constants<'_>) -> Self {
        let script = |name: &str, file| {
            let number = Self::NAMES.iter().position(|known| *known == name).unwrap_or(Self::NAMES.len() - 1);
            Script { number, ..Script::new(file, constants) }
        };
        Self {
            try_acquire: script("try", include_str!("../../../lua/try.lua")).into(),
            claim: script("claim", include_str!("../../../lua/claim.lua")).into(),
            extend: script("extend", include_str!("../../../lua/extend.lua")).into(),
            // The claim of a waiter may follow directly behind the release that it waits for.
            release: Script { goes_first: true, ..script("release", include_str!("../../../lua/release.lua")) }.into(),
            release_later: script("release_later", include_str!("../../../lua/release_later.lua")).into(),
            handover: script("handover", include_str!("../../../lua/handover.lua")).into(),
            break_lock: script("break", include_str!("../../../lua/break.lua")).into(),
            inspect: script("inspect", include_str!("../../../lua/inspect.lua")).into(),
            cancel: script("cancel", include_str!("../../../lua/cancel.lua")).into(),
            take_all: Script { goes_alone: true, ..script("take_all", include_str!("../../../lua/take_all.lua")) }
                .into(),
            renew: Script { goes_alone: true, ..script("renew", include_str!("../../../lua/renew.lua")) }.into(),
            hold: script("hold", include_str!("../../../lua/hold.lua")).into(),
            wake: script("wake", include_str!("../../../lua/wake.lua")).into(),
            ready: script("ready", include_str!("../../../lua/ready.lua")).into(),
            settle: script("settle", include_str!("../../../lua/settle.lua")).into(),
            confirm: script("confirm", include_str!("../../../lua/confirm.lua")).into(),
            join: script("join", include_str!("../../../lua/join.lua")).into(),
            shared_extend: script("shared_extend", include_str!("../../../lua/shared_extend.lua")).into(),
            shared_release: script("shared_release", include_str!("../../../lua/shared_release.lua")).into(),
            shared_break: script("shared_break", include_str!("../../../lua/shared_break.lua")).into(),
            shared_inspect: script("shared_inspect", include_str!("../../../lua/shared_inspect.lua")).into(),
            convert: script("convert", include_str!("../../../lua/convert.lua")).into(),
            limit: script("limit", include_str!("../../../lua/limit.lua")).into(),
            queue: script("queue", include_str!("../../../lua/queue.lua")).into(),
            listen: script("listen", include_str!("../../../lua/listen.lua")).into(),
            listen_cluster: script("listen_cluster", include_str!("../../../lua/listen_cluster.lua")).into(),
            listen_slots: script("listen_slots", include_str!("../../../lua/listen_slots.lua")).into(),
            expired: script("expired", include_str!("../../../lua/expired.lua")).into(),
            past_break: script("past_break", include_str!("../../../lua/past_break.lua")).into(),
        }
    }
}
