//! The certificate: the loosest threshold whose error is surely below the target (Learn then Test, Angelopoulos and others,
//! 2021; Geifman and El-Yaniv, 2017; Clopper and Pearson, 1934).
//!
//! Thresholds are tried from strict to loose, each by the exact binomial bound at the full level, up to the first that fails:
//! the family of all of them is then right with that level too (fixed sequence). Which thresholds there are follows from the
//! confidences alone, never from the answers.

use crate::args::Goal;

/// Steps from the strictest threshold to the loosest.
const STEPS: usize = 20;

/// A threshold that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The confidence.
    pub threshold: f64,
    /// Answered images with this confidence or more.
    pub answered: u32,
    /// Wrong ones among them.
    pub wrong: u32,
    /// Upper bound of their error.
    pub upper: f64,
    /// The bound is at most the target, here and at every stricter threshold.
    pub certified: bool,
}

/// The thresholds that were tried, from strict to loose. `answers` are confidence and whether it was right.
#[must_use]
pub fn certify(answers: &[(f32, bool)], goal: Goal) -> Vec<Tried> {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n = sorted.len();
    // With fewer, not even answers without an error certify anything; with so many, one error does not end it.
    let first = if allowed(n as u32, goal) > Some(0) { with_one_error(goal) } else { least(goal) } as usize;
    let mut tried: Vec<Tried> = Vec::new();
    for step in 0..=STEPS {
        if first > n {
            break;
        }
        let wanted = first + (n - first) * step / STEPS;
        let threshold = sorted[wanted - 1].0;
        if tried.last().is_some_and(|last| last.threshold == f64::from(threshold)) {
            continue;
        }
        // All of one confidence are on one side.
        let above = sorted.iter().take_while(|(confidence, _)| *confidence >= threshold);
        let (mut answered, mut wrong) = (0, 0);
        above.for_each(|(_, right)| {
            answered += 1;
            wrong += u32::from(!right);
        });
        let upper = upper_bound(answered, wrong, goal.level);
        let certified = upper <= goal.target;
        tried.push(Tried { threshold: f64::from(threshold), answered, wrong, upper, certified });
        if !certified {
            break;
        }
    }
    tried
}

/// Answers without an error that certify the target: the fewest of all.
#[must_use]
pub fn least(goal: Goal) -> u32 {
    ((1.0 - goal.level).ln() / (1.0 - goal.target).ln()).ceil() as u32
}

/// Answers of which one may be wrong.
fn with_one_error(goal: Goal) -> u32 {
    let mut n = least(goal);
    while upper_bound(n, 1, goal.level) > goal.target {
        n += 1;
    }
    n
}

/// Wrong answers among `n` that still certify the target; none where not even none does.
#[must_use]
pub fn allowed(n: u32, goal: Goal) -> Option<u32> {
    // The bound grows with them; those of the target itself do not.
    let (mut none, mut some) = ((goal.target * f64::from(n)).ceil() as u32 + 1, 0);
    if upper_bound(n, 0, goal.level) > goal.target {
        return None;
    }
    while none - some > 1 {
        let middle = u32::midpoint(none, some);
        if upper_bound(n, middle, goal.level) <= goal.target { some = middle } else { none = middle }
    }
    Some(some)
}

/// The fewest answers, about, that certify the target four times in five where a share `expect` of them is wrong; none below
/// 20,000.
#[must_use]
pub fn enough(goal: Goal, expect: f64) -> Option<u32> {
    let holds = |n: u32| allowed(n, goal).is_some_and(|wrong| below(n, wrong, expect) >= 0.8);
    // One more answer may make it less likely, as long as no more errors are allowed: the steps are small.
    let mut n = least(goal);
    while n <= 20_000 && expect < goal.target {
        if holds(n) {
            return Some(n);
        }
        n += (n / 100).max(1);
    }
    None
}

