//! What a person sees of a trip.

use std::fmt::Write as _;

use tripline_agent_core::view::{OfferView, TripView};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::Paise;

use crate::control::message::Status;
use crate::receiver::{self, SetupStatus};

/// The status in a few lines.
pub(super) fn text(status: &Status) -> String {
    let mut text = String::new();
    if let Some(offer) = &status.view.offer {
        offer_text(&mut text, offer);
    }
    match &status.view.trip {
        Some(trip) => trip_text(&mut text, trip),
        None if status.view.offer.is_none() => text += "No trip, no offer.\n",
        None => {}
    }
    let fix = match &status.view.fix {
        Some(fix) => {
            let age_s = (status.view.at_unix_ms - fix.at_unix_ms).max(0) / 1000;
            format!("{}, {age_s} s old", fix.gps)
        }
        None => "none yet".into(),
    };
    let backend = if status.connected { "connected" } else { "not reached" };
    let sky = status.receiver.hearing.sky;
    let receiver = match (status.receiver_open, status.receiver_heard) {
        (false, _) => "missing",
        (true, false) => "open, not understood",
        (true, true) if sky.told && sky.in_view == 0 => "heard, no satellite in view",
        (true, true) if sky.told && !sky.has_fix => "heard, no position",
        (true, true) => "heard",
    };
    let _ = writeln!(text, "fix       {fix}  (receiver {receiver})");
    receiver_text(&mut text, &status.receiver);
    let _ = writeln!(
        text,
        "backend   {backend}; {} events and {} fixes to be committed",
        status.backlog.events, status.backlog.fixes
    );
    if let Some(advice) = &status.journal.advice {
        let _ = writeln!(text, "JOURNAL   {}: {advice}", status.journal.health);
    }
    text
}

fn receiver_text(text: &mut String, receiver: &receiver::Status) {
    let Some(port) = &receiver.port else { return };
    let _ = write!(text, "receiver  {}", port.display());
    if let Some(baud) = receiver.baud {
        let _ = write!(text, " at {baud} baud");
    }
    if let Some(version) = &receiver.identity {
        let name = version.model.as_deref().unwrap_or(&version.software);
        let _ = write!(text, "; u-blox {name}");
    }
    let setup = match receiver.setup {
        SetupStatus::Untouched => "",
        SetupStatus::Pending => ", being configured",
        SetupStatus::Configured => ", configured",
        SetupStatus::Partly => ", configured in part",
        SetupStatus::NotTaken => "; takes no commands",
    };
    let _ = writeln!(text, "{setup}");
}

fn offer_text(text: &mut String, offer: &OfferView) {
    let _ = writeln!(text, "OFFER     answer within {} s: accept or reject", offer.seconds_left);
    let _ = writeln!(text, "from      {}", offer.pickup);
    let _ = writeln!(text, "to        {}", offer.drop);
    let _ = writeln!(
        text,
        "about     {} km, Rs {}",
        km(u64::from(offer.estimated_distance_m)),
        Paise(offer.estimated_fare_paise)
    );
}

fn trip_text(text: &mut String, trip: &TripView) {
    let _ = writeln!(text, "TRIP      {}; {}", trip.state, what_next(trip));
    if let Some(reason) = &trip.cancel_reason {
        let _ = writeln!(text, "because   {reason}");
    }
    if let (Some(name), Some(phone)) = (&trip.rider_name, &trip.rider_phone) {
        let _ = writeln!(text, "rider     {name}, {phone}");
    }
    let _ = writeln!(text, "from      {}", trip.pickup);
    let _ = writeln!(text, "to        {}", trip.drop);
    let _ = writeln!(
        text,
        "meter     {} km, {} min riding, {} min waiting",
        km(trip.distance_m),
        trip.riding_s / 60,
        trip.waiting_s / 60
    );
    let _ = writeln!(text, "fare      Rs {}", Paise(trip.fare_paise));
    for line in &trip.fare_lines {
        let _ =
            writeln!(text, "          {:<10} {:>10}", line.kind.code(), line.amount.to_string());
    }
}

fn what_next(trip: &TripView) -> &'static str {
    match trip.state {
        TripState::Assigned => "next: depart, or arrive",
        TripState::EnRouteToPickup => "next: arrive",
        TripState::AtPickup if trip.needs_otp => "next: start --otp, or no-show",
        TripState::AtPickup => "next: start, or no-show",
        TripState::Started => "next: pause, or stop",
        TripState::Paused => "next: resume, or stop",
        TripState::Ended if trip.collected_paise.is_some() => "paid",
        TripState::Ended if trip.collect_cash => "next: collect the fare, then collected",
        TripState::Ended | TripState::Cancelled | TripState::NoShow => "over",
    }
}

fn km(metres: u64) -> String {
    format!("{}.{:02}", metres / 1000, metres % 1000 / 10)
}
