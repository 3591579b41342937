//! The published requests, and what is understood of them: in our terms, without a word of theirs beyond
//! ids and numbers.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_backend::beckn::v0_9::parse;
use tripline_backend::beckn::{
    Action, CancelReason, Choice, Details, Rate, Received, Request, Search, Selection, Update,
};
use tripline_backend::domain::catalog::{Filter, VehicleWish};
use tripline_backend::domain::order::{RiderDetails, Route};
use tripline_backend::domain::rating::RatingValue;
use tripline_protocol::assignment::Place;
use tripline_protocol::unit::Paise;
use tripline_tests::spec::spec_dir;

/// What stands for a text of theirs.
const THERE: &str = "(said)";

/// Every example of an action that is served, by the first two parts of its file's name.
fn examples() -> Result<Option<BTreeMap<String, Value>>> {
    let Some(dir) = spec_dir() else { return Ok(None) };
    let mut examples = BTreeMap::new();
    for entry in std::fs::read_dir(dir.join("examples-0.9.4"))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?;
        let name = name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        if action_of(&name).is_some() {
            examples.insert(name, serde_json::from_slice(&std::fs::read(&path)?)?);
        }
    }
    Ok(Some(examples))
}

fn action_of(name: &str) -> Option<Action> {
    name.split('.').next().and_then(Action::from_code)
}

#[test]
fn every_published_request_is_understood_or_refused_by_name() -> Result<()> {
    let Some(examples) = examples()? else { return Ok(()) };
    let served: Vec<Action> = Action::ALL
        .into_iter()
        .filter(|action| !examples.keys().any(|name| action_of(name) == Some(*action)))
        .collect();
    ensure!(
        served == [Action::Update, Action::Rating],
        "no examples of {served:?}, where there were none of two"
    );
    let mut told = String::new();
    for (name, body) in &examples {
        let lines = read(name, body.clone())?;
        told.push_str(&format!("{name}\n{}\n", indented(&lines)));
    }
    insta::assert_snapshot!(told);
    Ok(())
}

