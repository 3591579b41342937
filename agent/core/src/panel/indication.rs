//! What the panel must know to show it, and to know what a press means.

use tripline_protocol::trip::TripState;

/// What the vehicle knows, as far as the panel is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "none of them excludes another")]
pub struct Indication {
    /// Whether the backend is reached.
    pub connected: bool,
    /// Whether there is a recent fix that counts.
    pub has_fix: bool,
    /// Whether an offer waits for an answer.
    pub offer_waits: bool,
    /// The trip in hand, or the last one.
    pub trip: Option<TripMoment>,
    /// Whether the receiver is missing, silent or sends garbage.
    pub receiver_missing: bool,
    /// Whether the journal does not take records.
    pub journal_degraded: bool,
    /// The driver's call for help.
    pub sos: Option<Sos>,
}

/// A trip, as far as the panel is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TripMoment {
    /// Where it stands.
    pub state: TripState,
    /// Whether its start needs the rider's OTP.
    pub needs_otp: bool,
    /// Whether it is over and its fare is to be collected.
    pub to_collect: bool,
    /// Whether the rider changed it, and the driver has not gone on since.
    pub changed: bool,
}

/// How far a call for help has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sos {
    /// On the disk; the backend has not confirmed it.
    Waits,
    /// The backend has it.
    Received,
}

/// What the status LED tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing to do.
    Idle,
    /// An offer waits for an answer.
    OfferWaits,
    /// The rider changed the trip: the driver is to read what.
    Changed,
    /// Accepted; to the rider.
    ToPickup,
    /// Waiting for the rider.
    AtPickup,
    /// The rider is aboard.
    Riding,
    /// A stop on the way.
    Paused,
    /// Over; the fare is to be collected.
    ToCollect,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::OfferWaits,
        Self::Changed,
        Self::ToPickup,
        Self::AtPickup,
        Self::Riding,
        Self::Paused,
        Self::ToCollect,
    ];
}

impl Indication {
    /// The phase. An offer comes before a fare that is still to be collected: it runs out.
    pub const fn phase(&self) -> Phase {
        if self.offer_waits {
            return Phase::OfferWaits;
        }
        let Some(trip) = self.trip else { return Phase::Idle };
        if trip.changed {
            return Phase::Changed;
        }
        match trip.state {
            TripState::Assigned | TripState::EnRouteToPickup => Phase::ToPickup,
            TripState::AtPickup => Phase::AtPickup,
            TripState::Started => Phase::Riding,
            TripState::Paused => Phase::Paused,
            TripState::Ended if trip.to_collect => Phase::ToCollect,
            TripState::Ended | TripState::Cancelled | TripState::NoShow => Phase::Idle,
        }
    }
}
