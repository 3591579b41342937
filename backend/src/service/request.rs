//! Requests of BAPs: noted, carried out and answered in one transaction, once each.

use tracing::info;
use tripline_protocol::id::OrderId;
use tripline_protocol::unit::Timestamp;

use super::effects::{ANSWER_TRIED_MS, Wake};
use super::{Platform, ServiceError, Settings};
use crate::beckn::{
    Action, Failure, FailureKind, Fault, FaultKind, Received, Reply, Request, Selection, render,
};
use crate::chance;
use crate::domain::catalog::Serviceable;
use crate::domain::dispatch::candidates;
use crate::domain::order::{Conversation, NewOrder, Order, Rider, Route};
use crate::domain::ride::RideError;
use crate::store::Tx;
use crate::store::callback::NewCallback;
use crate::store::inbox::{RequestKey, Seen};
use crate::store::order::StoredOrder;
use crate::store::retry::{Contended, retry};
use crate::time;

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

impl Contended for RequestError {
    fn is_contended(&self) -> bool {
        match self {
            Self::Service(error) => error.is_contended(),
            Self::Fault(_) => false,
        }
    }
}

impl From<crate::store::StoreError> for RequestError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Service(error.into())
    }
}

/// A business refusal is an answer, not a fault: it goes out as a callback.
enum Outcome {
    Done(Wake),
    Failed(Action, Failure),
}

/// Who asks, and how to answer.
struct Asker {
    subscriber_id: String,
    conversation: Conversation,
}

impl Platform {
    /// Takes in a request of a verified subscriber. When this returns `Ok`, it is stored, and its
    /// answer with it.
    pub async fn handle_request(
        &self,
        action: &str,
        subscriber_id: &str,
        received: Received,
    ) -> Result<(), RequestError> {
        let done = retry(|| self.try_request(action, subscriber_id, &received)).await?;
        if let Some(wake) = done {
            self.wake(wake);
            self.outbox.notify_one();
        }
        Ok(())
    }

    /// `None` if it was carried out before.
    async fn try_request(
        &self,
        action: &str,
        subscriber_id: &str,
        received: &Received,
    ) -> Result<Option<Wake>, RequestError> {
        let at = time::now();
        let key = RequestKey {
            subscriber_id: subscriber_id.into(),
            action: action.into(),
            message_id: received.message_id.clone(),
        };
        let mut tx = self.store.write().await?;
        match tx.note_request(&key, &received.digest, at).await? {
            Seen::New => {}
            Seen::Same => return Ok(None),
            Seen::Other => {
                return Err(RequestError::Fault(Fault {
                    kind: FaultKind::MessageIdReused,
                    path: None,
                    message: "the message id was used before for another request".into(),
                }));
            }
        }
        let asker = Asker {
            subscriber_id: subscriber_id.into(),
            conversation: received.conversation.clone(),
        };
        let request = received.request.clone();
        let wake = match self.carry_out_request(&mut tx, &asker, request, at).await? {
            Outcome::Done(wake) => wake,
            Outcome::Failed(action, failure) => {
                info!(?action, reason = failure.message, "request failed");
                let reply = Reply::Failed(action, &failure);
                self.enqueue_answer(&mut tx, &asker, reply, at).await?;
                Wake::default()
            }
        };
        tx.commit().await?;
        Ok(Some(wake))
    }

    async fn carry_out_request(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        request: Request,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        match request {
            Request::Search { route } => self.search(tx, asker, route, at).await,
            Request::Select { item_id, route } => {
                Ok(self.select(tx, asker, item_id, route, at).await?)
            }
            Request::Init { selection, rider } => {
                Ok(self.init(tx, asker, selection, rider, at).await?)
            }
            Request::Confirm { selection, rider } => {
                Ok(self.confirm(tx, asker, selection, rider, at).await?)
            }
            Request::Status { order_id } => Ok(self.status(tx, asker, order_id, at).await?),
            Request::Track { order_id } => Ok(self.track(tx, asker, order_id, at).await?),
        }
    }

