//! A look around a place: ring after ring of cells, outwards, until whoever looks has seen enough.

use h3o::CellIndex;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::{Position, Timestamp};

use super::cells::{RING_M, cell_of};
use super::{LiveFleet, distance_m};

/// A device near a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Near<'a> {
    /// The device.
    pub device: &'a DeviceId,
    /// Straight-line distance to the place, in metres.
    pub distance_m: u32,
    /// Whether its position is too old to be offered rides.
    pub is_stale: bool,
}

/// A distance to the place in metres, and the number of the slot there.
type Found = (u32, u32);

/// The devices around a place, nearest first.
#[derive(Debug)]
pub struct Around<'a> {
    fleet: &'a LiveFleet,
    place: Position,
    /// The place's cell, while there are rings to look into.
    centre: Option<CellIndex>,
    radius_m: u32,
    now: Timestamp,
    /// The ring that is looked into next.
    ring: u32,
    /// Found, but a nearer one may stand in a ring not looked into.
    pending: Vec<Found>,
    /// Found, and the next to be told, the nearest first.
    ready: std::vec::IntoIter<Found>,
}

impl<'a> Around<'a> {
    pub(super) fn new(
        fleet: &'a LiveFleet,
        place: Position,
        radius_m: u32,
        now: Timestamp,
    ) -> Self {
        let (pending, ready) = (Vec::new(), Vec::new().into_iter());
        let centre = cell_of(place);
        let mut around = Self { fleet, place, centre, radius_m, now, ring: 0, pending, ready };
        // A small fleet is looked at as a whole: there are more cells to look into than devices.
        let rings = u64::from(radius_m / RING_M + 2);
        let cells = 3 * rings * rings;
        if cells >= fleet.cells.slots() as u64 {
            around.look_at_the_rest();
        }
        around
    }

    /// How far everybody was looked for: whoever is nearer was found.
    const fn certain_m(&self) -> u32 {
        self.ring.saturating_sub(1).saturating_mul(RING_M)
    }

    /// Looks into the next ring.
    fn look_on(&mut self, centre: CellIndex) {
        if self.certain_m() > self.radius_m {
            self.centre = None;
            return self.tell_before(u32::MAX);
        }
        for cell in centre.grid_ring_fast(self.ring) {
            // A pentagon is near: there the rings do not close.
            let Some(cell) = cell else { return self.look_at_the_rest() };
            for number in self.fleet.cells.list(cell) {
                self.find(*number, 0);
            }
        }
        self.ring += 1;
        self.tell_before(self.certain_m());
    }

    /// Looks at every device that was not told, whatever its cell.
    fn look_at_the_rest(&mut self) {
        let told_before_m = self.certain_m();
        self.centre = None;
        self.pending.clear();
        for number in self.fleet.cells.all() {
            self.find(number, told_before_m);
        }
        self.tell_before(u32::MAX);
    }

    fn find(&mut self, number: u32, from_m: u32) {
        let seen = &self.fleet.slots[number as usize].seen;
        let distance_m = distance_m(seen.live.position, self.place);
        if (from_m..=self.radius_m).contains(&distance_m) {
            self.pending.push((distance_m, number));
        }
    }

    /// Whoever is nearer than this can be told.
    fn tell_before(&mut self, certain_m: u32) {
        let is_near = |found: &mut Found| found.0 < certain_m;
        let mut ready: Vec<_> = self.pending.extract_if(.., is_near).collect();
        let by_name = |found: &Found| (found.0, self.fleet.name(found.1));
        ready.sort_unstable_by(|a, b| by_name(a).cmp(&by_name(b)));
        self.ready = ready.into_iter();
    }
}

impl<'a> Iterator for Around<'a> {
    type Item = Near<'a>;

    fn next(&mut self) -> Option<Near<'a>> {
        loop {
            if let Some((distance_m, number)) = self.ready.next() {
                let slot = &self.fleet.slots[number as usize];
                let is_stale = slot.seen.is_stale(self.now);
                return Some(Near { device: &slot.device, distance_m, is_stale });
            }
            self.look_on(self.centre?);
        }
    }
}
