//! The device endpoint, by a real MQTT client and by raw bytes: a device speaks for itself alone.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    Packet, QoS, SubscribeReasonCode,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::world::{PATIENCE, Plan, World};

const DEVICE: &str = "ka01ab1234";

/// A world whose agent is gone, and its token.
async fn without_agent() -> Result<(World, String)> {
    let mut world = World::start(Plan::default()).await?;
    world.kill_agent().await?;
    let config = std::fs::read_to_string(world.folder().join("agent.toml"))?;
    let line = config.lines().find_map(|line| line.strip_prefix("token = "));
    let token = line.context("a token")?.trim_matches('"').to_owned();
    Ok((world, token))
}

fn options(world: &World, id: &str, user: &str, token: &str) -> MqttOptions {
    let address = world.proxy.address();
    let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
    options.set_credentials(user, token).set_keep_alive(Duration::from_secs(30));
    options
}

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

async fn connected(eventloop: &mut EventLoop) -> Result<()> {
    until(eventloop, |event| match event {
        Ok(Event::Incoming(Packet::ConnAck(_))) => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(error.into())),
    })
    .await?
}

async fn refused(options: MqttOptions) -> Result<ConnectReturnCode> {
    let (_client, mut eventloop) = AsyncClient::new(options, 8);
    match until(&mut eventloop, Some).await? {
        Err(ConnectionError::ConnectionRefused(code)) => Ok(code),
        other => bail!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn only_an_enrolled_device_with_its_own_token_comes_in() -> Result<()> {
    use ConnectReturnCode::{BadClientId, BadUserNamePassword, NotAuthorized};
    let (mut world, token) = without_agent().await?;
    for (id, user, token, code) in [
        (DEVICE, DEVICE, "wrong", BadUserNamePassword),
        ("stranger", "stranger", token.as_str(), BadUserNamePassword),
        ("stranger", DEVICE, token.as_str(), NotAuthorized),
        ("a/b", "a/b", token.as_str(), BadClientId),
    ] {
        ensure!(refused(options(&world, id, user, token)).await? == code, "{id} as {user}");
    }
    let mut with_will = options(&world, DEVICE, DEVICE, &token);
    with_will.set_last_will(LastWill::new("v1/d/other/presence", "x", QoS::AtMostOnce, false));
    ensure!(refused(with_will).await? == NotAuthorized, "another's will");
    world.stop().await
}

#[tokio::test]
async fn a_device_publishes_and_reads_its_own_topics_only() -> Result<()> {
    let (mut world, token) = without_agent().await?;
    let own = format!("v1/d/{DEVICE}/command");
    for filter in ["#", "v1/d/+/command", "v1/d/other/command", "v1/d/ka01ab1234/event", &own] {
        let (client, mut eventloop) = AsyncClient::new(options(&world, DEVICE, DEVICE, &token), 8);
        connected(&mut eventloop).await?;
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
        let (client, mut eventloop) = AsyncClient::new(options(&world, DEVICE, DEVICE, &token), 8);
        connected(&mut eventloop).await?;
        client.publish(topic, qos, retain, "x").await?;
        until(&mut eventloop, |event| event.err().map(|_| ())).await?;
    }
    world.stop().await
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

#[tokio::test]
async fn replays_change_nothing_holes_are_not_acknowledged_and_garbage_is_ignored() -> Result<()> {
    let (mut world, token) = without_agent().await?;
    let (client, mut eventloop) = AsyncClient::new(options(&world, DEVICE, DEVICE, &token), 8);
    connected(&mut eventloop).await?;
    client.subscribe(format!("v1/d/{DEVICE}/ack"), QoS::AtLeastOnce).await?;
    let trail = format!("v1/d/{DEVICE}/trail");
    // What is sent, and the CommitAck that must answer it; none for a hole and for garbage.
    for (payload, through) in [
        (encode(&batch(0, 5)), Some(5)),
        (encode(&batch(0, 5)), Some(5)),
        (encode(&batch(7, 2)), None),
        (b"garbage".to_vec(), None),
        (encode(&batch(3, 4)), Some(7)),
        (encode(&batch(7, 2)), Some(9)),
    ] {
        client.publish(&trail, QoS::AtLeastOnce, false, payload).await?;
        let mut commit_ack = None;
        // PubAck and CommitAck come together, PubAck first; a ping behind them shows what is absent.
        let mut acknowledged = false;
        until(&mut eventloop, |event| match event {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                acknowledged = true;
                through.is_none().then_some(Ok(()))
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                commit_ack = decode::<CommitAck>(&publish.payload).ok();
                Some(Ok(()))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
        .await??;
        ensure!(acknowledged, "no PubAck");
        let expected = through.map(|through| CommitAck {
            epoch: JournalEpoch(77),
            stream: Stream::Trail,
            through: Sequence(through),
        });
        ensure!(commit_ack == expected, "{commit_ack:?}, not {expected:?}");
    }
    drop(client);
    world.stop().await
}

#[tokio::test]
async fn other_protocols_and_nonsense_are_turned_away_and_honest_devices_served() -> Result<()> {
    let (mut world, token) = without_agent().await?;
    // An MQTT 5 CONNECT is answered with "unacceptable protocol version".
    let mut stream = TcpStream::connect(world.proxy.address()).await?;
    stream.write_all(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x03abc").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(answer == [0x20, 2, 0, 1], "{answer:?}");
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xff\xff\xff\xff", b"\x30\x03\x00\x01a"]
    {
        let mut stream = TcpStream::connect(world.proxy.address()).await?;
        stream.write_all(nonsense).await?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        ensure!(answer.is_empty(), "{nonsense:?} was answered {answer:?}");
    }
    // Connections that say nothing do not stand in anybody's way.
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(world.proxy.address()).await?);
    }
    let (_client, mut eventloop) = AsyncClient::new(options(&world, DEVICE, DEVICE, &token), 8);
    connected(&mut eventloop).await?;
    // A newer connection of the same device takes over.
    let (_newer, mut newer_eventloop) =
        AsyncClient::new(options(&world, DEVICE, DEVICE, &token), 8);
    connected(&mut newer_eventloop).await?;
    until(&mut eventloop, |event| event.err().map(|_| ())).await?;
    drop(silent);
    world.stop().await
}
