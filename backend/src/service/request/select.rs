//! `select`: what an item would cost, as a new order that is quoted.

use tripline_protocol::id::OrderId;
use tripline_protocol::terms::{DISCOUNTS_MAX, Discount};
use tripline_protocol::unit::Timestamp;

use super::search::NO_VEHICLE;
use super::{Asker, Outcome, RequestError, check_ahead, failed, start_of};
use crate::beckn::{Action, Choice, FailureKind, Fault, FaultKind, Reply};
use crate::chance;
use crate::domain::catalog::Listing;
use crate::domain::estimate::terms;
use crate::domain::fleet::{ItemKind, NotServed};
use crate::domain::order::{NewOrder, Order};
use crate::service::choice::Wanted;
use crate::service::effects::Wake;
use crate::service::{Platform, ServiceError};
use crate::store::Tx;

/// Said where more than one of an item is wanted.
pub(super) const ONE_RIDE: &str = "one ride is one of an item";

/// Drivers that quotes to one subscriber hold at a time; beyond it there are no more quotes until some of these are
/// booked or run out.
const NAMED_PER_SUBSCRIBER_MAX: u64 = 50;

/// Most quotes that one request gets, however many it asks for: each holds a driver.
const QUOTES_MAX: u32 = 5;

impl Platform {
    pub(super) async fn select(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        choice: Choice,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        if choice.count.is_some_and(|count| count != 1) {
            return Ok(failed(Action::Select, FailureKind::Quantity, ONE_RIDE));
        }
        let discounts = match self.discounts(&choice, at) {
            Ok(discounts) => discounts,
            Err(id) => {
                let message = format!("{id} is no promotion that this ride can have");
                return Ok(failed(Action::Select, FailureKind::UnknownPromotion, message));
            }
        };
        let named = choice.submission.clone();
        let category = choice.vehicle.category.clone();
        let mut order = self.new_order(asker, choice, discounts, at)?;
        order.submission = self.form_of(tx, asker, &order.item_id, named.as_deref()).await?;
        let comes = &order.listing.vehicle_category;
        if category.is_some_and(|wanted| !wanted.trim().eq_ignore_ascii_case(comes)) {
            let message = format!("with this item a vehicle of category {comes} comes");
            return Ok(failed(Action::Select, FailureKind::NoDriver, message));
        }
        let later = self.is_later(&order.route, at);
        // Nobody is held for an answer that nobody wants.
        let named_ms = self.settings.named_ms.filter(|_| !later && asker.answers_max > 0);
        let count = named_ms.map_or(1, |_| asker.answers_max.clamp(1, QUOTES_MAX));
        let wanted = Wanted::of_order(&order);
        let place = order.route.pickup.position;
        let near = self.choose(tx, place, &wanted, usize::try_from(count).unwrap_or(1), at).await?;
        if near.ranked.is_empty() && !later {
            return Ok(failed(Action::Select, FailureKind::NoDriver, NO_VEHICLE));
        }
        let Some(named_ms) = named_ms else {
            let (view, mut order) = (order.clone(), order);
            let reply = Reply::Quoted(&view);
            self.enqueue_in_sequence(tx, &mut order, reply, asker.letter(), at).await?;
            tx.add_order(&order).await?;
            return Ok(Outcome::Done(Wake::callbacks()));
        };
        if tx.named_quotes_of(asker.subscriber_id).await? >= NAMED_PER_SUBSCRIBER_MAX {
            let message = "too many of your quotes hold drivers; book some, or let them run out";
            return Ok(failed(Action::Select, FailureKind::NoDriver, message));
        }
        let mut chosen = near.ranked;
        chosen.truncate(usize::try_from(count).unwrap_or(1));
        // In one order whoever takes them, so that two who want the same ones do not wait for each other.
        chosen.sort_by(|a, b| a.device.cmp(&b.device));
        let mut quotes = 0;
        for ranked in chosen {
            let Some(vehicle) = tx.vehicle(&ranked.device).await? else { continue };
            let mut order = renewed(&order)?;
            let device = vehicle.device.clone();
            order.name_driver(vehicle, at.plus_ms(named_ms));
            // The hold refers to the order's row. Where another platform was faster, that stays behind untold, and
            // expires.
            tx.add_order(&order).await?;
            if !tx.hold(&device, order.id).await? {
                continue;
            }
            let Some(mut stored) = tx.order(order.id).await? else { continue };
            let reply = Reply::Quoted(&order);
            self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
            tx.save_order(&stored).await?;
            quotes += 1;
        }
        if quotes == 0 {
            return Ok(failed(Action::Select, FailureKind::NoDriver, NO_VEHICLE));
        }
        Ok(Outcome::Done(Wake::callbacks()))
    }

