//! `gorilla config check` and `gorilla config show`: where settings come from, and what is said when they are wrong.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::documents::documents;

/// What a `gorilla` said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs `gorilla config …` with an environment of its own.
fn config(args: &[&str], environment: &[(&str, &str)]) -> Said {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_gorilla"))
        .arg("config")
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("gorilla runs");
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    Said { code: status.code(), out, err }
}

/// A TOML file in a folder of its own.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gorilla.toml");
    fs::write(&path, text).expect("a file");
    (folder, path)
}

/// Asserts that the settings are refused with a line that says all of `says`.
#[track_caller]
fn refused(said: &Said, says: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(78), ""), "{}", said.err);
    let line = said.err.lines().find(|line| says.iter().all(|part| line.contains(part)));
    assert!(line.is_some(), "no line says {says:?}: {}", said.err);
}

/// The line that shows a setting.
#[track_caller]
fn shown(said: &Said, name: &str) -> String {
    assert_eq!(said.code, Some(0), "{}", said.err);
    let line = said.out.lines().find(|line| line.starts_with(&format!("{name} = ")));
    line.unwrap_or_else(|| panic!("{name} is not shown: {}", said.out)).to_string()
}

#[test]
fn the_defaults_are_valid() {
    let said = config(&["check"], &[]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "The settings are valid.\n", ""));
}

#[test]
fn what_show_prints_is_a_file_with_the_same_settings() {
    let defaults = config(&["show"], &[]);
    assert!(shown(&defaults, "listen").ends_with("# default"), "{}", defaults.out);
    let (_folder, path) = file(&defaults.out);
    let path = path.display().to_string();
    let again = config(&["show", "--config", &path], &[]);
    assert_eq!(again.out, defaults.out.replace("# default", &format!("# {path}")));
    assert_eq!(config(&["check", "--config", &path], &[]).code, Some(0));
}

#[test]
fn a_flag_overrides_the_environment_which_overrides_the_file_which_overrides_the_default() {
    let (_folder, path) =
        file("[server]\nlisten = \"127.0.0.1:1\"\nbody_timeout = \"1s\"\n[limits]\nmax_in_flight = 7\n");
    let path = path.display().to_string();
    let environment = [("GORILLA__SERVER__LISTEN", "127.0.0.1:2"), ("GORILLA__LIMITS__MAX_IN_FLIGHT", "8")];
    let from_file = config(&["show", "--config", &path], &[]);
    assert_eq!(shown(&from_file, "listen"), format!("listen = \"127.0.0.1:1\"  # {path}"));
    assert_eq!(shown(&from_file, "max_in_flight"), format!("max_in_flight = 7  # {path}"));
    assert_eq!(shown(&from_file, "header_timeout"), "header_timeout = \"30s\"  # default");

    let from_environment = config(&["show", "--config", &path], &environment);
    let variable = "environment variable GORILLA__SERVER__LISTEN";
    assert_eq!(shown(&from_environment, "listen"), format!("listen = \"127.0.0.1:2\"  # {variable}"));
    assert_eq!(shown(&from_environment, "body_timeout"), format!("body_timeout = \"1s\"  # {path}"));
    assert!(shown(&from_environment, "max_in_flight").contains('8'));

    let flags = ["show", "--config", &path, "--listen", "127.0.0.1:3", "--redis-url", "redis://elsewhere:1"];
    let from_flags = config(&flags, &environment);
    assert_eq!(shown(&from_flags, "listen"), "listen = \"127.0.0.1:3\"  # flag --listen");
    assert_eq!(shown(&from_flags, "url"), "url = \"redis://elsewhere:1\"  # flag --redis-url");
}