    async fn search(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        route: Route,
        at: Timestamp,
    ) -> Result<Outcome, RequestError> {
        let Some(nearest_m) = self.nearest_free_m(tx, &route, at).await? else {
            return Err(RequestError::Fault(Fault {
                kind: FaultKind::NotServed,
                path: None,
                message: "no free vehicle is near this pickup".into(),
            }));
        };
        let identity = &self.settings.identity;
        let road = &self.settings.road;
        let estimate = route.drop.as_ref().map(|drop| {
            let road_m = road.distance_m(route.pickup.position, drop.position);
            road.fare(&identity.item.tariff, road_m)
        });
        let serviceable = Serviceable {
            provider: identity.provider.clone(),
            item: identity.item.clone(),
            route,
            estimate,
            nearest_m,
            pickup_s: road.duration_s(nearest_m),
        };
        self.enqueue_answer(tx, asker, Reply::Catalog(&serviceable), at).await?;
        Ok(Outcome::Done(Wake::default()))
    }

    /// How far the nearest free vehicle is, if one is near enough.
    async fn nearest_free_m(
        &self,
        tx: &mut Tx,
        route: &Route,
        at: Timestamp,
    ) -> Result<Option<u32>, ServiceError> {
        let radius_m = self.settings.dispatch.radius_m;
        let near = self.fleet().near(route.pickup.position, radius_m, at);
        let held = tx.held().await?;
        let free = candidates(near.clone(), &held, &std::collections::BTreeSet::new());
        let first = free.first();
        Ok(near.iter().find(|near| Some(&near.device) == first).map(|near| near.distance_m))
    }

    async fn select(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        item_id: String,
        route: Route,
        at: Timestamp,
    ) -> Result<Outcome, ServiceError> {
        if self.nearest_free_m(tx, &route, at).await?.is_none() {
            let message = "no free vehicle is near this pickup".into();
            return Ok(failed(Action::Select, FailureKind::NoDriver, message));
        }
        let Some(mut order) = self.new_order(asker, item_id, route, at)? else {
            return Ok(unknown_item(Action::Select));
        };
        let view = order.clone();
        self.enqueue_for_order(tx, &mut order, Reply::Quoted(&view), true, at).await?;
        tx.add_order(&order).await?;
        Ok(Outcome::Done(Wake::default()))
    }

    /// A quoted order; `None` if there is no such item.
    fn new_order(
        &self,
        asker: &Asker,
        item_id: String,
        route: Route,
        at: Timestamp,
    ) -> Result<Option<Order>, ServiceError> {
        let Settings { identity, road, .. } = &self.settings;
        let Some(drop) = route.drop.as_ref().filter(|_| item_id == identity.item.id) else {
            return Ok(None);
        };
        let road_m = road.distance_m(route.pickup.position, drop.position);
        let new = NewOrder {
            id: OrderId::from(chance::uuid()?),
            fulfillment_id: chance::uuid()?.to_string(),
            track_token: chance::token()?,
            subscriber_id: asker.subscriber_id.clone(),
            item_id,
            estimated_distance_m: road_m,
            quote: road.fare(&identity.item.tariff, road_m),
            tariff: identity.item.tariff.clone(),
            route,
            conversation: asker.conversation.clone(),
        };
        Ok(Some(Order::quote(new, at)))
    }

