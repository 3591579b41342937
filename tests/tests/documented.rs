//! The published conversation, spoken with a running platform and its vehicle: each printed request, with
//! our ids in place of the printed ones, gets the printed callback, field by field, with the same codes, types and
//! states. Prices, names and ids are free; what a callback has beyond the printed one is, too.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tripline_tests::spec::spec_dir;
use tripline_tests::world::{Booking, METRES, Plan, World, drop_near};
use uuid::Uuid;

/// Fields of printed callbacks that ours do not have, and why. Each must be missing somewhere.
const NOT_OURS: &[(&str, &str)] = &[
    ("/address/ward", "an address is one line, told as its name"),
    ("/address/country", "an address is one line, told as its name"),
    ("/address/building", "an address is one line, told as its name"),
    ("/address/state", "an address is one line, told as its name"),
    ("/address/city", "an address is one line, told as its name"),
    ("/address/locality", "an address is one line, told as its name"),
    ("/address/door", "an address is one line, told as its name"),
    ("/address/area_code", "an address is one line, told as its name"),
    ("/address/street", "an address is one line, told as its name"),
    ("/agent/rating", "nobody has rated the driver"),
    ("/descriptor/short_desc", "the tariff's words need no more words"),
    ("/params/bank_account_name", "the driver is paid, not a bank account"),
    ("/params/bank_account", "the driver is paid, not a bank account"),
    ("/params/bank_code", "the driver is paid, not a bank account"),
    ("/payment/time/duration", "no time is set for paying a cancellation"),
];

/// Fields that say something by a fixed word.
const WORDS: [&str; 8] = [
    "code",
    "type",
    "status",
    "transaction_status",
    "currency",
    "collected_by",
    "category",
    "content_type",
];

/// Words that are printed and that we say otherwise, and why. Each must be said otherwise somewhere.
const OTHER_WORDS: &[(&str, &str, &str)] = &[
    (
        "/fulfillment/state/descriptor/code",
        "DRIVER_EN_ROUTE",
        "a ride that was called off is RIDE_CANCELLED; one example leaves the state of before",
    ),
    (
        "/fulfillment/state/descriptor/code",
        "PAYMENT_COLLECTED",
        "no update is printed: the answer that is said back in its place tells of the end",
    ),
    (
        "/params/transaction_status",
        "PAID",
        "no update is printed: the answer that is said back in its place tells of the end",
    ),
];

/// What was printed.
struct Printed {
    /// The guide's requests and callbacks by their action, examples by the beginning of their file's name.
    messages: BTreeMap<String, Value>,
    /// Fields that were found missing for a reason.
    missing: RefCell<BTreeSet<&'static str>>,
    /// Words that were found to be others for a reason.
    others: RefCell<BTreeSet<&'static str>>,
}

impl Printed {
    fn read(dir: &Path) -> Result<Self> {
        let mut messages = BTreeMap::new();
        let examples = [
            "track.1",
            "on_track.1",
            "cancel.1",
            "on_cancel.2",
            "on_update.1",
            "on_update.2",
            "get_cancellation_reasons.1",
            "cancellation_reasons.1",
            "get_rating_categories.1",
            "rating_categories.1",
            "get_feedback_form.1",
        ];
        for name in examples {
            let body = serde_json::from_slice(&std::fs::read(example(dir, name)?)?)?;
            messages.insert(name.to_owned(), body);
        }
        for body in guide(dir)? {
            let context = body.get("context").or(body.pointer("/message/context"));
            let action = context.and_then(|context| context["action"].as_str());
            messages.insert(action.context("an action")?.to_owned(), body);
        }
        Ok(Self { messages, missing: RefCell::default(), others: RefCell::default() })
    }

    fn message(&self, action: &str) -> Result<Value> {
        Ok(self.messages.get(action).with_context(|| format!("no {action} is printed"))?.clone())
    }

    /// That a callback has every field that the printed one has.
    fn compare(&self, printed: &str, ours: &Value) -> Result<()> {
        let mut expected = self.message(printed)?;
        // One example has its context within the message.
        if let Some(context) =
            expected["message"].as_object_mut().and_then(|it| it.remove("context"))
        {
            expected["context"] = context;
        }
        self.compare_with(printed, &expected, ours)?;
        self.compare_words(printed, &expected, ours)
    }

