//! What the rider's platform says until there is a driver.

use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::unit::Timestamp;

use super::RideError;
use crate::domain::dispatch::DispatchRules;
use crate::domain::effect::{Effect, Notice};
use crate::domain::order::{Conversation, Order, Rider};
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
        if rider.is_none() {
            return Err(RideError::Missing { what: "the rider's name and phone" });
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
