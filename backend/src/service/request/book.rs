//! `init` and `confirm`: the rider's details, and the booking.

use tripline_protocol::assignment::Place;
use tripline_protocol::unit::{Paise, Timestamp};

use super::select::ONE_RIDE;
use super::{Asker, Outcome, RequestError, failed, own, refused, unknown_order};
use crate::beckn::{Action, Details, FailureKind, Fault, FaultKind, Reply, Selection};
use crate::chance;
use crate::domain::change::Wish;
use crate::domain::dispatch::Cause;
use crate::domain::order::{Order, Rider};
use crate::service::effects::Wake;
use crate::service::{Platform, ServiceError};
use crate::store::Tx;
use crate::store::order::StoredOrder;

impl Platform {
    pub(super) async fn init(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        selection: Selection,
        details: Details,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut stored = self.selected(tx, asker, selection, at).await?;
        let order = &mut stored.order;
        self.note_form(tx, asker, order, &details).await?;
        let way = other_way(order, &details);
        if !way.is_empty() {
            if let Some(why) = self.not_served(order, &way) {
                return Ok(failed(Action::Init, FailureKind::NoDriver, why));
            }
            let terms = order.proposed_terms(&way, &self.settings.road, at);
            if let Err(error) = order.requote(&way, terms, at) {
                return Ok(refused(Action::Init, &error));
            }
        }
        let rider = Rider::with(order.rider.clone(), details.rider.clone());
        if let Err(error) = order.initialize(rider, asker.conversation.clone(), at) {
            return Ok(refused(Action::Init, &error));
        }
        note_details(order, &details);
        let view = order.clone();
        let reply = Reply::Initialized(&view);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    pub(super) async fn confirm(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        selection: Selection,
        (details, price): (Details, Option<Paise>),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        if matches!(selection, Selection::Anew(_)) {
            let message = "no order is named; give the id that the answer to init told";
            return Err(Fault::new(FaultKind::UnknownOrder, message).into());
        }
        let mut stored = self.selected(tx, asker, selection, at).await?;
        let order = &mut stored.order;
        self.note_form(tx, asker, order, &details).await?;
        if !other_way(order, &details).is_empty() {
            let message = "the ride was quoted for another way; init it again with this one";
            return Ok(failed(Action::Confirm, FailureKind::QuoteGone, message));
        }
        let rules = &self.settings.dispatch;
        let otp = self.settings.otp.then(chance::otp).transpose().map_err(ServiceError::from)?;
        let conversation = asker.conversation.clone();
        let rider = Rider::with(order.rider.clone(), details.rider.clone());
        let confirmed = order
            .check_price(price)
            .and_then(|()| order.confirm(rider, otp, conversation, rules, at));
        if let Err(error) = confirmed {
            return Ok(refused(Action::Confirm, &error));
        }
        if let Some(until) = asker.waits_until {
            order.search_no_longer_than(until);
        }
        note_details(order, &details);
        let mut effects = order.booked();
        effects.extend(self.offer_next(tx, &mut stored.order, Cause::Booked, at).await?);
        Ok(Outcome::Done(self.carry_out(tx, &mut stored, effects, at).await?))
    }

    /// The filled-in form is the one that is named, or the one there was.
    async fn note_form(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        order: &mut Order,
        details: &Details,
    ) -> Result<(), RequestError> {
        if details.submission.is_some() || order.submission.is_none() {
            let named = details.submission.as_deref();
            order.submission = self.form_of(tx, asker, &order.item_id, named).await?;
        }
        Ok(())
    }

    /// The order that a request goes on with; one said anew is made.
    async fn selected(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        selection: Selection,
        at: Timestamp,
    ) -> Result<StoredOrder, RequestError> {
        match selection {
            Selection::Order(id) => own(tx.order(id).await?, asker).ok_or_else(unknown_order),
            Selection::Fulfillment(id) => {
                let found = own(tx.order_of_fulfillment(&id).await?, asker);
                let message = "no such fulfillment; select again";
                found.ok_or_else(|| Fault::new(FaultKind::UnknownFulfillment, message).into())
            }
            Selection::Anew(choice) => {
                if choice.count.is_some_and(|count| count != 1) {
                    return Err(Fault::new(FaultKind::Quantity, ONE_RIDE).into());
                }
                let discounts = self.discounts(&choice, at).map_err(|id| {
                    let message = format!("{id} is no promotion that this ride can have");
                    Fault::new(FaultKind::UnknownPromotion, message)
                })?;
                let order = self.new_order(asker, *choice, discounts, at)?;
                tx.add_order(&order).await?;
                tx.order(order.id).await?.ok_or_else(unknown_order)
            }
        }
    }
}

/// Pickup and drop that are not those that were quoted. Another text for the same spot is no other place.
fn other_way(order: &Order, details: &Details) -> Wish {
    let other = |said: &Option<Place>, ours: Option<&Place>| {
        said.clone().filter(|said| ours.is_none_or(|ours| ours.position != said.position))
    };
    Wish {
        pickup: other(&details.pickup, Some(&order.route.pickup)),
        drop: other(&details.drop, order.route.drop.as_ref()),
        payment: None,
    }
}

/// What is said beside what is booked, where it is said.
fn note_details(order: &mut Order, details: &Details) {
    order.pay_by(details.payment);
    order.payment.is_said_paid |= details.is_paid;
    order.language = details.language.or(order.language);
}
