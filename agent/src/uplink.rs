//! The uplink task: one MQTT connection after another, three lanes on each.
//!
//! Every connection is a client of its own, so that nothing one of them had accepted can haunt the
//! next; what was not committed goes again from the journal. Live positions wait in a latest-value
//! slot outside the client and are handed over one at a time, so an old one is never in front of a new
//! one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill, MqttOptions,
    NetworkOptions, Outgoing, Packet, Publish, QoS,
};
use tokio::sync::{Notify, mpsc, watch};
use tracing::{debug, info, warn};
use tripline_agent_core::lanes::{Heard, Lanes};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{PAYLOAD_LEN_MAX, decode, encode};
use tripline_protocol::link::topic::{Lane, Topic};
use tripline_protocol::link::up::{Live, Presence, Stream};

use crate::config;
use crate::journal::{Batches, Reader, Sendable};
use crate::time::Stopwatch;

/// Keep-alive of the connection, in s: the backend notices a dead one after one and a half times this.
const KEEP_ALIVE_S: u64 = 30;

/// Longest wait for TCP, MQTT's ConnAck and each flush, in s.
const CONNECT_S_MAX: u64 = 10;

/// Requests waiting in the client; the lanes' windows and the live slot never fill it.
const REQUESTS_MAX: usize = 32;

/// Packet ids in use at most; several times the windows, since they collide in a small range.
const IN_FLIGHT_MAX: u16 = 64;

/// The send buffer of the socket, in bytes. Small, since live cannot overtake what is in it.
const SEND_BUFFER_LEN: u32 = 16 * 1024;

/// A packet is a payload, a topic and a few bytes.
const PACKET_LEN_MAX: usize = PAYLOAD_LEN_MAX + 256;

/// Shortest bound of the wait between two attempts to connect, in ms. It doubles.
const RECONNECT_MS_MIN: u64 = 500;

/// A connection that lasted so long was a good one, in ms.
const STABLE_MS: u64 = 5_000;

/// Longest goodbye, in ms.
const GOODBYE_MS_MAX: u64 = 2_000;

/// Messages waiting for the engine.
pub const FROM_BACKEND_MAX: usize = 64;

/// What the uplink tells the engine.
#[derive(Debug)]
pub enum FromBackend {
    /// The connection stands, or is gone.
    Connected(bool),
    /// The backend committed.
    CommitAck(CommitAck),
    /// The backend wants something.
    Command(Box<Command>),
}

/// What the uplink is told of the vehicle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far each stream of the running epoch may be sent.
    pub sendable: Sendable,
    /// Whether a trip is under way.
    pub busy: bool,
}

/// What the uplink needs from the rest of the agent.
#[derive(Debug)]
pub struct Uplink {
    /// `[backend]`
    pub config: config::Backend,
    /// This device.
    pub device: DeviceId,
    /// Version of the agent.
    pub agent_version: &'static str,
    /// The journal.
    pub reader: Reader,
    /// The lanes.
    pub lanes: Lanes,
    /// How far the journal may be sent, and whether a trip is under way.
    pub progress: watch::Receiver<Progress>,
    /// The newest live position.
    pub live: watch::Receiver<Option<Live>>,
    /// Where the backend's words go.
    pub engine: mpsc::Sender<FromBackend>,
    /// Rung when the connection is to be made anew.
    pub reconnect: Arc<Notify>,
    /// The agent's uptime.
    pub stopwatch: Stopwatch,
    /// True when the agent ends.
    pub stop: watch::Receiver<bool>,
}

/// Why a connection ended.
enum Ended {
    /// The agent ends.
    Stopped,
    /// It broke.
    Lost(String),
}

