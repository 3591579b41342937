use super::*;
use crate::network::subscriber::{Role, Subscriber};
use proptest::prelude::*;
use tripline_protocol::signing::SecretKey;

const CACHE_MS: i64 = 300_000;
const OUTAGE_MS: i64 = 86_400_000;
const RULES: Rules = Rules { cache_ms: CACHE_MS, outage_ms: OUTAGE_MS };
const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

fn key(id: &str) -> Key {
    Key { id: id.into(), role: Role::Bap }
}

/// One entry whose key tells it from others.
fn entries(seed: u8) -> Entries {
    let entry = Subscriber {
        id: "bap.example".into(),
        url: "https://bap.example".into(),
        role: Role::Bap,
        domain: None,
        key: SecretKey::from_seed(&[seed; 32]).public(),
        unique_key_id: None,
        status: None,
        valid_from: None,
        valid_until: None,
    };
    Entries::from([entry])
}

fn nobody() -> Entries {
    Entries::default()
}

fn empty() -> Cache {
    Cache::new(RULES, "bpp.example".into())
}

/// A cache that was told of a subscriber at [`NOW`].
fn told(answer: Entries) -> (Cache, Key) {
    let (mut cache, key) = (empty(), key("bap.example"));
    assert_eq!(cache.next(&key, Look::Cached, NOW), Next::Ask);
    cache.answered(&key, answer, NOW, NOW);
    (cache, key)
}

fn failed() -> Next {
    Next::Failed("down".into())
}

#[test]
fn an_answer_is_given_then_given_while_it_is_asked_for_and_then_asked_for() {
    let given = entries(1);
    for (age_ms, next) in [
        (-5_000, Next::Use(given.clone())),
        (0, Next::Use(given.clone())),
        (CACHE_MS - 1, Next::Use(given.clone())),
        (CACHE_MS, Next::UseAndAsk(given.clone())),
        (2 * CACHE_MS - 1, Next::UseAndAsk(given.clone())),
        (2 * CACHE_MS, Next::Ask),
        (OUTAGE_MS, Next::Ask),
        (OUTAGE_MS + 1, Next::Ask),
        (-60_000, Next::Ask),
    ] {
        let (mut cache, key) = told(given.clone());
        assert_eq!(cache.next(&key, Look::Cached, NOW.plus_ms(age_ms)), next, "{age_ms}");
    }
}

#[test]
fn while_somebody_asks_others_wait_only_if_nothing_can_be_given() {
    let (mut cache, key) = told(entries(1));
    let (stale, old) = (NOW.plus_ms(CACHE_MS), NOW.plus_ms(2 * CACHE_MS));
    assert_eq!(cache.next(&key, Look::Cached, stale), Next::UseAndAsk(entries(1)));
    assert_eq!(cache.next(&key, Look::Cached, stale), Next::Use(entries(1)));
    assert_eq!(cache.next(&key, Look::Anew, stale), Next::Wait);
    assert_eq!(cache.next(&key, Look::Cached, old), Next::Wait);
    cache.answered(&key, entries(2), stale, stale);
    assert_eq!(cache.next(&key, Look::Cached, old), Next::UseAndAsk(entries(2)));
}

#[test]
fn an_outage_is_lived_through_up_to_its_limit_and_nobody_waits_for_each_attempt() {
    let (mut cache, key) = told(entries(1));
    let down_at = NOW.plus_ms(2 * CACHE_MS);
    assert_eq!(cache.next(&key, Look::Cached, down_at), Next::Ask);
    cache.failed(&key, "down".into(), down_at);
    assert_eq!(cache.held(&key, down_at), Some(entries(1)));
    assert_eq!(cache.outcome(&key), Err("down".into()));
    assert_eq!(cache.next(&key, Look::Cached, down_at.plus_ms(1)), Next::Use(entries(1)));
    let retried_at = down_at.plus_ms(RETRY_MS);
    assert_eq!(cache.next(&key, Look::Cached, retried_at), Next::UseAndAsk(entries(1)));
    cache.failed(&key, "down".into(), retried_at);
    let later = retried_at.plus_ms(FAILING_MS);
    assert_eq!(cache.next(&key, Look::Cached, later), Next::Ask, "it may be up by now");
    cache.failed(&key, "down".into(), later);
    let last = NOW.plus_ms(OUTAGE_MS);
    assert_eq!(cache.next(&key, Look::Cached, last), Next::Ask);
    cache.failed(&key, "down".into(), last);
    assert_eq!(cache.held(&key, last), Some(entries(1)));
    let over = last.plus_ms(1);
    assert_eq!(cache.held(&key, over), None, "fail closed");
    assert_eq!(cache.next(&key, Look::Cached, over), failed());
    assert_eq!(cache.next(&key, Look::Cached, over.plus_ms(RETRY_MS)), Next::Ask);
}

