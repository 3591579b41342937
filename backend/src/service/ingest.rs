//! Takes in what devices report: batches of many devices in one transaction, each lane in order and each
//! record once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::warn;
use tripline_protocol::id::{DeviceId, JournalEpoch, Sequence, TripId};
use tripline_protocol::link::down::{Command, CommitAck};
use tripline_protocol::link::envelope::{decode, encode};
use tripline_protocol::link::trail::TrailBatch;
use tripline_protocol::link::up::{Batch, Event, EventBatch, EventBody, Stream};
use tripline_protocol::unit::Timestamp;

use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::audit::{AuditKind, Entry};
use crate::chance;
use crate::domain::passage;
use crate::domain::typed::clear_typed;
use crate::identity::authority::Fingerprint;
use crate::metrics::OnLane;
use crate::store::certificate::{AUTHORITY_RETIRED, REVOKED, SUPERSEDED};
use crate::store::lane::{Cursor, EventRow, LaneKey, TrailRow};
use crate::store::retry::retry;
use crate::store::set_aside::SetAsideRow;
use crate::store::{StoreError, Tx};
use crate::time;

/// Journals a device may begin within [`EPOCHS_NEW_MS`]; batches of more are held back.
///
/// Each start of an agent begins one, and our service file starts it again 5 s after it died: 720 an
/// hour at worst. Twice that, so that what gathered without a network is taken in faster than it came
/// about. Without a limit a device that makes them up has cursors written for ever.
pub const EPOCHS_NEW_MAX: usize = 1_440;

/// The time over which new journals are counted, in ms: an hour.
pub const EPOCHS_NEW_MS: i64 = 3_600_000;

/// A journalled lane's batch, and the payload as it came over the wire.
#[derive(Debug, Clone)]
pub enum Lane {
    /// Events.
    Event(EventBatch, Vec<u8>),
    /// Fixes.
    Trail(TrailBatch, Vec<u8>),
}

/// A batch from a device, to be committed.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who reports.
    pub device: DeviceId,
    /// SHA-256 of the certificate it came with.
    pub certificate: Fingerprint,
    /// What.
    pub lane: Lane,
}

impl Submission {
    fn key(&self) -> LaneKey {
        let (epoch, stream) = match &self.lane {
            Lane::Event(batch, _) => (batch.epoch, Stream::Event),
            Lane::Trail(batch, _) => (batch.epoch, Stream::Trail),
        };
        LaneKey { device: self.device.clone(), epoch, stream }
    }

