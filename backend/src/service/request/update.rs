//! `update`: the rider changes a booked ride. A change that needs another price is proposed with it; saying that
//! price back takes it.

use tripline_protocol::assignment::Place;
use tripline_protocol::unit::Timestamp;

use super::{Asker, Outcome, RequestError, failed, own, refused, unknown_order};
use crate::beckn::{Action, Change, FailureKind, Reply, Target, Update};
use crate::domain::change::Wish;
use crate::domain::effect::Effect;
use crate::domain::order::Order;
use crate::service::Platform;
use crate::service::effects::Wake;
use crate::store::Tx;
use crate::store::order::StoredOrder;

/// Times that are no farther apart are the same, in ms: peers write them to the second.
const SAME_TIME_MS: i64 = 1_000;

/// How long the price of a change holds, in ms.
const PROPOSAL_MS: i64 = 3 * 60_000;

impl Platform {
    pub(super) async fn update(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        update: Update,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let stored = own(tx.order(update.order_id).await?, asker).ok_or_else(unknown_order)?;
        if let Some(outcome) = refusal_of_targets(&stored.order, &update) {
            return Ok(outcome);
        }
        let wish = wish_of(&stored.order, &update);
        let is_paid = update.is_paid && is_targeted(&update, &[Target::Payment]);
        if is_targeted(&update, &[Target::Price]) && is_proposed(&stored.order, &wish) {
            return self.accept(tx, asker, stored, &update, at).await;
        }
        if wish.pickup.is_none() && wish.drop.is_none() {
            self.pay_otherwise(tx, asker, stored, (&wish, is_paid), at).await
        } else {
            self.propose(tx, asker, stored, wish, at).await
        }
    }

    /// The rider takes the change that was proposed.
    async fn accept(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        mut stored: StoredOrder,
        update: &Update,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let Some(price) = update.price else {
            let message = "the price that was proposed is to be said back";
            return Ok(failed(Action::Update, FailureKind::QuoteGone, message));
        };
        let effects = match stored.order.accept_proposal(price, at) {
            Ok(effects) => effects,
            Err(error) => return Ok(refused(Action::Update, &error)),
        };
        // Whoever was named was named for another ride.
        stored.order.named = None;
        self.changed(tx, asker, &mut stored, (Change::Accepted, effects), at).await
    }

    /// The ride is paid otherwise, which changes no price.
    async fn pay_otherwise(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        mut stored: StoredOrder,
        (wish, is_paid): (&Wish, bool),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let changed = match wish.payment {
            Some(payment) => stored.order.change_payment(payment, at),
            // It is as it is wanted to be.
            None => stored.order.check_change(wish).map(|()| Vec::new()),
        };
        let effects = match changed {
            Ok(effects) => effects,
            Err(error) => return Ok(refused(Action::Update, &error)),
        };
        stored.order.payment.is_said_paid |= is_paid;
        self.changed(tx, asker, &mut stored, (Change::Payment, effects), at).await
    }

    /// Answers that the ride is changed, and does what that asks for.
    async fn changed(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        stored: &mut StoredOrder,
        (change, effects): (Change, Vec<Effect>),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let view = stored.order.clone();
        let reply = Reply::Updated(&view, change);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        let mut wake = self.carry_out_change(tx, stored, effects, at).await?;
        wake.merge(Wake::callbacks());
        Ok(Outcome::Done(wake))
    }

