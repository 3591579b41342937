//! Requests of BAPs: noted, carried out and answered in one transaction, once each.
//! [`super::intake`] says which go together.

use tracing::info;
use tripline_protocol::id::OrderId;
use tripline_protocol::tariff::Tariff;
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::Timestamp;

use super::choice::Wanted;
use super::effects::{Letter, Wake, answer_until, new_callback};
use super::{Platform, ServiceError};
use crate::beckn::{
    Action, Failure, FailureKind, Fault, FaultKind, Received, Reply, Request, Selection, render,
};
use crate::chance;
use crate::domain::catalog::{Listing, Offered, Serviceable};
use crate::domain::dispatch::Cause;
use crate::domain::estimate::terms;
use crate::domain::fleet::{Item, NotServed};
use crate::domain::order::{Conversation, NewOrder, Order, Rider, Route};
use crate::domain::payment::PaymentTerms;
use crate::domain::ride::RideError;
use crate::store::Tx;
use crate::store::inbox::{RequestKey, Seen};
use crate::store::order::StoredOrder;
use crate::time;

/// Said where a ride would be served, and nobody is there for it.
const NO_VEHICLE: &str = "no free vehicle is near this pickup";

/// Why a request was not acknowledged. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It is refused.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// We failed.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

impl From<crate::store::StoreError> for RequestError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// What became of a request that is taken. A business refusal is an answer, not a fault: it goes out as a
/// callback.
enum Outcome {
    Done(Wake),
    Failed(Action, Failure),
}

/// How a request was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is stored, and so is what came of it.
    New,
    /// It was stored before, and called for nothing.
    Repeated,
}

impl Taken {
    /// A short fixed word for it, for what is counted and logged.
    pub const fn code(self) -> &'static str {
        match self {
            Self::New => "taken",
            Self::Repeated => "repeated",
        }
    }
}

/// A request, and whose it is.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The subscriber that signed it.
    pub subscriber_id: String,
    /// What it asks.
    pub received: Received,
    /// Why it comes too late, if it does. One that was taken in before gets its ACK again all the same.
    pub too_late: Option<Fault>,
}

/// Who asks, and how to answer.
struct Asker<'a> {
    subscriber_id: &'a str,
    conversation: &'a Conversation,
    answer_until: Timestamp,
}

impl Asker<'_> {
    /// How an answer is sent.
    fn letter(&self) -> Letter<'_> {
        let (conversation, answer_until) = (self.conversation, self.answer_until);
        Letter { conversation, message_id: None, answer_until }
    }
}

impl Platform {
    /// Takes in requests of verified subscribers, together: what is taken is stored, and its answer with
    /// it, and of what is refused nothing is. An error leaves nothing of any of them.
    pub(super) async fn take_in_requests(
        &self,
        group: &[Asked],
    ) -> Result<Vec<Result<Taken, Fault>>, ServiceError> {
        self.refresh_fleet(time::now()).await?;
        let mut tx = self.store.write().await?;
        let (mut outcomes, mut wake) = (Vec::with_capacity(group.len()), Wake::default());
        for asked in group {
            tx.begin_part().await?;
            match self.take_in_request(&mut tx, asked).await {
                Ok((taken, called_for)) => {
                    tx.keep_part().await?;
                    wake.merge(called_for);
                    outcomes.push(Ok(taken));
                }
                Err(RequestError::Fault(fault)) => {
                    tx.undo_part().await?;
                    outcomes.push(Err(fault));
                }
                Err(RequestError::Service(error)) => return Err(error),
            }
        }
        tx.commit().await?;
        self.wake(wake);
        Ok(outcomes)
    }

    /// One that was taken in before calls for nothing.
    async fn take_in_request(
        &self,
        tx: &mut Tx,
        asked: &Asked,
    ) -> Result<(Taken, Wake), RequestError> {
        let at = time::now();
        let Asked { subscriber_id, received, too_late } = asked;
        let action = received.request.action();
        let key = RequestKey {
            subscriber_id: subscriber_id.clone(),
            action: action.code().into(),
            message_id: received.message_id.clone(),
            variant: if action.is_read() { received.digest.clone() } else { Vec::new() },
        };
        match tx.note_request(&key, &received.digest, at).await? {
            Seen::New => too_late.clone().map_or(Ok(()), Err)?,
            Seen::Same => return Ok((Taken::Repeated, Wake::default())),
            Seen::Other => {
                let message = "the message id was used before for another request";
                return Err(Fault::new(FaultKind::MessageIdReused, message).into());
            }
        }
        let conversation = &received.conversation;
        let answer_until = answer_until(received.sent_at, received.ttl_ms, at);
        let asker = Asker { subscriber_id, conversation, answer_until };
        let wake = match self.carry_out_request(tx, &asker, received.request.clone(), at).await? {
            Outcome::Done(wake) => wake,
            Outcome::Failed(action, failure) => {
                info!(action = action.code(), reason = failure.message, "request failed");
                self.enqueue_answer(tx, &asker, Reply::Failed(action, &failure), at).await?
            }
        };
        Ok((Taken::New, wake))
    }