    /// That what is said by a fixed word is said by the printed one.
    fn compare_words(&self, printed: &str, expected: &Value, ours: &Value) -> Result<()> {
        let said = words(ours);
        for (path, word) in words(expected).difference(&said) {
            let other = OTHER_WORDS
                .iter()
                .find(|(field, printed, _)| path.ends_with(field) && word == printed);
            let (field, ..) = other.with_context(|| {
                format!("{printed} has {word} at {path}, and ours has not: {ours:#}")
            })?;
            self.others.borrow_mut().insert(field);
        }
        Ok(())
    }

    fn compare_with(&self, printed: &str, expected: &Value, ours: &Value) -> Result<()> {
        let (expected, has) = (fields(expected), fields(ours));
        let reason = |field: &&String| {
            NOT_OURS.iter().map(|(name, _)| *name).find(|name| field.ends_with(name))
        };
        let (excused, lost): (Vec<_>, Vec<_>) =
            expected.difference(&has).partition(|field| reason(field).is_some());
        self.missing.borrow_mut().extend(excused.iter().filter_map(reason));
        ensure!(lost.is_empty(), "{printed} lacks {lost:#?}; it is {ours:#}");
        Ok(())
    }

    /// That no field is listed as missing which is not.
    fn every_reason_was_needed(&self) -> Result<()> {
        let listed: BTreeSet<_> = NOT_OURS.iter().map(|(name, _)| *name).collect();
        let found = self.missing.borrow();
        let needless: Vec<_> = listed.difference(&found).collect();
        ensure!(needless.is_empty(), "these are never missing: {needless:?}");
        let listed: BTreeSet<_> = OTHER_WORDS.iter().map(|(field, ..)| *field).collect();
        ensure!(listed == *self.others.borrow(), "these are never others: {listed:?}");
        Ok(())
    }
}

fn example(dir: &Path, name: &str) -> Result<PathBuf> {
    for entry in std::fs::read_dir(dir.join("examples-0.9.4"))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        if file.starts_with(&format!("{name}.")) {
            return Ok(path);
        }
    }
    bail!("there is no example {name}")
}

/// The seed document whose name begins so.
fn seed(dir: &Path, number: &str) -> Result<String> {
    for entry in std::fs::read_dir(dir.join("seed"))? {
        let path = entry?.path();
        if path.file_name().and_then(|it| it.to_str()).is_some_and(|it| it.starts_with(number)) {
            return Ok(std::fs::read_to_string(path)?);
        }
    }
    bail!("there is no document {number}")
}

/// Every message of the guide to core 0.9.4.
fn guide(dir: &Path) -> Result<Vec<Value>> {
    let text = seed(dir, "002")?;
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks = blocks.map(str::trim).filter(|block| block.starts_with('{'));
    blocks.map(|block| Ok(serde_json::from_str(block)?)).collect()
}

/// The printed `on_search` of core 0.9.1, which lacks commas behind some objects and has some too many.
fn on_search_of_0_9_1(dir: &Path) -> Result<Value> {
    let text = seed(dir, "003")?;
    let from = text.find("\n{").context("an object")?;
    let to = from + text[from..].find("\n}").context("its end")? + "\n".len();
    let mut mended = String::new();
    for line in text[from..=to].lines() {
        let begins_a_field = line.trim_start().starts_with('"');
        if begins_a_field && mended.ends_with(['}', ']']) {
            mended.push(',');
        }
        if line.trim_start().starts_with(['}', ']']) && mended.ends_with(',') {
            mended.pop();
        }
        mended.push_str(line.trim());
    }
    serde_json::from_str(&mended).context("it is no JSON even so")
}

