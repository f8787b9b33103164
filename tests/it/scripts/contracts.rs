//! What the header of each script promises is what the script does, and what it is called with.

use std::{collections::BTreeSet, fs, path::Path};

use gorilla_scripts::{
    Acquire, Break, Call, Cancel, Claim, Confirm, Convert, Expired, Extend, Handover, Hold, Inspect, Join, Limit,
    Listen, ListenCluster, ListenSlots, PastBreak, Queue, Rank, Ready, Release, ReleaseLater, Renew, Settle,
    SharedBreak, SharedExtend, SharedInspect, SharedRelease, Sibling, TakeAll, Try, Wake,
};

use super::{Lab, replies_in_header, text};
use crate::harness::Redis;

/// A script's name, the arguments that its calls have, and what it touches beside the lock.
struct Contract {
    name: &'static str,
    arguments: Vec<String>,
    touches: Vec<String>,
}

const LEASE: u64 = 1;
const WAIT: u64 = 2;
const ARRIVED: u64 = 3;
const MOST: u64 = 4;
const LIMIT: u32 = 5;
const GRACE: u64 = 6;
const AFTER: u64 = 7;
const CREATED: i64 = 9;
const ENDED: i64 = 10;
const KEEP: u64 = 11;
const AGE: u64 = 12;
const MADE: u64 = 13;
const FLOOR: i64 = 14;
/// The first item of the list.
const RANK: u64 = 8;

impl Contract {
    /// Of a call that has all that a call may have. Each text in it is the name of its argument, so that what the call
    /// packs tells the names in their order.
    fn of<C: Call>(call: &C) -> Self {
        let mut packed = Vec::new();
        call.pack(&mut packed);
        let (mut rest, mut arguments) = (&packed[..], Vec::new());
        while !rest.is_empty() {
            let value: serde_json::Value = rmp_serde::from_read(&mut rest).expect("a value");
            // A list of texts has the name of the list.
            let value = value.get(0).cloned().unwrap_or(value);
            arguments.extend(match (value.as_str(), value.as_u64()) {
                (Some(name), _) => Some(name.into()),
                (_, Some(LEASE)) => Some("lease".into()),
                (_, Some(WAIT)) => Some("wait".into()),
                (_, Some(ARRIVED)) => Some("arrived".into()),
                (_, Some(GRACE)) => Some("grace".into()),
                (_, Some(AFTER)) => Some("after".into()),
                (_, Some(RANK)) => Some("rank".into()),
                (_, Some(KEEP)) => Some("keep".into()),
                (_, Some(AGE)) => Some("age".into()),
                (_, Some(MADE)) => Some("made".into()),
                (_, Some(time)) if time as i64 == FLOOR => Some("floor".into()),
                (_, Some(time)) if time as i64 == CREATED => Some("created".into()),
                (_, Some(time)) if time as i64 == ENDED => Some("ended".into()),
                (_, Some(MOST)) => Some("most".into()),
                (_, Some(limit)) if limit == u64::from(LIMIT) => Some("limit".into()),
                _ if value.is_boolean() => Some(flag_of(C::NAME).into()),
                // A call without arguments.
                _ => None,
            });
        }
        let touches = call.touches().into_iter().map(|sibling| match sibling {
            Sibling::Request(_) => "request".into(),
            Sibling::Replaces(_) => "queue:replaces".into(),
            sibling => sibling.key("lock"),
        });
        Self { name: C::NAME, arguments, touches: touches.collect() }
    }
}

/// The argument of a script that is true or false.
fn flag_of(script: &str) -> &'static str {
    match script {
        "confirm" => "given",
        "hold" => "commit",
        "join" => "again",
        _ => panic!("{script} has no argument that is true or false"),
    }
}

