//! One device's connection, from its granted CONNECT to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode,
    UnsubAck,
};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::{debug, error};
use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::down::Command;
use tripline_protocol::link::envelope::{DecodeError, decode, encode};
use tripline_protocol::link::seal::seal;
use tripline_protocol::link::topic::{Lane as TopicLane, Topic};
use tripline_protocol::link::up::Presence;

use super::codec::{PacketError, Packets};
use super::in_flight::{InFlight, Settled};
use super::ingest::Submitted;
use super::offences::Offences;
use super::opening::{Opened, Refused, canonical, open, why_ended};
use super::packet::{Malformed, Place};
use super::presence::printable_version;
use super::report;
use super::sessions::{Ending, Session};
use crate::identity::live::TlsSource;
use crate::listen::{Account, Entrance, Rate};
use crate::metrics::OnLane;
use crate::service::{Applied, Lane, Platform, Submission};
use crate::store::certificate::REVOKED;
use crate::time;

/// A peer that has not got through its CONNECT by then is cut off, in ms; the handshake counts, and
/// however slowly its bytes come.
const CONNECT_MS_MAX: u64 = 10_000;

/// Commands read from the store at once.
const COMMANDS_AT_ONCE: u32 = 16;

/// Packets of one connection; beyond it the connection is not read until there is room again. Generous: a
/// whole day that an honest device could not send is some 1,440 batches.
const PACKETS: Rate = Rate { per_s: 200, burst: 2_000 };

/// Why a publish is refused, and its connection with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PublishRefusal {
    #[error("it published to a topic that is not its own")]
    Topic,
    #[error("it asked to retain a message")]
    Retain,
    #[error("it published with QoS 2")]
    Qos,
}

impl PublishRefusal {
    /// Its stable code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Topic => "topic-not-its-own",
            Self::Retain => "retain",
            Self::Qos => "qos-2",
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Packet(#[from] PacketError),
    #[error("it was silent beyond its keep-alive")]
    Silent,
    #[error("a newer connection of the same device took over")]
    TakenOver,
    #[error("its certificate counts no more: {0}")]
    Certificate(&'static str),
    #[error("its certificate has expired")]
    Expired,
    #[error("too much of what it sent could not be used")]
    Offences,
    #[error("the device said goodbye")]
    Goodbye,
    #[error("{0}")]
    Publish(PublishRefusal),
    #[error("its batch could not be committed; it will come again")]
    NotCommitted,
    #[error("the store: {0}")]
    Store(#[from] crate::store::StoreError),
}

impl Ended {
    /// Its stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Packet(error) => error.code(),
            Self::Silent => "silent",
            Self::TakenOver => "taken-over",
            Self::Certificate(why) => why,
            Self::Expired => "expired",
            Self::Offences => "offences",
            Self::Goodbye => "goodbye",
            Self::Publish(_) => "publish-refused",
            Self::NotCommitted => "not-committed",
            Self::Store(_) => "store",
        }
    }
}

impl From<Ending> for Ended {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::TakenOver => Self::TakenOver,
            Ending::CertificateEnded(why) => Self::Certificate(why),
            Ending::Expired => Self::Expired,
        }
    }
}

/// What every connection needs.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) tls: TlsSource,
    pub(super) platform: Arc<Platform>,
    pub(super) ingest: mpsc::Sender<Submitted>,
}