    async fn carry_out_request(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        request: Request,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        match request {
            Request::Search { route } => self.search(tx, asker, route, at).await,
            Request::Select { item_id, route } => self.select(tx, asker, item_id, route, at).await,
            Request::Init { selection, rider, payment } => {
                self.init(tx, asker, selection, (rider, payment), at).await
            }
            Request::Confirm { selection, rider, payment } => {
                self.confirm(tx, asker, selection, (rider, payment), at).await
            }
            Request::Status { order_id } => self.status(tx, asker, order_id, at).await,
            Request::Track { order_id } => self.track(tx, asker, order_id, at).await,
        }
    }

    async fn search(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        route: Route,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let offered = self.offered(tx, &route, at).await?;
        let reply = Reply::Catalog(&Serviceable { route, offered });
        Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
    }

    /// Whether the ride is so far ahead that nobody is looked for yet.
    fn is_later(&self, route: &Route, at: Timestamp) -> bool {
        let lead_ms = self.settings.dispatch.lead_ms;
        route.pickup_at.is_some_and(|pickup_at| pickup_at.plus_ms(-lead_ms) > at)
    }

    /// What is offered on a route: items that serve it and have a free vehicle near; at least one.
    async fn offered(
        &self,
        tx: &mut Tx,
        route: &Route,
        at: Timestamp,
    ) -> Result<Vec<Offered>, RequestError> {
        let catalog = self.catalog();
        let drop = route.drop.as_ref().map(|drop| drop.position);
        // Who is there now says nothing of a ride later on: at worst one comes from the end of the radius.
        let later = self.is_later(route, at).then_some(self.settings.dispatch.radius_m);
        let mut why = "nothing is offered here".to_owned();
        let mut offered = Vec::new();
        for item in catalog.items() {
            let tariff = match catalog.served(route.pickup.position, drop, item) {
                Ok(tariff) => tariff,
                Err(error) => {
                    why = error.to_string();
                    continue;
                }
            };
            let Some(provider) = catalog.provider(&item.provider) else { continue };
            let listing = Listing::of(provider, item);
            let Some(nearest_m) = self.nearest_free_m(tx, route, &listing, at).await?.or(later)
            else {
                NO_VEHICLE.clone_into(&mut why);
                continue;
            };
            offered.push(self.offer_of(item, listing, (tariff, nearest_m), route, at));
        }
        if offered.is_empty() {
            return Err(Fault::new(FaultKind::NotServed, why).into());
        }
        Ok(offered)
    }