fn contracts() -> Vec<Contract> {
    let (request, print, lease) = (Some("request"), Some("print"), LEASE);
    let asked = Acquire {
        id: "id",
        token: "token",
        owner: "owner",
        metadata: "metadata",
        lease,
        request,
        print,
        wait: Some(WAIT),
        channel: "channel",
        rank: Some(Rank { headstart: RANK, replaces: Some("replaces"), held: None, most: None }),
        by: Some("by"),
    };
    let claim = Claim { asked, arrived: Some(ARRIVED) };
    let release = Release { token: "release_token", request: Some("release_request"), print: Some("release_print") };
    let mut all = vec![
        Contract::of(&Break {
            fence: Some("fence"),
            request,
            print,
            grace: Some(GRACE),
            by: Some("by"),
            reason: Some("reason"),
        }),
        Contract::of(&Cancel {
            id: "id",
            owner: "owner",
            channel: "channel",
            request,
            share: Some("share"),
            cause: "cause",
        }),
        Contract::of(&claim),
        Contract::of(&Confirm { field: "field", value: "value", given: true }),
        Contract::of(&Convert {
            token: "token",
            id: "id",
            new_token: "new_token",
            metadata: Some("metadata"),
            lease,
            share: Some("share"),
            request,
            print,
            by: Some("by"),
        }),
        Contract::of(&Expired {
            id: "id",
            owner: "owner",
            fence: "fence",
            created: Some(CREATED),
            ended: ENDED,
            latest: "latest",
            floor: Some("floor"),
            kind: "kind",
            by: Some("by"),
            reason: Some("reason"),
        }),
        Contract::of(&Extend {
            token: "token",
            new_token: "new_token",
            lease,
            metadata: Some("metadata"),
            request,
            print,
        }),
        Contract::of(&Handover { release, claim }),
        Contract::of(&Hold { id: "id", lease, request, print, commit: false }),
        Contract::of(&Inspect { token: Some("token") }),
        Contract::of(&Join { asked, share: Some("share"), again: true, arrived: Some(ARRIVED) }),
        Contract::of(&Limit { change: Some("change"), limit: Some(LIMIT) }),
        Contract::of(&Listen { keep: KEEP, age: Some(AGE) }),
        Contract::of(&ListenCluster {
            by: "by",
            masters: Some(&["masters".into()]),
            made: MADE,
            keep: KEEP,
            age: AGE,
            ended: Some("ended"),
        }),
        Contract::of(&ListenSlots { streams: &["streams".into()], keep: Some(KEEP), floor: Some(FLOOR) }),
        Contract::of(&PastBreak { token: "token" }),
        Contract::of(&Queue { most: MOST }),
        Contract::of(&Ready {}),
        Contract::of(&Release { token: "token", request, print }),
        Contract::of(&ReleaseLater { token: "token", new_token: "new_token", after: AFTER, request, print }),
        Contract::of(&Renew { lease, tokens: vec!["tokens"] }),
        Contract::of(&Settle {}),
        Contract::of(&SharedBreak(Break {
            fence: Some("fence"),
            request,
            print,
            grace: Some(GRACE),
            by: Some("by"),
            reason: Some("reason"),
        })),
        Contract::of(&SharedExtend {
            id: "id",
            secret: "secret",
            new_secret: Some("new_secret"),
            metadata: Some("metadata"),
            lease,
            request,
            print,
        }),
        Contract::of(&SharedInspect { id: Some("id"), secret: Some("secret"), most: MOST }),
        Contract::of(&SharedRelease {
            id: "id",
            secret: "secret",
            new_secret: Some("new_secret"),
            after: Some(AFTER),
            request,
            print,
        }),
        Contract::of(&TakeAll {
            ids: vec!["ids"],
            tokens: vec!["tokens"],
            owner: "owner",
            metadata: "metadata",
            lease,
            request,
            print,
            channel: "channel",
            by: Some("by"),
        }),
        Contract::of(&Try(asked)),
        Contract::of(&Wake {}),
    ];
    all.sort_by_key(|contract| contract.name);
    all
}

/// The lines of a header behind the line that begins so.
fn section<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let behind = text.lines().skip_while(|line| !line.starts_with(&format!("-- {title}"))).skip(1);
    behind.take_while(|line| line.starts_with("--   ")).collect()
}

/// The names that a script returns: each text in quotes between `return {` and the end of the first item.
fn replies_in_code(text: &str) -> BTreeSet<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let code = code.join("\n");
    let firsts = code.split("return {").skip(1).map(|rest| rest.split([',', '}']).next().unwrap_or_default());
    firsts.flat_map(|first| first.split('\'').skip(1).step_by(2)).map(String::from).collect()
}