    /// What the promotions that a choice takes up take off, or the one that cannot be taken up.
    pub(super) fn discounts(
        &self,
        choice: &Choice,
        at: Timestamp,
    ) -> Result<Vec<Discount>, String> {
        let catalog = self.catalog();
        let mut discounts: Vec<Discount> = Vec::new();
        // An item that there is not is told when the order is made.
        let Some(item) = catalog.item(&choice.item_id) else { return Ok(discounts) };
        for id in &choice.promotions {
            let promotion = catalog.promotion(id).filter(|it| it.is_for(&item.id, at));
            let Some(promotion) = promotion else { return Err(id.clone()) };
            let discount = promotion.discount();
            let is_new = discounts.iter().all(|taken| taken.code != discount.code);
            if is_new && discounts.len() == DISCOUNTS_MAX {
                return Err(id.clone());
            }
            if is_new {
                discounts.push(discount);
            }
        }
        Ok(discounts)
    }

    /// A quoted order.
    pub(super) fn new_order(
        &self,
        asker: &Asker<'_>,
        choice: Choice,
        discounts: Vec<Discount>,
        at: Timestamp,
    ) -> Result<Order, RequestError> {
        let Choice { item_id, provider_id, mut route, vehicle, language, .. } = choice;
        check_ahead(&route, at)?;
        let catalog = self.catalog();
        let item = catalog.item(&item_id);
        let found = item.and_then(|item| Some((item, catalog.provider(&item.provider)?)));
        let Some((item, provider)) = found else {
            let message = NotServed::UnknownItem.to_string();
            return Err(Fault::new(FaultKind::UnknownItem, message).into());
        };
        if provider_id.is_some_and(|said| said != provider.id.as_str()) {
            let message = format!("the item is one of provider {}", provider.id);
            return Err(Fault::new(FaultKind::UnknownProvider, message).into());
        }
        // A rented vehicle comes back to where it was taken, unless somewhere else is said.
        if item.kind == ItemKind::Rental && route.drop.is_none() {
            route.drop = Some(route.pickup.clone());
        }
        let Some(drop) = route.drop.as_ref() else {
            return Err(
                Fault::new(FaultKind::DropMissing, "the ride's destination is missing").into()
            );
        };
        let (pickup, drop) = (route.pickup.position, drop.position);
        let tariff = catalog
            .served(pickup, Some(drop), item)
            .map_err(|error| Fault::new(FaultKind::NotServed, error.to_string()))?;
        let estimate = self.settings.road.estimate(pickup, drop, start_of(&route, at));
        let new = NewOrder {
            id: OrderId::from(chance::uuid().map_err(ServiceError::from)?),
            fulfillment_id: chance::uuid().map_err(ServiceError::from)?.to_string(),
            track_token: chance::token().map_err(ServiceError::from)?,
            receipt_token: chance::token().map_err(ServiceError::from)?,
            subscriber_id: asker.subscriber_id.into(),
            item_id,
            listing: Listing::of(provider, item),
            terms: terms(tariff.clone(), estimate, discounts),
            route,
            conversation: asker.conversation.clone(),
        };
        Ok(Order { language, wish: vehicle, ..Order::quote(new, at) })
    }
}

/// The same quote once more, for another driver.
fn renewed(order: &Order) -> Result<Order, ServiceError> {
    Ok(Order {
        id: OrderId::from(chance::uuid()?),
        fulfillment_id: chance::uuid()?.to_string(),
        track_token: chance::token()?,
        receipt_token: Some(chance::token()?),
        ..order.clone()
    })
}