#[test]
fn who_is_gone_is_gone_at_once_and_asked_for_again_soon() {
    let (mut cache, key) = told(entries(1));
    let asked_at = NOW.plus_ms(CACHE_MS);
    assert!(matches!(cache.next(&key, Look::Cached, asked_at), Next::UseAndAsk(_)));
    cache.answered(&key, nobody(), asked_at, asked_at);
    assert_eq!(cache.next(&key, Look::Cached, asked_at), Next::Use(nobody()));
    assert_eq!(cache.next(&key, Look::Anew, asked_at), Next::Use(nobody()));
    assert_eq!(cache.next(&key, Look::Anew, asked_at.plus_ms(ANEW_MS_MIN)), Next::Ask);
    cache.failed(&key, "down".into(), asked_at.plus_ms(ANEW_MS_MIN));
    let over = asked_at.plus_ms(NEGATIVE_MS);
    assert_eq!(cache.next(&key, Look::Cached, over), Next::Ask, "what it was does not come back");
}

#[test]
fn what_does_not_fit_is_asked_for_anew_once_in_a_while() {
    let (mut cache, key) = told(entries(1));
    assert_eq!(cache.next(&key, Look::Anew, NOW), Next::Ask, "it may have changed since");
    cache.answered(&key, entries(2), NOW, NOW);
    for after_ms in [0, 1, ANEW_MS_MIN - 1] {
        let now = NOW.plus_ms(after_ms);
        assert_eq!(cache.next(&key, Look::Anew, now), Next::Use(entries(2)), "{after_ms}");
    }
    assert_eq!(cache.next(&key, Look::Anew, NOW.plus_ms(ANEW_MS_MIN)), Next::Ask);
    cache.failed(&key, "down".into(), NOW.plus_ms(2 * ANEW_MS_MIN));
    let now = NOW.plus_ms(2 * ANEW_MS_MIN + 1);
    assert_eq!(cache.next(&key, Look::Anew, now), Next::Use(entries(2)), "a pause after a failure");
}

#[test]
fn strangers_are_held_back_and_drive_out_nobody_who_is_known() {
    let (mut cache, known) = told(entries(1));
    let (mut asked, mut now) = (0, NOW);
    for stranger in 0..29_000_i64 {
        now = NOW.plus_ms(stranger * 10);
        let key = key(&format!("stranger-{stranger}.example"));
        let next = cache.next(&key, Look::Cached, now);
        if next == Next::Ask {
            asked += 1;
            cache.answered(&key, nobody(), now, now);
        } else {
            assert_eq!(next, Next::HeldBack);
        }
    }
    assert!((2_900..=2_950).contains(&asked), "ten a second and a burst: {asked}");
    assert_eq!(cache.slots.len(), UNKNOWN_MAX + 1);
    assert_eq!(cache.next(&known, Look::Cached, now), Next::Use(entries(1)));
    assert_eq!(cache.next(&known, Look::Anew, now), Next::Ask, "who is known is no stranger");
    let own = Key { id: "bpp.example".into(), role: Role::Bpp };
    assert_eq!(cache.next(&own, Look::Cached, now), Next::Ask, "nor are we");
    assert!(cache.take_unwritten().iter().all(|(key, ..)| *key == known));
}

#[test]
fn of_too_many_who_are_known_the_longest_not_fetched_is_forgotten() {
    let mut cache = empty();
    for n in 0..=KNOWN_MAX {
        let now = NOW.plus_ms(i64::try_from(n).expect("small") * 100);
        cache.take_up((key(&format!("{n}.example")), entries(1), now), now);
    }
    assert_eq!(cache.slots.len(), KNOWN_MAX);
    assert!(cache.held(&key("0.example"), NOW).is_none());
    assert!(cache.is_known(&key("1.example")));
}