    async fn init(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        selection: Selection,
        rider: Option<Rider>,
        at: Timestamp,
    ) -> Result<Outcome, ServiceError> {
        let mut stored = match self.selected(tx, asker, Action::Init, selection, at).await? {
            Ok(stored) => stored,
            Err(outcome) => return Ok(outcome),
        };
        if let Err(error) = stored.order.initialize(rider, asker.conversation.clone(), at) {
            return Ok(refused(Action::Init, &error));
        }
        let view = stored.order.clone();
        self.enqueue_for_order(tx, &mut stored.order, Reply::Initialized(&view), true, at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::default()))
    }

    async fn confirm(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        selection: Selection,
        rider: Option<Rider>,
        at: Timestamp,
    ) -> Result<Outcome, ServiceError> {
        if matches!(selection, Selection::Anew { .. }) {
            let message = "no order is named; give the id that the answer to init told".into();
            return Ok(failed(Action::Confirm, FailureKind::UnknownOrder, message));
        }
        let mut stored = match self.selected(tx, asker, Action::Confirm, selection, at).await? {
            Ok(stored) => stored,
            Err(outcome) => return Ok(outcome),
        };
        let rules = &self.settings.dispatch;
        let otp = if self.settings.otp { Some(chance::otp()?) } else { None };
        let conversation = asker.conversation.clone();
        if let Err(error) = stored.order.confirm(rider, otp, conversation, rules, at) {
            return Ok(refused(Action::Confirm, &error));
        }
        let effects = self.offer_next(tx, &mut stored.order, at).await?;
        Ok(Outcome::Done(self.carry_out(tx, &mut stored, effects, at).await?))
    }

    async fn status(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, ServiceError> {
        let Some(mut stored) = own(tx.order(id).await?, asker) else {
            return Ok(unknown_order(Action::Status));
        };
        // In the order's sequence, so that no answer comes after news of a later state.
        let view = stored.order.clone();
        let answer = (&asker.conversation, None, at.plus_ms(ANSWER_TRIED_MS));
        let reply = Reply::Status(&view, None);
        self.enqueue_in_sequence(tx, &mut stored.order, reply, answer, at).await?;
        tx.save_order(&stored).await?;
        Ok(Outcome::Done(Wake::default()))
    }

    async fn track(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        id: OrderId,
        at: Timestamp,
    ) -> Result<Outcome, ServiceError> {
        let Some(stored) = own(tx.order(id).await?, asker) else {
            return Ok(unknown_order(Action::Track));
        };
        let position = self.position_of(&stored.order);
        let reply = Reply::Tracking {
            url: &self.track_link(&stored.order),
            position: position.as_ref(),
            active: stored.order.is_trackable(),
        };
        self.enqueue_answer(tx, asker, reply, at).await?;
        Ok(Outcome::Done(Wake::default()))
    }

    /// The order that a request goes on with; one said anew is made.
    async fn selected(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        action: Action,
        selection: Selection,
        at: Timestamp,
    ) -> Result<Result<StoredOrder, Outcome>, ServiceError> {
        let (found, otherwise) = match selection {
            Selection::Order(id) => (tx.order(id).await?, unknown_order(action)),
            Selection::Fulfillment(id) => {
                let message = "no such fulfillment; select again".into();
                let otherwise = failed(action, FailureKind::UnknownFulfillment, message);
                (tx.order_of_fulfillment(&id).await?, otherwise)
            }
            Selection::Anew { item_id, route } => {
                let Some(order) = self.new_order(asker, item_id, route, at)? else {
                    return Ok(Err(unknown_item(action)));
                };
                tx.add_order(&order).await?;
                (tx.order(order.id).await?, unknown_order(action))
            }
        };
        Ok(own(found, asker).ok_or(otherwise))
    }

    /// Writes the answer to a request that concerns no order's sequence.
    async fn enqueue_answer(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        reply: Reply<'_>,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let rendered = render(&self.settings.identity, &asker.conversation, reply, None, at)
            .map_err(ServiceError::Render)?;
        let new = NewCallback {
            order_key: chance::uuid()?.to_string(),
            sequence: 1,
            subscriber_id: asker.subscriber_id.clone(),
            action: rendered.action.into(),
            url: rendered.url,
            body: rendered.body,
            expires_at: at.plus_ms(ANSWER_TRIED_MS),
        };
        Ok(tx.add_callback(new, at).await?)
    }
}

/// An order, if it is the asker's: to anybody else it does not exist.
fn own(stored: Option<StoredOrder>, asker: &Asker) -> Option<StoredOrder> {
    stored.filter(|stored| stored.order.subscriber_id == asker.subscriber_id)
}

fn failed(action: Action, kind: FailureKind, message: String) -> Outcome {
    Outcome::Failed(action, Failure { kind, message })
}

fn unknown_order(action: Action) -> Outcome {
    failed(action, FailureKind::UnknownOrder, "no such order".into())
}

fn unknown_item(action: Action) -> Outcome {
    failed(action, FailureKind::UnknownItem, "no such item; search again".into())
}

fn refused(action: Action, error: &RideError) -> Outcome {
    let kind = match error {
        RideError::QuoteExpired => FailureKind::QuoteGone,
        RideError::Refused(_) | RideError::Missing { .. } => FailureKind::Impossible,
    };
    failed(action, kind, error.to_string())
}