    /// Its payload as it may be set aside: nobody who looks through it later needs what was typed.
    fn kept_aside(&self) -> Vec<u8> {
        match &self.lane {
            Lane::Event(batch, payload) => {
                let mut kept = batch.clone();
                let mut found = false;
                for event in &mut kept.records {
                    found |= clear_typed(&mut event.body);
                }
                if found { encode(&kept) } else { payload.clone() }
            }
            Lane::Trail(_, payload) => payload.clone(),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The lane is committed up to here.
    Committed(CommitAck),
    /// Records before it are missing; it is dropped and will come again.
    Early,
    /// Its device has begun [`EPOCHS_NEW_MAX`] other journals within the hour; it is dropped and will
    /// come again.
    HeldBack,
    /// The certificate ended meanwhile; it is kept aside and has no effect.
    SetAside,
}

/// Batches on their way into the store, and what is to be done once they are in it.
struct Group {
    at: Timestamp,
    /// Certificates that batches came with and that count no longer, and why.
    ended: BTreeMap<Fingerprint, String>,
    /// How far each lane is committed, with the batches before the one at hand. What is not here is
    /// held back.
    cursors: BTreeMap<LaneKey, Sequence>,
    moved: BTreeMap<LaneKey, Sequence>,
    events: Vec<(LaneKey, EventRow)>,
    trail: Vec<(LaneKey, TrailRow)>,
    wake: Wake,
    audit: Vec<Entry>,
    set_aside_dropped: u64,
}

impl Platform {
    /// Commits batches in one transaction, so that many small ones cost few statements and one sync. All
    /// or none.
    pub async fn ingest(&self, batches: &[Submission]) -> Result<Vec<Applied>, ServiceError> {
        retry(|| self.try_ingest(batches)).await
    }

    async fn try_ingest(&self, batches: &[Submission]) -> Result<Vec<Applied>, ServiceError> {
        let begun = Instant::now();
        let mut tx = self.store.write().await?;
        let mut group = Group::begin(&mut tx, batches, time::now()).await?;
        let mut applied = Vec::with_capacity(batches.len());
        for batch in batches {
            applied.push(self.take_in(&mut tx, &mut group, batch).await?);
        }
        group.write(&mut tx).await?;
        tx.commit().await?;
        self.count(batches, &applied, group.set_aside_dropped, begun.elapsed());
        self.wake(group.wake);
        group.audit.into_iter().for_each(|entry| self.tell_audit(entry));
        Ok(applied)
    }

    async fn take_in(
        &self,
        tx: &mut Tx,
        group: &mut Group,
        batch: &Submission,
    ) -> Result<Applied, ServiceError> {
        if let Some(why) = group.ended.get(&batch.certificate) {
            let reason = set_aside_reason(why);
            return group.set_aside(tx, batch, reason).await;
        }
        let lane = batch.key();
        let Some(cursor) = group.cursors.get(&lane).copied() else {
            return Ok(group.hold_back(&lane));
        };
        let through = match &batch.lane {
            Lane::Event(batch, _) => self.take_in_events(tx, group, (&lane, cursor), batch).await?,
            Lane::Trail(batch, payload) => group.take_in_trail((&lane, cursor), batch, payload),
        };
        Ok(through.map_or(Applied::Early, |through| group.commit(lane, through)))
    }

    /// Gives up to where the lane is committed with it, or `None` if records before it are missing.
    async fn take_in_events(
        &self,
        tx: &mut Tx,
        group: &mut Group,
        (lane, cursor): (&LaneKey, Sequence),
        batch: &EventBatch,
    ) -> Result<Option<Sequence>, ServiceError> {
        let Some(events) = batch.following(cursor) else {
            warn_of_hole(lane, batch.after, cursor);
            return Ok(None);
        };
        let (device, at) = (&lane.device, group.at);
        let mut sequence = cursor;
        for event in events {
            let after = sequence;
            sequence = sequence.next();
            let (refused, wake) = Box::pin(self.handle_event(tx, device, event, at)).await?;
            group.wake.merge(wake);
            if let Some(reason) = &refused {
                warn!(%device, %sequence, reason, "event had no effect");
            }
            let alone = Batch { epoch: batch.epoch, after, records: vec![without_pin(event)] };
            let row = EventRow {
                sequence,
                at: event.fact_at(at),
                trip: trip_of(tx, device, event).await?,
                refused,
                payload: encode(&alone),
            };
            group.events.push((lane.clone(), row));
        }
        Ok(Some(sequence))
    }

    fn count(&self, batches: &[Submission], applied: &[Applied], dropped: u64, took: Duration) {
        let metrics = &self.metrics;
        metrics.groups_committed.inc();
        metrics.group_commit_seconds.observe(took.as_secs_f64());
        metrics.batches_set_aside_dropped.inc_by(dropped);
        for (batch, applied) in batches.iter().zip(applied) {
            match applied {
                Applied::Committed(_) => {
                    let lane = OnLane { lane: batch.key().stream.code() };
                    metrics.batches_committed.get_or_create(&lane).inc();
                }
                Applied::Early => {}
                Applied::HeldBack => {
                    metrics.batches_held_back.inc();
                }
                Applied::SetAside => {
                    metrics.batches_set_aside.inc();
                }
            }
        }
    }
}

impl Group {
    /// Reads what is to be known of the batches, and locks their lanes.
    async fn begin(
        tx: &mut Tx,
        batches: &[Submission],
        at: Timestamp,
    ) -> Result<Self, ServiceError> {
        let certificates = batches.iter().map(|batch| batch.certificate).collect();
        let ended = tx.ended_certificates(certificates).await?;
        let counting = batches.iter().filter(|batch| !ended.contains_key(&batch.certificate));
        let mut cursors = tx.lock_cursors(counting.map(Submission::key).collect(), at).await?;
        forget_too_many(tx, &mut cursors, at).await?;
        Ok(Self {
            at,
            ended,
            cursors: cursors.into_iter().map(|(lane, cursor)| (lane, cursor.sequence)).collect(),
            moved: BTreeMap::new(),
            events: Vec::new(),
            trail: Vec::new(),
            wake: Wake::default(),
            audit: Vec::new(),
            set_aside_dropped: 0,
        })
    }

    /// Gives up to where the lane is committed with it, or `None` if records before it are missing.
    fn take_in_trail(
        &mut self,
        (lane, cursor): (&LaneKey, Sequence),
        batch: &TrailBatch,
        payload: &[u8],
    ) -> Option<Sequence> {
        if batch.after > cursor {
            warn_of_hole(lane, batch.after, cursor);
            return None;
        }
        let through = batch.last();
        if through > cursor {
            let row = TrailRow {
                through,
                skip: cursor.since(batch.after),
                records: through.since(batch.after),
                times: passage::times(&batch.entries),
                payload: payload.to_vec(),
            };
            self.trail.push((lane.clone(), row));
        }
        Some(through.max(cursor))
    }

    fn commit(&mut self, lane: LaneKey, through: Sequence) -> Applied {
        let commit_ack = CommitAck { epoch: lane.epoch, stream: lane.stream, through };
        if self.cursors.get(&lane) != Some(&through) {
            self.cursors.insert(lane.clone(), through);
            self.moved.insert(lane, through);
        }
        Applied::Committed(commit_ack)
    }

    fn hold_back(&mut self, lane: &LaneKey) -> Applied {
        let LaneKey { device, epoch, .. } = lane;
        warn!(%device, %epoch, "device begins too many journals; its batch is held back");
        self.tell(AuditKind::PublishRefused, device, "it begins too many journals in an hour");
        Applied::HeldBack
    }

    async fn set_aside(
        &mut self,
        tx: &mut Tx,
        batch: &Submission,
        reason: &'static str,
    ) -> Result<Applied, ServiceError> {
        let row = SetAsideRow {
            device: batch.device.clone(),
            lane: batch.key().stream,
            reason: reason.into(),
            payload: batch.kept_aside(),
        };
        if tx.add_set_aside(chance::uuid()?.to_string(), row, self.at).await? {
            self.tell(AuditKind::SetAside, &batch.device, reason);
        } else {
            self.set_aside_dropped += 1;
            self.tell(AuditKind::SetAside, &batch.device, "dropped: too many are kept already");
        }
        Ok(Applied::SetAside)
    }

    fn tell(&mut self, kind: AuditKind, device: &DeviceId, detail: &str) {
        let device = Some(device.clone());
        self.audit.push(Entry { kind, device, peer: None, actor: None, detail: detail.into() });
    }

    /// Writes everything that was taken in.
    async fn write(&mut self, tx: &mut Tx) -> Result<(), ServiceError> {
        tx.add_events(&self.events, self.at).await?;
        tx.add_trail_batches(&self.trail, self.at).await?;
        let moved: Vec<_> = std::mem::take(&mut self.moved).into_iter().collect();
        Ok(tx.move_cursors(&moved, self.at).await?)
    }
}

/// An event as it may be kept: a PIN is for the moment of sign-in.
fn without_pin(event: &Event) -> Event {
    let mut kept = event.clone();
    if let EventBody::SignedIn { pin, .. } = &mut kept.body {
        pin.0.clear();
    }
    kept
}

/// The trip an event is of: its own, or that of the command it reports on.
async fn trip_of(
    tx: &mut Tx,
    device: &DeviceId,
    event: &Event,
) -> Result<Option<TripId>, StoreError> {
    let EventBody::CommandDone { number, .. } = &event.body else { return Ok(event.body.trip()) };
    let payload = tx.down_payload(device, *number).await?;
    let command = payload.and_then(|payload| decode::<Command>(&payload).ok());
    Ok(command.and_then(|command| command.body.trip()))
}

/// Why a batch is set aside whose certificate ended for this reason.
fn set_aside_reason(ended_why: &str) -> &'static str {
    match ended_why {
        REVOKED => "its certificate was revoked",
        SUPERSEDED => "its device enrolled with another key",
        AUTHORITY_RETIRED => "the authority of its certificate was retired",
        _ => "its certificate ended",
    }
}

/// Forgets the lanes of journals that their devices may not begin yet.
async fn forget_too_many(
    tx: &mut Tx,
    cursors: &mut BTreeMap<LaneKey, Cursor>,
    at: Timestamp,
) -> Result<(), ServiceError> {
    // One that another transaction began in the same millisecond is looked at in vain.
    let begun: Vec<_> = cursors
        .iter()
        .filter(|(_, cursor)| cursor.created_at == at && cursor.sequence == Sequence::ZERO)
        .map(|(lane, _)| lane.clone())
        .collect();
    for lanes in begun.chunk_by(|one, next| one.device == next.device) {
        let epochs = tx.epochs_since(&lanes[0].device, at.plus_ms(-EPOCHS_NEW_MS)).await?;
        let too_many: &[JournalEpoch] = epochs.get(EPOCHS_NEW_MAX..).unwrap_or_default();
        for lane in lanes.iter().filter(|lane| too_many.contains(&lane.epoch)) {
            tx.forget_empty_lane(lane).await?;
            cursors.remove(lane);
        }
    }
    Ok(())
}

/// A batch that leaves a hole comes again by itself, unless the device takes for committed what this
/// store does not have: after a restored backup, for instance.
fn warn_of_hole(lane: &LaneKey, after: Sequence, cursor: Sequence) {
    let LaneKey { device, stream, .. } = lane;
    warn!(%device, %stream, %after, %cursor, "batch leaves a hole and is dropped until it is filled");
}
