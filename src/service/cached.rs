//! Answers that hold for a moment, so that many who ask cost as much as one.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// How many answers are kept.
const MOST: usize = 8;

/// The answers to the last questions. Only one is made at a time.
pub struct Cached<Question, Answer> {
    holds: Duration,
    last: Mutex<Vec<(Question, Instant, Answer)>>,
}

impl<Question: PartialEq, Answer: Clone> Cached<Question, Answer> {
    /// Keeps answers that hold for so long.
    pub fn new(holds: Duration) -> Self {
        Self { holds, last: Mutex::new(Vec::new()) }
    }

    /// The answer of a moment ago, or a new one.
    pub async fn or<Error>(
        &self,
        question: Question,
        answer: impl Future<Output = Result<Answer, Error>>,
    ) -> Result<Answer, Error> {
        let mut last = self.last.lock().await;
        last.retain(|(_, at, _)| at.elapsed() < self.holds);
        if let Some((.., answer)) = last.iter().find(|(asked, ..)| *asked == question) {
            return Ok(answer.clone());
        }
        let answer = answer.await?;
        if last.len() >= MOST {
            last.remove(0);
        }
        last.push((question, Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicU32, Ordering::Relaxed},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_made_once_until_it_is_old_and_for_each_question() {
        let cached = Cached::new(Duration::from_secs(2));
        let made = AtomicU32::new(0);
        let ask = async |question: u8| {
            let answer = cached.or(question, async { Ok::<_, Infallible>(made.fetch_add(1, Relaxed)) }).await;
            match answer {
                Ok(answer) => answer,
            }
        };
        assert_eq!((ask(1).await, ask(1).await, ask(2).await, ask(1).await), (0, 0, 1, 0));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!((ask(1).await, ask(1).await), (2, 2));
        for question in 0..=MOST as u8 {
            ask(question).await;
        }
        assert_eq!(cached.last.lock().await.len(), MOST);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cached = Cached::new(Duration::from_secs(60));
        assert_eq!(cached.or((), async { Err::<u8, _>("away") }).await, Err("away"));
        assert_eq!(cached.or((), async { Ok::<_, &str>(1) }).await, Ok(1));
    }
}
