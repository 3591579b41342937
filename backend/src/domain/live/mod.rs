//! The live fleet: the newest position of every device, and who is near a place.
//!
//! Devices are kept in slots without holes, each with the cell of the globe it stands in (`cells.rs`). A
//! position costs the same whatever the size of the fleet; a look around a place goes from the place's
//! cell outwards (`around.rs`) and costs what is looked at.

mod around;
mod cells;

use std::hash::{BuildHasher as _, RandomState};

use geo::{Distance as _, Haversine, Point};
use h3o::CellIndex;
use hashbrown::HashTable;
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::up::Live;
use tripline_protocol::unit::{Position, Timestamp};

use self::cells::{Cells, cell_of};

pub use around::{Around, Near};

/// A position older than this is not "live": its vehicle is not offered rides, in ms.
pub const LIVE_AGE_MS_MAX: i64 = 60_000;

/// A position dated later than its followers (a clock gone wrong) is held for so long only, in ms.
const SUPERSEDED_AFTER_MS: i64 = 10_000;

/// A device silent for so long is no more found near places, in ms. Until then it is found as stale, so
/// that a decision can say that it was passed over and why.
pub const OFF_THE_MAP_MS: i64 = 10 * 60_000;

/// A device silent for so long is forgotten, in ms: a rider's link shows where a vehicle was last seen
/// through a long tunnel or a flat battery, not for ever.
pub const FORGOTTEN_MS: i64 = 24 * 3_600_000;

/// Where a device was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LivePosition {
    /// What it said.
    pub live: Live,
    /// When it was received, on our clock: a device's clock does not decide how old we hold it.
    pub received_at: Timestamp,
}

impl LivePosition {
    /// Whether something as new should have come since: what comes then is taken, whatever its date.
    fn is_superseded(&self, now: Timestamp) -> bool {
        self.age_ms(now) > SUPERSEDED_AFTER_MS
    }

    /// Whether it is too old for its vehicle to be offered rides.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.age_ms(now) > LIVE_AGE_MS_MAX
    }

    /// Milliseconds since it was received.
    pub fn age_ms(&self, now: Timestamp) -> i64 {
        now.since_ms(self.received_at).max(0)
    }
}

/// A device that was heard.
#[derive(Debug)]
struct Slot {
    device: DeviceId,
    seen: LivePosition,
    /// The cell it is found in; `None` off the map.
    cell: Option<CellIndex>,
    /// Where in that cell's list it stands.
    place: u32,
}

/// The newest position of every device that was heard since start.
#[derive(Debug, Default)]
pub struct LiveFleet {
    slots: Vec<Slot>,
    /// Numbers of slots, by the name in them: a name is kept once.
    by_name: HashTable<u32>,
    hasher: RandomState,
    cells: Cells,
    /// The slot whose age is looked at next.
    hand: usize,
}

impl LiveFleet {
    /// Takes in a position; one that is older than what is known changes nothing.
    pub fn update(&mut self, device: &DeviceId, live: Live, received_at: Timestamp) {
        let seen = LivePosition { live, received_at };
        match self.find(device) {
            Some(number) => {
                let known = &mut self.slots[number].seen;
                if known.live.at < live.at || known.is_superseded(received_at) {
                    *known = seen;
                    self.put_in_cell(number, cell_of(live.position));
                }
            }
            None => self.add(device.clone(), seen),
        }
        self.look_at_one(received_at);
    }

    /// Forgets a device: it is near nothing before it is heard again.
    pub fn forget(&mut self, device: &DeviceId) {
        if let Some(number) = self.find(device) {
            self.remove(number);
        }
    }

    /// A device's newest position.
    pub fn get(&self, device: &DeviceId) -> Option<&LivePosition> {
        self.find(device).map(|number| &self.slots[number].seen)
    }

