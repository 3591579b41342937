//! What store and journal say: the evidence that nothing was lost, doubled or reordered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use tripline_agent_core::record::{Record, scan};
use tripline_backend::domain::order::Order;
use tripline_backend::store::Store;
use tripline_protocol::fix::Fix;
use tripline_protocol::id::{DeviceId, JournalEpoch, OrderId, Sequence};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::link::up::{Event, EventBody, Stream};
use tripline_protocol::trip::{TripEvent, TripStep};

use super::{LOOK_AGAIN, PATIENCE, World};

/// Looks into a world's store and journal.
#[derive(Debug)]
pub struct Evidence<'w> {
    store_url: &'w str,
    journal: PathBuf,
    device: DeviceId,
}

/// What the vehicle's journal holds.
#[derive(Debug, Clone)]
pub struct JournalEvidence {
    /// The journal's epoch.
    pub epoch: JournalEpoch,
    /// Fixes by sequence.
    pub fixes: BTreeMap<Sequence, Fix>,
    /// Events by sequence.
    pub events: BTreeMap<Sequence, Event>,
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
        let image = std::fs::read(&self.journal)?;
        let mut epoch = None;
        let (mut fixes, mut events) = (BTreeMap::new(), BTreeMap::new());
        let mut doubled = Vec::new();
        scan(&image, |_, record| match record {
            Record::Opened { epoch: of, .. } => epoch = Some(of),
            Record::Fix { sequence, fix, .. } => {
                doubled.extend(fixes.insert(sequence, fix).map(|_| sequence));
            }
            Record::Event { sequence, event, .. } => {
                doubled.extend(events.insert(sequence, event).map(|_| sequence));
            }
            Record::Committed { .. } => {}
        });
        ensure!(doubled.is_empty(), "sequences used twice in the journal: {doubled:?}");
        Ok(JournalEvidence { epoch: epoch.context("an empty journal")?, fixes, events })
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
        let journal = self.wait_until_committed().await?;
        let store = Store::open(self.store_url).await?;
        let mut tx = store.read().await?;
        let cursors = tx.cursors(&self.device, Stream::Trail).await?;
        ensure!(cursors.len() == 1, "one journal, but cursors {cursors:?}");
        let mut next = Sequence::ZERO;
        for row in tx.trail_batches(&self.device, journal.epoch).await? {
            let batch: TrailBatch = decode(&row.payload)?;
            let fresh = batch.following(batch.after.plus(row.skip)).unwrap_or_default();
            for entry in &fresh {
                next = next.next();
                let TrailEntry::Fix(fix) = entry else { bail!("fix {next} was lost") };
                let kept = journal.fixes.get(&next).map(TrailFix::from);
                ensure!(kept == Some(*fix), "fix {next} is another one");
            }
            ensure!(row.through == next, "a batch ends at {}, its records at {next}", row.through);
        }
        let through = cursors.first().map(|(_, sequence)| *sequence);
        ensure!(through == Some(next), "the cursor is at {through:?}, the batches end at {next}");
        let (events, refused) = tx.event_counts(&self.device).await?;
        ensure!(refused == 0, "{refused} events had no effect");
        ensure!(
            usize::try_from(events)? >= journal.events.len(),
            "{events} events committed of {}",
            journal.events.len()
        );
        drop(tx);
        store.close().await;
        Ok(next.0)
    }

    /// Waits until the cursors stand where the journal stood when this was called.
    async fn wait_until_committed(&self) -> Result<JournalEvidence> {
        let wanted = self.journal()?;
        let last = |keys: Option<&Sequence>| keys.copied().unwrap_or_default();
        let trail = last(wanted.fixes.keys().next_back());
        let event = last(wanted.events.keys().next_back());
        let store = Store::open(self.store_url).await?;
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut tx = store.read().await?;
            let of = |cursors: Vec<(JournalEpoch, Sequence)>| {
                cursors.into_iter().find(|(e, _)| *e == wanted.epoch).map(|(_, s)| s)
            };
            let trail_now = of(tx.cursors(&self.device, Stream::Trail).await?);
            let event_now = of(tx.cursors(&self.device, Stream::Event).await?);
            drop(tx);
            if trail_now >= Some(trail) && event_now >= Some(event) {
                store.close().await;
                // More may have been written meanwhile; what is compared is what is there now.
                return self.journal();
            }
            if tokio::time::Instant::now() >= until {
                bail!(
                    "not committed: fixes {trail_now:?} of {trail}, events {event_now:?} of {event}"
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
