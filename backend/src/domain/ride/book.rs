//! What the rider's platform says until there is a driver.

use tripline_protocol::machine::Machine as _;
use tripline_protocol::order::{OrderEvent, OrderState};
use tripline_protocol::unit::Timestamp;

use super::RideError;
use crate::domain::dispatch::DispatchRules;
use crate::domain::order::{Conversation, Order, Rider};

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
        self.search_until = Some(at.plus_ms(rules.search_ms));
        self.conversation = conversation;
        self.touch(at);
        Ok(())
    }

    fn check_quote(&self, at: Timestamp) -> Result<(), RideError> {
        let open = matches!(self.state, OrderState::Quoted | OrderState::Initialized);
        let expired = self.state == OrderState::Expired || open && self.quote_expires_at <= at;
        if expired { Err(RideError::QuoteExpired) } else { Ok(()) }
    }
}