#[test]
fn a_list_is_one_in_a_file_and_text_with_commas_in_the_environment() {
    assert_eq!(shown(&config(&["show"], &[]), "allowed_hosts"), "allowed_hosts = []  # default");
    let (_folder, path) = file("[server]\nallowed_hosts = [\"locks.example.com\", \"10.0.0.5\"]\n");
    let path = path.display().to_string();
    let from_file = config(&["show", "--config", &path], &[]);
    let list = "allowed_hosts = [\"locks.example.com\", \"10.0.0.5\"]";
    assert_eq!(shown(&from_file, "allowed_hosts"), format!("{list}  # {path}"));
    let variable = ("GORILLA__SERVER__ALLOWED_HOSTS", "locks.example.com, 10.0.0.5");
    let from_environment = config(&["show", "--config", &path], &[variable]);
    assert_eq!(shown(&from_environment, "allowed_hosts"), format!("{list}  # environment variable {}", variable.0));
    let (_folder, again) = file(&from_environment.out);
    let again = again.display().to_string();
    assert_eq!(shown(&config(&["show", "--config", &again], &[]), "allowed_hosts"), format!("{list}  # {again}"));
    // And nothing else may be one.
    let (_folder, path) = file("[redis]\nkey_prefix = [\"a\"]\n");
    refused(
        &config(&["check", "--config", &path.display().to_string()], &[]),
        &["redis.key_prefix", "must be 1 to 64"],
    );
    for wrong in ["[[\"a\"]]", "[{ a = 1 }]", "[\"a\", \"http://b\"]"] {
        let (_folder, path) = file(&format!("[server]\nallowed_hosts = {wrong}\n"));
        let said = config(&["check", "--config", &path.display().to_string()], &[]);
        refused(&said, &["server.allowed_hosts", "must be a list of names or IP addresses"]);
    }
}

#[test]
fn an_empty_environment_variable_counts_as_not_set() {
    let said = config(&["show"], &[("GORILLA__SERVER__LISTEN", ""), ("GORILLA__LOG__LEVEL", "")]);
    assert_eq!(shown(&said, "listen"), "listen = \"127.0.0.1:4000\"  # default");
}

#[test]
fn every_problem_is_said_at_once_with_its_source() {
    let (_folder, path) = file(
        "[server]\nlisten = \"nowhere\"\nlistn = \"127.0.0.1:1\"\nbody_timeout = \"soon\"\n\
         [redis]\ncommand_timeout = \"0s\"\n[log]\nformat = \"xml\"\n",
    );
    let path = path.display().to_string();
    let environment = [
        ("GORILLA__LIMITS__MAX_TIMEOUT", "forever"),
        ("GORILLA__LOG__REQUESTS", "maybe"),
        ("GORILLA__REDIS__KEY_PREFX", "x"),
    ];
    for command in ["check", "show"] {
        let said = config(&[command, "--config", &path, "--redis-url", "http://redis"], &environment);
        let from_file = format!("(from {path})");
        for says in [
            ["server.listen", "\"nowhere\"", "must be HOST:PORT", &from_file],
            ["server.listn", "is not a setting", "did you mean server.listen?", &from_file],
            ["server.body_timeout", "\"soon\"", "must be a duration such as", &from_file],
            ["redis.command_timeout", "must not be zero", "", &from_file],
            ["log.format", "\"xml\"", "must be auto, pretty or json", &from_file],
            [
                "limits.max_timeout",
                "\"forever\"",
                "duration",
                "(from environment variable GORILLA__LIMITS__MAX_TIMEOUT)",
            ],
            ["log.requests", "\"maybe\"", "true or false", "(from environment variable GORILLA__LOG__REQUESTS)"],
            [
                "redis.key_prefx",
                "did you mean redis.key_prefix?",
                "",
                "(from environment variable GORILLA__REDIS__KEY_PREFX)",
            ],
            ["redis.url", "must begin with one of redis,", "", "(from flag --redis-url)"],
        ] {
            refused(&said, &says);
        }
        // The heading, and a line for each.
        assert_eq!(said.err.lines().count(), 10, "{}", said.err);
    }
}

