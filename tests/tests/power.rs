//! The power goes away again and again, at any moment, and once for a day the network: what the driver
//! was told is kept, what the backend has it has once, and a live position never waits.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::time::Instant;
use tripline_firmware_sim::chance::Chance;
use tripline_protocol::link::up::{Answer, EventBody};
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::{TripEvent, TripState, TripStep};
use tripline_tests::world::{CommittedEvidence, PATIENCE, Plan, TripAnswer, World};

/// Set to the seed of a run that failed, it is run again.
const SEED_VARIABLE: &str = "TRIPLINE_POWER_SEED";

/// How long the power comes and goes.
const LOOP_S: u64 = 50;

/// Most calls for help that an order keeps as cases: those beyond it have none of their own.
const CASES_MAX: usize = 10;

/// What the driver did, and whether the agent said that it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deed {
    verb: &'static str,
    confirmed: bool,
}

/// The driver, who writes everything down.
struct Driver {
    chance: Chance,
    ledger: Vec<Deed>,
    orders: Vec<String>,
}

impl Driver {
    /// One look at the panel, and the step that comes next, if any.
    async fn act(&mut self, world: &World) -> Result<()> {
        let seen = world.trip(&["show"]).await?;
        let pause = Duration::from_millis(self.below(60));
        tokio::time::sleep(pause).await;
        let Some(verb) = self.next(&seen).filter(|_| seen.code == 0) else { return Ok(()) };
        let answer = world.trip(&[verb]).await?;
        ensure!(answer.code != 9, "{verb} was refused: {}", answer.body);
        self.ledger.push(Deed { verb, confirmed: answer.code == 0 });
        Ok(())
    }

    fn next(&mut self, seen: &TripAnswer) -> Option<&'static str> {
        if seen.body["offer"].is_object() {
            return Some("accept");
        }
        let dice = self.below(100);
        match seen.state()? {
            "assigned" => Some(if dice < 50 { "depart" } else { "arrive" }),
            "en-route-to-pickup" => Some("arrive"),
            "at-pickup" => Some("start"),
            "started" | "paused" if dice < 4 => Some("sos"),
            "started" | "paused" if dice < 8 => Some("stop"),
            "started" => Some("pause"),
            "paused" => Some("resume"),
            "ended" => has_to_collect(seen).then_some("collected"),
            _ => None,
        }
    }

    fn below(&mut self, end: usize) -> u64 {
        self.chance.below(end) as u64
    }

    /// Books a ride if the last one is over. The rider needs the network for it.
    async fn get_a_ride(&mut self, world: &World) -> Result<()> {
        let seen = world.trip(&["show"]).await?;
        let idle = seen.body["offer"].is_null()
            && (seen.state().is_none() || seen.state() == Some("ended") && !has_to_collect(&seen));
        if idle {
            world.proxy.restore();
            // The platform frees the vehicle when it hears of the end.
            let heard = |answer: &TripAnswer| answer.body["backlog"]["events"] == 0;
            world.wait_for_trip("the end to be heard of", heard).await?;
            self.orders.push(world.book().await?.order_id);
            world.wait_for_offer().await?;
        }
        Ok(())
    }
}

fn has_to_collect(seen: &TripAnswer) -> bool {
    seen.body.pointer("/trip/collected_paise").is_none_or(Value::is_null)
}

/// What a driver did, as the event says it; `None` for what is not a driver's.
const fn verb(body: &EventBody) -> Option<&'static str> {
    Some(match body {
        EventBody::Answered { answer: Answer::Accept, .. } => "accept",
        EventBody::Answered { answer: Answer::Reject { .. }, .. } => "reject",
        EventBody::Sos { .. } => "sos",
        EventBody::Trip { step: TripStep::Collected { .. }, .. } => "collected",
        EventBody::Trip { step, .. } => match step.event() {
            Some(TripEvent::Depart) => "depart",
            Some(TripEvent::Arrive | TripEvent::ArriveOutside) => "arrive",
            Some(TripEvent::Start) => "start",
            Some(TripEvent::Pause) => "pause",
            Some(TripEvent::Resume) => "resume",
            Some(TripEvent::Stop) => "stop",
            Some(TripEvent::Cancel) => "cancel",
            Some(TripEvent::NoShow) => "no-show",
            None => return None,
        },
        EventBody::Booted { .. }
        | EventBody::CommandDone { .. }
        | EventBody::Lost
        | EventBody::Motion { .. }
        | EventBody::Overspeed { .. }
        | EventBody::Near { .. }
        | EventBody::Trouble { .. }
        | EventBody::Running { .. }
        | EventBody::OtpTried { .. }
        | EventBody::SignedIn { .. }
        | EventBody::Duty { .. } => return None,
    })
}