/// The upper end of the one-sided exact interval (Clopper and Pearson) of a share of which `wrong` in `n` were seen.
#[must_use]
pub fn upper_bound(n: u32, wrong: u32, level: f64) -> f64 {
    if wrong >= n {
        return 1.0;
    }
    // The share at which so few or fewer are seen with probability 1 - level.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(n, wrong, middle) > 1.0 - level { low = middle } else { high = middle }
    }
    high
}

/// Probability that at most `most` of `n` are wrong, each with probability `share`.
fn below(n: u32, most: u32, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return f64::from(u8::from(most >= n));
    }
    let (yes, no) = (share.ln(), (-share).ln_1p());
    let (mut choose, mut sum) = (0.0_f64, 0.0);
    for count in 0..=most.min(n) {
        if count > 0 {
            choose += f64::from(n - count + 1).ln() - f64::from(count).ln();
        }
        sum += (choose + f64::from(count) * yes + f64::from(n - count) * no).exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use deepmcat_stage::random::{Purpose, generator};
    use rand::RngExt;

    use super::*;

    const GOAL: Goal = Goal { target: 0.05, level: 0.95 };

    #[test]
    fn bounds_are_those_of_scipy() {
        // scipy.stats.beta.ppf(level, wrong + 1, n - wrong)
        let cases = [
            (59, 0, 0.95, 0.049_507_61),
            (150, 1, 0.95, 0.031_233_82),
            (150, 4, 0.95, 0.059_981_04),
            (1000, 13, 0.99, 0.024_004_76),
            (20, 20, 0.95, 1.0),
            (1, 0, 0.9, 0.9),
        ];
        for (n, wrong, level, expected) in cases {
            let found = upper_bound(n, wrong, level);
            assert!((found - expected).abs() < 1e-7, "{n} {wrong}: {found} {expected}");
        }
    }

    #[test]
    fn what_a_target_takes() {
        let least_of = |target| least(Goal { target, level: 0.95 });
        assert_eq!([0.05, 0.02, 0.01].map(least_of), [59, 149, 299]);
        assert_eq!((allowed(59, GOAL), allowed(58, GOAL), allowed(93, GOAL)), (Some(0), None, Some(1)));
        let n = enough(GOAL, 0.01).unwrap_or_default();
        assert!((93..300).contains(&n) && enough(GOAL, 0.06).is_none(), "{n}");
    }

    #[test]
    fn it_ends_at_the_first_threshold_that_fails() {
        // All right above .9, a third wrong below.
        let answers: Vec<(f32, bool)> =
            (0..300).map(|place| (1.0 - place as f32 / 1000.0, place < 200 || place % 3 > 0)).collect();
        let tried = certify(&answers, GOAL);
        assert!(tried.len() > 3 && tried[0].certified && tried[0].answered == 93, "{tried:?}");
        let (last, others) = tried.split_last().unwrap_or((&tried[0], &[]));
        assert!(!last.certified && others.iter().all(|one| one.certified), "{tried:?}");
        assert!(others.last().is_some_and(|one| (0.78..0.82).contains(&one.threshold)), "{tried:?}");
        assert!(certify(&answers[..50], GOAL).is_empty(), "too few for any");
    }

    /// In a thousand archives whose error grows as the confidence falls, the certified threshold has more errors than the
    /// target in at most one of twenty.
    #[test]
    fn certificates_hold() {
        let error_at = |confidence: f64| 0.4 * (1.0 - confidence).powi(2);
        // The mean error from 1 down to a confidence is a third of the error there.
        let (mut broken, mut given) = (0, 0);
        for audit in 0..1000 {
            let mut random = generator(audit, 0, 0, Purpose::Audit);
            let answers: Vec<(f32, bool)> = (0..400)
                .map(|_| {
                    let confidence: f64 = random.random_range(0.0..1.0);
                    (confidence as f32, !random.random_bool(error_at(confidence)))
                })
                .collect();
            if let Some(last) = certify(&answers, GOAL).iter().rfind(|tried| tried.certified) {
                given += 1;
                broken += u32::from(error_at(last.threshold) / 3.0 > GOAL.target);
            }
        }
        assert!(broken <= 50 && given > 300, "{broken} of {given}");
    }
}