/// Serves one connection.
pub(super) async fn serve(
    endpoint: Arc<Endpoint>,
    stream: TcpStream,
    peer: SocketAddr,
    entrance: Entrance,
) {
    let (platform, peer) = (&endpoint.platform, canonical(peer));
    let _ = stream.set_nodelay(true);
    // In a box that goes when the device is in: an idle connection need not carry its handshake.
    let opened = match Box::pin(opened(&endpoint, stream, &entrance)).await {
        Ok(opened) => opened,
        Err(refused) => return report::refused(platform, peer, &refused),
    };
    let Opened { packets, device, certificate, expires_at, silence_max } = opened;
    let session = Arc::new(Session::new(peer, certificate, expires_at, time::now()));
    let take_over = platform.sessions.enter(&device, &session);
    let stay = platform.sessions.stay(&device, &session);
    report::connected(platform, &device, peer, take_over);
    let begun = Instant::now();
    let mut connection = Connection {
        packets,
        device: device.clone(),
        silence_max,
        silent_at: begun + silence_max,
        account: Account::new(begun.into_std()),
        read_at: begun,
        offences: Offences::default(),
        endpoint: Arc::clone(&endpoint),
        session: Arc::clone(&session),
        in_flight: InFlight::default(),
        commands_wanted: false,
        commands_sent: CommandNumber::default(),
        packet_id: 0,
    };
    let ended = connection.run().await;
    drop(stay);
    if let Ended::Certificate(why) = ended {
        platform.forget_live(&device);
        report::certificate_ended(platform, &device, peer, why);
    }
    report::disconnected(platform, &device, peer, &ended);
}

/// The device that came in, unless its time is up or its place is needed before that.
async fn opened(
    endpoint: &Endpoint,
    stream: TcpStream,
    entrance: &Entrance,
) -> Result<Opened, Refused> {
    let deadline = Duration::from_millis(CONNECT_MS_MAX);
    let opening = open(stream, endpoint.tls.current(), &endpoint.platform);
    let opened = tokio::select! {
        () = entrance.evicted() => return Err(Refused::Evicted),
        opened = tokio::time::timeout(deadline, opening) => opened.map_err(|_| Refused::Late)??,
    };
    if entrance.admit() { Ok(opened) } else { Err(Refused::Evicted) }
}

/// The next packet, not before `read_at`, and in time. May be dropped while it waits.
async fn next(
    packets: &mut Packets,
    read_at: Instant,
    silent_at: Instant,
) -> Result<Packet, Ended> {
    if read_at > Instant::now() {
        tokio::time::sleep_until(read_at).await;
    }
    let packet = tokio::time::timeout_at(silent_at, packets.read(Place::Later)).await;
    Ok(packet.map_err(|_| Ended::Silent)??)
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
    silence_max: Duration,
    silent_at: Instant,
    /// What it has left of its [`PACKETS`], and from when on it is read again.
    account: Account,
    read_at: Instant,
    offences: Offences,
    endpoint: Arc<Endpoint>,
    session: Arc<Session>,
    in_flight: InFlight,
    commands_wanted: bool,
    commands_sent: CommandNumber,
    packet_id: u16,
}

/// A connection works until it ends; it has no good end.
enum Never {}

impl Connection {
    /// Works until it is told to end, wherever it waits then, or ends by itself.
    async fn run(&mut self) -> Ended {
        let session = Arc::clone(&self.session);
        tokio::select! {
            biased;
            ending = session.must_end() => ending.into(),
            ended = self.work() => match ended {
                Ok(never) => match never {},
                Err(ended) => ended,
            },
        }
    }

    async fn work(&mut self) -> Result<Never, Ended> {
        let granted = ConnAck::new(ConnectReturnCode::Success, false);
        self.packets.write(&[Packet::ConnAck(granted)]).await?;
        loop {
            tokio::select! {
                biased;
                // 1. Commits.
                settled = self.in_flight.settled(), if !self.in_flight.is_empty() => {
                    self.acknowledge(settled.map_err(|_| Ended::NotCommitted)?).await?;
                }
                // 2. Commands for the device.
                () = self.session.commands.notified(), if self.commands_wanted => {
                    Box::pin(self.send_commands()).await?;
                }
                // 3. What the device sends, which it must within its keep-alive; it is not read while
                //    too much of it waits or has come.
                packet = next(&mut self.packets, self.read_at, self.silent_at),
                    if !self.in_flight.is_full() =>
                {
                    let (packet, now) = (packet?, Instant::now());
                    self.read_at = Instant::from_std(self.account.spend(PACKETS, now.into_std()));
                    self.silent_at = self.read_at + self.silence_max;
                    self.take_in(packet).await?;
                }
            }
        }
    }

