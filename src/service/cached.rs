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

    /// Asks questions one after another. Each answer that is made has the next number.
    async fn ask(cached: &Cached<u8, u32>, questions: &[u8]) -> Vec<u32> {
        let made = AtomicU32::new(0);
        let mut answers = Vec::new();
        for question in questions {
            let answer = cached.or(*question, async { Ok::<_, Infallible>(made.fetch_add(1, Relaxed)) });
            answers.extend(answer.await);
        }
        answers
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_each_question_until_it_is_old() {
        let lasting = Cached::new(Duration::from_secs(3600));
        assert_eq!(ask(&lasting, &[1, 1, 2, 1]).await, [0, 0, 1, 0]);
        let questions: Vec<_> = (0..=MOST as u8).collect();
        ask(&lasting, &questions).await;
        assert_eq!(lasting.last.lock().await.len(), MOST);
        assert_eq!(ask(&Cached::new(Duration::ZERO), &[1, 1]).await, [0, 1]);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let cached = Cached::new(Duration::from_secs(60));
        assert_eq!(cached.or((), async { Err::<u8, _>("away") }).await, Err("away"));
        assert_eq!(cached.or((), async { Ok::<_, &str>(1) }).await, Ok(1));
    }
}
