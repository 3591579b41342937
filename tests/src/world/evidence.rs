//! What store and journal say: the evidence that nothing was lost, doubled or reordered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use tripline_agent_core::record::{Item, Record, scan};
use tripline_agent_core::segment::read_header;
use tripline_backend::domain::explain::Explanation;
use tripline_backend::domain::order::Order;
use tripline_backend::operate::OperateError;
use tripline_backend::operate::explain::explain;
use tripline_backend::store::Store;
use tripline_backend::store::lane::TrailRow;
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{DeviceId, JournalEpoch, OrderId, Sequence};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Event, EventBatch, EventBody, Stream};
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::{TripEvent, TripStep};
use tripline_protocol::unit::Timestamp;

use super::{LOOK_AGAIN, PATIENCE, World};

/// Later than anything that happens in a world.
const FOR_EVER: Timestamp = Timestamp::from_unix_ms(i64::MAX);

/// More orders than a world has.
const ORDERS_MAX: u32 = 100_000;

/// Looks into a world's store and journal.
#[derive(Debug)]
pub struct Evidence<'w> {
    pub(super) store_url: &'w str,
    journal: PathBuf,
    device: DeviceId,
}

/// What the vehicle's journal holds. Each start of the agent is an epoch of its own.
#[derive(Debug, Clone, Default)]
pub struct JournalEvidence {
    /// The epochs by the agent's starts.
    pub epochs: BTreeMap<u64, JournalEpoch>,
    /// Fixes by start and sequence.
    pub fixes: BTreeMap<(u64, Sequence), Fix>,
    /// Events by start and sequence.
    pub events: BTreeMap<(u64, Sequence), Event>,
}

/// What the backend holds of the vehicle, in order of start and sequence.
#[derive(Debug, Clone, Default)]
pub struct CommittedEvidence {
    /// Events.
    pub events: Vec<(u64, Sequence, Event)>,
    /// Fixes.
    pub fixes: Vec<(u64, Sequence, TrailFix)>,
}

/// The last sequence of a start.
fn last<T>(records: &BTreeMap<(u64, Sequence), T>, start: u64) -> Sequence {
    let of_start = records.range((start, Sequence::ZERO)..=(start, Sequence(u64::MAX)));
    of_start.last().map_or(Sequence::ZERO, |((_, sequence), _)| *sequence)
}

impl JournalEvidence {
    /// The steps of the trip with the fix each was made at: what the distance is checked against.
    pub fn trip_events(&self) -> Vec<(TripEvent, Event)> {
        self.events
            .values()
            .filter_map(|event| {
                let EventBody::Trip { step, .. } = &event.body else { return None };
                Some((step.event()?, event.clone()))
            })
            .collect()
    }

    /// The fare the vehicle computed at the stop, in paise.
    pub fn fare_paise(&self) -> Option<i64> {
        self.events.values().find_map(|event| {
            let EventBody::Trip { step: TripStep::Stop { fare }, .. } = &event.body else {
                return None;
            };
            Some(fare.total().0)
        })
    }

    /// Stretches with the meter's distance running, as (from, to) times of fixes.
    pub fn driven_stretches(&self) -> Result<Vec<(i64, i64)>> {
        let mut stretches = Vec::new();
        let mut since = None;
        for (what, event) in self.trip_events() {
            let at = event.fix.context("an event before the first fix")?.at.unix_ms;
            match what {
                TripEvent::Start | TripEvent::Resume => since = Some(at),
                TripEvent::Pause | TripEvent::Stop => stretches.extend(since.take().zip(Some(at))),
                TripEvent::Depart
                | TripEvent::Arrive
                | TripEvent::ArriveOutside
                | TripEvent::Cancel
                | TripEvent::NoShow => {}
            }
        }
        Ok(stretches)
    }
}