/// Whether all of `part` is in `whole`, in its order.
fn is_within(part: &[&str], whole: &[&str]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|one| whole.any(|other| other == one))
}

/// What the driver was told is done is with the backend, in order, and nothing the driver did not do.
fn every_deed_is_there_once(ledger: &[Deed], committed: &CommittedEvidence) -> Result<()> {
    let found: Vec<_> = committed.events.iter().filter_map(|(.., e)| verb(&e.body)).collect();
    let done: Vec<_> = ledger.iter().map(|deed| deed.verb).collect();
    let confirmed: Vec<_> = ledger.iter().filter(|d| d.confirmed).map(|d| d.verb).collect();
    let all = format!("the ledger: {ledger:?}\nthe backend: {found:?}");
    ensure!(is_within(&confirmed, &found), "a confirmed deed was lost\n{all}");
    ensure!(is_within(&found, &done), "a deed is there that was not done, or twice\n{all}");
    Ok(())
}

/// Sequences run from 1 without a hole in every epoch, and no instant is there twice.
fn no_fix_is_doubled(committed: &CommittedEvidence) -> Result<()> {
    let mut before = None;
    let mut instants = std::collections::BTreeMap::new();
    for (start, sequence, fix) in &committed.fixes {
        let due = before.filter(|(of, _)| of == start).map_or(1, |(_, last)| last + 1);
        ensure!(sequence.0 == due, "start {start}: fix {sequence} where {due} is due");
        before = Some((*start, sequence.0));
        let twice = instants.insert((*start, fix.at.unix_ms), sequence);
        ensure!(
            twice.is_none(),
            "start {start}: fixes {twice:?} and {sequence} are of one instant"
        );
    }
    let counted = committed.fixes.iter().filter(|(.., fix)| fix.refused.is_none());
    let times: Vec<_> = counted.map(|(.., fix)| fix.at.unix_ms).collect();
    ensure!(times.is_sorted_by(|a, b| a < b), "fixes that count go back in time");
    Ok(())
}

/// Every ride came to its end, and vehicle and platform agree on its fare.
async fn every_ride_is_settled(world: &World, driver: &Driver) -> Result<()> {
    for id in &driver.orders {
        let order = world.evidence().order(id).await?;
        ensure!(order.state == OrderState::Completed, "{id} is {:?}", order.state);
        let trip = order.trip.context("a trip")?;
        ensure!(trip.state == TripState::Ended, "{id}: the trip is {:?}", trip.state);
        let settlement = order.settlement.context("no final fare")?;
        ensure!(settlement.difference.0 == 0, "{id}: fares differ by {}", settlement.difference);
        let fare = settlement.charged.total();
        ensure!(
            order.payment.amount() == Some(fare),
            "{id}: {:?} of {fare} collected",
            order.payment
        );
        let strange: Vec<_> = order.cases.iter().filter(|c| !c.what.contains("SOS")).collect();
        ensure!(strange.is_empty(), "{id}: {strange:?}");
    }
    Ok(())
}

/// Calls for help are cases, as many as an order keeps.
async fn every_call_for_help_is_a_case(
    world: &World,
    orders: &[String],
    committed: &CommittedEvidence,
) -> Result<usize> {
    let mut calls = 0;
    for id in orders {
        let order = world.evidence().order(id).await?;
        let of = order.trip.as_ref().map(|trip| trip.id);
        let events = committed.events.iter();
        let called = events
            .filter(
                |(.., e)| matches!(e.body, EventBody::Sos { trip } if trip.is_some() && trip == of),
            )
            .count();
        ensure!(order.cases.len() == called.min(CASES_MAX), "{id}: {called} calls");
        calls += called;
    }
    Ok(calls)
}

/// How often what happened.
#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    kills_of_backend: u32,
    cuts: u32,
}