/// What is understood of it as it is printed, and, where it lacks a transaction's id, with one.
fn read(name: &str, mut body: Value) -> Result<Vec<String>> {
    let action = action_of(name).context("an action")?.code();
    let mut lines = Vec::new();
    loop {
        match parse(action, body.to_string().as_bytes()) {
            Ok(received) => lines.extend(told(&received)),
            Err(fault) => {
                let path = fault.path.as_deref().with_context(|| format!("{name}: {fault}"))?;
                lines.push(format!("refused: {} at {path}", fault.kind.code()));
                if path == "context.transaction_id" {
                    lines.push("with a transaction id:".into());
                    body["context"]["transaction_id"] = "t".into();
                    continue;
                }
            }
        }
        return Ok(lines);
    }
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn told(received: &Received) -> Vec<String> {
    let ttl = received.ttl_ms.map_or_else(|| "none".into(), |ms| format!("{ms} ms"));
    let mut lines = vec![format!("ttl {ttl}, answers {}", received.answers_max)];
    lines.extend(asked(&received.request));
    lines
}

fn asked(request: &Request) -> Vec<String> {
    match request {
        Request::Search(Search { route, filter, language }) => {
            let mut lines = vec![told_route(route), format!("language {language:?}")];
            if *filter != Filter::default() {
                lines.push("filter (said)".into());
            }
            lines
        }
        Request::Select(choice) => told_choice(choice),
        Request::Init { selection, details } => {
            [told_selection(selection), told_details(details)].concat()
        }
        Request::Confirm { selection, details, price } => {
            let price = vec![format!("price {}", told_price(*price))];
            [told_selection(selection), told_details(details), price].concat()
        }
        Request::Status { order_id } => vec![format!("order {order_id}")],
        Request::Track { order_id, callback_url } => {
            vec![format!("order {order_id}, callback url {}", said(callback_url.as_deref()))]
        }
        Request::Cancel { order_id, reason: CancelReason { id, words } } => vec![
            format!("order {order_id}"),
            format!("reason {}, words {}", id.as_deref().unwrap_or("none"), said(words.as_deref())),
        ],
        Request::Update(update) => told_update(update),
        Request::Rate(Rate { of, category, value, answers }) => vec![format!(
            "of {of}, category {category:?}, value {}, {} answers",
            told_value(*value),
            answers.len()
        )],
        Request::Support { of } => vec![format!("of {of}")],
        Request::CancellationReasons | Request::RatingCategories => vec!["asked".into()],
        Request::FeedbackForm { category, value } => {
            vec![format!("category {category:?}, value {}", told_value(*value))]
        }
    }
}

fn said(text: Option<&str>) -> &str {
    text.map_or("none", |_| THERE)
}

fn told_value(value: Option<RatingValue>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}

fn told_price(price: Option<Paise>) -> String {
    price.map_or_else(|| "none".into(), |price| price.to_string())
}

fn told_place(place: &Place) -> String {
    let address = Some(place.address.as_str()).filter(|address| !address.is_empty());
    format!("{} (address {})", place.position, said(address))
}

fn told_route(Route { pickup, drop, pickup_at }: &Route) -> String {
    let drop = drop.as_ref().map_or_else(|| "nowhere".into(), told_place);
    let at = pickup_at.map_or_else(|| "now".into(), |at| at.unix_ms.to_string());
    format!("from {} to {drop}, {at}", told_place(pickup))
}

fn told_choice(choice: &Choice) -> Vec<String> {
    let Choice { item_id, provider_id, count, route, promotions, submission, language, vehicle } =
        choice;
    let VehicleWish { category, capacity, traits } = vehicle;
    let provider = provider_id.as_deref().unwrap_or("any");
    vec![
        format!("item {item_id} of {provider}, count {count:?}"),
        told_route(route),
        format!(
            "vehicle's category {}, capacity {capacity:?}, {} traits",
            said(category.as_deref()),
            traits.len()
        ),
        format!("promotions {promotions:?}, form {submission:?}, language {language:?}"),
    ]
}

fn told_selection(selection: &Selection) -> Vec<String> {
    match selection {
        Selection::Order(id) => vec![format!("order {id}")],
        Selection::Fulfillment(id) => vec![format!("fulfillment {id}")],
        Selection::Anew(choice) => told_choice(choice),
    }
}

fn told_rider(RiderDetails { name, phone }: &RiderDetails) -> String {
    format!("rider's name {}, phone {}", said(name.as_deref()), said(phone.as_deref()))
}

fn told_details(details: &Details) -> Vec<String> {
    let Details { rider, payment, is_paid, pickup, drop, submission, language } = details;
    let payment = payment.map_or_else(
        || "payment none".into(),
        |terms| format!("payment {:?}, collected by {:?}", terms.method, terms.collected_by),
    );
    let place = |place: &Option<Place>| place.as_ref().map_or_else(|| "none".into(), told_place);
    let payment = format!("{payment}, paid {is_paid}");
    let way = format!("pickup {}, drop {}", place(pickup), place(drop));
    vec![told_rider(rider), payment, way, format!("form {submission:?}, language {language:?}")]
}

fn told_update(update: &Update) -> Vec<String> {
    let Update {
        order_id,
        targets,
        pickup,
        drop,
        payment,
        is_paid,
        price,
        pickup_at,
        fulfillment_id,
        vehicle_category,
        promotions,
        count,
        rider,
        item_id,
        provider_id,
    } = update;
    let place = |place: &Option<Place>| place.as_ref().map_or_else(|| "none".into(), told_place);
    vec![
        format!("order {order_id}, targets {targets:?}"),
        format!("pickup {}, drop {}", place(pickup), place(drop)),
        format!("payment {payment:?}, paid {is_paid}, price {}", told_price(*price)),
        told_rider(rider),
        format!("item {item_id:?} of {provider_id:?}, count {count:?}, promotions {promotions:?}"),
        format!("fulfillment {fulfillment_id:?}, at {pickup_at:?}"),
        format!("vehicle's category {}", said(vehicle_category.as_deref())),
    ]
}