#[test]
fn every_kind_of_value_says_what_would_be_right() {
    for (variable, value, says) in [
        ("GORILLA__SERVER__LISTEN", "4000", "HOST:PORT"),
        ("GORILLA__SERVER__LISTEN", "example.com:4000", "IP address"),
        ("GORILLA__SERVER__LISTEN", "127.0.0.1:65536", "HOST:PORT"),
        ("GORILLA__SERVER__ALLOWED_HOSTS", "locks.example.com:4000", "without a port"),
        ("GORILLA__SERVER__ALLOWED_HOSTS", "http://locks.example.com", "names or IP addresses"),
        ("GORILLA__SERVER__ALLOWED_HOSTS", "*.example.com", "names or IP addresses"),
        ("GORILLA__SERVER__ALLOWED_HOSTS", "*", "names or IP addresses"),
        ("GORILLA__SERVER__MAX_CONNECTIONS", "0", "a whole number from 1"),
        ("GORILLA__SERVER__MAX_CONNECTIONS", "1.5", "a whole number from 1"),
        ("GORILLA__SERVER__HEADER_TIMEOUT", "30", "10s"),
        ("GORILLA__SERVER__HEADER_TIMEOUT", "0s", "must not be zero"),
        ("GORILLA__SERVER__HEADER_TIMEOUT", "-1s", "10s"),
        ("GORILLA__LIMITS__MAX_TIMEOUT", "99ms", "at least 100ms"),
        ("GORILLA__LIMITS__MAX_IN_FLIGHT", "many", "a whole number from 1"),
        ("GORILLA__IDEMPOTENCY__WINDOW", "0ms", "must not be zero"),
        ("GORILLA__REDIS__FAILOVER_GRACE", "60", "10s"),
        ("GORILLA__REDIS__FAILOVER_GRACE", "23h", "limits.max_timeout, which is 1day"),
        ("GORILLA__REDIS__MIN_REPLICAS_ACK", "-1", "a whole number from 0"),
        ("GORILLA__REDIS__MIN_REPLICAS_ACK", "one", "a whole number from 0"),
        ("GORILLA__REDIS__KEY_PREFIX", "a{b", "1 to 64 letters"),
        ("GORILLA__REDIS__KEY_PREFIX", "é", "1 to 64 letters"),
        ("GORILLA__REDIS__URL", "localhost:6379", "redis"),
        ("GORILLA__REDIS__URL", "redis-sentinel://host:26379", "sentinelServiceName"),
        ("GORILLA__LOG__LEVEL", "a=b=c", "error, warn, info, debug"),
        ("GORILLA__LOG__REQUESTS", "1", "true or false"),
        ("GORILLA__SERVER", "5", "is a section, not a setting"),
        ("GORILLA__SEVER__LISTEN", "127.0.0.1:1", "did you mean server.listen?"),
    ] {
        refused(&config(&["check"], &[(variable, value)]), &[says, &format!("(from environment variable {variable})")]);
    }
}

#[test]
fn every_documented_form_of_a_redis_url_is_valid() {
    for url in [
        "redis://127.0.0.1:6379",
        "redis://:password@host:6379/3",
        "redis://user:password@host",
        "rediss://host:6380",
        "redis+unix:///run/redis.sock",
        "redis-sentinel://host:26379?sentinelServiceName=main&node=other:26379",
        "redis-cluster://host:7000?node=other:7001",
        "valkey://host",
        "valkeys://host",
        "valkey+unix:///run/valkey.sock",
        "valkey-cluster://host:7000",
        "valkey-sentinel://host:26379?sentinelServiceName=main",
    ] {
        assert_eq!(config(&["check", "--redis-url", url], &[]).code, Some(0), "{url}");
    }
}

#[test]
fn the_drain_delay_must_be_shorter_than_the_drain_timeout() {
    for (delay, timeout) in [("10s", "10s"), ("11s", "10s")] {
        let environment = [("GORILLA__SERVER__DRAIN_DELAY", delay), ("GORILLA__SERVER__DRAIN_TIMEOUT", timeout)];
        refused(
            &config(&["check"], &environment),
            &["server.drain_delay", "must be shorter than server.drain_timeout", "GORILLA__SERVER__DRAIN_DELAY"],
        );
    }
    let environment = [("GORILLA__SERVER__DRAIN_DELAY", "0s"), ("GORILLA__SERVER__DRAIN_TIMEOUT", "1ms")];
    assert_eq!(config(&["check"], &environment).code, Some(0));
}

