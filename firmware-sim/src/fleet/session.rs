//! One vehicle on the network: a task that connects, serves, and connects again, until the fleet leaves.
//!
//! It does what the agent's uplink does, without a client library of its own queues: what the lanes
//! want out is written at once, and one write is awaited at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;
use tripline_protocol::id::{DeviceId, Sequence};
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::seal;
use tripline_protocol::link::topic::{Lane, Topic};
use tripline_protocol::link::up::{Live, Presence, Stream};
use tripline_protocol::signing::PublicKey;
use tripline_protocol::unit::Uptime;

use super::door::Door;
use super::pacing::{Ramp, Watch};
use super::packets::{PacketError, Packets};
use super::tally::{Failure, Tally};
use super::vehicle::{Shift, Vehicle};
use crate::chance::Chance;

/// Version of the agent that vehicles claim to run.
pub const AGENT_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "-sim");

/// Keep-alive of a connection, in s: that of the agent.
const KEEP_ALIVE_S: u16 = 30;

/// Longest wait for TCP, TLS and the ConnAck together, in ms.
const CONNECT_MS_MAX: u64 = 20_000;

/// Shortest and longest bound of the wait between two attempts to connect, in ms. It doubles.
const RECONNECT_MS_MIN: u64 = 500;
const RECONNECT_MS_MAX: u64 = 30_000;

/// A connection that lasted so long was a good one, in ms.
const STABLE_MS: u64 = 5_000;

/// Publishes whose PubAck is remembered as missing: several times the lanes' windows, since a rewind
/// sends again what is still on its way.
const IN_FLIGHT_MAX: usize = 64;

/// What the fleet is to do. At first it connects and holds its connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// When it drives; each vehicle a little later than the one before it.
    pub shift: Option<Shift>,
    /// Whether it is to say goodbye.
    pub leaves: bool,
}

/// Who tells that a batch is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A platform, by its CommitAck.
    CommitAck,
    /// A broker, which knows no CommitAck, by its PubAck.
    PubAck,
}

/// What all vehicles share.
#[derive(Debug)]
pub struct Common {
    /// Their counts.
    pub tally: Tally,
    /// Their clock.
    pub watch: Watch,
    /// Their turns to connect.
    pub ramp: Ramp,
    /// What counts as an acknowledgement.
    pub proof: Proof,
}

/// One vehicle, and what it needs to connect.
pub struct Session {
    /// What all share.
    pub common: Arc<Common>,
    /// Who it is.
    pub device: DeviceId,
    /// Who may seal its commands.
    pub command_keys: Vec<PublicKey>,
    /// Where it connects.
    pub door: Door,
    /// The vehicle.
    pub vehicle: Vehicle,
    /// Chance, for its waits.
    pub chance: Chance,
    /// How much later than the fleet it begins to drive, in ms.
    pub offset_ms: u64,
    /// What it is doing.
    pub state: State,
}

/// How far a vehicle has come.
#[derive(Debug, Default)]
pub struct State {
    shift: Option<Shift>,
    milestones: Milestones,
    fixes_counted: u64,
    in_flight: VecDeque<InFlight>,
    packet_id: u16,
    ping_at: Uptime,
    awaits_pong: bool,
}

/// What happens once to a vehicle.
#[derive(Debug, Default)]
struct Milestones {
    /// It was connected.
    is_reached: bool,
    /// Its drive is over.
    is_finished: bool,
    /// After that, everything is committed.
    is_drained: bool,
}

#[derive(Debug)]
struct InFlight {
    packet_id: u16,
    stream: Stream,
    last: Sequence,
    written: Instant,
}

/// Why a connection ended.
enum Ended {
    /// The fleet leaves.
    Left,
    /// It broke.
    Lost(Failure, String),
}

impl From<PacketError> for Ended {
    fn from(error: PacketError) -> Self {
        let failure = match error {
            PacketError::Io(_) => Failure::Broken,
            PacketError::Closed => Failure::Closed,
            PacketError::Codec(_) => Failure::Protocol,
            PacketError::Slow => Failure::Slow,
        };
        Self::Lost(failure, error.to_string())
    }
}

type Connection = Packets<TlsStream<TcpStream>>;

