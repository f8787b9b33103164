//! The locks that the agent holds.

use gorilla_client::{Error, Guard, GuardSet, Lost};
use serde_json::{Value, json};

use crate::{
    errors::{Failed, reason},
    out,
};

/// A lock, or several of one acquire.
pub enum Hold {
    One(Box<Guard>),
    Set(GuardSet),
}

impl Hold {
    pub fn guards(&self) -> Vec<&Guard> {
        match self {
            Self::One(guard) => vec![&**guard],
            Self::Set(set) => set.guards().iter().collect(),
        }
    }

    pub fn is_held(&self) -> bool {
        self.guards().iter().all(|guard| guard.is_held())
    }

    /// The milliseconds until the first of the leases may end.
    fn left_ms(&self) -> u64 {
        let ends = self.guards().iter().map(|guard| guard.lease().borrow().ends).min();
        ends.map_or(0, |ends| ends.left().as_millis() as u64)
    }

    /// What the command `acquire` answers.
    pub fn facts(&self) -> Value {
        let left = self.left_ms();
        match self {
            Self::One(guard) => {
                json!({ "fence": guard.fence().to_string(), "floor": guard.floor().to_string(), "leftMs": left })
            }
            Self::Set(set) => {
                let fences: Vec<_> = set.guards().iter().map(|guard| guard.fence().to_string()).collect();
                json!({ "fences": fences, "leftMs": left })
            }
        }
    }

    pub fn check(&self) -> Result<Value, Failed> {
        let held = self.is_held();
        let ok = || json!({ "held": held, "leftMs": self.left_ms() });
        match self {
            Self::One(guard) => guard.check().map(|()| ok()).map_err(|error| Failed::from(error).held(held)),
            Self::Set(set) => {
                let checked: Result<(), Error> = set.guards().iter().try_for_each(Guard::check);
                checked.map(|()| ok()).map_err(|error| Failed::from(error).held(held))
            }
        }
    }

    pub async fn release(self) -> Result<(), Error> {
        match self {
            Self::One(guard) => guard.release().await,
            Self::Set(set) => set.release().await,
        }
    }

    /// Says what happens to the lock from now on.
    pub fn report(&self, name: &str) {
        for guard in self.guards() {
            let (lock, mut lease) = (name.to_string(), guard.lease());
            tokio::task::spawn_local(async move {
                // Ends with the keeper of the guard.
                while lease.changed().await.is_ok() {
                    if !lease.borrow_and_update().is_breaking {
                        out::event("renewed", &lock, json!({}));
                    }
                }
            });
        }
        let lost: Vec<_> = self.guards().iter().map(|guard| guard.lost()).collect();
        let lock = name.to_string();
        tokio::task::spawn_local(async move {
            out::event("lost", &lock, json!({ "reason": reason(&first(lost).await) }));
        });
    }
}

/// The first loss of several locks.
async fn first(lost: Vec<impl Future<Output = Lost> + 'static>) -> Lost {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    for lost in lost {
        let sender = sender.clone();
        tokio::task::spawn_local(async move { sender.send(lost.await).await });
    }
    match receiver.recv().await {
        Some(lost) => lost,
        None => std::future::pending().await,
    }
}