#[test]
fn the_failover_grace_is_off_or_at_least_the_longest_lease() {
    assert_eq!(shown(&config(&["show"], &[]), "failover_grace"), "failover_grace = \"0s\"  # default");
    let with = |grace, longest| {
        config(&["check"], &[("GORILLA__REDIS__FAILOVER_GRACE", grace), ("GORILLA__LIMITS__MAX_TIMEOUT", longest)])
    };
    for (grace, longest) in [("1ms", "24h"), ("59999ms", "60s")] {
        let says =
            ["redis.failover_grace", "leases that long may be lost", "lower limits.max_timeout or raise the grace"];
        refused(&with(grace, longest), &says);
    }
    for (grace, longest) in [("0s", "24h"), ("60s", "60s"), ("24h", "24h")] {
        assert_eq!(with(grace, longest).code, Some(0), "{grace} {longest}");
    }
}

#[test]
fn a_password_is_shown_nowhere() {
    const SECRET: &str = "hunter2";
    for (url, masked) in [
        ("redis://user:hunter2@host:6379/3", "redis://user:***@host:6379/3"),
        ("rediss://:hunter2@host", "rediss://:***@host"),
        ("valkey-cluster://user:hunter2@a:1?node=b:2", "valkey-cluster://user:***@a:1?node=b:2"),
        (
            "redis-sentinel://user:hunter2@a:1?sentinelServiceName=main&sentinelPassword=hunter2",
            "redis-sentinel://user:***@a:1?sentinelServiceName=main&sentinelPassword=***",
        ),
    ] {
        let said = config(&["show"], &[("GORILLA__REDIS__URL", url)]);
        assert!(shown(&said, "url").starts_with(&format!("url = \"{masked}\"")), "{}", said.out);
        assert!(!said.out.contains(SECRET) && !said.err.contains(SECRET), "{}{}", said.out, said.err);
    }
    // Nor does the message about a wrong value show it.
    for url in [
        "hunter2@host",
        "redis//:hunter2@host",
        "http://user:hunter2@host",
        "redis://user:hunter2@host:port",
        "redis-sentinel://user:hunter2@host",
        "redis://user:hunter2@[host",
    ] {
        let said = config(&["check"], &[("GORILLA__REDIS__URL", url)]);
        refused(&said, &["redis.url", "GORILLA__REDIS__URL"]);
        assert!(!said.err.contains(SECRET), "{}", said.err);
    }
}

#[test]
fn a_file_that_is_no_toml_is_named_with_the_place_and_without_the_secrets_there() {
    let (_folder, path) = file("[server]\nlisten = \"127.0.0.1:1\"\n[redis]\nurl = \"redis://:hunter2@host\" oops\n");
    let path = path.display().to_string();
    let said = config(&["check", "--config", &path], &[]);
    refused(&said, &[&path]);
    assert!(said.err.contains("line 4"), "{}", said.err);
    assert!(!said.err.contains("hunter2"), "{}", said.err);
}

#[test]
fn a_file_that_is_missing_or_unreadable_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for path in [folder.path().join("nowhere.toml"), folder.path().to_path_buf()] {
        let path = path.display().to_string();
        refused(&config(&["check", "--config", &path], &[]), &[&path]);
        refused(&config(&["show", "--config", &path], &[]), &[&path]);
    }
}

#[test]
fn a_value_in_place_of_a_section_is_named() {
    let (_folder, path) = file("server = 5\n");
    let said = config(&["check", "--config", &path.display().to_string()], &[]);
    refused(&said, &["server", "is a section, not a setting"]);
}

#[test]
fn serve_refuses_wrong_settings_the_same_way() {
    let output = Command::new(env!("CARGO_BIN_EXE_gorilla"))
        .args(["serve", "--listen", "nowhere"])
        .output()
        .expect("gorilla runs");
    assert_eq!(output.status.code(), Some(78));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("server.listen") && err.contains("(from flag --listen)"), "{err}");
}

#[test]
fn no_document_puts_a_password_on_a_command_line_and_the_help_says_where_it_belongs() {
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        for url in text.split("--redis-url").skip(1).filter_map(|rest| rest.trim_start().split([' ', '`', '\n']).next())
        {
            assert!(!url.contains('@'), "{} has --redis-url {url}", path.display());
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_gorilla")).args(["serve", "--help"]).output().expect("gorilla runs");
    let help = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("password") && help.contains("GORILLA__REDIS__URL"), "{help}");
}
