//! Trips for people.

use tripline_protocol::unit::{Paise, Timestamp};

use crate::cli::opened::utc;
use crate::cli::order::rating_line;
use crate::operate::trip::{CaseView, FactView, TripDetail, TripView};

/// One line of a list.
pub(super) fn line(view: &TripView) -> String {
    let stands = if view.told == view.driven {
        view.told.clone()
    } else {
        format!("{} (driven: {})", view.told, view.driven)
    };
    let marks: Vec<&str> = [
        (view.silent, "silent"),
        (view.waits_for_voucher, "wrong OTP"),
        (view.otp_locked, "OTP locked"),
        (view.open_cases > 0, "cases"),
    ]
    .into_iter()
    .filter_map(|(is_so, mark)| is_so.then_some(mark))
    .collect();
    format!(
        "{}  {}  {:<12}  {:<24}  {stands:<20}  {:>6} m  {}",
        view.id,
        at(view.accepted_at_unix_ms),
        view.registration,
        view.driver_name,
        view.distance_m,
        marks.join(", "),
    )
    .trim_end()
    .to_owned()
}

pub(super) fn detail(detail: &TripDetail) {
    let view = &detail.trip;
    println!("trip           {}", view.id);
    println!("order          {}, {}", view.order, view.order_state);
    println!("told           {}", view.told);
    println!("driven         {}", view.driven);
    println!("vehicle        {} ({})", view.registration, view.device);
    println!("driver         {}", view.driver_name);
    println!("accepted       {}", at(view.accepted_at_unix_ms));
    if let Some(heard) = view.heard_at_unix_ms {
        println!("heard          {}{}", at(heard), if view.silent { ", silent since" } else { "" });
    }
    if let Some(ended) = view.ended_at_unix_ms {
        println!("ended          {}", at(ended));
    }
    println!("driven         {} m", view.distance_m);
    if let Some(charged) = view.charged_paise {
        println!("charged        {}", Paise(charged));
    }
    if let Some(collected) = view.collected_paise {
        println!("collected      {}", Paise(collected));
    }
    if view.otp_tries > 0 {
        let locked = if view.otp_locked { ", locked" } else { "" };
        println!("OTPs tried     {}{locked}", view.otp_tries);
    }
    if view.offline_start {
        println!("start          made with no network");
    }
    if let Some(closed) = &detail.closed {
        println!("closed         {closed}");
    }
    for fact in &detail.facts {
        println!("{}", fact_line(fact));
    }
    if detail.facts_left_out > 0 {
        println!("  and {} more", detail.facts_left_out);
    }
    detail.cases.iter().for_each(|case| println!("{}", case_line(case)));
    detail.ratings.iter().for_each(|mark| println!("{}", rating_line(mark)));
}

fn fact_line(fact: &FactView) -> String {
    let mut line = format!("  {}  {:<20}  {}", at(fact.at_unix_ms), fact.what, fact.by);
    let mut add = |text: &str| line += &format!(", {text}");
    if fact.received_at_unix_ms - fact.at_unix_ms > 60_000 {
        add(&format!("received {}", at(fact.received_at_unix_ms)));
    }
    if let Some(otp) = fact.otp.as_deref().filter(|otp| *otp != "right") {
        add(&format!("OTP {otp}"));
    }
    if fact.outcome != "applied" {
        add(&fact.outcome);
    }
    for text in [Some(&fact.reason), fact.refused.as_ref()].into_iter().flatten() {
        if !text.is_empty() {
            add(text);
        }
    }
    line
}

/// A case, in one line.
pub(in crate::cli) fn case_line(case: &CaseView) -> String {
    let mut line =
        format!("{}  {}  {:<12}  {}", case.id, at(case.at_unix_ms), case.kind, case.what);
    if case.times > 1 {
        line += &format!(", {} times", case.times);
    }
    if let Some(driven) = &case.driven {
        let fare = Paise(driven.fare_paise);
        let so_far = if driven.over { "" } else { " so far" };
        line += &format!(
            "; driven {} m in {} s, {fare} by its terms{so_far}",
            driven.distance_m, driven.seconds
        );
    }
    if let (Some(by), Some(note)) = (&case.resolved_by, &case.resolution) {
        line += &format!("; resolved by {by}: {note}");
    }
    line
}

fn at(unix_ms: i64) -> String {
    utc(Timestamp::from_unix_ms(unix_ms))
}
