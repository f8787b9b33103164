//! What the checker says of batches.

use gorilla_faults::{
    check::{Property, Violation, check},
    history::{Batch, End, Event, Grant, History, Item, ItemResult, Kind, SECOND},
};

fn item(resource: &str, kind: Kind, token: u64, keeps: bool) -> Item {
    Item { resource: resource.into(), kind, fence: 7, token, keeps }
}

fn grant(fence: u64, token: u64) -> End {
    End::Done(Grant { fence, token, ttl: SECOND, part: None })
}

const RELEASED: End = End::Done(Grant { fence: 0, token: 0, ttl: 0, part: None });

/// A batch that is answered at second 2, with the ends of items by their indices.
fn batch(items: Vec<Item>, ends: &[(u64, End)], counts: [u64; 3]) -> Batch {
    let result = |(index, end): &(u64, End)| {
        let resource = items.get(*index as usize).filter(|_| *end != RELEASED).map(|item| item.resource.clone());
        ItemResult { index: *index, end: *end, unknown: *end == End::Unknown, resource }
    };
    let results = ends.iter().map(result).collect();
    Batch { asked: SECOND, answered: 2 * SECOND, brief: false, items, counts, results }
}

fn brief(batch: Batch) -> Batch {
    Batch { brief: true, ..batch }
}

fn broken(batch: Batch) -> Vec<Property> {
    with(batch, vec![])
}

fn with(batch: Batch, mut events: Vec<Event>) -> Vec<Property> {
    events.push(Event::Batch(batch));
    let violations = check(&History { events });
    violations.iter().for_each(|violation| println!("{violation}"));
    violations.iter().map(Violation::property).collect()
}

/// An extend that keeps its token, an extend that doesn't, a release, and one more release.
fn four() -> Vec<Item> {
    let extends = [item("a", Kind::Extend, 1, true), item("b", Kind::Extend, 2, false)];
    [extends, [item("c", Kind::Release, 3, false), item("d", Kind::Release, 4, false)]].concat()
}

const ALL: [(u64, End); 4] = [
    (0, End::Done(Grant { fence: 7, token: 1, ttl: SECOND, part: None })),
    (1, End::Done(Grant { fence: 7, token: 9, ttl: SECOND, part: None })),
    (2, RELEASED),
    (3, End::Refused),
];

#[test]
fn a_batch_that_tells_of_each_item_is_fine() {
    assert_eq!(broken(batch(four(), &ALL, [3, 1, 0])), []);
    let brief = |ends: &[(u64, End)], counts| broken(brief(batch(four(), ends, counts)));
    assert_eq!(brief(&[(3, End::Refused)], [3, 1, 0]), []);
    assert_eq!(brief(&[], [4, 0, 0]), []);
    assert_eq!(brief(&[(0, End::Unknown), (2, End::NotExecuted)], [2, 1, 1]), []);
}

#[test]
fn results_that_are_missing_or_out_of_order_or_counted_wrongly_are_found() {
    assert_eq!(broken(batch(four(), &ALL[..3], [3, 0, 0])), [Property::Batches], "one is untold");
    let swapped = [ALL[0], ALL[1], ALL[3], ALL[2]];
    assert_eq!(broken(batch(four(), &swapped, [3, 1, 0])), [Property::Batches]);
    for counts in [[4, 0, 0], [3, 0, 1], [2, 1, 1]] {
        assert_eq!(broken(batch(four(), &ALL, counts)), [Property::Batches], "{counts:?}");
    }
    let brief = |ends: &[(u64, End)], counts| broken(brief(batch(four(), ends, counts)));
    assert_eq!(brief(&ALL, [3, 1, 0]), [Property::Batches], "it tells of successes");
    assert_eq!(brief(&[(3, End::Refused), (2, End::Refused)], [2, 2, 0]), [Property::Batches]);
    assert_eq!(brief(&[(4, End::Refused)], [3, 1, 0]), [Property::Batches], "there is no such item");
}

#[test]
fn the_result_of_another_item_is_found() {
    for (index, end) in [
        // Another grant, another token though the token was to stay, the same token though it was to be replaced.
        (0, grant(8, 1)),
        (0, grant(7, 9)),
        (1, grant(7, 2)),
        (2, grant(7, 3)),
        (0, RELEASED),
    ] {
        let mut ends = ALL;
        ends[index].1 = end;
        assert_eq!(broken(batch(four(), &ends, [3, 1, 0])), [Property::Batches], "{index} {end:?}");
    }
    let mut about_another = batch(four(), &ALL, [3, 1, 0]);
    about_another.results[3].resource = Some("c".into());
    assert_eq!(broken(about_another), [Property::Batches]);
}

#[test]
fn items_with_one_token_that_are_not_done_in_their_order_are_found() {
    let two = |first, second, ends: [End; 2]| {
        let done = ends.iter().filter(|end| matches!(end, End::Done(_))).count() as u64;
        broken(batch(vec![first, second], &[(0, ends[0]), (1, ends[1])], [done, 2 - done, 0]))
    };
    let (release, keep, replace) =
        (item("a", Kind::Release, 1, false), item("a", Kind::Extend, 1, true), item("a", Kind::Extend, 1, false));
    assert_eq!(two(keep.clone(), release.clone(), [grant(7, 1), RELEASED]), []);
    assert_eq!(two(release.clone(), keep.clone(), [RELEASED, End::Refused]), []);
    assert_eq!(two(release.clone(), keep.clone(), [RELEASED, grant(7, 1)]), [Property::Batches]);
    assert_eq!(two(replace.clone(), release.clone(), [grant(7, 2), End::Refused]), []);
    assert_eq!(two(replace, release.clone(), [grant(7, 2), RELEASED]), [Property::Batches]);
    assert_eq!(two(keep.clone(), release.clone(), [End::NotExecuted, RELEASED]), []);
    assert_eq!(two(keep, release.clone(), [End::Refused, RELEASED]), [Property::Batches]);
    // Those of another lock are independent.
    assert_eq!(two(item("b", Kind::Release, 2, false), release, [End::Refused, RELEASED]), []);
}

#[test]
fn a_release_that_redis_did_not_make_is_found() {
    let stood = |fence, until| {
        let (resource, owner) = ("c".to_string(), String::new());
        let told = gorilla_faults::history::Acquire {
            resource: resource.clone(),
            answered: Some(1),
            grant: Some(Grant { fence, token: 3, ttl: SECOND, part: None }),
            known: true,
            ..Default::default()
        };
        vec![Event::Stood { resource, fence, owner, from: SECOND, until }, Event::Acquire(told)]
    };
    let answered = || batch(four(), &ALL, [3, 1, 0]);
    assert_eq!(with(answered(), stood(7, 2 * SECOND)), []);
    assert_eq!(with(answered(), stood(7, 2 * SECOND + 1)), [Property::Batches]);
    assert_eq!(with(answered(), stood(8, 3 * SECOND)), [], "that is another grant");
    // A brief answer says so by leaving it out.
    let left_out = brief(batch(four(), &[], [4, 0, 0]));
    assert_eq!(with(left_out, stood(7, 2 * SECOND + 1)), [Property::Batches]);
}
