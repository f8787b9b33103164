//! The slots of a cluster.

use std::sync::LazyLock;

use redis_protocol::redis_keyslot;

const SLOTS: usize = 16_384;

/// The number for each slot.
static TAGS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut tags = vec![None; SLOTS];
    let mut missing = SLOTS;
    for number in 0.. {
        let tag = &mut tags[usize::from(redis_keyslot(number.to_string().as_bytes()))];
        if tag.is_none() {
            *tag = Some(number);
            missing -= 1;
        }
        if missing == 0 {
            break;
        }
    }
    tags.into_iter().flatten().collect()
});

/// All slots.
pub fn all_slots() -> impl Iterator<Item = u16> {
    0..SLOTS as u16
}

/// The slot of a key.
pub fn slot_of(key: &str) -> u16 {
    redis_keyslot(key.as_bytes())
}

/// The smallest number that lies in a slot, when it stands in the braces of a key.
pub fn tag_of(slot: u16) -> u32 {
    TAGS[usize::from(slot)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_a_number_and_it_is_the_smallest() {
        let mut seen = std::collections::HashSet::new();
        let largest = all_slots().map(tag_of).max().unwrap_or_default();
        for number in 0..=largest {
            let slot = slot_of(&format!("gorilla:{{{number}}}:incarnation"));
            if seen.insert(slot) {
                assert_eq!(tag_of(slot), number);
            }
        }
        assert_eq!(seen.len(), SLOTS);
    }
}
