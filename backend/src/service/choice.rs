//! Whom an order can be offered to: who is around and may be asked, as far as memory knows, and of the best
//! of those who is free, as the store knows.

use std::collections::BTreeSet;

use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::{Position, Timestamp};

use super::{Platform, ServiceError};
use crate::domain::catalog::{Listing, VehicleWish};
use crate::domain::dispatch::{Candidate, Demand, Exclusion, Ranking, Standing, rank};
use crate::domain::order::Order;
use crate::store::Tx;

/// So many of the best are looked up in the store at a time. When most of a fleet is busy a look-up finds
/// one or two that are free.
const LOOKED_UP: usize = 32;

/// So often a further ring of vehicles is compared when everybody nearer is taken. With 256 compared each
/// time it ends at 4,096 taken vehicles nearer than any free one.
const SURVEYS_MAX: usize = 16;

/// What an order asks of a vehicle, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Of which category it is to be; any if none is named.
    pub(super) category: Option<String>,
    /// Whose it is to be; anybody's if nobody is named.
    pub(super) provider: Option<String>,
    /// What else it is to be.
    pub(super) wish: VehicleWish,
    /// Who was asked before.
    pub(super) asked: BTreeSet<DeviceId>,
}

impl Wanted {
    /// A vehicle that may come for what is listed.
    pub(super) fn of(listing: &Listing) -> Self {
        Self {
            category: Some(listing.vehicle_category.clone()),
            provider: Some(listing.provider_id.to_string()),
            ..Self::default()
        }
    }

    /// A vehicle that may come for an order, and was not asked yet.
    pub(super) fn of_order(order: &Order) -> Self {
        Self {
            wish: order.wish.clone(),
            asked: order.asked().cloned().collect(),
            ..Self::of(&order.listing)
        }
    }

    fn demand<'a>(&'a self, held: &'a BTreeSet<DeviceId>) -> Demand<'a> {
        let (category, provider) = (self.category.as_deref(), self.provider.as_deref());
        Demand { category, provider, wish: Some(&self.wish), asked: &self.asked, held }
    }
}

impl Platform {
    /// Who can be asked to come to a place, the best first. The first `count` of them, if there are as
    /// many, are free; only trying to take one says whether it still is.
    pub(super) async fn choose(
        &self,
        tx: &mut Tx,
        place: Position,
        wanted: &Wanted,
        count: usize,
        at: Timestamp,
    ) -> Result<Ranking, ServiceError> {
        let mut held = BTreeSet::new();
        let mut ranking = Ranking::default();
        for _ in 0..SURVEYS_MAX {
            ranking = self.survey(place, &wanted.demand(&held), at);
            let free = leave_out_held(tx, &mut ranking, &mut held, count).await?;
            if free >= count || !ranking.is_cut {
                break;
            }
        }
        Ok(ranking)
    }

    /// Who can be asked as far as memory knows. No lock is held longer than this takes.
    pub fn survey(&self, place: Position, demand: &Demand<'_>, at: Timestamp) -> Ranking {
        let rules = &self.settings.dispatch;
        let (roster, histories) = (self.roster(), self.histories());
        let fleet = self.fleet();
        let candidates = fleet.around(place, rules.radius_m, at).map(|near| Candidate {
            device: near.device,
            distance_m: near.distance_m,
            is_stale: near.is_stale,
            standing: Standing::of(near.device, &roster, &histories, at),
        });
        rank(candidates, demand, rules, at)
    }
}

/// Leaves out who is taken, the best first, until `count` are free; gives how many are.
async fn leave_out_held(
    tx: &mut Tx,
    ranking: &mut Ranking,
    held: &mut BTreeSet<DeviceId>,
    count: usize,
) -> Result<usize, ServiceError> {
    let (mut free, mut from) = (0, 0);
    while free < count && from < ranking.ranked.len() {
        let until = ranking.ranked.len().min(from + LOOKED_UP);
        let devices: Vec<_> =
            ranking.ranked[from..until].iter().map(|it| it.device.clone()).collect();
        let taken = tx.held_among(&devices).await?;
        free += devices.len() - taken.len();
        held.extend(taken);
        from = until;
    }
    let before = ranking.ranked.len();
    ranking.ranked.retain(|it| !held.contains(&it.device));
    let left_out = u32::try_from(before - ranking.ranked.len()).unwrap_or(u32::MAX);
    if left_out > 0 {
        *ranking.excluded.entry(Exclusion::Held).or_default() += left_out;
    }
    Ok(free)
}