impl Uplink {
    /// Connects, serves, connects again, until the agent ends.
    pub async fn run(mut self) {
        let mut attempt = 0;
        let mut told = String::new();
        loop {
            let (mut served, started) = (false, self.stopwatch.now());
            match self.connect_and_serve(&mut served).await {
                Ended::Stopped => return,
                Ended::Lost(reason) => {
                    self.lanes.handle_disconnected();
                    if served {
                        told.clear();
                        // One that ends at once is no success: waits go on growing.
                        if self.stopwatch.now().since_ms(started) >= STABLE_MS {
                            attempt = 0;
                        }
                        warn!(%reason, "backend connection lost; trying again");
                        let _ = self.engine.send(FromBackend::Connected(false)).await;
                    } else if reason != told {
                        // Each reason once: a fleet without a network would log nothing else.
                        warn!(%reason, "backend not reached; trying again until it is");
                        told = reason;
                    } else {
                        debug!(%reason, attempt, "backend not reached");
                    }
                }
            }
            let wait_ms = full_jitter_ms(attempt, self.config.reconnect_ms_max);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                () = stopped(&mut self.stop) => return,
            }
        }
    }

    async fn connect_and_serve(&mut self, served: &mut bool) -> Ended {
        let (client, eventloop) = AsyncClient::new(self.options(), REQUESTS_MAX);
        let (events_tx, mut events) = mpsc::channel(FROM_BACKEND_MAX);
        let poll = tokio::spawn(poll(eventloop, events_tx));
        let ended = self.serve(&client, &mut events, served).await;
        if matches!(ended, Ended::Stopped) {
            let goodbye = Duration::from_millis(GOODBYE_MS_MAX);
            let _ = tokio::time::timeout(goodbye, self.say_goodbye(&client, &mut events)).await;
        }
        poll.abort();
        ended
    }

    fn options(&self) -> MqttOptions {
        let mut options =
            MqttOptions::new(self.device.as_str(), self.config.host.clone(), self.config.port);
        let gone = encode(&Presence::Gone);
        options
            .set_credentials(self.device.as_str(), self.config.token.expose())
            .set_keep_alive(Duration::from_secs(KEEP_ALIVE_S))
            .set_clean_session(true)
            .set_inflight(IN_FLIGHT_MAX)
            .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX)
            .set_last_will(LastWill::new(self.topic(Lane::Presence), gone, QoS::AtMostOnce, false));
        options
    }

    async fn serve(
        &mut self,
        client: &AsyncClient,
        events: &mut mpsc::Receiver<Result<Event, ConnectionError>>,
        served: &mut bool,
    ) -> Ended {
        let mut live_on_wire = false;
        loop {
            let due_at =
                self.lanes.poll_timeout(self.stopwatch.now()).map(|at| self.stopwatch.instant(at));
            tokio::select! {
                biased;
                // 1. The agent ends.
                () = stopped(&mut self.stop) => return Ended::Stopped,
                () = self.reconnect.notified() => {
                    return Ended::Lost("a command has to be sent again".into());
                }
                // 2. What the backend says, and what went out.
                event = events.recv() => match event {
                    None => return Ended::Lost("the MQTT client ended".into()),
                    Some(Err(error)) => return Ended::Lost(explain(&error)),
                    Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                        *served = true;
                        if let Err(error) = self.greet(client).await {
                            return Ended::Lost(error);
                        }
                    }
                    Some(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                        self.take_in(&publish).await;
                    }
                    Some(Ok(Event::Outgoing(Outgoing::Publish(0)))) => live_on_wire = false,
                    Some(Ok(_)) => {}
                },
                // 3. A newer live position, once the one before it is on the wire.
                changed = self.live.changed(), if *served && !live_on_wire => {
                    if changed.is_err() {
                        return Ended::Stopped;
                    }
                    live_on_wire = self.publish_live(client);
                }
                // 4. More of the journal may be sent.
                changed = self.progress.changed() => {
                    if changed.is_err() {
                        return Ended::Stopped;
                    }
                    let Progress { sendable, busy } = *self.progress.borrow_and_update();
                    self.lanes.handle_written(Stream::Event, sendable.event);
                    self.lanes.handle_written(Stream::Trail, sendable.trail);
                    self.lanes.set_busy(busy);
                }
                // 5. A lane that makes no progress goes back to its last CommitAck; a paced one goes on.
                () = sleep_until(due_at) => self.lanes.handle_timeout(self.stopwatch.now()),
            }
            if let Err(error) = self.fill_windows(client) {
                return Ended::Lost(error);
            }
        }
    }

    /// Subscribes, says hello, and rewinds both lanes.
    async fn greet(&mut self, client: &AsyncClient) -> Result<(), String> {
        info!(host = %self.config.host, port = self.config.port, "connected to the backend");
        for lane in [Lane::Ack, Lane::Command] {
            client
                .try_subscribe(self.topic(lane), QoS::AtLeastOnce)
                .map_err(|error| error.to_string())?;
        }
        let here = encode(&Presence::Here { agent_version: self.agent_version.into() });
        client
            .try_publish(self.topic(Lane::Presence), QoS::AtLeastOnce, false, here)
            .map_err(|error| error.to_string())?;
        self.lanes.handle_connected(self.stopwatch.now());
        // A position from before is old, however new the connection.
        self.live.mark_unchanged();
        let _ = self.engine.send(FromBackend::Connected(true)).await;
        Ok(())
    }

    async fn take_in(&mut self, publish: &Publish) {
        let Ok(topic) = publish.topic.parse::<Topic>() else {
            warn!(topic = publish.topic, "message on an unknown topic ignored");
            return;
        };
        let message = match topic.lane {
            Lane::Ack => decode(&publish.payload).map(|commit_ack: CommitAck| {
                let CommitAck { stream, through, epoch } = commit_ack;
                let heard = self.lanes.handle_commit_ack(commit_ack, self.stopwatch.now());
                match heard {
                    Heard::Moved(through) => {
                        Some(FromBackend::CommitAck(CommitAck { epoch, stream, through }))
                    }
                    Heard::Known => None,
                    Heard::Beyond => {
                        warn!(%stream, %through, "a CommitAck beyond what was sent is ignored");
                        None
                    }
                }
            }),
            Lane::Command => decode(&publish.payload)
                .map(|command: Command| Some(FromBackend::Command(Box::new(command)))),
            Lane::Live | Lane::Event | Lane::Trail | Lane::Presence => return,
        };
        match message {
            Ok(None) => {}
            Ok(Some(message)) => {
                let _ = self.engine.send(message).await;
            }
            Err(error) => warn!(lane = %topic.lane, %error, "message ignored"),
        }
    }

    /// Hands the newest live position to the client; whether it took it.
    fn publish_live(&mut self, client: &AsyncClient) -> bool {
        let live = *self.live.borrow_and_update();
        live.is_some_and(|live| {
            client
                .try_publish(self.topic(Lane::Live), QoS::AtMostOnce, false, encode(&live))
                .is_ok()
        })
    }

    /// Sends batches until the windows are full.
    fn fill_windows(&mut self, client: &AsyncClient) -> Result<(), String> {
        while let Some(send) = self.lanes.poll_send(self.stopwatch.now()) {
            let batch = tokio::task::block_in_place(|| self.reader.read(send))
                .map_err(|error: io::Error| format!("the journal cannot be read: {error}"))?;
            let (lane, payload, last) = match batch {
                Batches::Event(batch) => (Lane::Event, encode(&batch), batch.last()),
                Batches::Trail(batch) => (Lane::Trail, encode(&batch), batch.last()),
            };
            if client.try_publish(self.topic(lane), QoS::AtLeastOnce, false, payload).is_err() {
                // Its queue is full; the next thing that goes out brings us here again.
                return Ok(());
            }
            self.lanes.handle_sent(send.stream, last, self.stopwatch.now());
            debug!(%lane, epoch = %send.epoch, after = %send.after, through = %last, "batch sent");
        }
        Ok(())
    }

    /// Says that the device goes, and waits until it is said.
    async fn say_goodbye(
        &self,
        client: &AsyncClient,
        events: &mut mpsc::Receiver<Result<Event, ConnectionError>>,
    ) {
        let gone = encode(&Presence::Gone);
        let _ = client.try_publish(self.topic(Lane::Presence), QoS::AtMostOnce, false, gone);
        let _ = client.try_disconnect();
        while let Some(Ok(event)) = events.recv().await {
            if event == Event::Outgoing(Outgoing::Disconnect) {
                return;
            }
        }
    }

    fn topic(&self, lane: Lane) -> String {
        Topic { device: self.device.clone(), lane }.to_string()
    }
}

