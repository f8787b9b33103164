//! Redis loses a part of what it keeps of a shared lock, as it may where it is allowed to evict keys.

use super::*;
use crate::harness::name;

#[tokio::test]
async fn whatever_key_of_a_group_is_lost_each_request_is_answered_and_the_lock_is_free_in_the_end() {
    let (redis, replicas) = replicas(1).await;
    let api = &replicas[0].api;
    for lost in ["lock", "holders", "queue", "queue:turn", "limit"] {
        let resource = name("evicted");
        let [first, second] =
            [held(api, &resource, "first", Of(1, 2)).await, held(api, &resource, "second", Of(1, 2)).await];
        let waiter = waits(&redis, api, &resource, "waiter", Of(2, 2)).await;
        redis.cli(&["DEL", &format!("gorilla:{{{resource}}}:{lost}")]);
        let mut answers = vec![ask(api, &resource, "third", Of(1, 2), 30.0).await];
        answers.push(api.extend(&resource, token(&first), 40).await);
        answers.push(convert(api, &resource, &second, Alone).await);
        answers.push(api.get(&lock_path(&resource)).await);
        answers.push(api.release(&resource, token(&second)).await);
        for answer in answers {
            assert_ne!(answer.status, 500, "without {lost}: {answer:?}");
            if answer.status == 200
                && let Some(token) = answer.json()["token"].as_str()
            {
                api.release(&resource, token).await;
            }
        }
        let lock = granted(waiter).await;
        released(api, &resource, &lock).await;
        assert_eq!(keys(&redis, &resource), Vec::<String>::new(), "without {lost}");
    }
}
