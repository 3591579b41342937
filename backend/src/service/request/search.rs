//! `search`: what is offered around a place or on a route.

use tripline_protocol::tariff::Tariff;
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::Timestamp;

use super::{Asker, Outcome, RequestError, check_ahead, start_of};
use crate::beckn::{Fault, FaultKind, Reply, Search, is_listed_with};
use crate::domain::catalog::{
    Category, Filter, Listing, Look, Nearest, Offered, Promoted, Serviceable, VehicleWish,
};
use crate::domain::estimate::terms;
use crate::domain::fleet::{Item, Promotion, Provider};
use crate::domain::order::Route;
use crate::service::choice::Wanted;
use crate::service::effects::Wake;
use crate::service::{Platform, ServiceError};
use crate::store::Tx;

/// Said where a ride would be served, and nobody is there for it.
pub(super) const NO_VEHICLE: &str = "no free vehicle is near this pickup";

/// Said where something is offered, and not what is looked for.
const NO_MATCH: &str = "nothing that is offered here is what the search asks for";

impl Platform {
    pub(super) async fn search(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        search: Search,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let Search { route, filter, .. } = search;
        check_ahead(&route, at)?;
        match self.offered(tx, asker, &route, &filter, at).await? {
            Ok(offered) => {
                let reply = Reply::Catalog(&Serviceable { route, offered });
                Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
            }
            Err(_) if self.settings.network.silent_when_not_served => {
                Ok(Outcome::Done(Wake::default()))
            }
            Err(why) => Err(why.into()),
        }
    }

    /// Whether the ride is so far ahead that nobody is looked for yet.
    pub(super) fn is_later(&self, route: &Route, at: Timestamp) -> bool {
        let lead_ms = self.settings.dispatch.lead_ms;
        route.pickup_at.is_some_and(|pickup_at| pickup_at.plus_ms(-lead_ms) > at)
    }

    /// What is offered on a route: items that serve it, are what is looked for and have a free vehicle near; at
    /// least one, or why there is none.
    async fn offered(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        route: &Route,
        filter: &Filter,
        at: Timestamp,
    ) -> Result<Result<Vec<Offered>, Fault>, ServiceError> {
        let catalog = self.catalog();
        let drop = route.drop.as_ref().map(|drop| drop.position);
        let later = self.is_later(route, at);
        let not_served = |message| Fault::new(FaultKind::NotServed, message);
        let no_match = || Fault::new(FaultKind::NoMatch, NO_MATCH);
        let mut why = not_served("nothing is offered here".to_owned());
        let mut offered = Vec::new();
        for item in catalog.items() {
            let tariff = match catalog.served(route.pickup.position, drop, item) {
                Ok(tariff) => tariff,
                Err(error) => {
                    why = not_served(error.to_string());
                    continue;
                }
            };
            let Some(provider) = catalog.provider(&item.provider) else { continue };
            let mut one = self.offer_of((provider, item), tariff, route, at);
            let promotions = catalog.promotions_of(item, at);
            one.promotions = promotions.map(promoted).collect();
            if !filter.takes(&one) {
                why = no_match();
                continue;
            }
            one.nearest = self.nearest_free(tx, route, &one.listing, &filter.vehicle, at).await?;
            // Who is there now says nothing of a ride later on.
            if one.nearest.is_none() && !later {
                why = not_served(NO_VEHICLE.to_owned());
                continue;
            }
            if !is_listed_with(&one, &filter.properties) {
                why = no_match();
                continue;
            }
            let (by, transaction) = (asker.subscriber_id, asker.transaction_id);
            one.form = self.form_link(tx, by, transaction, item, at).await?;
            offered.push(one);
        }
        Ok(if offered.is_empty() { Err(why) } else { Ok(offered) })
    }

    fn offer_of(
        &self,
        (provider, item): (&Provider, &Item),
        tariff: &Tariff,
        route: &Route,
        at: Timestamp,
    ) -> Offered {
        let road = &self.settings.road;
        let terms = route.drop.as_ref().map(|drop| {
            let (pickup, drop) = (route.pickup.position, drop.position);
            let estimate = road.estimate(pickup, drop, start_of(route, at));
            terms(tariff.clone(), estimate, Vec::new())
        });
        Offered {
            item_id: item.id.to_string(),
            listing: Listing::of(provider, item),
            look: Look::of(provider, item),
            category: Category { kind: item.kind, tariff_code: tariff.code.clone() },
            tariff: tariff.clone(),
            estimate: terms.as_ref().map(Terms::estimated),
            estimate_max: terms.as_ref().and_then(Terms::estimated_max),
            nearest: None,
            promotions: Vec::new(),
            form: None,
        }
    }

    /// The nearest free vehicle that may come, if one is near enough.
    pub(super) async fn nearest_free(
        &self,
        tx: &mut Tx,
        route: &Route,
        listing: &Listing,
        wish: &VehicleWish,
        at: Timestamp,
    ) -> Result<Option<Nearest>, ServiceError> {
        let place = route.pickup.position;
        let wanted = Wanted { wish: wish.clone(), ..Wanted::of(listing) };
        let ranking = self.choose(tx, place, &wanted, 1, at).await?;
        let nearest = ranking.ranked.iter().min_by_key(|ranked| ranked.distance_m);
        Ok(nearest.map(|ranked| Nearest {
            distance_m: ranked.distance_m,
            pickup_s: ranked.pickup_s,
            position: self.fleet().get(&ranked.device).map(|seen| seen.live.position),
        }))
    }
}

/// A promotion as it is listed.
fn promoted(promotion: &Promotion) -> Promoted {
    Promoted {
        id: promotion.id.to_string(),
        title: promotion.title.clone(),
        description: promotion.description.clone(),
        until: promotion.until,
    }
}
