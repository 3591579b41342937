//! The device endpoint, by a real MQTT client and by raw bytes over mutual TLS: a device speaks for
//! itself alone, and what it is told holds.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Packet, QoS, SubscribeReasonCode,
};
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{AssignmentId, DeviceId, JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command, CommandBody, CommitAck};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Presence, Stream};
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::door::{
    DISCONNECT, Door, HONEST, Identity, PINGREQ, PINGRESP, now, publish, subscribe,
};
use tripline_tests::world::PATIENCE;

/// How often the store is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Polls until `pick` finds what it wants.
async fn until<T>(
    eventloop: &mut EventLoop,
    mut pick: impl FnMut(Result<Event, ConnectionError>) -> Option<T>,
) -> Result<T> {
    tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(found) = pick(eventloop.poll().await) {
                return found;
            }
        }
    })
    .await
    .context("the endpoint did not answer")
}

async fn connected(options: MqttOptions) -> Result<(AsyncClient, EventLoop)> {
    let (client, mut eventloop) = AsyncClient::new(options, 8);
    until(&mut eventloop, |event| match event {
        Ok(Event::Incoming(Packet::ConnAck(_))) => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
    .await??;
    Ok((client, eventloop))
}

async fn refused(options: MqttOptions) -> Result<ConnectReturnCode> {
    let (_client, mut eventloop) = AsyncClient::new(options, 8);
    match until(&mut eventloop, Some).await? {
        Err(ConnectionError::ConnectionRefused(code)) => Ok(code),
        other => bail!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_device_comes_in_under_the_name_in_its_certificate_only() -> Result<()> {
    use ConnectReturnCode::{BadClientId, NotAuthorized};
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    door.device("other").await?;
    for (id, code) in [("other", NotAuthorized), ("nobody", NotAuthorized), ("a/b", BadClientId)] {
        let mut named = device.clone();
        named.name = id.into();
        ensure!(refused(door.options(&named)?).await? == code, "as {id}");
    }
    let mut with_will = door.options(&device)?;
    with_will.set_last_will(LastWill::new("v1/d/other/presence", "x", QoS::AtMostOnce, false));
    ensure!(refused(with_will).await? == NotAuthorized, "another's will");
    let mut with_will = door.options(&device)?;
    let topic = device.topic("presence");
    with_will.set_last_will(LastWill::new(topic, "x", QoS::AtLeastOnce, false));
    connected(with_will).await?;
    door.close().await
}

#[tokio::test]
async fn a_device_publishes_and_reads_its_own_topics_only() -> Result<()> {
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    let own = device.topic("command");
    for filter in ["#", "v1/d/+/command", "v1/d/other/command", "v1/d/ka01ab1234/event", &own] {
        let (client, mut eventloop) = connected(door.options(&device)?).await?;
        client.subscribe(filter, QoS::AtLeastOnce).await?;
        let granted = until(&mut eventloop, |event| match event {
            Ok(Event::Incoming(Packet::SubAck(answer))) => Some(Ok(answer.return_codes)),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .await??;
        let expected = if filter == own {
            SubscribeReasonCode::Success(QoS::AtLeastOnce)
        } else {
            SubscribeReasonCode::Failure
        };
        ensure!(granted == [expected], "{filter}: {granted:?}");
    }
    for (topic, retain, qos) in [
        ("v1/d/other/live", false, QoS::AtMostOnce),
        ("v1/d/ka01ab1234/command", false, QoS::AtLeastOnce),
        ("anything", false, QoS::AtMostOnce),
        ("v1/d/ka01ab1234/live", true, QoS::AtMostOnce),
        ("v1/d/ka01ab1234/live", false, QoS::ExactlyOnce),
    ] {
        let (client, mut eventloop) = connected(door.options(&device)?).await?;
        client.publish(topic, qos, retain, "x").await?;
        until(&mut eventloop, |event| event.err().map(|_| ())).await?;
    }
    door.close().await
}

fn batch(after: u64, count: u64) -> TrailBatch {
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
    TrailBatch { epoch: JournalEpoch(77), after: Sequence(after), entries }
}

fn committed(through: u64) -> CommitAck {
    CommitAck { epoch: JournalEpoch(77), stream: Stream::Trail, through: Sequence(through) }
}

#[tokio::test]
async fn replays_change_nothing_holes_are_not_acknowledged_and_garbage_is_ignored() -> Result<()> {
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    let mut wire = door.connect(&device, HONEST).await?;
    let trail = device.topic("trail");
    // What is sent, and the CommitAck that must follow its PubAck; none for a hole and for garbage,
    // which the answer to a ping right behind the PubAck shows.
    for (payload, through) in [
        (encode(&batch(0, 5)), Some(5)),
        (encode(&batch(0, 5)), Some(5)),
        (encode(&batch(7, 2)), None),
        (b"garbage".to_vec(), None),
        (encode(&batch(3, 4)), Some(7)),
        (encode(&batch(7, 2)), Some(9)),
    ] {
        wire.send(publish(&trail, 7, &payload)).await?;
        ensure!(wire.packet().await? == (0x40, vec![0, 7]), "no PubAck");
        if let Some(through) = through {
            let (first, body) = wire.packet().await?;
            let commit_ack: CommitAck = decode(&body[2 + device.topic("ack").len()..])?;
            ensure!(first == 0x30 && commit_ack == committed(through), "{commit_ack:?}");
        }
        wire.send(PINGREQ).await?;
        ensure!(wire.take(2).await? == PINGRESP, "something else than a ping's answer");
    }
    door.close().await
}

#[tokio::test]
async fn many_publishes_at_once_are_acknowledged_in_their_order_each_after_its_commit() -> Result<()>
{
    /// Several times what the endpoint lets wait.
    const PUBLISHES: u16 = 100;
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    let mut wire = door.connect(&device, HONEST).await?;
    let (trail, live) = (device.topic("trail"), device.topic("live"));
    let mut bytes = Vec::new();
    for n in 1..=PUBLISHES {
        // One in three needs no commit, and waits all the same for those before it.
        bytes.extend(if n % 3 == 0 {
            publish(&live, n, b"no position")
        } else {
            publish(&trail, n, &encode(&batch(u64::from(n) - 1 - u64::from(n / 3), 1)))
        });
    }
    wire.send(&bytes).await?;
    let (mut pub_acks, mut commits) = (Vec::new(), Vec::new());
    while pub_acks.len() < usize::from(PUBLISHES) || commits.len() < usize::from(PUBLISHES - 33) {
        match wire.packet().await? {
            (0x40, body) => pub_acks.push(u16::from_be_bytes([body[0], body[1]])),
            (0x30, body) => {
                let ack: CommitAck = decode(&body[2 + device.topic("ack").len()..])?;
                commits.push(ack.through.0);
            }
            other => bail!("{other:?}"),
        }
    }
    ensure!(pub_acks == (1..=PUBLISHES).collect::<Vec<_>>(), "{pub_acks:?}");
    ensure!(commits == (1..=u64::from(PUBLISHES) - 33).collect::<Vec<_>>(), "{commits:?}");
    door.close().await
}

/// Has commands wait for a device that take more room together than any socket has.
async fn command_at_length(door: &Door, device: &Identity) -> Result<()> {
    const COMMANDS: u32 = 500;
    const REASON_LEN: usize = 60_000;
    let id: DeviceId = device.name.parse()?;
    let mut tx = door.store.write().await?;
    for _ in 0..COMMANDS {
        let number = tx.next_command_number(&id).await?;
        let assignment = AssignmentId::from_bytes([1; 16]);
        let body = CommandBody::Withdraw { assignment, reason: "x".repeat(REASON_LEN) };
        let payload = encode(&Command { number, expires_at: None, body });
        tx.add_down_message(&id, number, payload, now()).await?;
    }
    Ok(tx.commit().await?)
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off_and_nothing_is_kept_for_it() -> Result<()> {
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    command_at_length(&door, &device).await?;
    let mut wire = door.connect(&device, HONEST).await?;
    let before_kib = door.resident_kib()?;
    // It asks for its commands and takes none, until what is between the two is full.
    wire.send(subscribe(&device.topic("command"))).await?;
    let cut = async {
        while !door.log()?.contains("does not read what it is sent") {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, cut).await.context("it was never cut off")??;
    let grown_kib = door.resident_kib()?.saturating_sub(before_kib);
    ensure!(grown_kib < 16 * 1024, "{grown_kib} KiB more");
    door.honest_time(&device).await?;
    door.close().await
}

#[tokio::test]
async fn presence_follows_the_connection_and_its_will() -> Result<()> {
    let door = Door::open().await?;
    let device = door.device("ka01ab1234").await?;
    let id: DeviceId = device.name.parse()?;
    let presence = async |connected: bool, version: &str| -> Result<()> {
        let look = async {
            loop {
                let row = door.store.read().await?.presence(&id).await?;
                let fits =
                    row.is_some_and(|r| r.connected == connected && r.agent_version == version);
                if fits {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.context("presence stays as it was")?
    };
    let topic = device.topic("presence");
    let here = encode(&Presence::Here { agent_version: "0.1.0".into() });
    let mut wire = door.connect(&device, HONEST).await?;
    presence(true, "").await?;
    wire.send(publish(&topic, 1, &here)).await?;
    presence(true, "0.1.0").await?;
    // A broken connection, a goodbye in words, one in MQTT's.
    wire.reset()?;
    presence(false, "0.1.0").await?;
    for goodbye in [publish(&topic, 0, &encode(&Presence::Gone)), DISCONNECT.to_vec()] {
        let mut wire = door.connect(&device, HONEST).await?;
        presence(true, "0.1.0").await?;
        wire.send(&goodbye).await?;
        presence(false, "0.1.0").await?;
    }
    // A newer connection ends the older one, and the device stays connected.
    let mut older = door.connect(&device, HONEST).await?;
    let mut newer = door.connect(&device, HONEST).await?;
    older.rest().await?;
    newer.send(PINGREQ).await?;
    ensure!(newer.take(2).await? == PINGRESP, "the newer one is not served");
    presence(true, "0.1.0").await?;
    drop(newer);
    door.close().await
}

#[tokio::test]
async fn an_idle_connection_costs_little_memory() -> Result<()> {
    const CONNECTIONS: u64 = 500;
    /// What a connection may take in RAM, in KiB, TLS with it; a reach of ours is 20 without.
    const KIB_MAX: u64 = 64;
    let door = Door::open().await?;
    let mut identities = BTreeMap::new();
    for n in 0..20 {
        identities.insert(n, door.device(&format!("warm-{n}")).await?);
    }
    // What the first connections bring with them is not the price of one more.
    for identity in identities.values() {
        door.honest_time(identity).await?;
    }
    let mut devices = Vec::new();
    for n in 0..CONNECTIONS {
        devices.push(door.device(&format!("idle-{n}")).await?);
    }
    let before_kib = door.resident_kib()?;
    let mut wires = Vec::new();
    for device in &devices {
        let mut wire = door.connect(device, HONEST).await?;
        wire.send(PINGREQ).await?;
        wire.take(2).await?;
        wires.push(wire);
    }
    let grown_kib = door.resident_kib()?.saturating_sub(before_kib);
    println!("{CONNECTIONS} idle connections: {} KiB each", grown_kib / CONNECTIONS);
    ensure!(grown_kib < KIB_MAX * CONNECTIONS, "{grown_kib} KiB for {CONNECTIONS}");
    drop(wires);
    door.close().await
}
