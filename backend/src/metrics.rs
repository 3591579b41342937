//! What the platform counts, for `/metrics`.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of how long something took, in s.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// The one label of a family: why, or which.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    /// A short fixed word; never something that a peer wrote.
    pub reason: &'static str,
}

/// The one label of a family: which lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OnLane {
    /// The lane's code.
    pub lane: &'static str,
}

/// The one label of a family: which gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OnGateway {
    /// Its name in our configuration.
    pub gateway: String,
}

/// The labels of a family: which Beckn action, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ActionOutcome {
    /// The action's code; one that is not served is `other`.
    pub action: &'static str,
    /// A short fixed word.
    pub outcome: &'static str,
}

/// Every counter.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Devices connected.
    pub devices_connected: Gauge,
    /// Trips under way.
    pub trips_under_way: Gauge,
    /// Of those, trips whose devices are not heard.
    pub trips_silent: Gauge,
    /// Devices that came in.
    pub connects: Counter,
    /// Connections that were turned away or ended before a CONNECT was granted, by reason.
    pub connects_refused: Family<Reason, Counter>,
    /// Granted connections that ended, by reason.
    pub disconnects: Family<Reason, Counter>,
    /// Connections that a newer one of the same device ended.
    pub take_overs: Counter,
    /// Times a device was taken over so often that there may be two of it.
    pub clones_suspected: Counter,
    /// Publishes taken in, by lane.
    pub publishes: Family<OnLane, Counter>,
    /// Publishes that ended their connection, by reason.
    pub publishes_refused: Family<Reason, Counter>,
    /// Publishes that could not be read, by lane.
    pub publishes_undecodable: Family<OnLane, Counter>,
    /// Subscriptions that were not granted.
    pub subscriptions_refused: Counter,
    /// Batches committed, by lane.
    pub batches_committed: Family<OnLane, Counter>,
    /// Transactions that committed batches.
    pub groups_committed: Counter,
    /// How long those took.
    pub group_commit_seconds: Histogram,
    /// Batches of revoked devices, kept and not applied.
    pub batches_set_aside: Counter,
    /// Batches of revoked devices of which so many were kept that these were not.
    pub batches_set_aside_dropped: Counter,
    /// Batches not taken in because their device begins too many journals.
    pub batches_held_back: Counter,
    /// Enrolments, renewals and what was refused of them, by outcome.
    pub enrolments: Family<Reason, Counter>,
    /// Certificates revoked, as the store has it.
    pub certificates_revoked: Gauge,
    /// Audit entries that found their queue full.
    pub audit_dropped: Counter,
    /// Beckn requests answered, by action and outcome; an ACK is `taken` or `repeated`.
    pub requests: Family<ActionOutcome, Counter>,
    /// How long an ACK took, from the request's last byte.
    pub request_seconds: Histogram,
    /// Requests of which it is not known who sent them, by reason: the sender's signature or a gateway's that
    /// is missing or does not hold, a signer that is not known, and a directory that cannot say.
    pub signatures_refused: Family<Reason, Counter>,
    /// Attempts to deliver a callback, by action and outcome.
    pub callbacks: Family<ActionOutcome, Counter>,
    /// How long such an attempt took.
    pub callback_seconds: Histogram,
    /// Callbacks that wait, as the store has it.
    pub callbacks_pending: Gauge,
    /// Callbacks that were given up, as the store has it.
    pub callbacks_dead: Gauge,
    /// Subscribers to whom nothing but a probe is sent.
    pub breakers_open: Gauge,
    /// Lookups at the registry, by outcome.
    pub registry_lookups: Family<Reason, Counter>,
    /// Entries of its answers that were left out, by reason.
    pub registry_entries_refused: Family<Reason, Counter>,
    /// Challenges of the registry, by outcome.
    pub challenges: Family<Reason, Counter>,
    /// 1 while the registry knows us as we are, or there is none; else 0.
    pub network_served: Gauge,
    /// Looks at our registrations at gateways, by outcome.
    pub gateway_looks: Family<Reason, Counter>,
    /// 1 for a gateway that knew us when it was last asked; 0 for one that refused.
    pub gateway_known: Family<OnGateway, Gauge>,
    /// When the token of a gateway runs out, in Unix seconds, where that is known.
    pub gateway_token_ends: Family<OnGateway, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tripline");
        let metrics = Self {
            devices_connected: Gauge::default(),
            trips_under_way: Gauge::default(),
            trips_silent: Gauge::default(),
            connects: Counter::default(),
            connects_refused: Family::default(),
            disconnects: Family::default(),
            take_overs: Counter::default(),
            clones_suspected: Counter::default(),
            publishes: Family::default(),
            publishes_refused: Family::default(),
            publishes_undecodable: Family::default(),
            subscriptions_refused: Counter::default(),
            batches_committed: Family::default(),
            groups_committed: Counter::default(),
            group_commit_seconds: Histogram::new(SECONDS),
            batches_set_aside: Counter::default(),
            batches_set_aside_dropped: Counter::default(),
            batches_held_back: Counter::default(),
            enrolments: Family::default(),
            certificates_revoked: Gauge::default(),
            audit_dropped: Counter::default(),
            requests: Family::default(),
            request_seconds: Histogram::new(SECONDS),
            signatures_refused: Family::default(),
            callbacks: Family::default(),
            callback_seconds: Histogram::new(SECONDS),
            callbacks_pending: Gauge::default(),
            callbacks_dead: Gauge::default(),
            breakers_open: Gauge::default(),
            registry_lookups: Family::default(),
            registry_entries_refused: Family::default(),
            challenges: Family::default(),
            network_served: Gauge::default(),
            gateway_looks: Family::default(),
            gateway_known: Family::default(),
            gateway_token_ends: Family::default(),
            registry: Registry::default(),
        };
        metrics.register_door(&mut registry);
        metrics.register_batches(&mut registry);
        metrics.register_identities(&mut registry);
        metrics.register_requests(&mut registry);
        metrics.register_callbacks(&mut registry);
        metrics.register_registry(&mut registry);
        metrics.register_gateways(&mut registry);
        Self { registry, ..metrics }
    }
}

