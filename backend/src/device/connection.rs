//! One device's connection, from CONNECT to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};
use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::topic::{Lane as TopicLane, Topic};
use tripline_protocol::link::up::Presence;

use super::codec::{PacketError, Packets};
use super::ingest::Submitted;
use super::sessions::Session;
use crate::identity::authority::{Fingerprint, sha256};
use crate::service::{Applied, Lane, Platform, Submission};
use crate::time;

/// A peer that has not sent its CONNECT by then is cut off, in ms.
const CONNECT_MS_MAX: u64 = 10_000;

/// Longest keep-alive granted, in s; a device that asks for more, or for none, is held to this.
const KEEP_ALIVE_S_MAX: u16 = 120;

/// Commands read from the store at once.
const COMMANDS_AT_ONCE: u32 = 16;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("it was silent beyond its keep-alive")]
    Silent,
    #[error("a newer connection of the same device took over")]
    TakenOver,
    #[error("the device said goodbye")]
    Goodbye,
    #[error("it broke the rules: {0}")]
    Rule(&'static str),
    #[error("its batch could not be committed; it will come again")]
    NotCommitted,
    #[error("the store: {0}")]
    Store(#[from] crate::store::StoreError),
}

/// Serves one connection.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    peer: SocketAddr,
    platform: Arc<Platform>,
    ingest: mpsc::Sender<Submitted>,
) {
    let _ = stream.set_nodelay(true);
    let deadline = Duration::from_millis(CONNECT_MS_MAX);
    let opened = tokio::time::timeout(deadline, open(stream, tls, &platform)).await;
    let (packets, device, certificate, keep_alive) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(reason)) => {
            warn!(%peer, %reason, "connection refused");
            return;
        }
        Err(_) => {
            warn!(%peer, "connection refused: no CONNECT in time");
            return;
        }
    };
    let session = platform.sessions.enter(&device);
    info!(%device, %peer, "device connected");
    let mut connection = Connection {
        packets,
        device: device.clone(),
        certificate,
        keep_alive,
        platform: Arc::clone(&platform),
        ingest,
        session: Arc::clone(&session),
        commands_wanted: false,
        commands_sent: CommandNumber::default(),
        packet_id: 0,
    };
    let reason = match connection.run().await {
        Ok(never) => match never {},
        Err(ended) => ended,
    };
    platform.sessions.leave(&device, &session);
    info!(%device, %reason, "device disconnected");
}

/// Shakes hands, reads and answers the CONNECT.
async fn open(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    platform: &Platform,
) -> Result<(Packets, DeviceId, Fingerprint, Duration), String> {
    let stream = TlsAcceptor::from(tls).accept(stream).await.map_err(|error| error.to_string())?;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = sha256(shown.ok_or("it showed no certificate")?);
    let mut packets = Packets::new(stream);
    let packet = match packets.read_connect().await {
        Ok(packet) => packet,
        Err(error @ PacketError::Level { .. }) => {
            let _ = refuse(&mut packets, ConnectReturnCode::RefusedProtocolVersion).await;
            return Err(error.to_string());
        }
        Err(error) => return Err(error.to_string()),
    };
    let Packet::Connect(connect) = packet else {
        return Err("its first packet is no CONNECT".into());
    };
    let device = match authenticate(&connect, &certificate, platform).await {
        Ok(device) => device,
        Err((code, reason)) => {
            let _ = refuse(&mut packets, code).await;
            return Err(reason);
        }
    };
    let asked = if connect.keep_alive == 0 { KEEP_ALIVE_S_MAX } else { connect.keep_alive };
    let keep_alive = Duration::from_secs(u64::from(asked.min(KEEP_ALIVE_S_MAX)));
    packets
        .write(&[Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))])
        .await
        .map_err(|error| error.to_string())?;
    // One and a half times the keep-alive, section 3.1.2.10 of MQTT 3.1.1.
    Ok((packets, device, certificate, keep_alive * 3 / 2))
}

async fn refuse(packets: &mut Packets, code: ConnectReturnCode) -> Result<(), PacketError> {
    packets.write(&[Packet::ConnAck(ConnAck::new(code, false))]).await
}