/// Lets the power, the network and the backend come and go while the driver drives.
async fn torment(world: &mut World, driver: &mut Driver) -> Result<Tally> {
    let mut tally = Tally::default();
    let until = Instant::now() + Duration::from_secs(LOOP_S);
    let mut backend_up = true;
    while Instant::now() < until {
        if backend_up {
            driver.get_a_ride(world).await?;
        }
        match driver.below(100) {
            0..30 => {
                world.proxy.cut();
                tally.cuts += 1;
            }
            30..70 => world.proxy.restore(),
            _ => {}
        }
        // From before the first connection to some fixes synced and sent.
        let longest_ms = if driver.below(100) < 80 { 1_000 } else { 6_000 };
        let life = Duration::from_millis(30 + driver.below(longest_ms));
        let killing = world.kill_agent_after(life)?;
        // In every tenth life the backend dies too, in the first one surely.
        if backend_up && (tally.kills == 0 || driver.below(100) < 10) {
            world.kill_bpp().await?;
            backend_up = false;
            tally.kills_of_backend += 1;
        }
        while !killing.is_finished() {
            driver.act(world).await?;
        }
        killing.await??;
        tally.kills += 1;
        world.kill_agent().await?;
        if !backend_up && driver.below(100) < 50 {
            world.start_bpp().await?;
            backend_up = true;
        }
        world.start_agent().await?;
    }
    if !backend_up {
        world.start_bpp().await?;
    }
    world.proxy.restore();
    Ok(tally)
}

fn seed() -> Result<u64> {
    match std::env::var(SEED_VARIABLE) {
        Ok(seed) => seed.parse().context(SEED_VARIABLE),
        Err(_) => getrandom::u64().map_err(|error| anyhow::anyhow!("no randomness: {error}")),
    }
}

#[tokio::test]
async fn whatever_is_killed_and_whenever_what_was_confirmed_is_there_once() -> Result<()> {
    let seed = seed()?;
    eprintln!("{SEED_VARIABLE}={seed}");
    let agent = "[trail]\non_trip = 'full'\nto_pickup = 'full'\nmoving = 'full'\nparked = 'full'\n";
    let plan = Plan {
        otp: false,
        offer_s: 50,
        search_s: 50,
        seconds: None,
        agent: agent.into(),
        ..Plan::default()
    };
    let mut world = World::start(plan).await?;
    world.configure_agent(|text| text.replace("sync_ms = 1000", "sync_ms = 100"))?;
    let mut driver =
        Driver { chance: Chance::seeded(seed), ledger: Vec::new(), orders: Vec::new() };
    let tally = torment(&mut world, &mut driver).await?;

    // The last ride is driven to its end in peace.
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = world.trip(&["show"]).await?;
        if seen.state() == Some("ended") && !has_to_collect(&seen) {
            break;
        }
        ensure!(Instant::now() < until, "the last ride does not end: {}", seen.body);
        driver.act(&world).await?;
    }
    let fixes = world.evidence().everything_is_committed_once().await?;
    let committed = world.evidence().committed().await?;
    every_deed_is_there_once(&driver.ledger, &committed)?;
    no_fix_is_doubled(&committed)?;
    every_ride_is_settled(&world, &driver).await?;
    let calls = every_call_for_help_is_a_case(&world, &driver.orders, &committed).await?;
    let starts = committed.events.iter().filter(|(.., e)| is_boot(&e.body)).count();
    ensure!(starts == world.evidence().journal()?.epochs.len(), "{starts} starts were told");
    let confirmed = driver.ledger.iter().filter(|deed| deed.confirmed).count();
    ensure!(tally.kills >= 10 && confirmed >= 50, "{tally:?}, {confirmed} confirmed: too little");
    eprintln!(
        "{tally:?}; {} rides, {} deeds, {confirmed} confirmed, 0 of them lost, 0 twice; {calls} calls \
         for help; {} events and {fixes} fixes committed, 0 twice",
        driver.orders.len(),
        driver.ledger.len(),
        committed.events.len(),
    );
    world.stop().await
}

/// A day at 1 Hz.
const DAY_S: i64 = 86_400;

/// A poor radio: the day's trail takes a while.
const NARROW_BYTES_PER_S: u64 = 12_000;

/// How old a live position may be when the rider sees it, in ms: it is a second old when the next one
/// comes, and the rest is for a loaded machine. The backlog itself takes many times this.
const LIVE_AGE_MS_MAX: i64 = 8_000;

/// A day of driving in circles near the recorded drive, up to two minutes ago; its file.
fn a_day(dir: &Path) -> Result<PathBuf> {
    let until_s = jiff::Timestamp::now().as_second() - 120;
    let mut text = String::new();
    for second in until_s - DAY_S..until_s {
        let at = jiff::Timestamp::from_second(second)?.to_zoned(jiff::tz::TimeZone::UTC);
        #[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
        let angle = (second - until_s) as f64 / 60.0;
        let (lat, lon) = (25.5 + angle.sin() * 0.2, 4.5 + angle.cos() * 0.25);
        let course = (360.0 - angle.to_degrees()).rem_euclid(360.0);
        let (time, date) = (at.strftime("%H%M%S"), at.strftime("%d%m%y"));
        for body in [
            format!("GNRMC,{time}.00,A,37{lat:08.5},N,122{lon:08.5},W,12.0,{course:.2},{date},,,A"),
            format!("GNGGA,{time}.00,37{lat:08.5},N,122{lon:08.5},W,1,12,0.90,5.0,M,-30.0,M,,"),
        ] {
            let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
            write!(text, "${body}*{checksum:02X}\r\n")?;
        }
    }
    let path = dir.join("day.nmea");
    fs::write(&path, text)?;
    Ok(path)
}

