//! The uplink task: one MQTT connection after another, three lanes on each.
//!
//! Every connection is a client of its own, so that nothing one of them had accepted can haunt the
//! next; what was not committed goes again from the journal. Live positions wait in a latest-value
//! slot outside the client and are handed over one at a time, so an old one is never in front of a new
//! one.
//!
//! Each connection is made with the newest credentials. A command counts only with the seal of a key
//! that was pinned at enrolment: whatever is between the backend and here cannot start or stop trips.

mod explain;
mod seldom;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, NetworkOptions,
    Outgoing, Packet, Publish, QoS, TlsConfiguration, Transport,
};
use tokio::sync::{Notify, mpsc, watch};
use tracing::{debug, error, info, warn};
use tripline_agent_core::lanes::{Heard, Lanes};
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{PAYLOAD_LEN_MAX, decode, encode};
use tripline_protocol::link::seal;
use tripline_protocol::link::topic::{Lane, Topic};
use tripline_protocol::link::up::{Live, Presence, Stream};

use crate::chance::jittered_ms;
use crate::config;
use crate::credentials::Credentials;
use crate::journal::{Batches, Reader, Sendable};
use crate::time::Stopwatch;
pub(crate) use explain::explain;
pub use seldom::Seldom;

/// Keep-alive of the connection, in s: the backend notices a dead one after one and a half times this.
const KEEP_ALIVE_S: u64 = 30;

/// Longest wait for TCP, TLS and MQTT's ConnAck together, and for each flush, in s: a board signs slowly,
/// and a mobile network loses packets.
const CONNECT_S_MAX: u64 = 15;

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
    /// Who it is to the backend; the newest count for the next connection.
    pub credentials: watch::Receiver<Arc<Credentials>>,
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
    /// Why commands were not obeyed, as the log was told.
    pub refused: Seldom,
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
            let wait_ms = jittered_ms(attempt, RECONNECT_MS_MIN, self.config.reconnect_ms_max);
            attempt += 1;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                // With new credentials there is no reason to wait.
                Ok(()) = self.credentials.changed() => attempt = 0,
                () = stopped(&mut self.stop) => return,
            }
        }
    }

    async fn connect_and_serve(&mut self, served: &mut bool) -> Ended {
        let credentials = Arc::clone(&self.credentials.borrow_and_update());
        let (client, eventloop) = AsyncClient::new(self.options(&credentials), REQUESTS_MAX);
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

    fn options(&self, credentials: &Credentials) -> MqttOptions {
        let gone = encode(&Presence::Gone);
        let mut options = options(&self.config, credentials);
        options
            .set_keep_alive(Duration::from_secs(KEEP_ALIVE_S))
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
        let (host, port) = self.config.endpoint(&self.credentials.borrow().identity);
        info!(host, port, "connected to the backend");
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
            Lane::Command => {
                let command = self.open_command(&publish.payload, &topic);
                Ok(command.map(|command| FromBackend::Command(Box::new(command))))
            }
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

    /// The command in a sealed payload; one that the backend did not seal for this device is ignored.
    fn open_command(&mut self, payload: &[u8], topic: &Topic) -> Option<Command> {
        let opened = if topic.device == self.device {
            let keys = &self.credentials.borrow().identity.command_keys;
            seal::open(payload, topic, keys).map_err(|error| error.to_string())
        } else {
            Err("it is for another device".into())
        };
        if let Err(reason) = &opened
            && self.refused.is_to_tell(reason, self.stopwatch.now())
        {
            error!(
                %reason,
                "a command is not obeyed; if the backend was set up anew, enrol with a new code"
            );
        }
        opened.ok()
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

/// What every connection of this device to its backend has.
pub(crate) fn options(config: &config::Backend, credentials: &Credentials) -> MqttOptions {
    let Credentials { identity, tls } = credentials;
    let (host, port) = config.endpoint(identity);
    let mut options = MqttOptions::new(identity.device.as_str(), host, port);
    let tls = TlsConfiguration::Rustls(Arc::clone(tls));
    options.set_transport(Transport::tls_with_config(tls)).set_clean_session(true);
    options
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