/// Polls the client in a task of its own: publishing from the task that polls can deadlock.
async fn poll(mut eventloop: EventLoop, events: mpsc::Sender<Result<Event, ConnectionError>>) {
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_tcp_send_buffer_size(SEND_BUFFER_LEN);
    network.set_connection_timeout(CONNECT_S_MAX);
    eventloop.set_network_options(network);
    loop {
        let event = eventloop.poll().await;
        let ended = event.is_err();
        if events.send(event).await.is_err() || ended {
            return;
        }
    }
}

pub(crate) fn explain(error: &ConnectionError) -> String {
    if let ConnectionError::ConnectionRefused(code) = error {
        return match code {
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
                "the backend does not accept this device's id and token; \
                 compare `device` and [backend] token with what `tripline-bpp vehicle add` printed"
                    .into()
            }
            ConnectReturnCode::ServiceUnavailable => "the backend is overloaded".into(),
            ConnectReturnCode::Success
            | ConnectReturnCode::RefusedProtocolVersion
            | ConnectReturnCode::BadClientId => format!("the backend refused: {code:?}"),
        };
    }
    if let ConnectionError::NotConnAck(_) = error {
        return "what listens there does not answer as MQTT; check [backend] port".into();
    }
    error.to_string()
}

/// A random wait below a bound that doubles with every attempt, so that a fleet that lost its backend
/// does not come back all at once.
fn full_jitter_ms(attempt: u32, max_ms: u64) -> u64 {
    let bound = RECONNECT_MS_MIN.saturating_mul(1_u64 << attempt.min(20)).min(max_ms);
    // Without randomness the full bound is still a wait.
    getrandom::u64().map_or(bound, |random| random % bound.max(1))
}

/// Returns when the agent ends.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn sleep_until(at: Option<std::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