/// Who connects: the client id must be the device of the certificate, the certificate must count, and
/// the will be the device's own.
async fn authenticate(
    connect: &Connect,
    certificate: &Fingerprint,
    platform: &Platform,
) -> Result<DeviceId, (ConnectReturnCode, String)> {
    let not_authorized = |reason: &str| (ConnectReturnCode::NotAuthorized, reason.to_owned());
    let device: DeviceId = connect
        .client_id
        .parse()
        .map_err(|error| (ConnectReturnCode::BadClientId, format!("client id: {error}")))?;
    if let Some(will) = &connect.last_will
        && will.topic != (Topic { device: device.clone(), lane: TopicLane::Presence }).to_string()
    {
        return Err(not_authorized("its will is not on its own presence topic"));
    }
    let unavailable = |error: &dyn std::fmt::Display| {
        (ConnectReturnCode::ServiceUnavailable, format!("the store: {error}"))
    };
    let mut tx = platform.store.read().await.map_err(|error| unavailable(&error))?;
    let known = tx.certificate(certificate).await.map_err(|error| unavailable(&error))?;
    let known = known.ok_or_else(|| not_authorized("its certificate is not known"))?;
    if known.device != device {
        return Err(not_authorized("its client id is not the device of its certificate"));
    }
    if known.ended.is_some() {
        return Err(not_authorized("its certificate was revoked"));
    }
    if known.expires_at <= time::now() {
        return Err(not_authorized("its certificate has expired"));
    }
    Ok(device)
}

/// QoS 2 is not spoken here.
const fn granted_qos(asked: QoS) -> QoS {
    match asked {
        QoS::AtMostOnce => QoS::AtMostOnce,
        QoS::AtLeastOnce | QoS::ExactlyOnce => QoS::AtLeastOnce,
    }
}

struct Connection {
    packets: Packets,
    device: DeviceId,
    certificate: Fingerprint,
    keep_alive: Duration,
    platform: Arc<Platform>,
    ingest: mpsc::Sender<Submitted>,
    session: Arc<Session>,
    commands_wanted: bool,
    commands_sent: CommandNumber,
    packet_id: u16,
}

/// A connection runs until it ends; it has no good end.
enum Never {}

impl Connection {
    async fn run(&mut self) -> Result<Never, Ended> {
        loop {
            tokio::select! {
                // 1. A newer connection.
                () = self.session.taken_over.notified() => return Err(Ended::TakenOver),
                // 2. Commands for the device.
                () = self.session.commands.notified(), if self.commands_wanted => {
                    self.send_commands().await?;
                }
                // 3. What the device sends, which it must within its keep-alive.
                packet = tokio::time::timeout(self.keep_alive, self.packets.read()) => {
                    let packet = packet.map_err(|_| Ended::Silent)??;
                    self.take_in(packet).await?;
                }
            }
        }
    }

    async fn take_in(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => self.take_in_publish(publish).await,
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Packet::Unsubscribe(unsubscribe) => {
                let answer = Packet::UnsubAck(UnsubAck { pkid: unsubscribe.pkid });
                Ok(self.packets.write(&[answer]).await?)
            }
            Packet::PingReq => Ok(self.packets.write(&[Packet::PingResp]).await?),
            // A command counts as taken in when the device says so in an event, not before.
            Packet::PubAck(_) => Ok(()),
            Packet::Disconnect => Err(Ended::Goodbye),
            Packet::Connect(_) => Err(Ended::Rule("a second CONNECT")),
            Packet::ConnAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => Err(Ended::Rule("a packet that devices do not send")),
        }
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Ended> {
        let mut granted = Vec::with_capacity(subscribe.filters.len());
        for filter in &subscribe.filters {
            let topic = filter.path.parse::<Topic>().ok();
            let lane = topic.filter(|topic| topic.device == self.device).map(|topic| topic.lane);
            granted.push(if let Some(lane) = lane.filter(|lane| !lane.is_up()) {
                self.commands_wanted |= lane == TopicLane::Command;
                SubscribeReasonCode::Success(granted_qos(filter.qos))
            } else {
                warn!(device = %self.device, filter = %filter.path, "subscription refused");
                SubscribeReasonCode::Failure
            });
        }
        let answer = Packet::SubAck(SubAck::new(subscribe.pkid, granted));
        self.packets.write(&[answer]).await?;
        if self.commands_wanted { self.send_commands().await } else { Ok(()) }
    }