impl Session {
    /// Connects, serves, connects again, until the fleet leaves.
    pub async fn run(mut self, mut plan: watch::Receiver<Plan>) {
        let mut attempt = 0;
        loop {
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = left(&mut plan) => break,
            };
            let lost = match connected {
                Err(lost) => lost,
                Ok(connection) => {
                    let since = self.now();
                    let Some(lost) = self.hold(connection, &mut plan).await else { break };
                    if self.now().since_ms(since) >= STABLE_MS {
                        attempt = 0;
                    }
                    lost
                }
            };
            self.common.tally.fail(lost.0, format!("{}: {}", self.device, lost.1));
            let wait = self.full_jitter(attempt);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = left(&mut plan) => break,
            }
        }
        // What it made while it was not connected counts as well.
        let _ = self.take_plan(*plan.borrow());
        self.drive(self.now());
    }

    fn now(&self) -> Uptime {
        self.common.watch.now()
    }

    /// A random wait below a bound that doubles with every attempt.
    fn full_jitter(&mut self, attempt: u32) -> Duration {
        let bound_ms = RECONNECT_MS_MIN.saturating_mul(1 << attempt.min(20)).min(RECONNECT_MS_MAX);
        Duration::from_millis(self.chance.number() % bound_ms)
    }

    async fn connect(&mut self) -> Result<Connection, (Failure, String)> {
        self.common.ramp.turn().await;
        let started = Instant::now();
        let opened = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), self.open()).await;
        let late = |_| (Failure::Timeout, format!("not connected within {CONNECT_MS_MAX} ms"));
        let connection = opened.map_err(late)??;
        self.common.tally.connect.count(elapsed_us(started));
        Ok(connection)
    }

    /// TCP, TLS, CONNECT and its answer.
    async fn open(&mut self) -> Result<Connection, (Failure, String)> {
        let mut connection = Packets::new(self.door.open().await?);
        let gone = encode(&Presence::Gone);
        let mut connect = Connect::new(self.device.as_str());
        connect.keep_alive = KEEP_ALIVE_S;
        connect.last_will =
            Some(LastWill::new(self.topic(Lane::Presence), gone, QoS::AtMostOnce, false));
        let answer = async {
            connection.push(&Packet::Connect(connect))?;
            connection.flush().await?;
            connection.read().await
        };
        let refused = match answer.await {
            Ok(Packet::ConnAck(answer)) if answer.code == ConnectReturnCode::Success => None,
            Ok(Packet::ConnAck(answer)) => Some((Failure::Refused, format!("{:?}", answer.code))),
            Ok(_) => Some((Failure::Protocol, "its first packet is no CONNACK".into())),
            // TLS 1.3 tells that it refuses our certificate only after its handshake.
            Err(PacketError::Io(error)) if error.get_ref().is_some() => {
                Some((Failure::Tls, error.to_string()))
            }
            Err(error) => match Ended::from(error) {
                Ended::Lost(failure, words) => Some((failure, words)),
                Ended::Left => None,
            },
        };
        refused.map_or(Ok(connection), Err)
    }

    /// Serves a connection to its end; gives why it was lost, or `None` if the fleet leaves.
    async fn hold(
        &mut self,
        mut connection: Connection,
        plan: &mut watch::Receiver<Plan>,
    ) -> Option<(Failure, String)> {
        let tally = &self.common.tally;
        tally.connections.one();
        if !std::mem::replace(&mut self.state.milestones.is_reached, true) {
            tally.reached.one();
        }
        let ended = match self.serve(&mut connection, plan).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        };
        self.common.tally.disconnections.one();
        self.vehicle.handle_disconnected();
        self.state.in_flight.clear();
        match ended {
            Ended::Lost(failure, words) => Some((failure, words)),
            Ended::Left => {
                let _ = self.say_goodbye(&mut connection).await;
                connection.close().await;
                None
            }
        }
    }

    async fn serve(
        &mut self,
        connection: &mut Connection,
        plan: &mut watch::Receiver<Plan>,
    ) -> Result<std::convert::Infallible, Ended> {
        self.greet(connection)?;
        loop {
            let Plan { leaves, .. } = self.take_plan(*plan.borrow_and_update());
            if leaves {
                return Err(Ended::Left);
            }
            let now = self.now();
            if let Some(live) = self.drive(now) {
                self.publish_live(connection, &live)?;
            }
            self.vehicle.handle_timeout(now);
            self.publish_batches(connection, now)?;
            self.ping(connection, now)?;
            connection.flush().await?;
            let due_at = self.common.watch.instant(self.poll_timeout(now));
            tokio::select! {
                biased;
                // 1. What the fleet does. Whoever decides that is gone: so is the fleet.
                changed = plan.changed() => changed.map_err(|_| Ended::Left)?,
                // 2. What the peer says.
                packet = connection.read() => self.take_in(connection, packet?)?,
                // 3. What is due though nothing came.
                () = tokio::time::sleep_until(due_at) => {}
            }
        }
    }

    /// Subscribes, says hello, and rewinds both lanes.
    fn greet(&mut self, connection: &mut Connection) -> Result<(), PacketError> {
        let filter = |lane| SubscribeFilter { path: self.topic(lane), qos: QoS::AtLeastOnce };
        let mut subscribe = Subscribe::new_many([filter(Lane::Ack), filter(Lane::Command)]);
        subscribe.pkid = self.next_packet_id();
        connection.push(&Packet::Subscribe(subscribe))?;
        let here = encode(&Presence::Here { agent_version: AGENT_VERSION.into() });
        self.publish(connection, Lane::Presence, here)?;
        let now = self.now();
        self.state.ping_at = now.plus_ms(u64::from(KEEP_ALIVE_S) * 1_000);
        self.state.awaits_pong = false;
        self.vehicle.handle_connected(now);
        Ok(())
    }

    async fn say_goodbye(&self, connection: &mut Connection) -> Result<(), PacketError> {
        let gone = encode(&Presence::Gone);
        let publish = Publish::new(self.topic(Lane::Presence), QoS::AtMostOnce, gone);
        connection.push(&Packet::Publish(publish))?;
        connection.push(&Packet::Disconnect)?;
        connection.flush().await
    }

    fn take_plan(&mut self, plan: Plan) -> Plan {
        let later = |at: Uptime| at.plus_ms(self.offset_ms);
        let mine = |shift: Shift| Shift { from: later(shift.from), until: later(shift.until) };
        self.state.shift = plan.shift.map(mine);
        plan
    }

    /// Makes what is due, and counts it; gives the newest live position.
    fn drive(&mut self, now: Uptime) -> Option<Live> {
        let shift = self.state.shift?;
        let live = self.vehicle.advance(shift, now);
        if now >= shift.until && !std::mem::replace(&mut self.state.milestones.is_finished, true) {
            self.vehicle.finish(now);
        }
        let fixes = self.vehicle.fixes();
        self.common.tally.fixes_generated.add(fixes - self.state.fixes_counted);
        self.state.fixes_counted = fixes;
        self.note_drained();
        live
    }

    fn note_drained(&mut self) {
        if self.state.milestones.is_finished
            && !self.state.milestones.is_drained
            && self.vehicle.is_drained()
        {
            self.state.milestones.is_drained = true;
            self.common.tally.drained.one();
        }
    }

    fn publish_live(
        &mut self,
        connection: &mut Connection,
        live: &Live,
    ) -> Result<(), PacketError> {
        self.common.tally.live_published.one();
        let publish = Publish::new(self.topic(Lane::Live), QoS::AtMostOnce, encode(live));
        connection.push(&Packet::Publish(publish))
    }

    /// Publishes batches until the windows are full.
    fn publish_batches(
        &mut self,
        connection: &mut Connection,
        now: Uptime,
    ) -> Result<(), PacketError> {
        while let Some(batch) = self.vehicle.poll_send(now) {
            let tally = &self.common.tally;
            match batch.stream {
                Stream::Event => tally.event_batches_published.one(),
                Stream::Trail => {
                    tally.trail_batches_published.one();
                    tally.fixes_published.add(batch.records);
                }
            }
            let packet_id = self.publish(connection, batch.lane, batch.payload)?;
            let (stream, last, written) = (batch.stream, batch.last, Instant::now());
            if self.state.in_flight.len() >= IN_FLIGHT_MAX {
                self.state.in_flight.pop_front();
            }
            self.state.in_flight.push_back(InFlight { packet_id, stream, last, written });
        }
        Ok(())
    }

    fn publish(
        &mut self,
        connection: &mut Connection,
        lane: Lane,
        payload: Vec<u8>,
    ) -> Result<u16, PacketError> {
        let mut publish = Publish::new(self.topic(lane), QoS::AtLeastOnce, payload);
        publish.pkid = self.next_packet_id();
        connection.push(&Packet::Publish(publish))?;
        Ok(self.state.packet_id)
    }

    fn ping(&mut self, connection: &mut Connection, now: Uptime) -> Result<(), Ended> {
        if now < self.state.ping_at {
            return Ok(());
        }
        if std::mem::replace(&mut self.state.awaits_pong, true) {
            return Err(Ended::Lost(Failure::Silent, "it does not answer a ping".into()));
        }
        self.state.ping_at = now.plus_ms(u64::from(KEEP_ALIVE_S) * 1_000);
        Ok(connection.push(&Packet::PingReq)?)
    }

    /// When something is due though nothing comes.
    fn poll_timeout(&self, now: Uptime) -> Uptime {
        let State { shift, milestones, ping_at, .. } = &self.state;
        let shift = shift.filter(|_| !milestones.is_finished);
        let end = shift.map(|shift| shift.until);
        let advance = shift.and_then(|shift| self.vehicle.poll_advance(shift));
        let due = [self.vehicle.poll_timeout(now), advance, end];
        due.into_iter().flatten().fold(*ping_at, Uptime::min)
    }

    fn take_in(&mut self, connection: &mut Connection, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::PubAck(PubAck { pkid }) => self.take_puback(pkid),
            Packet::Publish(publish) => {
                self.take_publish(&publish);
                if publish.qos == QoS::AtLeastOnce {
                    connection.push(&Packet::PubAck(PubAck::new(publish.pkid)))?;
                }
            }
            Packet::PingResp => self.state.awaits_pong = false,
            Packet::SubAck(answer) => {
                if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                    let words = "a subscription to an own topic was refused".into();
                    return Err(Ended::Lost(Failure::Subscription, words));
                }
            }
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::UnsubAck(_)
            | Packet::PingReq
            | Packet::Disconnect => {
                let words = "a packet that no client of ours gets".into();
                return Err(Ended::Lost(Failure::Protocol, words));
            }
        }
        Ok(())
    }

    fn take_puback(&mut self, packet_id: u16) {
        let in_flight = &mut self.state.in_flight;
        let found = in_flight.iter().position(|publish| publish.packet_id == packet_id);
        // The hello's is none of them.
        let Some(publish) = found.and_then(|at| in_flight.remove(at)) else { return };
        let tally = &self.common.tally;
        if publish.stream == Stream::Trail {
            tally.puback.count(elapsed_us(publish.written));
            tally.trail_batches_acknowledged.one();
        }
        if self.common.proof == Proof::PubAck {
            let taken = self.vehicle.as_commit_ack(publish.stream, publish.last);
            self.take_commit_ack(taken);
        }
    }

    fn take_publish(&mut self, publish: &Publish) {
        let topic = publish.topic.parse().ok().filter(|topic: &Topic| topic.device == self.device);
        let lane = topic.as_ref().map(|topic| topic.lane);
        let taken = match (topic, lane) {
            (Some(_), Some(Lane::Ack)) => decode(&publish.payload).is_ok_and(|commit_ack| {
                self.common.tally.commit_acks.one();
                self.take_commit_ack(commit_ack);
                true
            }),
            (Some(topic), Some(Lane::Command)) => {
                let opened = seal::open(&publish.payload, &topic, &self.command_keys);
                opened.is_ok_and(|command: Command| {
                    self.common.tally.commands.one();
                    self.vehicle.handle_command(command, self.now());
                    true
                })
            }
            _ => false,
        };
        if !taken {
            self.common.tally.messages_ignored.one();
        }
    }

    fn take_commit_ack(&mut self, commit_ack: CommitAck) {
        let tally = &self.common.tally;
        let now = self.common.watch.now();
        let waited = |waited_ms: u64| tally.commit.count(waited_ms.saturating_mul(1_000));
        let fixes = self.vehicle.handle_commit_ack(commit_ack, now, waited);
        tally.fixes_acknowledged.add(fixes);
        self.note_drained();
    }

    fn next_packet_id(&mut self) -> u16 {
        // 0 is no packet id.
        self.state.packet_id = self.state.packet_id.checked_add(1).unwrap_or(1);
        self.state.packet_id
    }

    fn topic(&self, lane: Lane) -> String {
        Topic { device: self.device.clone(), lane }.to_string()
    }
}

fn elapsed_us(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Returns when the fleet leaves.
async fn left(plan: &mut watch::Receiver<Plan>) {
    let _ = plan.wait_for(|plan| plan.leaves).await;
}