    /// Devices within `radius_m` of a place that are not long silent, nearest first, those at one
    /// distance by name. What nobody asks for is not looked at.
    pub fn around(&self, place: Position, radius_m: u32, now: Timestamp) -> Around<'_> {
        Around::new(self, place, radius_m, now)
    }

    /// Those of them that were seen lately.
    pub fn near(
        &self,
        place: Position,
        radius_m: u32,
        now: Timestamp,
    ) -> impl Iterator<Item = Near<'_>> {
        self.around(place, radius_m, now).filter(|near| !near.is_stale)
    }

    /// The first `rows` devices behind one, by id.
    pub fn page(&self, after: Option<&DeviceId>, rows: usize) -> Vec<(&DeviceId, &LivePosition)> {
        let behind = |slot: &&Slot| after.is_none_or(|after| slot.device > *after);
        let mut page: Vec<_> = self.slots.iter().filter(behind).collect();
        if rows < page.len() {
            page.select_nth_unstable_by(rows, |one, other| one.device.cmp(&other.device));
            page.truncate(rows);
        }
        page.sort_unstable_by(|one, other| one.device.cmp(&other.device));
        page.into_iter().map(|slot| (&slot.device, &slot.seen)).collect()
    }

    /// How many devices are known.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn find(&self, device: &DeviceId) -> Option<usize> {
        let hash = self.hasher.hash_one(device);
        let number = self.by_name.find(hash, |number| self.name(*number) == device)?;
        Some(*number as usize)
    }

    fn name(&self, number: u32) -> &DeviceId {
        &self.slots[number as usize].device
    }

    fn add(&mut self, device: DeviceId, seen: LivePosition) {
        // No fleet has 2^32 devices.
        let Ok(number) = u32::try_from(self.slots.len()) else { return };
        let hash = self.hasher.hash_one(&device);
        self.slots.push(Slot { device, seen, cell: None, place: 0 });
        let (slots, hasher) = (&self.slots, &self.hasher);
        let hash_of = |number: &u32| hasher.hash_one(&slots[*number as usize].device);
        self.by_name.insert_unique(hash, number, hash_of);
        self.put_in_cell(number as usize, cell_of(seen.live.position));
    }

    /// Takes a slot away; the last one moves to where it was.
    fn remove(&mut self, number: usize) {
        self.put_in_cell(number, None);
        let last = self.slots.len() - 1;
        self.unname(number);
        if number != last {
            self.rename(last, number);
        }
        self.slots.swap_remove(number);
    }

    fn unname(&mut self, number: usize) {
        let hash = self.hasher.hash_one(&self.slots[number].device);
        if let Ok(entry) = self.by_name.find_entry(hash, |it| *it as usize == number) {
            entry.remove();
        }
    }

    fn rename(&mut self, from: usize, to: usize) {
        let hash = self.hasher.hash_one(&self.slots[from].device);
        let Some(number) = self.by_name.find_mut(hash, |it| *it as usize == from) else { return };
        let Ok(to) = u32::try_from(to) else { return };
        *number = to;
        let Slot { cell, place, .. } = &self.slots[from];
        if let Some(cell) = cell {
            self.cells.replace(*cell, *place, to);
        }
    }

    /// Moves a slot into a cell, or off the map.
    fn put_in_cell(&mut self, number: usize, cell: Option<CellIndex>) {
        let slot = &self.slots[number];
        let (before, place) = (slot.cell, slot.place);
        if before == cell {
            return;
        }
        if let Some(moved) = before.and_then(|before| self.cells.take(before, place)) {
            self.slots[moved as usize].place = place;
        }
        let slot = &mut self.slots[number];
        slot.cell = cell;
        if let (Some(cell), Ok(number)) = (cell, u32::try_from(number)) {
            slot.place = self.cells.put(cell, number);
        }
    }

    /// With each position one slot is looked at, round and round: what is silent for long goes, at a cost
    /// that does not grow with the fleet.
    fn look_at_one(&mut self, now: Timestamp) {
        self.hand = if self.hand < self.slots.len() { self.hand } else { 0 };
        let age_ms = self.slots[self.hand].seen.age_ms(now);
        if age_ms > FORGOTTEN_MS {
            self.remove(self.hand);
            return;
        }
        if age_ms > OFF_THE_MAP_MS {
            self.put_in_cell(self.hand, None);
        }
        self.hand += 1;
    }
}

/// Great-circle distance in whole metres.
pub fn distance_m(a: Position, b: Position) -> u32 {
    let point = |position: Position| Point::new(position.lon_deg(), position.lat_deg());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a distance on Earth: not negative, under 2.1e7 m"
    )]
    let metres = Haversine.distance(point(a), point(b)).round() as u32;
    metres
}

#[cfg(test)]
mod tests;