#[test]
fn what_another_process_wrote_down_is_taken_up_if_it_is_newer() {
    let (mut cache, key) = told(entries(1));
    cache.take_up((key.clone(), entries(2), NOW), NOW);
    assert_eq!(cache.held(&key, NOW), Some(entries(1)), "not newer");
    let later = NOW.plus_ms(1);
    cache.take_up((key.clone(), entries(3), later), later);
    assert_eq!(cache.held(&key, later), Some(entries(3)));
    assert!(cache.take_unwritten().is_empty(), "it is written down");
    cache.begin(&key);
    cache.answered(&key, entries(4), NOW, later);
    assert_eq!(cache.held(&key, later), Some(entries(3)), "an answer to an older question");
    cache.take_up((key.clone(), nobody(), later.plus_ms(1)), later);
    assert_eq!(cache.held(&key, later), Some(nobody()), "gone is gone");
    let stranger = self::key("stranger.example");
    cache.take_up((stranger.clone(), nobody(), NOW), NOW);
    assert!(!cache.slots.contains_key(&stranger));
}

#[test]
fn a_clock_that_was_set_back_does_not_make_an_old_answer_the_newest() {
    let (mut cache, key) = told(entries(1));
    let now = NOW.plus_ms(-3_600_000);
    assert_eq!(cache.next(&key, Look::Cached, now), Next::Ask);
    cache.answered(&key, entries(2), now, now.plus_ms(10));
    assert_eq!(cache.next(&key, Look::Cached, now), Next::Use(entries(2)));
    cache.take_up((key.clone(), entries(1), NOW), now);
    assert_eq!(cache.held(&key, now), Some(entries(2)), "written down in the future");
}

#[test]
fn what_was_fetched_is_to_be_written_down_until_it_is() {
    let (mut cache, key) = told(entries(1));
    let fetched = cache.take_unwritten();
    assert_eq!(fetched, [(key.clone(), entries(1), NOW)]);
    assert!(cache.take_unwritten().is_empty());
    cache.not_written(fetched);
    cache.begin(&key);
    cache.answered(&key, nobody(), NOW.plus_ms(1), NOW.plus_ms(1));
    assert_eq!(cache.take_unwritten(), [(key.clone(), nobody(), NOW.plus_ms(1))], "who left");
    cache.begin(&key);
    cache.answered(&key, nobody(), NOW.plus_ms(2), NOW.plus_ms(2));
    assert!(cache.take_unwritten().is_empty(), "who is not known is not written down");
}

/// What may happen to a cache.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(i64),
    Look(Look),
    Answer(bool),
    Fail,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop_oneof![Just(1_000), Just(RETRY_MS), Just(CACHE_MS), 0..2 * OUTAGE_MS]
            .prop_map(Step::Pass),
        prop_oneof![Just(Look::Cached), Just(Look::Anew)].prop_map(Step::Look),
        any::<bool>().prop_map(Step::Answer),
        Just(Step::Fail),
    ]
}

proptest! {
    #[test]
    fn nothing_too_old_is_given_and_one_lookup_is_made_at_a_time(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let (mut cache, key, mut now) = (empty(), key("bap.example"), NOW);
        let (mut asked_at, mut failed_at) = (None, None::<Timestamp>);
        // What the registry last said, and when it was asked.
        let mut said: Option<(Entries, Timestamp)> = None;
        for step in steps {
            match step {
                Step::Pass(ms) => now = now.plus_ms(ms),
                Step::Look(look) => {
                    let next = cache.next(&key, look, now);
                    if let Next::Use(given) | Next::UseAndAsk(given) = &next {
                        let (expected, at) = said.clone().expect("it was said");
                        prop_assert_eq!(given, &expected);
                        let age_ms = now.since_ms(at);
                        prop_assert!(age_ms <= OUTAGE_MS, "{} ms old", age_ms);
                        prop_assert!(!given.is_empty() || age_ms < NEGATIVE_MS);
                        let failing = failed_at.is_some_and(|at| now.since_ms(at) < FAILING_MS);
                        prop_assert!(age_ms < 2 * CACHE_MS || failing, "revoked, and given");
                    }
                    if matches!(next, Next::Ask | Next::UseAndAsk(_)) {
                        prop_assert!(asked_at.is_none(), "two at once");
                        asked_at = Some(now);
                    }
                    prop_assert!(next != Next::Wait || asked_at.is_some(), "for nobody");
                }
                Step::Answer(known) => if let Some(at) = asked_at.take() {
                    let answer = if known { entries(1) } else { nobody() };
                    cache.answered(&key, answer.clone(), at, now);
                    (said, failed_at) = (Some((answer, at)), None);
                },
                Step::Fail => if asked_at.take().is_some() {
                    cache.failed(&key, "down".into(), now);
                    failed_at = Some(now);
                },
            }
        }
    }
}