    async fn take_in(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => self.take_in_publish(publish).await,
            Packet::Subscribe(subscribe) => Box::pin(self.subscribe(subscribe)).await,
            Packet::Unsubscribe(unsubscribe) => {
                let answer = Packet::UnsubAck(UnsubAck { pkid: unsubscribe.pkid });
                Ok(self.packets.write(&[answer]).await?)
            }
            Packet::PingReq => Ok(self.packets.write(&[Packet::PingResp]).await?),
            // A command counts as taken in when the device says so in an event, not before.
            Packet::PubAck(_) => Ok(()),
            Packet::Disconnect => Err(Ended::Goodbye),
            // Refused by their first byte already.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => Err(PacketError::from(Malformed::Kind(0)).into()),
        }
    }

    async fn subscribe(&mut self, subscribe: Subscribe) -> Result<(), Ended> {
        let mut granted = Vec::with_capacity(subscribe.filters.len());
        for filter in &subscribe.filters {
            granted.push(if let Some(lane) = self.own(&filter.path).filter(|lane| !lane.is_up()) {
                self.commands_wanted |= lane == TopicLane::Command;
                SubscribeReasonCode::Success(granted_qos(filter.qos))
            } else {
                let line = self.offences.note(std::time::Instant::now());
                let (device, peer) = (&self.device, self.session.peer);
                report::subscription_refused(self.platform(), device, peer, line);
                SubscribeReasonCode::Failure
            });
        }
        let answer = Packet::SubAck(SubAck::new(subscribe.pkid, granted));
        self.packets.write(&[answer]).await?;
        if self.offences.are_too_many() {
            return Err(Ended::Offences);
        }
        if self.commands_wanted { self.send_commands().await } else { Ok(()) }
    }

    fn platform(&self) -> &Arc<Platform> {
        &self.endpoint.platform
    }

    /// The lane of a topic, if the topic is this device's.
    fn own(&self, topic: &str) -> Option<TopicLane> {
        let topic: Topic = topic.parse().ok()?;
        (topic.device == self.device).then_some(topic.lane)
    }

    async fn take_in_publish(&mut self, publish: Publish) -> Result<(), Ended> {
        let lane = self.check(&publish).map_err(Ended::Publish)?;
        self.platform().metrics.publishes.get_or_create(&OnLane { lane: lane.code() }).inc();
        let outcome = match lane {
            TopicLane::Event => match decode(&publish.payload) {
                Ok(batch) => {
                    let payload = publish.payload.to_vec();
                    Some(self.submit(Lane::Event(batch, payload)).await?)
                }
                Err(error) => self.ignore(lane, error)?,
            },
            TopicLane::Trail => match decode(&publish.payload) {
                Ok(batch) => {
                    let payload = publish.payload.to_vec();
                    Some(self.submit(Lane::Trail(batch, payload)).await?)
                }
                Err(error) => self.ignore(lane, error)?,
            },
            TopicLane::Live => match decode(&publish.payload) {
                Ok(live) => {
                    if !self.session.is_ending() {
                        self.platform().handle_live(&self.device, live);
                    }
                    None
                }
                Err(error) => self.ignore(lane, error)?,
            },
            TopicLane::Presence => match decode(&publish.payload) {
                Ok(presence) => {
                    self.note(presence);
                    None
                }
                Err(error) => self.ignore(lane, error)?,
            },
            TopicLane::Ack | TopicLane::Command => None,
        };
        let pkid = (publish.qos == QoS::AtLeastOnce).then_some(publish.pkid);
        self.in_flight.push(pkid, outcome);
        Ok(())
    }

    /// The lane of a publish that may be.
    fn check(&self, publish: &Publish) -> Result<TopicLane, PublishRefusal> {
        let lane = self.own(&publish.topic).filter(|lane| lane.is_up());
        let lane = lane.ok_or(PublishRefusal::Topic)?;
        if publish.retain {
            return Err(PublishRefusal::Retain);
        }
        match publish.qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => Ok(lane),
            QoS::ExactlyOnce => Err(PublishRefusal::Qos),
        }
    }

    fn ignore<T>(&mut self, lane: TopicLane, error: DecodeError) -> Result<Option<T>, Ended> {
        let line = self.offences.note(std::time::Instant::now());
        report::undecodable(self.platform(), &self.device, lane, error, line);
        if self.offences.are_too_many() { Err(Ended::Offences) } else { Ok(None) }
    }

    fn note(&self, presence: Presence) {
        let sessions = &self.platform().sessions;
        match presence {
            Presence::Here { agent_version } => {
                let agent_version = printable_version(&agent_version);
                debug!(device = %self.device, agent_version, "here");
                sessions.here(&self.device, &self.session, agent_version);
            }
            Presence::Gone => sessions.gone(&self.device, &self.session, time::now()),
        }
    }

    /// Has a batch committed; tells later what became of it.
    async fn submit(&self, lane: Lane) -> Result<oneshot::Receiver<Applied>, Ended> {
        let (applied, outcome) = oneshot::channel();
        let certificate = self.session.certificate;
        let submission = Submission { device: self.device.clone(), certificate, lane };
        let submitted = Submitted { submission, applied };
        self.endpoint.ingest.send(submitted).await.map_err(|_| Ended::NotCommitted)?;
        Ok(outcome)
    }

    /// Answers the oldest publish, and every other that can be answered by now, in one write.
    async fn acknowledge(&mut self, oldest: Settled) -> Result<(), Ended> {
        // A device that was not read could not be heard.
        self.silent_at = self.silent_at.max(Instant::now() + self.silence_max);
        let mut answers = Vec::new();
        let mut next = Some(oldest);
        let mut revoked = false;
        while let Some(Settled { pkid, applied }) = next {
            if applied == Some(Applied::SetAside) {
                revoked = true;
                break;
            }
            answers.extend(pkid.map(|pkid| Packet::PubAck(PubAck::new(pkid))));
            if let Some(Applied::Committed(commit_ack)) = applied {
                let payload = encode(&commit_ack);
                answers.push(self.publish(TopicLane::Ack, QoS::AtMostOnce, 0, payload));
            }
            next = self.in_flight.settled_already().map_err(|_| Ended::NotCommitted)?;
        }
        self.packets.write(&answers).await?;
        if revoked { Err(self.certificate_ended().await?) } else { Ok(()) }
    }

    async fn certificate_ended(&self) -> Result<Ended, Ended> {
        let mut tx = self.platform().store.read().await?;
        let known = tx.certificate(&self.session.certificate).await?;
        Ok(Ended::Certificate(why_ended(known.as_ref()).unwrap_or(REVOKED)))
    }

    /// Sends the commands that the device has not reported on, each once a connection.
    async fn send_commands(&mut self) -> Result<(), Ended> {
        loop {
            let mut tx = self.platform().store.read().await?;
            let open =
                tx.open_down_messages(&self.device, self.commands_sent, COMMANDS_AT_ONCE).await?;
            drop(tx);
            let Some((last, _)) = open.last() else { return Ok(()) };
            self.commands_sent = *last;
            for (number, payload) in open {
                if let Some(packet) = self.sealed(number, &payload) {
                    self.packets.write(&[packet]).await?;
                    debug!(device = %self.device, %number, "command sent");
                }
            }
        }
    }

    /// A stored command as it goes over the wire. Sealed as it is sent, so that what waits in the store
    /// is sealed with the key of the day.
    fn sealed(&mut self, number: CommandNumber, payload: &[u8]) -> Option<Packet> {
        let command: Command = match decode(payload) {
            Ok(command) => command,
            Err(error) => {
                error!(device = %self.device, %number, %error, "a stored command cannot be read");
                return None;
            }
        };
        let topic = Topic { device: self.device.clone(), lane: TopicLane::Command };
        let payload = seal(&command, &topic, &self.platform().command_key);
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        Some(self.publish(TopicLane::Command, QoS::AtLeastOnce, self.packet_id, payload))
    }

    fn publish(&self, lane: TopicLane, qos: QoS, pkid: u16, payload: Vec<u8>) -> Packet {
        let topic = Topic { device: self.device.clone(), lane }.to_string();
        let mut publish = Publish::new(topic, qos, Vec::new());
        publish.pkid = pkid;
        publish.payload = Bytes::from(payload);
        Packet::Publish(publish)
    }
}
