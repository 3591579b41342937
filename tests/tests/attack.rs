//! Clients that mean no good, against the device door: an honest device gets in meanwhile and after,
//! memory stays bounded, and the platform is never restarted.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tripline_protocol::enrol::ENROL_PATH;
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::door::{
    DISCONNECT, Door, HONEST, Identity, PINGREQ, PINGRESP, connect, connect_with, now, packet,
    publish, string, subscribe,
};
use tripline_tests::world::PATIENCE;

/// The platform may have so much in RAM, in KiB, whatever is done to it. It starts with some twenty
/// thousand; four thousand pending connections take some sixty thousand more.
const RESIDENT_KIB_MAX: u64 = 160_000;

/// Pause between two connects of the honest device, so that they are not an attack themselves.
const BETWEEN_HONEST: Duration = Duration::from_millis(100);

/// Life of a certificate that has to expire, in ms: enough to connect with it, and less than the time
/// there is for a handshake and a CONNECT.
const BRIEF_MS: i64 = 6_000;

/// The addresses from which attacks come, so many of them.
fn attacker(n: usize) -> Ipv4Addr {
    let low = u8::try_from(n % 250).unwrap_or_default();
    Ipv4Addr::new(127, 0, 66, low + 1)
}

/// Lets an honest device connect again and again while something is done to the platform, and once
/// after it; tells how long that took.
async fn under(
    door: &Door,
    honest: &Identity,
    what: &str,
    attack: impl Future<Output = Result<()>>,
) -> Result<()> {
    let (mut times, mut resident_kib) = (Vec::new(), 0);
    let begun = Instant::now();
    let probes = async {
        loop {
            match door.honest_time(honest).await {
                Ok(time) => times.push(time),
                Err(kept_out) => break kept_out,
            }
            resident_kib = resident_kib.max(door.resident_kib().unwrap_or(u64::MAX));
            tokio::time::sleep(BETWEEN_HONEST).await;
        }
    };
    tokio::select! {
        ended = attack => ended.with_context(|| what.to_owned())?,
        kept_out = probes => return Err(kept_out.context(format!("during: {what}"))),
    }
    let took = begun.elapsed();
    times.push(door.honest_time(honest).await.with_context(|| format!("after: {what}"))?);
    resident_kib = resident_kib.max(door.resident_kib()?);
    times.sort_unstable();
    println!(
        "{what:<52} {:>4} s; honest connects {:>4}: median {:>5.1?} ms, longest {:>6.1?} ms; {} MiB",
        took.as_secs(),
        times.len(),
        times[times.len() / 2].as_secs_f64() * 1e3,
        times.last().map_or(0.0, |longest| longest.as_secs_f64() * 1e3),
        resident_kib / 1024,
    );
    ensure!(resident_kib < RESIDENT_KIB_MAX, "{what}: {resident_kib} KiB in RAM");
    Ok(())
}

