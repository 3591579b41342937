//! What a person sees of a trip.

use std::fmt::Write as _;

use tripline_agent_core::view::{DriverView, OfferView, SignInState, TripView};
use tripline_protocol::duty::Duty;
use tripline_protocol::machine::Machine as _;
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Timestamp};

use super::fare::{self, km, minutes};
use crate::control::message::Status;
use crate::receiver::{self, SetupStatus};
use crate::time::date;

/// The status in a few lines.
pub(super) fn text(status: &Status) -> String {
    let mut text = String::new();
    if let Some(offer) = &status.view.offer {
        offer_text(&mut text, offer, status.view.at_unix_ms);
    }
    match &status.view.trip {
        Some(trip) => trip_text(&mut text, trip, status.view.at_unix_ms),
        None if status.view.offer.is_none() => text += "No trip, no offer.\n",
        None => {}
    }
    text += &driver_text(&status.view.driver, status.connected);
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

/// Who drives, in a line.
pub(super) fn driver_text(driver: &DriverView, connected: bool) -> String {
    let mut text = String::from("driver    ");
    match (&driver.name, &driver.id) {
        (Some(name), Some(id)) => {
            let duty = match driver.duty {
                Duty::On => "takes rides",
                Duty::Break => "has a break",
                Duty::Off => "is off duty",
            };
            let _ = write!(text, "{name} ({id}) {duty}");
        }
        _ => text += "nobody is signed in",
    }
    let wait = if connected { "" } else { ", which is not reached" };
    if let Some(id) = &driver.asked_id {
        let _ = write!(text, "; sign-in of {id} waits for the platform{wait}");
    }
    if let Some(duty) = driver.asked_duty {
        let _ = write!(text, "; duty {duty} waits for the platform{wait}");
    }
    if let (SignInState::Refused, Some(reason)) = (driver.sign_in, &driver.refused) {
        let _ = write!(text, "; refused: {reason}");
    }
    text + "\n"
}

fn offer_text(text: &mut String, offer: &OfferView, now_unix_ms: i64) {
    let _ = writeln!(text, "OFFER     answer within {} s: accept or reject", offer.seconds_left);
    pickup_text(text, offer.pickup_at_unix_ms, now_unix_ms);
    let _ = writeln!(text, "from      {}", offer.pickup);
    let _ = writeln!(text, "to        {}", offer.drop);
    let most = offer.estimated_fare_max_paise.map(|most| format!(" to {}", Paise(most)));
    let _ = writeln!(
        text,
        "about     {} km, Rs {}{}, {}",
        km(u64::from(offer.estimated_distance_m)),
        Paise(offer.estimated_fare_paise),
        most.unwrap_or_default(),
        payment(offer.collect_cash)
    );
}

/// When the rider is to be picked up, of a ride that was booked ahead.
fn pickup_text(text: &mut String, pickup_at_unix_ms: Option<i64>, now_unix_ms: i64) {
    let Some(at_unix_ms) = pickup_at_unix_ms else { return };
    let in_min = (at_unix_ms - now_unix_ms) / 60_000;
    let about = match in_min {
        1.. => format!("in {in_min} min"),
        0 => "now".into(),
        _ => format!("{} min ago", -in_min),
    };
    let _ = writeln!(text, "pickup at {}, {about}", date(Timestamp::from_unix_ms(at_unix_ms)));
}

const fn payment(collect_cash: bool) -> &'static str {
    if collect_cash { "cash" } else { "prepaid" }
}

fn trip_text(text: &mut String, trip: &TripView, now_unix_ms: i64) {
    let _ = writeln!(text, "TRIP      {}; {}", trip.state, what_next(trip));
    if let Some(reason) = &trip.cancel_reason {
        let _ = writeln!(text, "because   {reason}");
    }
    if let Some(step) = &trip.dispatcher {
        let _ = writeln!(text, "by the dispatcher on your behalf: {step}");
    }
    if let Some(changed) = &trip.changed {
        let _ = writeln!(text, "CHANGED   by the rider: {changed}");
    }
    if let (Some(name), Some(phone)) = (&trip.rider_name, &trip.rider_phone) {
        let _ = writeln!(text, "rider     {name}, {phone}");
    }
    if matches!(trip.state, TripState::Assigned | TripState::EnRouteToPickup | TripState::AtPickup)
    {
        pickup_text(text, trip.pickup_at_unix_ms, now_unix_ms);
    }
    let _ = writeln!(text, "from      {}", trip.pickup);
    let _ = writeln!(text, "to        {}", trip.drop);
    let _ = writeln!(
        text,
        "meter     {} km; {} riding, {} waiting, {} in pauses",
        km(trip.distance_m),
        minutes(trip.riding_s),
        minutes(trip.waiting_s),
        minutes(trip.paused_s)
    );
    fare_text(text, trip);
}

fn fare_text(text: &mut String, trip: &TripView) {
    let Some(reason) = trip.fare_reason else { return };
    let so_far = if trip.state.is_terminal() { "" } else { " so far" };
    let payment = payment(trip.collect_cash);
    let _ = writeln!(
        text,
        "fare      Rs {}{so_far}, {payment} (tariff {})",
        Paise(trip.fare_paise),
        trip.tariff
    );
    fare::lines(text, &trip.fare_lines);
    if let Some(remark) = fare::remark(reason) {
        let _ = writeln!(text, "          {remark}");
    }
    if let Some(collected) = trip.collected_paise {
        let _ = writeln!(text, "collected Rs {}", Paise(collected));
    }
}

