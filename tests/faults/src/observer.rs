//! An observer that may look into Redis. It sees which requests wait since when, which grants stand, what Redis counts of a
//! group, and whether somebody waits for a lock that it could have.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    history::{Event, Moment, SECOND},
    world::World,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(15);
/// Of what happened between two looks that are further apart nothing is known.
const BLINK: Moment = SECOND / 5;
/// A request that waits for nothing for a shorter time isn't noted.
const SHORT: Moment = SECOND / 20;

/// What is seen of a resource, in one step. Each line of the reply is a word and its values.
const LOOK: &str = include_str!("look.lua");

/// Looks at all resources in the node at a port, until the world is over. A node that can't be asked is asked again.
pub async fn observe(world: Arc<World>, port: u16) {
    let mut seen = Seen {
        world: &world,
        places: HashMap::new(),
        grants: HashMap::new(),
        counts: HashMap::new(),
        idle: HashMap::new(),
    };
    while !world.is_over() {
        // The observer does not wait for a node that hangs: the run may have killed that node and started it anew.
        let _ = timeout(Duration::from_secs(2), seen.look(port)).await;
        sleep(Duration::from_millis(100)).await;
    }
    for ((resource, fence), (owner, from, until)) in seen.grants {
        world.note(Event::Stood { resource, fence, owner, from, until });
    }
    for ((resource, owner), (arrived, from, until)) in seen.places {
        world.note(Event::Place { resource, owner, arrived, from, until });
    }
    for (resource, (owner, missed, from, until)) in seen.idle {
        world.note(Event::Idle { resource, owner, missed, from, until });
    }
}

/// What the observer of a node has seen.
struct Seen<'a> {
    world: &'a World,
    /// By resource and owner: when the place arrived, by Redis's clock, and when it was seen first and last.
    places: HashMap<(String, String), (u64, Moment, Moment)>,
    /// By resource and fence: the owner of the grant, and when it was seen first and last.
    grants: HashMap<(String, u64), (String, Moment, Moment)>,
    /// By resource: the last counts.
    counts: HashMap<String, [u64; 4]>,
    /// By resource: whose request is first and waits for nothing, whether a script must have seen it, since when, and when
    /// that was seen last.
    idle: HashMap<String, (String, bool, Moment, Moment)>,
}

impl Seen<'_> {
    async fn look(&mut self, port: u16) -> io::Result<()> {
        let mut node = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
        loop {
            for resource in &self.world.resources {
                let key = |what| format!("gorilla:{{{resource}}}:{what}");
                let keys = ["lock", "holders", "queue", "queue:turn"].map(key);
                let words = ["EVAL", LOOK, "4"].into_iter().chain(keys.iter().map(String::as_str));
                let command = words.map(|word| format!("${}\r\n{word}\r\n", word.len())).collect::<String>();
                let asked = self.world.now();
                node.get_mut().write_all(format!("*7\r\n{command}").as_bytes()).await?;
                let lines = list(&mut node).await?;
                self.note(resource, &lines, asked, self.world.now());
            }
            if self.world.is_over() {
                return Ok(());
            }
            sleep(PERIOD).await;
        }
    }

    fn note(&mut self, resource: &str, lines: &[String], asked: Moment, answered: Moment) {
        let mut idle = None;
        for line in lines {
            let (what, values) = line.split_once(' ').unwrap_or((line, ""));
            let numbers = || values.split(' ').map(|value| value.parse::<f64>().map_or(0, |value| value as u64));
            match what {
                "place" => self.place(resource, values, asked, answered),
                "grant" => {
                    let owner = values.split_once(' ').map_or("", |(_, owner)| owner);
                    let key = (resource.into(), numbers().next().unwrap_or_default());
                    self.grants.entry(key).or_insert_with(|| (owner.into(), answered, asked)).2 = asked;
                }
                "counts" => {
                    let mut counts = [0; 4];
                    counts.iter_mut().zip(numbers()).for_each(|(count, number)| *count = number);
                    if self.counts.insert(resource.into(), counts) != Some(counts) {
                        let (resource, at, [used, held, reserved, called]) = (resource.into(), asked, counts);
                        self.world.note(Event::Counts { resource, at, used, held, reserved, called });
                    }
                }
                "idle" | "missed" => idle = Some((values.to_string(), what == "missed")),
                _ => {}
            }
        }
        let before = self.idle.remove(resource);
        if let Some((owner, missed)) = idle {
            let is_same = |(of, was_missed, _, seen): &&(String, bool, Moment, Moment)| {
                *of == owner && *was_missed == missed && answered < seen + BLINK
            };
            let from = before.as_ref().filter(is_same).map_or(answered, |(_, _, from, _)| *from);
            self.idle.insert(resource.into(), (owner, missed, from, asked.max(from)));
        }
        if let Some((owner, missed, from, until)) = before
            && self.idle.get(resource).is_none_or(|(_, _, since, _)| *since != from)
            && SHORT < until - from
        {
            self.world.note(Event::Idle { resource: resource.into(), owner, missed, from, until });
        }
    }

    /// Keeps when a place arrived and whose it is, and when it was seen.
    fn place(&mut self, resource: &str, values: &str, asked: Moment, answered: Moment) {
        // A place is the id of the attempt, the channel of its replica, and the owner.
        let mut values = values.split(' ');
        let arrived = values.next().and_then(|arrived| arrived.parse::<f64>().ok());
        let (Some(arrived), Some(owner)) = (arrived, values.nth(2)) else { return };
        self.places.entry((resource.into(), owner.into())).or_insert((arrived as u64, answered, asked)).2 = asked;
    }
}

/// Reads a list of strings. An error of Redis counts as an empty list: the node doesn't have the key, or doesn't serve
/// now.
async fn list(node: &mut BufReader<TcpStream>) -> io::Result<Vec<String>> {
    let Some(count) = line(node).await?.strip_prefix('*').and_then(|count| count.parse::<usize>().ok()) else {
        return Ok(Vec::new());
    };
    let mut items = Vec::new();
    for _ in 0..count {
        let length = line(node).await?.strip_prefix('$').and_then(|length| length.parse::<usize>().ok());
        let mut item = vec![0; length.ok_or(io::ErrorKind::InvalidData)? + 2];
        node.read_exact(&mut item).await?;
        items.push(String::from_utf8_lossy(&item[..item.len() - 2]).into_owned());
    }
    Ok(items)
}

async fn line(node: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    match node.read_line(&mut line).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().into()),
    }
}