/// Does something `count` times, `at_once` at a time.
async fn many<F>(count: usize, at_once: usize, one: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for n in 0..count {
        if tasks.len() >= at_once {
            tasks.join_next().await.context("a task")???;
        }
        tasks.spawn(one(n));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_done_around_the_connect_keeps_an_honest_device_out() -> Result<()> {
    let door = &Door::open().await?;
    let honest = &door.device("honest").await?;
    let rogue = &door.device("rogue").await?;
    under(door, honest, "nothing", tokio_sleep(2)).await?;
    under(door, honest, "3,000 silent TCP peers from one address", silent(door, 3_000, 1)).await?;
    under(door, honest, "6,000 silent TCP peers from 40 addresses", silent(door, 6_000, 40))
        .await?;
    under(door, honest, "300 handshakes, a byte every 100 ms", slow_handshakes(door, 300)).await?;
    under(door, honest, "100 CONNECTs, a byte a second", slow_connects(door, rogue, 100)).await?;
    under(door, honest, "9,000 resets before and in the handshake", resets(door, 9_000)).await?;
    let what = "600 silent peers from the honest device's address";
    under(door, honest, what, silent_neighbours(door, 600)).await?;
    let what = "1,000 resets around a CONNECT";
    under(door, honest, what, resets_at_connect(door, rogue, 1_000)).await?;
    under(door, honest, "10,000 connections from one address", flood(door, 10_000)).await?;
    // What it was told at its start holds no more.
    door.limit_descriptors(300)?;
    under(door, honest, "1,000 silent peers and 300 descriptors", silent(door, 1_000, 4)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_say_nothing_keep_nobody_from_enrolling() -> Result<()> {
    /// More than the enrolment listener has room for.
    const STRANGERS: usize = 1_100;
    // All of them at once: it is not the rate that is to keep them out.
    let rate = ("connects_per_address_per_s = 200", "connects_per_address_per_s = 2000");
    let door = Door::open_with(&[rate]).await?;
    let mut silent = Vec::new();
    for _ in 0..STRANGERS {
        silent.push(door.enrol_tcp(attacker(0)).await?);
    }
    enrolment_is_answered(&door).await.context("with silent TCP peers")?;
    let mut shaken = Vec::new();
    for _ in 0..STRANGERS {
        // One that makes room in its handshake stands in nobody's way.
        shaken.extend(door.enrol_tls(attacker(1)).await.ok());
    }
    ensure!(shaken.len() > STRANGERS / 2, "only {} handshakes", shaken.len());
    enrolment_is_answered(&door).await.context("with silent TLS peers")
}

/// An enrolment from elsewhere; it has no code, so that it is answered and no more.
async fn enrolment_is_answered(door: &Door) -> Result<()> {
    let mut stream = door.enrol_tls(HONEST).await?;
    let body = "{}";
    let request = format!(
        "POST {ENROL_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.context("no answer")??;
    ensure!(answer == *b"HTTP/1.1 400", "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

async fn tokio_sleep(seconds: u64) -> Result<()> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(())
}

/// They connect and say nothing; the last are held for some seconds, so that they stand in the way.
async fn silent(door: &Door, count: usize, addresses: usize) -> Result<()> {
    let mut peers = Vec::with_capacity(count);
    for n in 0..count {
        peers.push(door.tcp(attacker(n % addresses)).await?);
    }
    tokio_sleep(3).await
}

/// The same from where the honest device comes from too, as behind one NAT.
async fn silent_neighbours(door: &Door, count: usize) -> Result<()> {
    let mut peers = Vec::with_capacity(count);
    for _ in 0..count {
        peers.push(door.tcp(HONEST).await?);
    }
    tokio_sleep(3).await
}

/// The first bytes of a client hello, one at a time, until the platform has had enough.
async fn slow_handshakes(door: &Door, count: usize) -> Result<()> {
    let mut peers = Vec::new();
    for n in 0..count {
        peers.push(door.tcp(attacker(n)).await?);
    }
    many(peers.len(), count, {
        let peers = std::sync::Mutex::new(peers);
        move |_| {
            let peer = peers.lock().ok().and_then(|mut peers| peers.pop());
            async move {
                let mut peer = peer.context("a peer each")?;
                // A record of a handshake that never comes to its end.
                let mut record = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec();
                record.resize(500, 7);
                until_cut(&mut peer, &record, Duration::from_millis(100)).await
            }
        }
    })
    .await
}

/// A CONNECT a byte a second, after an honest handshake.
async fn slow_connects(door: &Door, rogue: &Identity, count: usize) -> Result<()> {
    let mut wires = Vec::new();
    for n in 0..count {
        wires.push(door.tls(rogue, attacker(n)).await?);
    }
    let wires = std::sync::Mutex::new(wires);
    many(count, count, move |_| {
        let wire = wires.lock().ok().and_then(|mut wires| wires.pop());
        async move {
            let mut wire = wire.context("a wire each")?;
            for byte in connect("rogue-and-a-client-id-that-goes-on-and-on") {
                if wire.send([byte]).await.is_err() {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            anyhow::bail!("it was let to the end of its CONNECT")
        }
    })
    .await
}

/// Sends bytes one at a time until the connection is cut.
async fn until_cut(peer: &mut tokio::net::TcpStream, bytes: &[u8], every: Duration) -> Result<()> {
    for byte in bytes {
        if peer.write_all(&[*byte]).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(every).await;
    }
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, peer.read_to_end(&mut rest)).await;
    ended.map(drop).context("it was never cut")
}

/// Resets at once, after some bytes, and after the beginning of a handshake, in turn.
async fn resets(door: &Door, count: usize) -> Result<()> {
    for n in 0..count {
        let mut peer = door.tcp(attacker(n)).await?;
        match n % 3 {
            0 => {}
            1 => peer.write_all(b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc").await?,
            _ => peer.write_all(b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03").await?,
        }
        peer.set_zero_linger()?;
    }
    Ok(())
}

/// Resets before a CONNECT, in the middle of it, right after it and after its answer, in turn.
async fn resets_at_connect(door: &Door, rogue: &Identity, count: usize) -> Result<()> {
    let whole = connect(&rogue.name);
    for n in 0..count {
        let mut wire = door.tls(rogue, attacker(n)).await?;
        match n % 4 {
            0 => {}
            1 => wire.send(&whole[..whole.len() / 2]).await?,
            2 => wire.send(&whole).await?,
            _ => {
                wire.send(&whole).await?;
                wire.take(4).await?;
            }
        }
        wire.reset()?;
    }
    Ok(())
}

/// As many as one address can make, whether they are let in or not.
async fn flood(door: &Door, count: usize) -> Result<()> {
    for _ in 0..count {
        drop(door.tcp(attacker(200)).await?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_who_they_say_is_turned_away_and_learns_nothing() -> Result<()> {
    let door = &Door::open().await?;
    let honest = &door.device("honest").await?;
    let rogue = &door.device("rogue").await?;
    under(door, honest, "client ids that are none", client_ids(door, rogue)).await?;
    under(door, honest, "certificates of another CA", wrong_ca(door)).await?;
    under(door, honest, "an expired certificate", expired(door)).await?;
    under(door, honest, "revoked, before and while connected", revoked(door)).await?;
    under(door, honest, "topics of others", topics(door, rogue)).await?;
    under(door, honest, "packets that are too large or none", packets(door, rogue)).await?;
    let log = door.log()?;
    ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}

/// With a certificate that counts, so that it is the client id alone that is refused.
async fn client_ids(door: &Door, rogue: &Identity) -> Result<()> {
    for (id, answer) in [
        ("#", &[0x20, 2, 0, 2][..]),
        ("+", &[0x20, 2, 0, 2]),
        ("/", &[0x20, 2, 0, 2]),
        ("", &[0x20, 2, 0, 2]),
        ("a\0b", &[0x20, 2, 0, 2]),
        ("honest", &[0x20, 2, 0, 5]),
        // Longer than any CONNECT may be: cut off by its declared length.
        (&"x".repeat(65_535), &[]),
    ] {
        let mut wire = door.tls(rogue, attacker(1)).await?;
        // A connection that is cut off may be so before all is sent.
        let _ = wire.send(connect(id)).await;
        let rest = wire.rest().await?;
        ensure!(rest == answer, "client id {:?}: {rest:?}", &id[..id.len().min(10)]);
    }
    Ok(())
}

/// A stranger's handshake fails, at the latest where the first answer would come.
async fn kept_out(door: &Door, identity: &Identity) -> Result<()> {
    let Ok(mut wire) = door.tls(identity, attacker(2)).await else { return Ok(()) };
    let _ = wire.send(connect(&identity.name)).await;
    let rest = wire.rest().await?;
    ensure!(rest.is_empty(), "answered with {rest:?}");
    Ok(())
}

async fn wrong_ca(door: &Door) -> Result<()> {
    let stranger = door.stranger("honest")?;
    for _ in 0..20 {
        kept_out(door, &stranger).await?;
    }
    Ok(())
}

async fn expired(door: &Door) -> Result<()> {
    let expired = door.device_until("expired", -1_000).await?;
    kept_out(door, &expired).await?;
    // One that ends while its device is connected ends the connection.
    let ending = door.device_until("ending", BRIEF_MS).await?;
    let mut connected = door.connect(&ending, attacker(3)).await?;
    connected.rest().await.context("connected with an expired certificate")?;
    // One that ends between its handshake and its CONNECT is refused by the store.
    let ends_at = now().plus_ms(BRIEF_MS);
    let brief = door.device_until("brief", BRIEF_MS).await?;
    let mut wire = door.tls(&brief, attacker(3)).await?;
    while now() <= ends_at.plus_ms(1_000) {
        tokio::time::sleep(BETWEEN_HONEST).await;
    }
    wire.send(connect("brief")).await?;
    let rest = wire.rest().await?;
    ensure!(rest == [0x20, 2, 0, 5], "{rest:?}");
    Ok(())
}

async fn revoked(door: &Door) -> Result<()> {
    /// A revoked device is out by then.
    const OUT: Duration = Duration::from_secs(5);
    let lost = door.device("lost").await?;
    let mut connected = door.connect(&lost, attacker(4)).await?;
    // One that reads nothing and is sent nothing is out as well.
    let deaf = door.device("deaf").await?;
    let mut deaf_wire = door.connect(&deaf, attacker(4)).await?;
    door.revoke("lost").await?;
    door.revoke("deaf").await?;
    tokio::time::timeout(OUT, connected.rest()).await.context("still in")??;
    tokio::time::timeout(OUT, deaf_wire.rest()).await.context("still in")??;
    let mut again = door.tls(&lost, attacker(4)).await?;
    again.send(connect("lost")).await?;
    ensure!(again.rest().await? == [0x20, 2, 0, 5], "a revoked device came in again");
    Ok(())
}

async fn topics(door: &Door, rogue: &Identity) -> Result<()> {
    for topic in [
        "v1/d/honest/live",
        "v1/d/honest/event",
        "v1/d/honest/command",
        "v1/d/rogue/command",
        "v1/d/rogue/ack",
        "v1/d/rogue/live/",
        "v1/d/+/live",
        "v1/d/rogue/#",
        "v1/d/rogue/li\0ve",
        "$SYS/broker",
        "",
    ] {
        let mut wire = door.connect(rogue, attacker(5)).await?;
        wire.send(publish(topic, 7, b"x")).await?;
        let rest = wire.rest().await?;
        ensure!(rest.is_empty(), "publish to {topic:?} was answered with {rest:?}");
    }
    let mut wire = door.connect(rogue, attacker(5)).await?;
    for filter in ["#", "+/+/+/+", "v1/d/+/command", "v1/d/honest/command", "v1/d/rogue/live"] {
        wire.send(subscribe(filter)).await?;
        ensure!(wire.packet().await? == (0x90, vec![0, 1, 0x80]), "subscribed to {filter}");
    }
    for (flags, topic) in [
        (0x06, "v1/d/honest/presence"),
        (0x06, "v1/d/rogue/event"),
        (0x26, "v1/d/rogue/presence"),
        (0x16, "v1/d/rogue/presence"),
    ] {
        let mut wire = door.tls(rogue, attacker(5)).await?;
        let payload = [string("rogue"), string(topic), string("x")].concat();
        wire.send(connect_with(4, flags, &payload)).await?;
        let rest = wire.rest().await?;
        ensure!(rest == [0x20, 2, 0, 5], "a will on {topic} with flags {flags:#x}: {rest:?}");
    }
    Ok(())
}

async fn packets(door: &Door, rogue: &Identity) -> Result<()> {
    // Declared, not sent: nobody waits for it, and nobody makes room for it.
    let declared = [
        &b"\x10\xff\xff\xff\x7f"[..],
        b"\x10\x81\x08",
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x30\x05\x00\x03a/b",
        b"\xff",
    ];
    for bytes in declared {
        let mut wire = door.tls(rogue, attacker(6)).await?;
        wire.send(bytes).await?;
        let rest = wire.rest().await?;
        ensure!(rest.is_empty(), "{bytes:x?} was answered with {rest:?}");
    }
    for bytes in [
        b"\x30\xff\xff\xff\x7f".to_vec(),
        b"\x32\x81\x84\x04".to_vec(),
        b"\x82\xff\x7f".to_vec(),
        connect("rogue"),
        packet(0x34, &[&string("v1/d/rogue/live")[..], b"\x00\x01x"].concat()),
        packet(0x31, &[&string("v1/d/rogue/live")[..], b"x"].concat()),
    ] {
        let mut wire = door.connect(rogue, attacker(6)).await?;
        wire.send(&bytes).await?;
        let rest = wire.rest().await?;
        ensure!(rest.is_empty(), "{:x?} was answered with {rest:?}", &bytes[..4]);
    }
    // The largest that may be is taken, and found to be no message.
    let mut wire = door.connect(rogue, attacker(6)).await?;
    wire.send(publish("v1/d/rogue/trail", 9, &vec![0; 65_536])).await?;
    ensure!(wire.packet().await? == (0x40, vec![0, 9]), "no PubAck");
    // Other versions of MQTT are told so in their own words.
    for (level, answer) in [(5, &[0x20, 3, 0, 0x84, 0][..]), (3, &[0x20, 2, 0, 1])] {
        let mut wire = door.tls(rogue, attacker(6)).await?;
        wire.send(connect_with(level, 2, &string("rogue"))).await?;
        let rest = wire.rest().await?;
        ensure!(rest == answer, "level {level}: {rest:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_take_overs_end_with_the_newest_in_and_a_clone_reported() -> Result<()> {
    let door = &Door::open().await?;
    let honest = &door.device("honest").await?;
    let rogue = &door.device("rogue").await?;
    under(door, honest, "1,000 take-overs", async {
        let mut newest = door.connect(rogue, attacker(0)).await?;
        for n in 1..=1_000 {
            let older = std::mem::replace(&mut newest, door.connect(rogue, attacker(n)).await?);
            ended(older).await?;
        }
        newest.send(PINGREQ).await?;
        ensure!(newest.take(2).await? == PINGRESP, "the newest is not in");
        newest.send(DISCONNECT).await
    })
    .await?;
    let log = door.log()?;
    let reports = log.lines().filter(|line| line.contains("two units may have one identity"));
    let reports = reports.count();
    ensure!((1..=10).contains(&reports), "{reports} reports");
    Ok(())
}

async fn ended(mut wire: tripline_tests::door::Wire) -> Result<()> {
    let rest = wire.rest().await?;
    ensure!(rest.is_empty(), "the older one was told {rest:?}");
    Ok(())
}

const EPOCH: JournalEpoch = JournalEpoch(77);

fn batch(epoch: JournalEpoch, after: u64, count: u64) -> Vec<u8> {
    let fix = |n: u64| TrailFix {
        at: Timestamp::from_unix_ms(1_700_000_000_000 + n.cast_signed() * 1000),
        position: Position::new(129_000_000, 776_000_000).expect("on the globe"),
        speed_cmps: None,
        course_ddeg: None,
        altitude_mm: None,
        fix_type: FixType::ThreeD,
        refused: None,
    };
    let entries = (after + 1..=after + count).map(|n| TrailEntry::Fix(fix(n))).collect();
    encode(&TrailBatch { epoch, after: Sequence(after), entries })
}

/// Sends a batch and gives the CommitAck behind its PubAck.
async fn commit(wire: &mut tripline_tests::door::Wire, payload: &[u8]) -> Result<CommitAck> {
    wire.send(publish("v1/d/rogue/trail", 7, payload)).await?;
    ensure!(wire.packet().await? == (0x40, vec![0, 7]), "no PubAck");
    let (first, body) = wire.packet().await?;
    ensure!(first == 0x30, "no CommitAck: {first:#x}");
    Ok(decode(&body[2 + "v1/d/rogue/ack".len()..])?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_day_changes_nothing_and_a_forged_epoch_hurts_its_own_device_only() -> Result<()>
{
    /// A day of a fix every five seconds, in batches of sixty.
    const BATCHES: u64 = 17_280 / 60;
    let door = &Door::open().await?;
    let honest = &door.device("honest").await?;
    let rogue = &door.device("rogue").await?;
    let device = rogue.name.parse()?;
    let mut wire = door.connect(rogue, attacker(1)).await?;
    for n in 0..BATCHES {
        let ack = commit(&mut wire, &batch(EPOCH, n * 60, 60)).await?;
        ensure!(ack.through == Sequence((n + 1) * 60), "{ack:?}");
    }
    let stored = door.store.read().await?.trail_batches(&device, EPOCH).await?;
    under(door, honest, "a replayed day of records", async {
        for n in 0..BATCHES {
            let ack = commit(&mut wire, &batch(EPOCH, n * 60, 60)).await?;
            let all =
                CommitAck { epoch: EPOCH, stream: Stream::Trail, through: Sequence(BATCHES * 60) };
            ensure!(ack == all, "{ack:?}");
        }
        Ok(())
    })
    .await?;
    let now = door.store.read().await?.trail_batches(&device, EPOCH).await?;
    ensure!(now == stored, "the replay changed what is stored");
    under(door, honest, "a forged epoch", async {
        // Its own new lane: what stands in the true one stays.
        let ack = commit(&mut wire, &batch(JournalEpoch(u64::MAX), 0, 60)).await?;
        ensure!(ack.through == Sequence(60), "{ack:?}");
        // Another's epoch under its own name is its own too.
        wire.send(publish("v1/d/honest/trail", 8, &batch(EPOCH, 0, 60))).await?;
        ensure!(wire.rest().await?.is_empty(), "it was answered");
        Ok(())
    })
    .await?;
    let of_honest = honest.name.parse()?;
    let forged = door.store.read().await?.trail_batches(&of_honest, EPOCH).await?;
    ensure!(forged.is_empty(), "it spoke for another");
    let now = door.store.read().await?.trail_batches(&device, EPOCH).await?;
    ensure!(now == stored, "the forged epoch changed the true one");
    Ok(())
}
