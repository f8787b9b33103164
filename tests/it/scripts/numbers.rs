//! Libraries of `lua/lib/` at edges that no reply of a script shows.

use gorilla_scripts::Script;

use super::{CONSTANTS, raw};
use crate::harness::Redis;

#[test]
fn whole_numbers_are_written_digit_for_digit() {
    /// Where a second half begins.
    const HALF: u64 = 10_000_000;
    const MOST: u64 = 1 << 53;
    let mut rng = fastrand::Rng::with_seed(1);
    // Where one half ends and the other begins, from the smallest to the largest, and anywhere between.
    let halves = (0..300).map(|_| rng.u64(1..MOST / HALF)).chain([1, MOST / HALF]);
    let mut numbers = vec![0, 1, HALF - 1, 1_795_426_110_578, 1_795_426_110_578_153, MOST - 1, MOST];
    numbers.extend(halves.flat_map(|high| [high * HALF, high * HALF + 1, (high + 1) * HALF - 1]));
    numbers.extend((0..300).map(|_| rng.u64(..=MOST)));
    numbers.retain(|number| *number <= MOST);

    let script = Script::new(
        "#!lua\n-- Arguments\n--   numbers\n--- include number\n--- decide\n\
         for index, number in ipairs(req.numbers) do req.numbers[index] = whole(number) end\nreturn req.numbers",
        &CONSTANTS,
    );
    // One request, whose only argument is the list.
    let mut packed = vec![1];
    rmp_serde::encode::write(&mut packed, &numbers).expect("numbers can be packed");
    let texts = raw::eval(Redis::shared().port, None, &script.source, &[], 1, &packed);
    let numbers: Vec<_> = numbers.iter().map(u64::to_string).collect();
    assert_eq!(texts.lines().collect::<Vec<_>>(), numbers);
}
