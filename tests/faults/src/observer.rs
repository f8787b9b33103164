//! An observer that may look into Redis, and sees which requests wait since when.

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{history::Event, world::World};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(15);

/// Looks at the queues of all resources in the node at a port, until the world is over. A node that can't be asked is
/// asked again.
pub async fn observe(world: Arc<World>, port: u16) {
    let mut seen = HashSet::new();
    while !world.is_over() {
        // The observer does not wait for a node that hangs: the run may have killed that node and started it anew.
        let _ = timeout(Duration::from_secs(2), look(&world, port, &mut seen)).await;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn look(world: &World, port: u16, seen: &mut HashSet<String>) -> io::Result<()> {
    let mut node = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    loop {
        for resource in &world.resources {
            let key = format!("gorilla:{{{resource}}}:queue");
            let command = format!(
                "*5\r\n$6\r\nZRANGE\r\n${}\r\n{key}\r\n$1\r\n0\r\n$2\r\n-1\r\n$10\r\nWITHSCORES\r\n",
                key.len()
            );
            node.get_mut().write_all(command.as_bytes()).await?;
            for pair in list(&mut node).await?.chunks_exact(2) {
                // A place is the id of the attempt, the channel of its replica, and the owner.
                let (Some(owner), Ok(arrived)) = (pair[0].split(' ').nth(2), pair[1].parse::<f64>()) else { continue };
                if seen.insert(pair[0].clone()) {
                    let (resource, owner, arrived) = (resource.clone(), owner.into(), arrived as u64);
                    world.note(Event::Place { resource, owner, arrived });
                }
            }
        }
        if world.is_over() {
            return Ok(());
        }
        sleep(PERIOD).await;
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