impl Metrics {
    fn register_door(&self, to: &mut Registry) {
        to.register("devices_connected", "Devices connected", self.devices_connected.clone());
        let (under_way, silent) = (self.trips_under_way.clone(), self.trips_silent.clone());
        to.register("trips_under_way", "Trips under way", under_way);
        to.register("trips_silent", "Trips under way whose devices are not heard", silent);
        to.register("device_connects", "Devices that came in", self.connects.clone());
        to.register(
            "device_connects_refused",
            "Connections turned away, or ended before their CONNECT was granted",
            self.connects_refused.clone(),
        );
        to.register(
            "device_disconnects",
            "Granted connections that ended",
            self.disconnects.clone(),
        );
        to.register(
            "device_take_overs",
            "Connections ended by a newer one of the same device",
            self.take_overs.clone(),
        );
        to.register(
            "device_clones_suspected",
            "Times a device was taken over so often that there may be two of it",
            self.clones_suspected.clone(),
        );
        to.register("device_publishes", "Publishes taken in", self.publishes.clone());
        to.register(
            "device_publishes_refused",
            "Publishes that ended their connection",
            self.publishes_refused.clone(),
        );
        to.register(
            "device_publishes_undecodable",
            "Publishes that could not be read",
            self.publishes_undecodable.clone(),
        );
        to.register(
            "device_subscriptions_refused",
            "Subscriptions that were not granted",
            self.subscriptions_refused.clone(),
        );
    }

    fn register_batches(&self, to: &mut Registry) {
        to.register("batches_committed", "Batches committed", self.batches_committed.clone());
        to.register(
            "groups_committed",
            "Transactions that committed batches",
            self.groups_committed.clone(),
        );
        to.register_with_unit(
            "group_commit",
            "How long such a transaction took",
            Unit::Seconds,
            self.group_commit_seconds.clone(),
        );
        to.register(
            "batches_set_aside",
            "Batches of revoked devices, kept and not applied",
            self.batches_set_aside.clone(),
        );
        to.register(
            "batches_set_aside_dropped",
            "Batches of revoked devices of which so many were kept that these were not",
            self.batches_set_aside_dropped.clone(),
        );
        to.register(
            "batches_held_back",
            "Batches not taken in because their device begins too many journals",
            self.batches_held_back.clone(),
        );
    }

    fn register_identities(&self, to: &mut Registry) {
        to.register("enrolments", "Enrolments and renewals, by outcome", self.enrolments.clone());
        to.register(
            "certificates_revoked",
            "Certificates revoked, as the store has it",
            self.certificates_revoked.clone(),
        );
        to.register(
            "audit_dropped",
            "Audit entries that found their queue full",
            self.audit_dropped.clone(),
        );
    }

    fn register_requests(&self, to: &mut Registry) {
        to.register("beckn_requests", "Beckn requests answered", self.requests.clone());
        to.register_with_unit(
            "beckn_request",
            "How long an ACK took, from the request's last byte",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        to.register(
            "beckn_signatures_refused",
            "Requests of which it is not known who sent them",
            self.signatures_refused.clone(),
        );
    }

    fn register_callbacks(&self, to: &mut Registry) {
        to.register("callbacks", "Attempts to deliver a callback", self.callbacks.clone());
        to.register_with_unit(
            "callback",
            "How long such an attempt took",
            Unit::Seconds,
            self.callback_seconds.clone(),
        );
        to.register("callbacks_pending", "Callbacks that wait", self.callbacks_pending.clone());
        to.register("callbacks_dead", "Callbacks that were given up", self.callbacks_dead.clone());
        to.register(
            "callback_breakers_open",
            "Subscribers to whom nothing but a probe is sent",
            self.breakers_open.clone(),
        );
    }

    fn register_registry(&self, to: &mut Registry) {
        to.register(
            "registry_lookups",
            "Lookups at the registry, by outcome",
            self.registry_lookups.clone(),
        );
        to.register(
            "registry_entries_refused",
            "Entries of the registry's answers that were left out",
            self.registry_entries_refused.clone(),
        );
        to.register(
            "registry_challenges",
            "Challenges of the registry, by outcome",
            self.challenges.clone(),
        );
        to.register(
            "network_served",
            "1 while the registry knows us as we are, or there is none; else 0",
            self.network_served.clone(),
        );
    }

    fn register_gateways(&self, to: &mut Registry) {
        to.register(
            "gateway_looks",
            "Looks at our registrations at gateways, by outcome",
            self.gateway_looks.clone(),
        );
        to.register(
            "gateway_known",
            "1 if the gateway knew us when it was last asked, 0 if it refused",
            self.gateway_known.clone(),
        );
        to.register_with_unit(
            "gateway_token_ends_timestamp",
            "When our token of the gateway runs out, in Unix time",
            Unit::Seconds,
            self.gateway_token_ends.clone(),
        );
    }

    /// Everything, in the `OpenMetrics` text format.
    ///
    /// # Panics
    /// Never: writing to a string does not fail.
    pub fn text(&self) -> String {
        let mut written = String::new();
        text::encode(&mut written, &self.registry).expect("a string takes everything");
        written
    }
}