impl<'w> Evidence<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        Self {
            store_url: &world.store_url,
            journal: world.folder().join("agent/journal"),
            device: world.device.parse().expect("made by the platform"),
        }
    }

    /// Reads the journal as it is on the disk.
    pub fn journal(&self) -> Result<JournalEvidence> {
        let mut evidence = JournalEvidence::default();
        for entry in std::fs::read_dir(&self.journal)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "seg") {
                read_segment(&std::fs::read(&path)?, &mut evidence)
                    .with_context(|| path.display().to_string())?;
            }
        }
        ensure!(!evidence.epochs.is_empty(), "an empty journal");
        Ok(evidence)
    }

    /// An order as it is in the store.
    pub async fn order(&self, id: &str) -> Result<Order> {
        let id: OrderId = id.parse()?;
        let store = Store::open(self.store_url).await?;
        let stored = store.read().await?.order(id).await?;
        store.close().await;
        Ok(stored.context("no such order")?.order)
    }

    /// Waits until the backend has committed everything the journal holds, and checks that what it
    /// holds is the journal's, record by record. Gives how many fixes.
    pub async fn everything_is_committed_once(&self) -> Result<u64> {
        self.wait_until_committed().await?;
        self.every_fare_explains_itself().await?;
        let store = Store::open(self.store_url).await?;
        let mut tx = store.read().await?;
        let mut committed = BTreeMap::new();
        for (epoch, cursor) in tx.cursors(&self.device, Stream::Trail).await? {
            committed.insert(epoch, (cursor, tx.trail_batches(&self.device, epoch).await?));
        }
        let (events, refused) = tx.event_counts(&self.device).await?;
        drop(tx);
        store.close().await;
        // Read after the store: whatever is there was here before.
        let journal = self.journal()?;
        ensure!(refused == 0, "{refused} events had no effect");
        ensure!(
            usize::try_from(events)? <= journal.events.len(),
            "{events} events committed of {}",
            journal.events.len()
        );
        let mut fixes = 0;
        for (epoch, (cursor, batches)) in committed {
            let (start, _) =
                journal.epochs.iter().find(|(_, of)| **of == epoch).context("a strange epoch")?;
            let next = check_trail(&journal, *start, &batches)?;
            ensure!(cursor == next, "the cursor is at {cursor}, the batches end at {next}");
            fixes += next.0;
        }
        Ok(fixes)
    }

    /// Why an order's fare was charged.
    pub async fn explanation(&self, id: &str) -> Result<Explanation> {
        let store = Store::open(self.store_url).await?;
        let explained = explain(&mut store.read().await?, id).await;
        store.close().await;
        Ok(explained?)
    }

    /// Every final fare in the store comes out the same when it is computed once more from the events, and no
    /// trail contradicts its odometer. Gives how many there are.
    pub async fn every_fare_explains_itself(&self) -> Result<usize> {
        let store = Store::open(self.store_url).await?;
        let mut tx = store.read().await?;
        let mut fares = 0;
        for state in [OrderState::Completed, OrderState::Cancelled] {
            for id in tx.orders_over(state, false, FOR_EVER, ORDERS_MAX).await? {
                match explain(&mut tx, &id).await {
                    Ok(explanation) => ensure!(explanation.holds(), "{explanation}"),
                    // Called off before anything was charged.
                    Err(OperateError::Refused { .. }) if state == OrderState::Cancelled => continue,
                    Err(error) => bail!("order {id} is not explained: {error}"),
                }
                fares += 1;
            }
        }
        drop(tx);
        store.close().await;
        Ok(fares)
    }

    /// What the backend has committed, whatever the journal says of it.
    pub async fn committed(&self) -> Result<CommittedEvidence> {
        let epochs = self.journal()?.epochs;
        let store = Store::open(self.store_url).await?;
        let mut tx = store.read().await?;
        let mut evidence = CommittedEvidence::default();
        for (start, epoch) in epochs {
            for row in tx.events(&self.device, epoch).await? {
                let batch: EventBatch = decode(&row.payload)?;
                for event in batch.records {
                    evidence.events.push((start, row.sequence, event));
                }
            }
            for row in tx.trail_batches(&self.device, epoch).await? {
                let batch: TrailBatch = decode(&row.payload)?;
                let fresh = batch.following(batch.after.plus(row.skip)).unwrap_or_default();
                let first = row.through.0 + 1 - fresh.len() as u64;
                for (sequence, entry) in (first..).zip(&fresh) {
                    let TrailEntry::Fix(fix) = entry else { bail!("fix {sequence} was lost") };
                    evidence.fixes.push((start, Sequence(sequence), *fix));
                }
            }
        }
        drop(tx);
        store.close().await;
        Ok(evidence)
    }

    /// Waits until the cursors stand where the journal stood when this was called.
    async fn wait_until_committed(&self) -> Result<()> {
        let wanted = self.journal()?;
        let store = Store::open(self.store_url).await?;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut tx = store.read().await?;
            let trail: BTreeMap<_, _> =
                tx.cursors(&self.device, Stream::Trail).await?.into_iter().collect();
            let event: BTreeMap<_, _> =
                tx.cursors(&self.device, Stream::Event).await?.into_iter().collect();
            drop(tx);
            let missing = wanted.epochs.iter().find(|(start, epoch)| {
                let at = |of: &BTreeMap<_, _>| of.get(*epoch).copied().unwrap_or_default();
                at(&trail) < last(&wanted.fixes, **start)
                    || at(&event) < last(&wanted.events, **start)
            });
            let Some((start, _)) = missing else {
                store.close().await;
                return Ok(());
            };
            if tokio::time::Instant::now() >= until {
                let (fixes, events) = (last(&wanted.fixes, *start), last(&wanted.events, *start));
                bail!(
                    "start {start} is not committed: fixes {trail:?} of {fixes}, events {event:?} of {events}"
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn read_segment(image: &[u8], evidence: &mut JournalEvidence) -> Result<()> {
    // A file without a header is reserved and not in use yet.
    let Some(header) = read_header(image) else { return Ok(()) };
    evidence.epochs.insert(header.start, header.epoch);
    let mut doubled = Vec::new();
    scan(image, |_, item| match item {
        Item::Record(Record::Fix { sequence, fix, .. }) => {
            let before = evidence.fixes.insert((header.start, sequence), fix);
            doubled.extend(before.filter(|before| *before != fix).map(|_| sequence));
        }
        Item::Record(Record::Event { sequence, event, .. }) => {
            let before = evidence.events.insert((header.start, sequence), event.clone());
            doubled.extend(before.filter(|before| *before != event).map(|_| sequence));
        }
        Item::Record(Record::Gap { .. } | Record::Anchor(_))
        | Item::Header(_)
        | Item::Snapshot(_)
        | Item::Cursors(_) => {}
    });
    ensure!(doubled.is_empty(), "sequences used twice in the journal: {doubled:?}");
    Ok(())
}

/// Checks batches against the fixes of a start; gives the sequence they end at.
fn check_trail(journal: &JournalEvidence, start: u64, batches: &[TrailRow]) -> Result<Sequence> {
    let mut next = Sequence::ZERO;
    for row in batches {
        let batch: TrailBatch = decode(&row.payload)?;
        let fresh = batch.following(batch.after.plus(row.skip)).unwrap_or_default();
        for entry in &fresh {
            next = next.next();
            let TrailEntry::Fix(fix) = entry else { bail!("fix {next} was lost") };
            let kept = journal.fixes.get(&(start, next)).map(TrailFix::from);
            ensure!(kept == Some(*fix), "fix {next} is another one");
        }
        ensure!(row.through == next, "a batch ends at {}, its records at {next}", row.through);
    }
    Ok(next)
}