    fn offer_of(
        &self,
        item: &Item,
        listing: Listing,
        (tariff, nearest_m): (&Tariff, u32),
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
            listing,
            tariff: tariff.clone(),
            estimate: terms.as_ref().map(Terms::estimated),
            estimate_max: terms.as_ref().and_then(Terms::estimated_max),
            nearest_m,
            pickup_s: road.pickup_s(nearest_m),
        }
    }

    /// How far the nearest free vehicle is that may come, if one is near enough.
    async fn nearest_free_m(
        &self,
        tx: &mut Tx,
        route: &Route,
        listing: &Listing,
        at: Timestamp,
    ) -> Result<Option<u32>, ServiceError> {
        let (place, wanted) = (route.pickup.position, Wanted::of(listing));
        let ranking = self.choose(tx, place, &wanted, 1, at).await?;
        Ok(ranking.ranked.iter().map(|ranked| ranked.distance_m).min())
    }

    async fn select(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        item_id: String,
        route: Route,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut order = self.new_order(asker, item_id, route, at)?;
        let nearest_m = self.nearest_free_m(tx, &order.route, &order.listing, at).await?;
        if nearest_m.is_none() && !self.is_later(&order.route, at) {
            return Ok(failed(Action::Select, FailureKind::NoDriver, NO_VEHICLE.into()));
        }
        let view = order.clone();
        let reply = Reply::Quoted(&view);
        self.enqueue_in_sequence(tx, &mut order, reply, asker.letter(), at).await?;
        tx.add_order(&order).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    /// A quoted order.
    fn new_order(
        &self,
        asker: &Asker<'_>,
        item_id: String,
        route: Route,
        at: Timestamp,
    ) -> Result<Order, RequestError> {
        let catalog = self.catalog();
        let item = catalog.item(&item_id);
        let found = item.and_then(|item| Some((item, catalog.provider(&item.provider)?)));
        let (Some((item, provider)), Some(drop)) = (found, route.drop.as_ref()) else {
            let message = NotServed::UnknownItem.to_string();
            return Err(Fault::new(FaultKind::UnknownItem, message).into());
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
            terms: terms(tariff.clone(), estimate, Vec::new()),
            route,
            conversation: asker.conversation.clone(),
        };
        Ok(Order::quote(new, at))
    }

    async fn init(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        selection: Selection,
        (rider, payment): (Option<Rider>, Option<PaymentTerms>),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut stored = self.selected(tx, asker, selection, at).await?;
        if let Err(error) = stored.order.initialize(rider, asker.conversation.clone(), at) {
            return Ok(refused(Action::Init, &error));
        }
        stored.order.pay_by(payment);
        let view = stored.order.clone();
        let reply = Reply::Initialized(&view);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    async fn confirm(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        selection: Selection,
        (rider, payment): (Option<Rider>, Option<PaymentTerms>),
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        if matches!(selection, Selection::Anew { .. }) {
            let message = "no order is named; give the id that the answer to init told";
            return Err(Fault::new(FaultKind::UnknownOrder, message).into());
        }
        let mut stored = self.selected(tx, asker, selection, at).await?;
        let rules = &self.settings.dispatch;
        let otp = self.settings.otp.then(chance::otp).transpose().map_err(ServiceError::from)?;
        let conversation = asker.conversation.clone();
        if let Err(error) = stored.order.confirm(rider, otp, conversation, rules, at) {
            return Ok(refused(Action::Confirm, &error));
        }
        stored.order.pay_by(payment);
        let mut effects = stored.order.booked();
        effects.extend(self.offer_next(tx, &mut stored.order, Cause::Booked, at).await?);
        Ok(Outcome::Done(self.carry_out(tx, &mut stored, effects, at).await?))
    }

    async fn status(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let mut stored = own(tx.order(id).await?, asker).ok_or_else(unknown_order)?;
        // In the order's sequence, so that no answer comes after news of a later state.
        let view = stored.order.clone();
        let reply = Reply::Status(&view, None);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, asker.letter(), at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::callbacks()))
    }

    async fn track(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let stored = own(tx.order(id).await?, asker).ok_or_else(unknown_order)?;
        let position = self.position_of(&stored.order);
        let reply = Reply::Tracking {
            url: &self.track_link(&stored.order),
            position: position.as_ref(),
            active: stored.order.is_trackable(),
        };
        Ok(Outcome::Done(self.enqueue_answer(tx, asker, reply, at).await?))
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
            Selection::Anew { item_id, route } => {
                let order = self.new_order(asker, item_id, route, at)?;
                tx.add_order(&order).await?;
                tx.order(order.id).await?.ok_or_else(unknown_order)
            }
        }
    }

    /// Writes the answer to a request that concerns no order's sequence.
    async fn enqueue_answer(
        &self,
        tx: &mut Tx,
        asker: &Asker<'_>,
        reply: Reply<'_>,
        at: Timestamp,
    ) -> Result<Wake, RequestError> {
        let rendered = render(&self.settings.identity, asker.conversation, reply, None, at)
            .map_err(ServiceError::Render)?;
        let place = (chance::uuid().map_err(ServiceError::from)?.to_string(), 1);
        let new = new_callback(place, asker.subscriber_id, rendered, asker.answer_until, at);
        tx.add_callback(new, at).await?;
        Ok(Wake::callbacks())
    }
}

/// An order, if it is the asker's: to anybody else it does not exist.
fn own(stored: Option<StoredOrder>, asker: &Asker<'_>) -> Option<StoredOrder> {
    stored.filter(|stored| stored.order.subscriber_id == asker.subscriber_id)
}

/// When a ride on this route is expected to start.
fn start_of(route: &Route, at: Timestamp) -> Timestamp {
    route.pickup_at.unwrap_or(at).max(at)
}

fn unknown_order() -> RequestError {
    Fault::new(FaultKind::UnknownOrder, "no such order").into()
}

fn failed(action: Action, kind: FailureKind, message: String) -> Outcome {
    Outcome::Failed(action, Failure { kind, message })
}

fn refused(action: Action, error: &RideError) -> Outcome {
    let kind = match error {
        RideError::QuoteExpired => FailureKind::QuoteGone,
        RideError::Refused(_)
        | RideError::Missing { .. }
        | RideError::UnderWay
        | RideError::NotChangeable { .. }
        | RideError::NoProposal
        | RideError::OtherPrice { .. }
        | RideError::NoTrip { .. }
        | RideError::Over { .. } => FailureKind::Impossible,
    };
    failed(action, kind, error.to_string())
}
