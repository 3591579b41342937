//! What the rider's platform says until there is a driver.

use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::terms::Terms;
use tripline_protocol::unit::{Paise, Timestamp};

use super::RideError;
use crate::domain::change::Wish;
use crate::domain::dispatch::DispatchRules;
use crate::domain::effect::{Effect, Notice};
use crate::domain::order::{Conversation, Order, Rider, Vehicle};
use crate::domain::payment::PaymentTerms;

impl Order {
    /// `init`: the rider's details. May be repeated until `confirm`.
    pub fn initialize(
        &mut self,
        rider: Option<Rider>,
        conversation: Conversation,
        at: Timestamp,
    ) -> Result<(), RideError> {
        self.check_quote(at)?;
        self.advance(OrderEvent::Initialize)?;
        self.rider = rider.or(self.rider.take());
        self.conversation = conversation;
        self.touch(at);
        Ok(())
    }

    /// `confirm`: the order is booked and a driver is looked for. Without an `otp` the ride needs none.
    pub fn confirm(
        &mut self,
        rider: Option<Rider>,
        otp: Option<String>,
        conversation: Conversation,
        rules: &DispatchRules,
        at: Timestamp,
    ) -> Result<(), RideError> {
        self.check_quote(at)?;
        self.state.next(OrderEvent::Confirm)?;
        let rider = rider.or_else(|| self.rider.clone());
        if let Some(what) = Rider::missing(rider.as_ref()) {
            return Err(RideError::Missing { what });
        }
        self.advance(OrderEvent::Confirm)?;
        self.rider = rider;
        self.otp = otp;
        let lead_at = self.pickup_at.map(|pickup_at| pickup_at.plus_ms(-rules.lead_ms));
        self.search_from = lead_at.filter(|lead_at| *lead_at > at);
        let searched_from = self.search_from.unwrap_or(at);
        let until = searched_from.plus_ms(rules.search_ms);
        self.search_until = Some(until.max(self.pickup_at.unwrap_or(until)));
        self.conversation = conversation;
        self.touch(at);
        Ok(())
    }

    /// The ride goes another way than it was quoted for, at these terms: the quote is a new one, which holds as long as
    /// the one before.
    pub fn requote(&mut self, wish: &Wish, terms: Terms, at: Timestamp) -> Result<(), RideError> {
        self.check_quote(at)?;
        self.state.next(OrderEvent::Initialize)?;
        if let Some(pickup) = &wish.pickup {
            self.route.pickup = pickup.clone();
        }
        if let Some(drop) = &wish.drop {
            self.route.drop = Some(drop.clone());
        }
        self.quote = terms.estimated();
        self.terms = terms;
        self.touch(at);
        Ok(())
    }

    /// Whether the price that a booking says is the one that was quoted.
    pub fn check_price(&self, price: Option<Paise>) -> Result<(), RideError> {
        let quoted = self.quote.total();
        match price {
            Some(said) if said != quoted => Err(RideError::OtherPrice { quoted, said }),
            Some(_) | None => Ok(()),
        }
    }

    /// The rider's platform waits for a driver no longer than that.
    pub fn search_no_longer_than(&mut self, until: Timestamp) {
        if !self.is_scheduled() {
            self.search_until = self.search_until.map(|search| search.min(until));
        }
    }

    /// The quote names this vehicle, which is held for it until then.
    pub fn name_driver(&mut self, vehicle: Vehicle, until: Timestamp) {
        self.named = Some(vehicle);
        self.quote_expires_at = self.quote_expires_at.min(until);
    }

    /// The named vehicle is free again, unless it was asked: then its offer says when.
    pub(super) fn release_named(&self) -> Vec<Effect> {
        let named = self.named.iter().filter(|_| self.offers.is_empty());
        named.map(|vehicle| Effect::Release(vehicle.device.clone())).collect()
    }

    /// What is told at once of a booking: of a ride that was booked ahead that it is booked. Otherwise the
    /// answer waits for a driver.
    pub fn booked(&self) -> Vec<Effect> {
        if self.is_scheduled() { vec![Effect::Tell(Notice::Confirmed)] } else { Vec::new() }
    }

    /// How the ride is paid, as the rider's platform says; as before if it says nothing.
    pub fn pay_by(&mut self, terms: Option<PaymentTerms>) {
        self.payment.terms = terms.unwrap_or(self.payment.terms);
    }

    fn check_quote(&self, at: Timestamp) -> Result<(), RideError> {
        let open = matches!(self.state, OrderState::Quoted | OrderState::Initialized);
        let expired = self.state == OrderState::Expired || open && self.quote_expires_at <= at;
        if expired { Err(RideError::QuoteExpired) } else { Ok(()) }
    }
}
