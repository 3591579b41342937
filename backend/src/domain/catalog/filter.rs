//! What a search looks for beside the route.

use serde::{Deserialize, Serialize};

use super::Offered;
use crate::domain::fleet::ItemKind;
use crate::domain::payment::{CollectedBy, PaymentMethod};

/// What is looked for. What is not said is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Categories, all of which it is in.
    pub categories: Vec<Named>,
    /// An item.
    pub item: Option<Named>,
    /// A provider.
    pub provider: Option<Named>,
    /// A promotion.
    pub promotion: Option<Named>,
    /// How it is paid.
    pub payment: Option<PaymentMethod>,
    /// Who collects.
    pub collected_by: Option<CollectedBy>,
    /// How it is sold; an empty list is a way that we do not have.
    pub kinds: Option<Vec<ItemKind>>,
    /// Which vehicle comes.
    pub vehicle: VehicleWish,
    /// Words to be found in what is offered, all of them.
    pub words: Vec<String>,
    /// Properties that what is offered must be listed with: name and value.
    pub properties: Vec<(String, String)>,
}

/// What a vehicle is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VehicleWish {
    /// Its category.
    pub category: Option<String>,
    /// How many riders it carries at least.
    pub capacity: Option<u16>,
    /// Traits that it has: make, model, variant, colour or what moves it.
    pub traits: Vec<String>,
}

impl VehicleWish {
    /// Whether a vehicle that carries so many and has these traits is one. What is not known of a vehicle cannot be
    /// promised.
    pub fn is_met(&self, capacity: Option<u16>, traits: &[String]) -> bool {
        let carries = self.capacity.is_none_or(|least| capacity.is_some_and(|it| it >= least));
        let has = |wanted: &String| traits.iter().any(|its| holds_whole(its, wanted));
        carries && self.traits.iter().all(has)
    }
}

/// Something by its id, by its name, or by both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: Option<String>,
    /// Its names or codes, or parts of them.
    pub names: Vec<String>,
}

impl Named {
    /// Whether it is one of these: the ids that it goes by, and its names.
    fn is(&self, ids: &[&str], names: &[&str]) -> bool {
        let id = self.id.as_deref().is_none_or(|id| ids.contains(&id));
        id && self.names.iter().all(|name| names.iter().any(|of| holds(of, name)))
    }
}

/// Whether the words are in a text, in capitals or not.
fn holds(text: &str, words: &str) -> bool {
    text.to_lowercase().contains(&words.trim().to_lowercase())
}

impl Filter {
    /// Whether this is what is looked for, as far as it is known without the vehicle.
    pub fn takes(&self, offered: &Offered) -> bool {
        let Offered { item_id, listing, look, category, tariff, .. } = offered;
        let is = |wanted: &Option<Named>, ids: &[&str], names: &[&str]| {
            wanted.as_ref().is_none_or(|wanted| wanted.is(ids, names))
        };
        let (kind, category_id, category_name) =
            (category.kind.code(), category.id(), category.name(tariff));
        let vehicle = listing.vehicle_category.as_str();
        let item_about = look.item_short_desc.as_deref().unwrap_or_default();
        let provider_about = look.provider_short_desc.as_deref().unwrap_or_default();
        let (item, provider) = (listing.item_name.as_str(), listing.provider_name.as_str());
        let provider_id = listing.provider_id.as_str();
        let mut of_category = self.categories.iter();
        let texts =
            [item, item_about, provider, provider_about, vehicle, kind, category_name.as_str()];
        of_category.all(|it| it.is(&[kind, &category_id], &[kind, &category_id, &category_name]))
            && is(&self.item, &[item_id], &[item_id, item, item_about])
            && is(&self.provider, &[provider_id], &[provider_id, provider, provider_about])
            && self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&category.kind))
            && self.vehicle.category.as_ref().is_none_or(|wanted| holds_whole(vehicle, wanted))
            && self.words.iter().all(|words| texts.iter().any(|text| holds(text, words)))
            && self.takes_promotions(offered)
    }

    fn takes_promotions(&self, offered: &Offered) -> bool {
        let Some(wanted) = &self.promotion else { return true };
        offered
            .promotions
            .iter()
            .any(|it| wanted.is(&[it.id.as_str()], &[it.id.as_str(), &it.title]))
    }
}

fn holds_whole(text: &str, wanted: &str) -> bool {
    text.eq_ignore_ascii_case(wanted.trim())
}