    /// Another way is proposed with its price.
    async fn propose(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        mut stored: StoredOrder,
        wish: Wish,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        if let Some(why) = self.not_served(&stored.order, &wish) {
            return Ok(failed(Action::Update, FailureKind::NotChangeable, why));
        }
        let terms = stored.order.proposed_terms(&wish, &self.settings.road, at);
        if let Err(error) = stored.order.propose(wish, terms, at.plus_ms(PROPOSAL_MS), at) {
            return Ok(refused(Action::Update, &error));
        }
        let view = stored.order.clone();
        let reply = Reply::Updated(&view, Change::Proposed);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    /// Why the ride would not be served with this way, if that is so. One with an item that is not offered any more
    /// goes on.
    pub(super) fn not_served(&self, order: &Order, wish: &Wish) -> Option<String> {
        let catalog = self.catalog();
        let item = catalog.item(&order.item_id)?;
        let pickup = wish.pickup.as_ref().unwrap_or(&order.route.pickup).position;
        let drop = wish.drop.as_ref().or(order.route.drop.as_ref()).map(|drop| drop.position);
        catalog.served(pickup, drop, item).err().map(|error| error.to_string())
    }
}

/// Whether all of a wish is what was proposed: what is said beside a price that is said back is no new wish.
fn is_proposed(order: &Order, wish: &Wish) -> bool {
    let Some(proposal) = &order.proposal else { return wish.is_empty() };
    let same_place = |wanted: &Option<Place>, proposed: &Place| {
        wanted.as_ref().is_none_or(|wanted| !is_elsewhere(wanted, proposed))
    };
    same_place(&wish.pickup, &proposal.pickup)
        && same_place(&wish.drop, &proposal.drop)
        && wish.payment.is_none_or(|wanted| wanted == proposal.payment)
}

fn is_targeted(update: &Update, targets: &[Target]) -> bool {
    update.targets.iter().any(|target| targets.contains(target))
}

/// What is to be otherwise, of what may be.
fn wish_of(order: &Order, update: &Update) -> Wish {
    let place = |said: &Option<Place>, ours: Option<&Place>, target: Target| {
        let wanted = said.clone().filter(|_| is_targeted(update, &[target, Target::Route]));
        wanted.filter(|wanted| ours.is_none_or(|ours| is_elsewhere(wanted, ours)))
    };
    let payment = update.payment.filter(|_| is_targeted(update, &[Target::Payment]));
    Wish {
        pickup: place(&update.pickup, Some(&order.route.pickup), Target::Pickup),
        drop: place(&update.drop, order.route.drop.as_ref(), Target::Drop),
        payment: payment.filter(|payment| *payment != order.payment.terms),
    }
}

/// Whether it is another place. Peers write addresses in many ways: another text for the same spot is none.
fn is_elsewhere(said: &Place, ours: &Place) -> bool {
    said.position != ours.position
}

/// Why what is named cannot be changed, or what is changed without being named.
fn refusal_of_targets(order: &Order, update: &Update) -> Option<Outcome> {
    let unknown = update.targets.iter().find_map(|target| match target {
        Target::Other(part) => Some(part.as_str()),
        Target::Pickup | Target::Drop | Target::Route | Target::Payment | Target::Price => None,
    });
    if let Some(part) = unknown.or(update.targets.is_empty().then_some("nothing")) {
        let message = format!("{part} is nothing that can be changed");
        return Some(failed(Action::Update, FailureKind::UnknownTarget, message));
    }
    let beside = changed_beside(order, update);
    if beside.is_empty() {
        return None;
    }
    let message = format!("changed, and not said to be: {}", beside.join(", "));
    Some(failed(Action::Update, FailureKind::Inconsistent, message))
}

/// What differs from the order, or from the change that was proposed, without being named.
fn changed_beside(order: &Order, update: &Update) -> Vec<&'static str> {
    let proposal = order.proposal.as_ref();
    let other_place = |said: &Option<Place>, ours: Option<&Place>, proposed: Option<&Place>| {
        said.as_ref().is_some_and(|said| {
            [ours, proposed].into_iter().flatten().all(|known| is_elsewhere(said, known))
        })
    };
    let pickup = (Some(&order.route.pickup), proposal.map(|it| &it.pickup));
    let drop = (order.route.drop.as_ref(), proposal.map(|it| &it.drop));
    let prices = [Some(order.fare().total()), proposal.map(|it| it.quote.total())];
    let other_text =
        |said: &Option<String>, ours: &str| said.as_ref().is_some_and(|said| said != ours);
    let rider = order.rider.as_ref();
    let pickup_at = order.pickup_at.unwrap_or(order.terms.estimate.start_at);
    let taken_up: Vec<_> = order.terms.discounts.iter().map(|taken| taken.code.clone()).collect();
    let differs = [
        (
            "the pickup",
            other_place(&update.pickup, pickup.0, pickup.1),
            is_targeted(update, &[Target::Pickup, Target::Route]),
        ),
        (
            "the drop",
            other_place(&update.drop, drop.0, drop.1),
            is_targeted(update, &[Target::Drop, Target::Route]),
        ),
        (
            "the payment",
            update.payment.is_some_and(|said| said != order.payment.terms),
            is_targeted(update, &[Target::Payment]),
        ),
        (
            "the price",
            update.price.is_some_and(|said| !prices.contains(&Some(said))),
            is_targeted(update, &[Target::Price]),
        ),
        (
            "the rider's name",
            other_text(&update.rider.name, rider.map_or("", |rider| &rider.name)),
            false,
        ),
        (
            "the rider's phone",
            other_text(&update.rider.phone, rider.map_or("", |rider| &rider.phone)),
            false,
        ),
        (
            "the time of the pickup",
            update.pickup_at.is_some_and(|said| said.since_ms(pickup_at).abs() > SAME_TIME_MS),
            false,
        ),
        ("the fulfillment", other_text(&update.fulfillment_id, &order.fulfillment_id), false),
        (
            "the vehicle's category",
            update
                .vehicle_category
                .as_ref()
                .is_some_and(|said| !said.eq_ignore_ascii_case(&order.listing.vehicle_category)),
            false,
        ),
        ("the offers", !update.promotions.is_empty() && update.promotions != taken_up, false),
        ("the quantity", update.count.is_some_and(|count| count != 1), false),
        ("the item", other_text(&update.item_id, &order.item_id), false),
        (
            "the provider",
            other_text(&update.provider_id, order.listing.provider_id.as_str()),
            false,
        ),
    ];
    differs.into_iter().filter(|(_, is, named)| *is && !named).map(|(what, ..)| what).collect()
}