fn waiting(seen: &TripAnswer) -> u64 {
    seen.body["backlog"]["fixes"].as_u64().unwrap_or(0)
}

/// How old the position is that the rider's platform is told, in ms.
async fn live_age_ms(world: &World, order: &str) -> Result<i64> {
    let tracked = world.bap.track(order).await?;
    let at = tracked.pointer("/message/tracking/location/time/timestamp").and_then(Value::as_str);
    let at: jiff::Timestamp = at.with_context(|| format!("no position in {tracked}"))?.parse()?;
    Ok(jiff::Timestamp::now().as_millisecond() - at.as_millisecond())
}

#[tokio::test]
async fn a_day_without_a_network_arrives_complete_and_once_and_live_does_not_wait_for_it()
-> Result<()> {
    let recorded = tempfile::tempdir()?;
    let agent = "[trail]\non_trip = 'full'\nto_pickup = 'full'\nmoving = 'full'\nparked = 'full'\n";
    let plan = Plan {
        otp: false,
        seconds: None,
        agent: agent.into(),
        replay: Some(a_day(recorded.path())?),
        ..Plan::default()
    };
    let mut world = World::start(plan).await?;
    // Until three agree no time is trusted: the first two are refused, and one of them stands for both.
    let day = DAY_S.unsigned_abs() - 1;
    let until = Instant::now() + PATIENCE / 6;
    loop {
        let journal = world.evidence().journal()?;
        let kept = journal.fixes.len() as u64;
        if kept >= day {
            break;
        }
        let last = journal.fixes.last_key_value();
        ensure!(Instant::now() < until, "{kept} fixes of {day} are on the disk, the last {last:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.kill_agent().await?;
    world.configure_agent(|text| {
        let real = text.lines().filter(|line| !line.starts_with("replay"));
        let text: Vec<_> = real.collect();
        text.join("\n").replace("[backend]", "[backend]\ntrail_pause_ms = 0")
    })?;
    world.start_agent().await?;
    world.proxy.narrow(NARROW_BYTES_PER_S);
    world.proxy.restore();

    let booking = world.book().await?;
    world.drive_to_pickup().await?;
    world.drive(&["start"]).await?;
    let heard = |answer: &TripAnswer| answer.body["backlog"]["events"] == 0;
    let mut seen = world.wait_for_trip("the start to be heard of", heard).await?;
    ensure!(waiting(&seen) > day / 4, "{} wait: not much of a backlog", waiting(&seen));
    let (mut looks, mut oldest_ms) = (0, 0);
    while waiting(&seen) > 200 {
        let age_ms = live_age_ms(&world, &booking.order_id).await?;
        ensure!(age_ms <= LIVE_AGE_MS_MAX, "live is {age_ms} ms old, {} wait", waiting(&seen));
        oldest_ms = oldest_ms.max(age_ms);
        let verb = if looks % 2 == 0 { "pause" } else { "resume" };
        world.drive(&[verb]).await?;
        seen = world.wait_for_trip("the event to be heard of", heard).await?;
        looks += 1;
    }
    ensure!(looks >= 4, "the backlog was gone after {looks} looks");
    world.drive(&["stop"]).await?;
    world.wait_for_final_fare(&booking).await?;
    let fixes = world.evidence().everything_is_committed_once().await?;
    let committed = world.evidence().committed().await?;
    no_fix_is_doubled(&committed)?;
    let first = committed.fixes.first().map(|(start, ..)| *start);
    let of_day = committed.fixes.iter().filter(|(start, ..)| Some(*start) == first).count() as u64;
    ensure!(of_day == day, "{of_day} fixes of {day}");
    eprintln!(
        "{day} fixes of a day and {} of the ride, each once; {looks} looks meanwhile, live {oldest_ms} ms \
         old at most",
        fixes - day
    );
    world.stop().await
}

const fn is_boot(body: &EventBody) -> bool {
    matches!(body, EventBody::Booted { .. })
}
