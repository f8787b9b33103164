//! Looks at all clients again and again, and ends the connections of those that let it wait for too long. With timers
//! of its own a request would take a twentieth more instructions.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{net::tcp::OwnedWriteHalf, task::yield_now, time::sleep};

use super::client::Client;

/// How many looks there are at least within the time-out of a head. The connection ends up to an eighth later.
const LOOKS: u32 = 8;
/// The longest time from a look to the next.
const LONGEST: Duration = Duration::from_secs(1);
/// After this long a request counts as one that is served for long.
const LONG: Duration = Duration::from_secs(5);
/// How many clients are looked at before requests have their turn again.
const AT_ONCE: usize = 64;

/// The clients of a replica.
#[derive(Default)]
pub struct Patrol {
    looks: Arc<AtomicU32>,
    clients: Mutex<Vec<Weak<Client>>>,
}

impl Patrol {
    /// Begins to look, and ends a connection on which no head of a request has arrived for `header_timeout`.
    pub fn begin(header_timeout: Duration) -> Arc<Self> {
        let patrol = Arc::<Self>::default();
        let pause = (header_timeout / LOOKS).min(LONGEST);
        let looks = |time: Duration| time.as_nanos().div_ceil(pause.as_nanos().max(1)).try_into().unwrap_or(u32::MAX);
        let (idle, long) = (looks(header_timeout), looks(LONG));
        let looking = Arc::downgrade(&patrol);
        tokio::spawn(async move {
            loop {
                sleep(pause).await;
                let Some(patrol) = looking.upgrade() else { return };
                patrol.look(idle, long).await;
            }
        });
        patrol
    }

    /// Looks at a client from now on.
    pub fn watch(&self, output: OwnedWriteHalf) -> Arc<Client> {
        let client = Arc::new(Client::new(output, &self.looks));
        self.clients().push(Arc::downgrade(&client));
        client
    }

    async fn look(&self, idle: u32, long: u32) {
        self.looks.fetch_add(1, Relaxed);
        let mut clients = mem::take(&mut *self.clients());
        for some in clients.chunks(AT_ONCE) {
            some.iter().filter_map(Weak::upgrade).for_each(|client| client.look(idle, long));
            yield_now().await;
        }
        clients.retain(|client| client.strong_count() > 0);
        let mut newer = self.clients();
        clients.append(&mut newer);
        *newer = clients;
    }

    fn clients(&self) -> MutexGuard<'_, Vec<Weak<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