fn what_next(trip: &TripView) -> &'static str {
    match trip.state {
        TripState::Assigned => "next: depart, or arrive",
        TripState::EnRouteToPickup => "next: arrive",
        TripState::AtPickup if trip.otp_tries_left == Some(0) => {
            "the OTP is locked: ask your dispatcher to unlock it"
        }
        TripState::AtPickup if trip.needs_otp => "next: start --otp, or no-show",
        TripState::AtPickup => "next: start, or no-show",
        TripState::Started => "next: pause, extra, or stop",
        TripState::Paused => "next: resume, extra, or stop",
        TripState::Ended if trip.collected_paise.is_some() => "paid",
        TripState::Ended if trip.collect_cash => "next: collect the fare, then collected",
        TripState::Ended | TripState::Cancelled | TripState::NoShow => "over",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::fare::{FareLine, FareLineKind, FareReason};

    fn line(kind: FareLineKind, quantity: u64, rate: i64, amount: i64) -> FareLine {
        FareLine { kind, name: String::new(), quantity, rate: Paise(rate), amount: Paise(amount) }
    }

    fn trip() -> TripView {
        TripView {
            trip_id: "t".into(),
            order_id: "o".into(),
            state: TripState::Paused,
            pickup: "Castro Street".into(),
            drop: "Shoreline".into(),
            pickup_at_unix_ms: Some(1_800_000_000_000),
            rider_name: Some("Asha".into()),
            rider_phone: Some("+91-98".into()),
            needs_otp: true,
            otp_tries_left: Some(4),
            distance_m: 3_400,
            bridged_m: 0,
            billed_m: 3_400,
            riding_s: 600,
            waiting_s: 125,
            paused_s: 61,
            waits: true,
            extras: Vec::new(),
            tariff: "auto version 3".into(),
            fare_paise: 8_100,
            fare_reason: Some(FareReason::Metered),
            fare_lines: vec![
                line(FareLineKind::Base, 1, 3_000, 3_000),
                line(FareLineKind::Distance, 3_400, 1_500, 5_100),
            ],
            collect_cash: true,
            collected_paise: None,
            cancel_reason: None,
            dispatcher: Some("pause: the rider shops".into()),
            changed: Some("drop, payment".into()),
        }
    }

    fn shown(trip: &TripView) -> String {
        let mut text = String::new();
        trip_text(&mut text, trip, 1_799_998_500_000);
        text
    }

    #[test]
    fn a_driver_reads_what_the_ride_costs_and_why() {
        let expected = "\
TRIP      paused; next: resume, extra, or stop
by the dispatcher on your behalf: pause: the rider shops
CHANGED   by the rider: drop, payment
rider     Asha, +91-98
from      Castro Street
to        Shoreline
meter     3.40 km; 10:00 min riding, 2:05 min waiting, 1:01 min in pauses
fare      Rs 81.00 so far, cash (tariff auto version 3)
          base                                               30.00
          3.40 km at 15.00 per km                            51.00
";
        assert_eq!(shown(&trip()), expected);
    }

    #[test]
    fn before_the_start_it_tells_when_a_booked_ride_begins_and_that_an_otp_is_locked() {
        let trip = TripView {
            state: TripState::AtPickup,
            otp_tries_left: Some(0),
            collect_cash: false,
            ..trip()
        };
        let text = shown(&trip);
        assert!(text.contains("ask your dispatcher to unlock it\n"), "{text}");
        assert!(text.contains("pickup at 2027-01-15 08:00 UTC, in 25 min\n"), "{text}");
        assert!(text.contains("so far, prepaid"), "{text}");
    }

    #[test]
    fn a_trip_that_was_called_off_shows_no_fare() {
        let trip = TripView { state: TripState::Cancelled, fare_reason: None, ..trip() };
        assert!(!shown(&trip).contains("fare"));
    }

    #[test]
    fn who_drives_is_told_with_what_still_waits_and_what_was_refused() {
        let nobody = DriverView {
            sign_in: SignInState::Nobody,
            id: None,
            name: None,
            duty: Duty::Off,
            asked_id: None,
            asked_duty: None,
            refused: None,
        };
        let asked = DriverView {
            sign_in: SignInState::Asked,
            asked_id: Some("asha-1".into()),
            ..nobody.clone()
        };
        let refused = DriverView {
            sign_in: SignInState::Refused,
            id: Some("babu-2".into()),
            name: Some("Babu".into()),
            duty: Duty::Break,
            refused: Some("the PIN is wrong".into()),
            ..nobody.clone()
        };
        let told = [(nobody, true), (asked, false), (refused, true)]
            .map(|(driver, connected)| driver_text(&driver, connected));
        assert_eq!(
            told.concat(),
            "driver    nobody is signed in\n\
             driver    nobody is signed in; sign-in of asha-1 waits for the platform, which is not reached\n\
             driver    Babu (babu-2) has a break; refused: the PIN is wrong\n"
        );
    }
}
