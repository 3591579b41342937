//! Ids that point at something: it must be there.

use std::collections::BTreeSet;

use serde_json::Value;

/// A field of an item, the list of its provider in which its id stands, and the list of the catalog
/// for all providers, where there is one.
const OF_ITEMS: [(&str, &str, Option<&str>); 4] = [
    ("fulfillment_id", "fulfillments", Some("bpp/fulfillments")),
    ("payment_id", "payments", Some("bpp/payments")),
    ("category_id", "categories", Some("bpp/categories")),
    ("location_id", "locations", None),
];

pub(super) fn faults(name: &str, value: &Value) -> Vec<String> {
    match name {
        "catalog" => catalog(value),
        "order" => order(value),
        _ => Vec::new(),
    }
}

fn catalog(catalog: &Value) -> Vec<String> {
    let mut faults = doubled(catalog, "bpp/providers");
    for provider in list(catalog, "bpp/providers") {
        faults.extend(doubled(provider, "items"));
        for (field, own, of_all) in OF_ITEMS {
            faults.extend(doubled(provider, own));
            let mut known: BTreeSet<&str> = ids(provider, own).collect();
            known.extend(of_all.into_iter().flat_map(|of_all| ids(catalog, of_all)));
            let named = list(provider, "items").iter().filter_map(|item| item[field].as_str());
            let lost = named.filter(|id| !known.contains(id));
            faults.extend(lost.map(|id| format!("an item's {field} {id} is of nothing in {own}")));
        }
    }
    faults
}

/// An order has one fulfillment and one payment: its items can mean no other. A quote has no payment yet, and
/// its items mean one of the catalog.
fn order(order: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for item in list(order, "items") {
        for (field, part) in [("fulfillment_id", "fulfillment"), ("payment_id", "payment")] {
            let (Some(named), Some(part)) = (item.get(field), order.get(part)) else { continue };
            if *named != part["id"] {
                faults
                    .push(format!("an item's {field} {named} is not the order's, {}", part["id"]));
            }
        }
    }
    faults
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn ids<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v str> {
    list(value, name).iter().filter_map(|one| one["id"].as_str())
}

/// Ids that a list has twice.
fn doubled(value: &Value, name: &str) -> Vec<String> {
    let mut known = BTreeSet::new();
    let twice = ids(value, name).filter(|id| !known.insert(*id));
    twice.map(|id| format!("{name} has {id} twice")).collect()
}
