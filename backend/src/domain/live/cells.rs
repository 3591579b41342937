//! Which slots stand in which cell of the globe.
//!
//! The cells are those of H3 at resolution 8, hexagons of about 0.7 km² and twelve pentagons (in the sea):
//! small enough that a busy district is several of them, large enough that a radius of 5 km is some
//! hundreds of look-ups.

use std::collections::HashMap;

use h3o::{CellIndex, LatLng, Resolution};
use tripline_protocol::unit::Position;

const RESOLUTION: Resolution = Resolution::Eight;

/// A cell that is `k` rings away is at least `k - 1` times so many metres away.
///
/// The mean edge of a cell is 531 m. Over 3,900 origins on all of the globe, every pentagon and its
/// surroundings among them, the nearest two cells came in units of it were 0.74 for `k` = 2 and 0.93 times
/// `k - 1` and more for larger `k`; this is 0.64.
pub(super) const RING_M: u32 = 340;

/// The cell of a place.
pub(super) fn cell_of(place: Position) -> Option<CellIndex> {
    let place = LatLng::new(place.lat_deg(), place.lon_deg()).ok()?;
    Some(place.to_cell(RESOLUTION))
}

/// Numbers of slots by cell. Empty cells are not kept.
#[derive(Debug, Default)]
pub(super) struct Cells {
    lists: HashMap<CellIndex, Vec<u32>>,
    slots: usize,
}

impl Cells {
    /// How many slots stand in a cell.
    pub(super) const fn slots(&self) -> usize {
        self.slots
    }

    /// Puts a slot into a cell; gives its place in the list.
    pub(super) fn put(&mut self, cell: CellIndex, number: u32) -> u32 {
        let list = self.lists.entry(cell).or_default();
        list.push(number);
        self.slots += 1;
        // Slots are numbered with 32 bits, so no list is longer.
        u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes the slot at this place out of a cell; gives the number of the one that moves there.
    pub(super) fn take(&mut self, cell: CellIndex, place: u32) -> Option<u32> {
        let list = self.lists.get_mut(&cell)?;
        list.swap_remove(place as usize);
        self.slots -= 1;
        if list.is_empty() {
            self.lists.remove(&cell);
            return None;
        }
        list.get(place as usize).copied()
    }

    /// The slot at this place has another number.
    pub(super) fn replace(&mut self, cell: CellIndex, place: u32, number: u32) {
        if let Some(it) = self.lists.get_mut(&cell).and_then(|list| list.get_mut(place as usize)) {
            *it = number;
        }
    }

    /// The slots in a cell.
    pub(super) fn list(&self, cell: CellIndex) -> &[u32] {
        self.lists.get(&cell).map(Vec::as_slice).unwrap_or_default()
    }

    /// Every slot that stands in a cell.
    pub(super) fn all(&self) -> impl Iterator<Item = u32> {
        self.lists.values().flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The corners of a cell, and the middles of its edges.
    fn outline(cell: CellIndex) -> Vec<LatLng> {
        let corners: Vec<_> = cell.boundary().iter().copied().collect();
        let next = corners.iter().skip(1).chain(corners.first());
        let middle = |(a, b): (&LatLng, &LatLng)| {
            let away = b.lng() - a.lng();
            let away = if away.abs() > 180.0 { away - 360.0_f64.copysign(away) } else { away };
            let lng = a.lng() + away / 2.0;
            LatLng::new(f64::midpoint(a.lat(), b.lat()), lng).expect("finite")
        };
        corners.iter().zip(next).map(middle).chain(corners.iter().copied()).collect()
    }

    #[test]
    fn no_cell_is_nearer_than_its_ring_says_at_the_pentagons_at_the_poles_and_elsewhere() {
        let far_out = (0..40).map(|n| {
            let n = f64::from(n);
            LatLng::new((n * 4.7 - 90.0).min(90.0), (n * 73.0) % 360.0 - 180.0).expect("finite")
        });
        let far_out = far_out.map(|place| place.to_cell(RESOLUTION));
        let pentagons = RESOLUTION.pentagons().flat_map(|it| it.grid_disk::<Vec<_>>(2));
        for origin in pentagons.chain(far_out) {
            let from = outline(origin);
            for (cell, ring) in origin.grid_disk_distances::<Vec<_>>(5) {
                let pairs = outline(cell).into_iter().flat_map(|to| {
                    let distance = move |from: &LatLng| from.distance_m(to);
                    from.iter().map(distance).collect::<Vec<_>>()
                });
                let nearest_m = pairs.fold(f64::MAX, f64::min);
                let said_m = ring.saturating_sub(1) * RING_M;
                assert!(nearest_m >= f64::from(said_m), "{origin} {cell}: ring {ring}");
            }
        }
    }
}