#[test]
fn every_file_of_a_script_has_a_call_and_every_call_a_file() {
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("lua")).expect("the folder lua");
    let files = folder.map(|file| file.expect("a file").path()).filter(|path| path.is_file());
    let mut names: Vec<_> =
        files.map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, contracts().iter().map(|contract| contract.name).collect::<Vec<_>>());
    let lab = Lab::on(Redis::shared());
    let script = &lab.scripts.claim;
    assert_eq!(Redis::shared().cli(&["SCRIPT", "LOAD", &script.source]), *script.sha);
}

#[test]
fn the_arguments_in_each_header_are_those_of_the_call_in_their_order() {
    for Contract { name, arguments, touches } in contracts() {
        let text = text(name);
        let listed = section(&text, "Arguments").into_iter().filter_map(|line| line[5..].split(' ').next());
        let listed: Vec<_> = listed.filter(|word| !word.is_empty() && *word != "none").collect();
        assert_eq!(listed, arguments, "{name}");
        // What `lua/lib/run.lua` calls its own.
        for taken in ["lock", "part", "behind", "fine", "reply", "note", "index", "count", "replied", "done", "at"] {
            assert!(!listed.contains(&taken), "{name} has an argument with the name {taken}");
        }
        let line = text.lines().find_map(|line| line.strip_prefix("-- Touches  ")).unwrap_or_else(|| panic!("{name}"));
        let listed: Vec<_> = line.split(' ').filter(|word| *word != "nothing").collect();
        assert_eq!(listed, touches, "{name}");
    }
}

#[test]
fn the_replies_in_each_header_are_those_in_its_code() {
    for Contract { name, .. } in contracts() {
        let (text, lab) = (text(name), Lab::on(Redis::shared()));
        let whole = match name {
            "try" => &lab.scripts.try_acquire.source,
            "claim" => &lab.scripts.claim.source,
            "join" => &lab.scripts.join.source,
            "release" => &lab.scripts.release.source,
            // What the claim replies stands behind the reply to the release.
            "handover" => &lab.scripts.release.source,
            _ => text.as_str(),
        };
        let (listed, mut given) = (replies_in_header(&text), replies_in_code(whole));
        // Only a request that has waited can be superseded.
        if name == "try" {
            given.remove("superseded");
        }
        assert_eq!(listed, given, "{name}");
        assert!(!listed.is_empty(), "{name}");
    }
}

#[test]
fn each_header_has_the_flags_a_purpose_and_the_parts_that_it_must() {
    for Contract { name, .. } in contracts() {
        let text = text(name);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0] == "#!lua" || lines[0].starts_with("#!lua flags="), "{name}: {}", lines[0]);
        assert!(lines[1].starts_with("-- ") && lines[1].contains(['.', ',']), "{name}: {}", lines[1]);
        for part in ["-- KEYS  ", "-- Touches  ", "-- Arguments", "-- Replies", "--- decide"] {
            assert!(lines.iter().any(|line| line.starts_with(part)), "{name} has no {part}");
        }
    }
}

#[test]
fn a_call_with_too_few_or_too_many_arguments_is_an_error_and_changes_nothing() {
    let lab = Lab::on(Redis::shared());
    let (source, lock) = (&lab.scripts.try_acquire.source, lab.key("lock"));
    for arguments in [&[][..], &["a", "b"]] {
        let call = [&["EVAL", source, "1", &lock], arguments].concat();
        let reply = lab.redis.cli(&call);
        assert!(reply.starts_with("ERR "), "{reply}");
    }
    assert!(lab.keys().is_empty());
}

#[test]
fn a_user_without_the_right_to_a_key_shows_that_the_lab_would_notice() {
    let lab = Lab::on(Redis::shared());
    lab.try_run(&Inspect { token: None });
    let stolen =
        ["--user", &lab.user, "--pass", "none", "EVAL", "return redis.call('GET', ARGV[1])", "1", &lab.key("lock")];
    let reply = lab.redis.cli(&[&stolen[..], &[&lab.key("fence")]].concat());
    assert!(reply.contains("NOPERM") || reply.contains("can't access"), "{reply}");
}