    async fn take_in_publish(&mut self, publish: Publish) -> Result<(), Ended> {
        let topic = publish.topic.parse::<Topic>().ok();
        let lane = topic.filter(|topic| topic.device == self.device).map(|topic| topic.lane);
        let lane = lane.filter(|lane| lane.is_up());
        let lane = lane.ok_or(Ended::Rule("it published to a topic that is not its own"))?;
        if publish.retain {
            return Err(Ended::Rule("it asked to retain a message"));
        }
        match publish.qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => {}
            QoS::ExactlyOnce => return Err(Ended::Rule("it published with QoS 2")),
        }
        let mut answers = Vec::new();
        match lane {
            TopicLane::Live => match decode(&publish.payload) {
                Ok(live) => self.platform.handle_live(&self.device, live),
                Err(error) => self.ignore(lane, &error),
            },
            TopicLane::Presence => match decode(&publish.payload) {
                Ok(Presence::Here { agent_version }) => {
                    info!(device = %self.device, agent_version, "here");
                }
                Ok(Presence::Gone) => info!(device = %self.device, "going"),
                Err(error) => self.ignore(lane, &error),
            },
            TopicLane::Event => match decode(&publish.payload) {
                Ok(batch) => {
                    let payload = publish.payload.to_vec();
                    answers.extend(self.commit(Lane::Event(batch, payload)).await?);
                }
                Err(error) => self.ignore(lane, &error),
            },
            TopicLane::Trail => match decode(&publish.payload) {
                Ok(batch) => {
                    let payload = publish.payload.to_vec();
                    answers.extend(self.commit(Lane::Trail(batch, payload)).await?);
                }
                Err(error) => self.ignore(lane, &error),
            },
            TopicLane::Ack | TopicLane::Command => {}
        }
        if publish.qos == QoS::AtLeastOnce {
            answers.insert(0, Packet::PubAck(PubAck::new(publish.pkid)));
        }
        Ok(self.packets.write(&answers).await?)
    }

    fn ignore(&self, lane: TopicLane, error: &dyn std::fmt::Display) {
        warn!(device = %self.device, %lane, %error, "message ignored");
    }

    /// Has a batch committed; gives the CommitAck that says so.
    async fn commit(&self, lane: Lane) -> Result<Option<Packet>, Ended> {
        let (applied, outcome) = oneshot::channel();
        let submission =
            Submission { device: self.device.clone(), certificate: self.certificate, lane };
        let submitted = Submitted { submission, applied };
        self.ingest.send(submitted).await.map_err(|_| Ended::NotCommitted)?;
        match outcome.await.map_err(|_| Ended::NotCommitted)? {
            Applied::Committed(commit_ack) => {
                let payload = encode(&commit_ack);
                Ok(Some(self.publish(TopicLane::Ack, QoS::AtMostOnce, payload)))
            }
            Applied::Early | Applied::HeldBack => Ok(None),
            Applied::SetAside => Err(Ended::Rule("its certificate was revoked")),
        }
    }

    /// Sends the commands that the device has not reported on, each once a connection.
    async fn send_commands(&mut self) -> Result<(), Ended> {
        loop {
            let mut tx = self.platform.store.read().await?;
            let open =
                tx.open_down_messages(&self.device, self.commands_sent, COMMANDS_AT_ONCE).await?;
            drop(tx);
            let Some((last, _)) = open.last() else { return Ok(()) };
            self.commands_sent = *last;
            for (number, payload) in open {
                self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
                let mut packet = self.publish(TopicLane::Command, QoS::AtLeastOnce, payload);
                if let Packet::Publish(publish) = &mut packet {
                    publish.pkid = self.packet_id;
                }
                info!(device = %self.device, %number, "command sent");
                self.packets.write(&[packet]).await?;
            }
        }
    }

    fn publish(&self, lane: TopicLane, qos: QoS, payload: Vec<u8>) -> Packet {
        let topic = Topic { device: self.device.clone(), lane }.to_string();
        let mut publish = Publish::new(topic, qos, Vec::new());
        publish.payload = Bytes::from(payload);
        Packet::Publish(publish)
    }
}
