//! Rides on a network with a registry: it goes, lies and stays away; keys change on both sides; and the
//! platform keeps to what it can be sure of.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::watch;
use tripline_tests::bap::{self, Answer, Bap, Entry, order_said_anew};
use tripline_tests::registry::{Behavior, Lie, Outcome};
use tripline_tests::world::{BAP_ID, BPP_ID, PATIENCE, Plan, Subscribers, TestDatabase, World};

/// Between two looks at what nobody tells of.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

async fn wait_until<F: Future<Output = Result<bool>>>(
    what: &str,
    longest: Duration,
    is_so: impl Fn() -> F,
) -> Result<()> {
    let until = tokio::time::Instant::now() + longest;
    while !is_so().await? {
        ensure!(tokio::time::Instant::now() < until, "waited in vain for {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Begins an order that nobody goes on with: what matters is whether the request is taken.
async fn ask(bap: &Bap) -> Result<Answer> {
    bap.request("init", order_said_anew("auto", "37.4248,-122.0764", "37.4249,-122.0778")).await
}

/// Waits until what the registry said of the rider's platform is written down for the next start.
async fn wait_until_kept(world: &World) -> Result<()> {
    wait_until("the rider's platform to be written down", PATIENCE, || async {
        let listed = world.bpp_command(&["subscriber", "list"]).await?;
        Ok(listed.iter().any(|one| one["subscriber_id"] == BAP_ID))
    })
    .await
}

async fn a_ride_with_a_registry(plan: Plan) -> Result<()> {
    let mut world = World::start(plan).await?;
    ensure!(world.registry().lookups_of(BPP_ID) > 0, "it did not look itself up");
    let booking = world.start_ride().await?;
    ensure!(world.registry().lookups_of(BAP_ID) > 0, "whom does it believe?");
    wait_until_kept(&world).await?;

    world.registry().stop().await;
    world.kill_bpp().await?;
    world.start_bpp().await?;
    world.bap.status(&booking.order_id).await?;
    world.finish_ride().await?;
    world.check_told(&booking).await?;
    world.registry().start_again().await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_ride_goes_on_through_a_restart_while_the_registry_is_down() -> Result<()> {
    a_ride_with_a_registry(Plan::with_registry()).await
}

#[tokio::test]
async fn a_ride_with_a_registry_on_postgresql() -> Result<()> {
    let Some(database) = TestDatabase::create().await? else { return Ok(()) };
    a_ride_with_a_registry(Plan { store_url: Some(database.url), ..Plan::with_registry() }).await
}

/// Nobody can say who they are: refused, as a stranger or for the time being.
fn refused(answer: &Answer) -> bool {
    !answer.ack && matches!(answer.http_status, 401 | 503)
}

#[tokio::test]
async fn while_the_registry_cannot_be_asked_those_known_go_on_and_strangers_wait() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    world.book().await?;
    let registry = world.registry().clone();
    for (n, trouble) in ["down", "silent", "broken"].into_iter().enumerate() {
        let newcomer = world.add_bap(&format!("newcomer-{n}.tripline.test")).await?;
        match trouble {
            "down" => registry.stop().await,
            "silent" => registry.set_behavior(Behavior::Silent),
            _ => registry.set_behavior(Behavior::Error500),
        }
        for _ in 0..5 {
            let known = ask(&world.bap).await?;
            ensure!(known.ack, "{trouble}: somebody known is refused: {known:?}");
            let unknown = ask(&newcomer).await?;
            let put_off = !unknown.ack && unknown.http_status == 503;
            ensure!(put_off, "{trouble}: a stranger is not put off: {unknown:?}");
        }
        registry.set_behavior(Behavior::Honest);
        registry.start_again().await?;
        wait_until("the newcomer to be taken", PATIENCE, || async {
            Ok(ask(&newcomer).await?.ack)
        })
        .await?;
    }
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_registry_that_is_slow_and_in_time_shuts_nobody_out() -> Result<()> {
    // Longer than the slowness, on a machine with much to do.
    let keys = "timeout_ms = 10000\ncache_s = 1".into();
    let mut world =
        World::start(Plan { subscribers: Subscribers::Registry { keys }, ..Plan::default() })
            .await?;
    world.registry().set_behavior(Behavior::Slow(700));
    world.kill_bpp().await?;
    world.start_bpp().await?;
    let newcomer = world.add_bap("newcomer.tripline.test").await?;
    let (known, unknown) = tokio::join!(ask(&world.bap), ask(&newcomer));
    ensure!(unknown?.ack, "a stranger is refused");
    ensure!(known?.ack, "somebody known is refused");
    let rotated = world.bpp_command(&["key", "rotate", "--unique-key-id", "k2"]).await?;
    ensure!(rotated[0]["next"] == "k2", "{rotated:?}");
    let outcome = world.registry().wait_for_subscription("k2", PATIENCE).await?;
    ensure!(outcome == Outcome::Subscribed, "{outcome:?}");
    let booking = world.start_ride().await?;
    world.finish_ride().await?;
    world.check_told(&booking).await?;
    world.check_no_errors()?;
    world.stop().await
}

#[tokio::test]
async fn a_registry_that_lies_lets_nobody_in_and_nobody_known_out() -> Result<()> {
    // What is known holds for longer than the test, so that no lie is asked for of those known.
    let subscribers = Subscribers::Registry { keys: "timeout_ms = 1000".into() };
    let plan = Plan { subscribers, ..Plan::default() };
    let mut world = World::start(plan).await?;
    world.book().await?;
    let registry = world.registry().clone();
    for (n, lie) in Lie::ALL.into_iter().enumerate() {
        let newcomer = world.add_bap(&format!("newcomer-{n}.tripline.test")).await?;
        registry.set_behavior(Behavior::Lying(lie));
        let unknown = ask(&newcomer).await?;
        ensure!(!unknown.ack, "{lie:?}: a stranger is taken: {unknown:?}");
        let known = ask(&world.bap).await?;
        ensure!(known.ack, "{lie:?}: somebody known is refused: {known:?}");
        registry.set_behavior(Behavior::Honest);
    }
    ensure!(registry.redirects_followed() == 0, "a redirect was followed");
    let told = world.wait_until_all_is_told().await?;
    ensure!(told.requests > 0);
    world.stop().await
}

#[tokio::test]
async fn who_has_left_the_network_is_refused() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    let leaver = world.add_bap("leaver.tripline.test").await?;
    ensure!(ask(&leaver).await?.ack);
    let left = |entry: &mut Value| entry["status"] = json!("UNSUBSCRIBED");
    world.registry().change(leaver.subscriber_id(), left);
    wait_until("the leaver to be refused", PATIENCE, || async {
        let answer = ask(&leaver).await?;
        ensure!(answer.ack || refused(&answer), "{answer:?}");
        Ok(!answer.ack)
    })
    .await?;
    ensure!(ask(&world.bap).await?.ack);
    world.stop().await
}

#[tokio::test]
async fn a_platform_registered_at_another_address_does_not_start() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    let elsewhere = "http://127.0.0.1:9/elsewhere";
    world.registry().change(BPP_ID, |entry| entry["subscriber_url"] = json!(elsewhere));
    world.kill_bpp().await?;
    let (code, error) = world.fail_to_start_bpp().await?;
    ensure!(code == 8, "exit code {code}: {error}");
    let ours = world.beckn_uri();
    ensure!(error.contains(elsewhere) && error.contains(&ours), "{error}");
    world.registry().change(BPP_ID, |entry| entry["subscriber_url"] = json!(ours));
    world.start_bpp().await?;
    world.stop().await
}

#[tokio::test]
async fn a_platform_that_is_not_registered_takes_and_tells_nothing_until_it_is() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    world.bap.set_behavior(bap::Behavior::Error500);
    let asked = ask(&world.bap).await?;
    ensure!(asked.ack);
    let entries = world.registry().entries_of(BPP_ID);
    world.registry().remove(BPP_ID);
    world.kill_bpp().await?;
    world.bap.set_behavior(bap::Behavior::Ack);
    let told = world.bap.ledger().len();
    world.start_bpp().await?;
    for _ in 0..5 {
        let answer = ask(&world.bap).await?;
        ensure!(answer.http_status == 503 && !answer.ack, "{answer:?}");
        ensure!(answer.body.pointer("/message/ack/status") == Some(&json!("NACK")), "{answer:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    ensure!(world.metric("tripline_network_served").await? < 0.5);
    ensure!(world.bap.ledger().len() == told, "it tells what nobody may take from it");

    for entry in entries {
        world.registry().enter(entry);
    }
    world.kill_bpp().await?;
    world.start_bpp().await?;
    ensure!(ask(&world.bap).await?.ack);
    world
        .bap
        .wait_for("what was kept meanwhile", PATIENCE, |accepted| {
            accepted.iter().find(|entry| entry.message_id == asked.message_id).map(drop)
        })
        .await?;
    world.stop().await
}

/// Asks for an order's status again and again, each time until it is told, until it is to stop. An error is
/// a request or a callback lost.
async fn keep_asking(bap: Bap, order_id: String, stop: watch::Receiver<bool>) -> Result<usize> {
    let mut asked = 0;
    while !*stop.borrow() {
        bap.status(&order_id).await.with_context(|| format!("after {asked}"))?;
        asked += 1;
    }
    Ok(asked)
}

/// The rider's platform shows its next key, then signs with it, then withdraws the one before.
async fn rotate_bap(world: &World) -> Result<()> {
    let registry = world.registry();
    let next = world.announce_key(&world.bap, "rider-2")?;
    let before = registry.lookups_of(BAP_ID);
    wait_until("the next key to be looked up", PATIENCE, || async {
        Ok(registry.lookups_of(BAP_ID) > before)
    })
    .await?;
    world.bap.rotate_key("rider-2", next);
    wait_for_answers(&world.bap, 5).await?;
    registry.remove_key(BAP_ID, "rider");
    let before = registry.lookups_of(BAP_ID);
    wait_until("the old key to be forgotten", PATIENCE, || async {
        Ok(registry.lookups_of(BAP_ID) > before)
    })
    .await?;
    wait_for_answers(&world.bap, 5).await
}

async fn wait_for_answers(bap: &Bap, more: usize) -> Result<()> {
    let wanted = bap.accepted().len() + more;
    let enough = |accepted: &[_]| (accepted.len() >= wanted).then_some(());
    bap.wait_for("further answers", PATIENCE, enough).await
}

/// Waits until a callback comes that is signed with a key of ours.
async fn wait_for_signature(bap: &Bap, unique_key_id: &str, accepted: bool) -> Result<()> {
    let since = bap.ledger().len();
    let by_key = |all: &[Entry]| {
        let later = all.iter().skip(since).filter(|entry| entry.signature_valid == accepted);
        let mut signers = later.filter_map(|entry| entry.signed.as_ref());
        signers
            .any(|signed| signed.key_id.unique_key_id.as_deref() == Some(unique_key_id))
            .then_some(())
    };
    bap.wait_for_arrival(&format!("a signature of {unique_key_id}"), 2 * PATIENCE, by_key).await
}

/// Our platform makes a key, the registry takes it up, signing switches, and those who knew it late were
/// told with the key before.
async fn rotate_bpp(world: &World) -> Result<()> {
    let rotated = world.bpp_command(&["key", "rotate", "--unique-key-id", "k2"]).await?;
    ensure!(rotated[0]["next"] == "k2" && rotated[0]["signing"] == "k1", "{rotated:?}");
    let outcome = world.registry().wait_for_subscription("k2", PATIENCE).await?;
    ensure!(outcome == Outcome::Subscribed, "{outcome:?}");
    let entries = world.registry().entries_of(BPP_ID);
    let keys: BTreeSet<_> = entries.iter().filter_map(|e| e["unique_key_id"].as_str()).collect();
    ensure!(keys == BTreeSet::from(["k1", "k2"]), "{keys:?}");

    // It switches by itself. The rider's platform does not know the key yet, and refuses what it signs.
    wait_for_signature(&world.bap, "k2", false).await?;
    wait_for_answers(&world.bap, 5).await?;
    let k2 = rotated[0]["signing_public_key"].as_str().context("a key")?.parse()?;
    world.bap.trust_key("k2", k2);
    wait_for_signature(&world.bap, "k2", true).await?;
    world.bpp_command(&["key", "rotate", "--retire"]).await?;
    world.bap.distrust_key("k1");
    world.registry().remove_key(BPP_ID, "k1");
    wait_for_answers(&world.bap, 5).await?;
    let shown = world.bpp_command(&["key", "show"]).await?;
    ensure!(shown.len() == 1 && shown[0]["unique_key_id"] == "k2", "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn keys_change_on_both_sides_in_mid_traffic_and_nothing_is_lost() -> Result<()> {
    let mut world = World::start(Plan::with_registry()).await?;
    let booking = world.start_ride().await?;
    let (stop, stopping) = watch::channel(false);
    let traffic = keep_asking(world.bap.clone(), booking.order_id.clone(), stopping);
    let traffic = tokio::spawn(traffic);
    let rotated = async {
        rotate_bap(&world).await.context("the rider's platform")?;
        rotate_bpp(&world).await.context("our platform")
    };
    let rotated = rotated.await;
    stop.send_replace(true);
    let asked = traffic.await?.context("the traffic")?;
    rotated?;
    ensure!(asked >= 20, "{asked} requests are no traffic");

    world.finish_ride().await?;
    world.wait_for_final_fare(&booking).await?;
    world.wait_until_all_is_told().await?;
    let faults = world.bap.faults_of_attempts();
    ensure!(faults.is_empty(), "{faults:#?}");
    world.kill_bpp().await?;
    world.start_bpp().await?;
    world.bap.status(&booking.order_id).await?;
    world.check_no_errors()?;
    world.stop().await
}
