//! A broker in between can neither command a vehicle nor make it repeat itself: the real agent against
//! an endpoint that has a certificate of the right CA and everything but the key that seals commands.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::mqttbytes::{Error as CodecError, QoS};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tripline_backend::identity::authority::Authorities;
use tripline_backend::identity::tls::{ServerIdentity, device_tls};
use tripline_protocol::id::CommandNumber;
use tripline_protocol::link::down::{Command, CommandBody, CommitAck};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::seal::seal;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::topic::{Lane, Topic};
use tripline_protocol::link::up::{CommandOutcome, EventBatch, EventBody, Stream};
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Timestamp;
use tripline_tests::world::{PATIENCE, Plan, World};

const PACKET_LEN_MAX: usize = 128 * 1024;

/// The endpoint that lies.
struct Liar {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
}

impl Liar {
    async fn start(world: &World) -> Result<Self> {
        let now = jiff::Timestamp::now().as_millisecond();
        let authorities = Authorities::load(&world.folder().join("bpp/data/ca"))?;
        let hosts = vec!["127.0.0.1".to_owned()];
        let identity = ServerIdentity::new(&authorities, &hosts, Timestamp::from_unix_ms(now))?;
        let tls = device_tls(&authorities, Arc::new(identity))?;
        Ok(Self { listener: TcpListener::bind(("127.0.0.1", 0)).await?, tls })
    }

    fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// The agent's next connection, connected and subscribed.
    async fn accept(&self) -> Result<Packets> {
        let (stream, _) = self.listener.accept().await?;
        let stream = TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await?;
        let mut packets = Packets { stream, buffer: BytesMut::new() };
        ensure!(matches!(packets.read().await?, Packet::Connect(_)), "no CONNECT");
        packets.write(Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))).await?;
        let mut subscribed = 0;
        while subscribed < 2 {
            let packet = packets.read().await?;
            if let Packet::Subscribe(subscribe) = &packet {
                let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                packets.write(Packet::SubAck(SubAck::new(subscribe.pkid, granted))).await?;
                subscribed += 1;
            }
            packets.acknowledge(&packet).await?;
        }
        Ok(packets)
    }
}

struct Packets {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
}

impl Packets {
    async fn read(&mut self) -> Result<Packet> {
        loop {
            match Packet::read(&mut self.buffer, PACKET_LEN_MAX) {
                Ok(packet) => return Ok(packet),
                Err(CodecError::InsufficientBytes(_)) => {}
                Err(error) => bail!("not MQTT: {error}"),
            }
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the agent closed");
        }
    }

    async fn write(&mut self, packet: Packet) -> Result<()> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_LEN_MAX).ok().context("a packet of ours")?;
        self.stream.write_all(&bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn acknowledge(&mut self, packet: &Packet) -> Result<()> {
        if let Packet::Publish(publish) = packet
            && publish.qos == QoS::AtLeastOnce
        {
            self.write(Packet::PubAck(PubAck::new(publish.pkid))).await?;
        }
        if *packet == Packet::PingReq {
            self.write(Packet::PingResp).await?;
        }
        Ok(())
    }

    async fn command(&mut self, topic: &Topic, pkid: u16, payload: Vec<u8>) -> Result<()> {
        let mut publish = Publish::new(topic.to_string(), QoS::AtLeastOnce, payload);
        publish.pkid = pkid;
        self.write(Packet::Publish(publish)).await
    }

    /// Says that a batch is committed: the agent sends what follows only then.
    async fn commit(&mut self, topic: &str, batch: &EventBatch) -> Result<()> {
        let ack = Topic { lane: Lane::Ack, ..topic.parse()? }.to_string();
        let (stream, through) = (Stream::Event, batch.last());
        let payload = encode(&CommitAck { epoch: batch.epoch, stream, through });
        self.write(Packet::Publish(Publish::new(ack, QoS::AtMostOnce, payload))).await
    }

    /// What the agent reports of commands, up to the report on `last`.
    async fn reports(&mut self, last: u64) -> Result<Vec<(u64, CommandOutcome)>> {
        let mut reports = Vec::new();
        loop {
            let packet = self.read().await?;
            self.acknowledge(&packet).await?;
            let Packet::Publish(publish) = packet else { continue };
            if !publish.topic.ends_with("/event") {
                continue;
            }
            let batch: EventBatch = decode(&publish.payload)?;
            self.commit(&publish.topic, &batch).await?;
            for event in batch.records {
                if let EventBody::CommandDone { number, outcome } = event.body {
                    reports.push((number.0, outcome));
                }
            }
            if reports.iter().any(|(number, _)| *number == last) {
                return Ok(reports);
            }
        }
    }
}

fn configure(number: u64, fence_radius_m: u32) -> Command {
    let settings =
        DeviceSettings { fence_radius_m: Some(fence_radius_m), ..DeviceSettings::default() };
    let body = CommandBody::Configure(settings);
    Command { number: CommandNumber(number), expires_at: None, body }
}

#[tokio::test]
async fn only_what_the_backend_sealed_for_this_device_is_obeyed_and_once() -> Result<()> {
    let mut world = World::start(Plan::default()).await?;
    world.kill_agent().await?;
    let liar = Liar::start(&world).await?;
    let port = liar.address()?.port();
    let told = format!("[backend]\nhost = \"127.0.0.1\"\nport = {port}\n");
    world.configure_agent(|text| text.replace("[backend]\n", &told))?;
    world.start_agent().await?;

    let device = world.device().parse()?;
    let topic = Topic { device, lane: Lane::Command };
    let elsewhere = Topic { device: "another".parse()?, lane: Lane::Command };
    let true_key = std::fs::read_to_string(world.folder().join("bpp/data/command.key"))?;
    let true_key: SecretKey = true_key.parse()?;
    let own_key = SecretKey::from_seed(&[9; 32]);
    // Numbers grow from the time a vehicle was added on.
    let first = u64::try_from(jiff::Timestamp::now().as_millisecond())?;
    let genuine = seal(&configure(first + 3, 70), &topic, &true_key);

    let reports = tokio::time::timeout(PATIENCE, async {
        let mut packets = liar.accept().await?;
        packets.command(&topic, 1, seal(&configure(first, 50), &topic, &own_key)).await?;
        packets.command(&topic, 2, encode(&configure(first + 1, 51))).await?;
        let for_another = seal(&configure(first + 2, 52), &elsewhere, &true_key);
        packets.command(&topic, 3, for_another).await?;
        packets.command(&topic, 4, genuine.clone()).await?;
        packets.command(&topic, 5, genuine).await?;
        packets.command(&topic, 6, seal(&configure(first + 4, 5), &topic, &true_key)).await?;
        packets.reports(first + 4).await
    })
    .await
    .context("the agent reports on no command")??;
    let wanted = [(first + 3, CommandOutcome::Applied), (first + 4, CommandOutcome::Refused)];
    ensure!(reports == wanted, "{reports:?}");
    ensure!(
        world.error_lines().iter().any(|line| line.contains("signature")),
        "a forged command is not logged"
    );
    world.kill_agent().await?;
    world.stop().await
}