/// The paths of all fields that hold something; places in lists, and the numbers of tags, are not told
/// apart.
fn fields(value: &Value) -> BTreeSet<String> {
    fn collect(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let parts = name.split('/').map(|part| match part.parse::<u32>() {
                        Ok(_) => "#",
                        Err(_) => part,
                    });
                    let name = parts.collect::<Vec<_>>().join("/");
                    collect(field, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    collect(item, &format!("{path}/*"), found);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                found.insert(path.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

/// What a value says by fixed words: where, and which. Places in lists are not told apart.
fn words(value: &Value) -> BTreeSet<(String, String)> {
    fn collect(value: &Value, path: &str, found: &mut BTreeSet<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    collect(field, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(items) => {
                for item in items {
                    collect(item, &format!("{path}/*"), found);
                }
            }
            Value::String(word) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                if WORDS.contains(&name) {
                    found.insert((path.to_owned(), word.clone()));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found
}

/// What stands in place of what is printed.
#[derive(Debug, Default)]
struct Ours {
    pickup: String,
    drop: String,
    provider: String,
    item: String,
    fulfillment: String,
    payment: String,
    order: String,
    price: String,
}

impl Ours {
    /// Learns what a callback tells of an order.
    fn learn(&mut self, callback: &Value) -> Result<()> {
        let order = &callback["message"]["order"];
        let text = |pointer: &str| {
            let found = order.pointer(pointer).and_then(Value::as_str);
            found.map(str::to_owned).with_context(|| format!("{pointer} in {order:#}"))
        };
        self.fulfillment = text("/fulfillment/id")?;
        self.payment = text("/items/0/payment_id")?;
        self.price = text("/quote/price/value")?;
        self.order = text("/id").unwrap_or_default();
        Ok(())
    }

    /// Puts ours in place of what is printed at these names.
    fn put_into(&self, message: &mut Value) {
        let replace = |place: Option<&mut Value>, ours: &str| {
            if let Some(place) = place.filter(|place| place.is_string()) {
                *place = json!(ours);
            }
        };
        for (pointer, ours) in [
            ("/order_id", &self.order),
            ("/ref_id", &self.order),
            // Of what is rated.
            ("/id", &self.order),
            ("/order/id", &self.order),
            ("/order/provider/id", &self.provider),
            ("/order/items/0/id", &self.item),
            ("/order/items/0/fulfillment_id", &self.fulfillment),
            ("/order/items/0/payment_id", &self.payment),
            ("/order/fulfillment/id", &self.fulfillment),
            ("/order/payment/id", &self.payment),
            ("/order/quote/value", &self.price),
            ("/order/payment/params/amount", &self.price),
            ("/order/fulfillment/start/location/gps", &self.pickup),
            ("/order/fulfillment/end/location/gps", &self.drop),
            ("/intent/fulfillment/start/location/gps", &self.pickup),
            ("/intent/fulfillment/end/location/gps", &self.drop),
        ] {
            replace(message.pointer_mut(pointer), ours);
        }
    }
}

/// The action of a message, by what it is called here.
fn action_of(printed: &str) -> &str {
    printed.split('.').next().unwrap_or_default()
}

/// The conversation with a world.
struct Talk<'w> {
    world: &'w World,
    printed: &'w Printed,
    ours: Ours,
}

impl Talk<'_> {
    /// Sends a printed request; gives its message id.
    async fn say(&self, printed: &str) -> Result<String> {
        self.say_this(action_of(printed), self.printed.message(printed)?).await
    }

    /// Sends a request with our parties, a fresh time and message id, and our ids.
    async fn say_this(&self, action: &str, mut body: Value) -> Result<String> {
        let message_id = Uuid::new_v4().to_string();
        let printed = body["context"].take();
        let mut context = self.world.bap.context(action, &message_id);
        for (name, value) in printed.as_object().context("a context")? {
            let is_ours = ["action", "timestamp", "message_id"].contains(&name.as_str());
            let is_a_party = name.starts_with("bap_") || name.starts_with("bpp_");
            if !is_ours && !is_a_party {
                context[name] = value.clone();
            }
        }
        body["context"] = context;
        if let Some(message) = body.get_mut("message") {
            self.ours.put_into(message);
        }
        let bytes = body.to_string().into_bytes();
        let authorization = self.world.bap.sign(&bytes);
        let answer = self.world.bap.request_raw(action, bytes, Some(authorization)).await?;
        ensure!(answer.ack, "{action}: {}", answer.body);
        Ok(message_id)
    }

    /// Sends a printed request, and compares the callback that answers it.
    async fn ask(&self, request: &str, callback: &str) -> Result<Value> {
        self.ask_this(action_of(request), self.printed.message(request)?, callback).await
    }

    async fn ask_this(&self, action: &str, body: Value, printed: &str) -> Result<Value> {
        let message_id = self.say_this(action, body).await?;
        let callback = self.world.bap.answered(action, &message_id).await?;
        self.printed.compare(printed, &callback)?;
        Ok(callback)
    }

    /// From a search to the confirmation, which a driver's acceptance answers.
    async fn book(&mut self) -> Result<Booking> {
        let catalog = self.ask("search", "on_search").await?;
        let provider = &catalog["message"]["catalog"]["bpp/providers"][0];
        self.ours.provider = text(&provider["id"])?;
        self.ours.item = text(&provider["items"][0]["id"])?;
        let quoted = self.ask("select", "on_select").await?;
        self.ours.learn(&quoted)?;
        let terms = self.ask("init", "on_init").await?;
        self.ours.learn(&terms)?;
        let confirm = self.say("confirm").await?;
        self.world.wait_for_offer().await?;
        self.world.drive(&["accept"]).await?;
        let confirmed = self.world.bap.on_confirm(&confirm).await?;
        self.printed.compare("on_confirm", &confirmed)?;
        Ok(Booking { order_id: self.ours.order.clone(), confirm })
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("no text: {value}"))?.to_owned())
}

/// A platform that says as much as the printed one: a range of prices, who would come, what calling off costs,
/// whom to ask for help.
fn plan() -> Plan {
    let support = r#"[support]
phone = "+91 80 4000 0000"
email = "help@fleet.example"
url = "https://fleet.example/help"
"#;
    let tariff = r"range_percent = 20
cancellation = { free_s = 0, charge_paise = 2000, no_show_paise = 0 }
";
    Plan {
        dispatch_keys: "name_drivers = true".into(),
        platform: support.into(),
        tariff_keys: tariff.into(),
        ..Plan::default()
    }
}

async fn talk<'w>(world: &'w World, printed: &'w Printed) -> Result<Talk<'w>> {
    let pickup = world.wait_for_position().await?;
    let drop = drop_near(&pickup)?;
    world.search_until_found(&pickup, &drop).await?;
    Ok(Talk { world, printed, ours: Ours { pickup, drop, ..Ours::default() } })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_printed_request_gets_the_printed_callback() -> Result<()> {
    let Some(dir) = spec_dir() else { return Ok(()) };
    let printed = Printed::read(&dir)?;
    let mut world = World::start(plan()).await?;
    {
        let mut talk = talk(&world, &printed).await?;
        let booking = talk.book().await?;
        talk.ask("track.1", "on_track.1").await?;
        talk.ask("get_cancellation_reasons.1", "cancellation_reasons.1").await?;
        // No update is printed: the printed answer is said back as one.
        let update = printed.message("on_update.1")?;
        talk.ask_this("update", update, "on_update.1").await?;
        for verb in ["depart", "arrive"] {
            world.drive(&[verb]).await?;
        }
        world.drive(&["start", "--otp", &world.otp(&booking).await?]).await?;
        world.drive_on(METRES).await?;
        talk.ask("status", "on_status").await?;
        world.drive(&["stop"]).await?;
        let told = world.wait_for_final_fare(&booking).await?;
        printed.compare("on_update.2", &told)?;
        talk.ask("support", "on_support").await?;
        talk.ask("get_rating_categories.1", "rating_categories.1").await?;
        talk.ask("rating", "on_rating").await?;
        // No form is printed.
        let form = talk.say("get_feedback_form.1").await?;
        world.bap.answered("get_feedback_form", &form).await?;
    }
    {
        let mut talk = talk(&world, &printed).await?;
        talk.book().await?;
        // Within the first second it costs nothing.
        world.wait_for_fixes(2_000).await?;
        talk.ask("cancel.1", "on_cancel.2").await?;
    }
    printed.every_reason_was_needed()?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_core_0_9_1_gets_the_printed_catalog_and_its_version_echoed() -> Result<()> {
    let Some(dir) = spec_dir() else { return Ok(()) };
    let printed = Printed::read(&dir)?;
    let expected = on_search_of_0_9_1(&dir)?;
    let mut world = World::start(plan()).await?;
    {
        let talk = talk(&world, &printed).await?;
        let mut search = printed.message("search")?;
        search["context"]["core_version"] = json!("0.9.1");
        let message_id = talk.say_this("search", search).await?;
        let callback = world.bap.answered("search", &message_id).await?;
        ensure!(callback["context"]["core_version"] == "0.9.1", "{}", callback["context"]);
        printed.compare_with("on_search of 0.9.1", &expected, &callback)?;
    }
    world.stop().await
}
