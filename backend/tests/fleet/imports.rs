//! Files taken in: whole or not at all, with every bad row named.

use tripline_backend::audit::AuditKind;
use tripline_backend::domain::fleet::{Off, Promotion};
use tripline_backend::operate::import::{Counts, Imported, Source, import};
use tripline_backend::operate::{Actor, OperateError};
use tripline_backend::store::Store;
use tripline_backend::store::audit::AuditFilter;
use tripline_protocol::unit::Paise;

use crate::NOW;
use crate::both::on_both;

const GOOD: &str = r#"
[[provider]]
id = "city"
name = "City Cabs"
short_desc = "Cabs of the city"
logo_url = "https://city.example/logo.png"

[[item]]
id = "auto"
provider = "city"
name = "Auto ride"
images = ["https://city.example/auto.png"]
vehicle_category = "AUTO_RICKSHAW"
tariff = "auto"

[[tariff]]
code = "auto"
version = 1
base_paise = 3000

[[promotion]]
id = "first"
title = "First ride"
percent_bp = 2000
max_paise = 5000
items = ["auto"]
from = 2027-01-01
until = 2027-03-31

[[area]]
id = "town"
name = "Town"
kind = "service"
geojson_file = "town.geojson"

[[vehicle]]
registration = "KA 01 AB 1234"
category = "AUTO_RICKSHAW"
provider = "city"
driver = "asha"
make = "Bajaj"
energy = "cng"
capacity = 3

[[driver]]
id = "asha"
name = "Asha"
phone = "+91-98000"
provider = "city"

[[document]]
owner = "driver:asha"
kind = "licence"
number = "KA-1"
expires = 2027-03-31
"#;

const TOWN: &str =
    r#"{"type":"Polygon","coordinates":[[[77.5,12.9],[77.7,12.9],[77.7,13.1],[77.5,12.9]]]}"#;

fn file(name: &str, text: &str) -> Source {
    Source { name: name.into(), rows: None, text: text.into() }
}

async fn take_in(store: &Store, sources: &[Source]) -> Result<Imported, OperateError> {
    let read = |name: &str| match name {
        "town.geojson" => Ok(TOWN.to_owned()),
        _ => Err(format!("{name:?}: there is no such file beside this one")),
    };
    let mut tx = store.write().await?;
    let imported = import(&mut tx, &Actor::cli(), sources, &read, NOW).await?;
    tx.commit().await?;
    Ok(imported)
}

/// What is wrong, a line each.
async fn wrong(store: &Store, sources: &[Source]) -> String {
    take_in(store, sources).await.expect_err("refused").to_string()
}

#[tokio::test]
async fn a_whole_fleet_is_taken_in_once_and_the_same_again_changes_nothing() {
    on_both(|store| async move {
        let imported = take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        let one = Counts { added: 1, ..Counts::default() };
        assert!(imported.0.len() == 8 && imported.0.values().all(|counts| *counts == one));
        let mut tx = store.read().await.expect("begins");
        let record = tx.vehicle_record(&"ka01ab1234".parse().expect("an id")).await.expect("read");
        let record = record.expect("there");
        assert_eq!((record.make.as_deref(), record.capacity), (Some("Bajaj"), Some(3)));
        let owner = "driver:asha".parse().expect("an owner");
        let paper = tx.document_of(&owner, "licence", "KA-1").await.expect("read").expect("there");
        let until = paper.expires_at.map(|at| at.unix_ms);
        assert_eq!(until, Some(1_806_537_600_000), "2027-04-01T00:00:00Z: through its last moment");
        let version = tx.fleet_version().await.expect("read");
        drop(tx);

        let again = take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        assert!(again.0.values().all(|counts| *counts == Counts { same: 1, ..Counts::default() }));
        let mut tx = store.read().await.expect("begins");
        assert_eq!(tx.fleet_version().await.expect("read"), version, "nobody has to look again");
        let entries = tx.audit(&AuditFilter::default(), 100).await.expect("read");
        let imports = entries.iter().filter(|row| row.entry.kind == AuditKind::Imported);
        let mut told: Vec<_> = imports.map(|row| row.entry.detail.as_str()).collect();
        told.sort_unstable();
        assert_eq!(told, ["0 added, 0 changed: fleet.toml", "8 added, 0 changed: fleet.toml"]);
        assert!(entries.iter().all(|row| row.entry.actor.as_deref() == Some("cli")));
    })
    .await;
}

#[tokio::test]
async fn every_bad_row_is_named_with_its_line_and_nothing_is_taken_in() {
    const BAD: &str = r#"[[provider]]
id = "city"
name = "City Cabs"

[[driver]]
id = "asha"
phone = "+91-98000"

[[driver]]
id = "Ravi K"
name = "Ravi"
phone = "+91-97000"

[[driver]]
id = "mira"
name = "Mira"
phone = "+91-96000"
provider = "elsewhere"
colour = "red"

[[vehicle]]
registration = "KA 01"
category = "AUTO"
capacity = "many"

[[vehicle]]
registration = "KA 02"
category = "AUTO"
driver = "nobody"
energy = "steam"

[[tariff]]
code = "auto"
version = 1
base_paise = -5

[[item]]
id = "auto"
provider = "city"
name = "Auto"
vehicle_category = "AUTO"
tariff = "gone"

[[area]]
id = "cross"
name = "Cross"
kind = "service"
geojson = '{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}'

[[area]]
id = "far"
name = "Far"
kind = "zone"
tariff = "auto"
geojson_file = "far.geojson"

[[provider]]
id = "city"
name = "Another"
"#;
    on_both(|store| async move {
        insta::assert_snapshot!(
            "bad_rows_of_toml",
            wrong(&store, &[file("fleet.toml", BAD)]).await
        );
        let mut tx = store.read().await.expect("begins");
        assert!(tx.providers("", 1).await.expect("read").is_empty());
        let untouched = tripline_backend::store::change::FleetVersion::default();
        assert_eq!(tx.fleet_version().await.expect("read"), untouched);
    })
    .await;
}

#[tokio::test]
async fn tables_of_text_have_their_rows_named_by_line() {
    const DRIVERS: &str = "id,name,phone,provider\n\
        asha,Asha,+91-98000,\n\
        \n\
        ravi,\"Ravi, K\",+91-97000,\n\
        mira,,+91-96000,\n\
        short,Short\n";
    const VEHICLES: &str = "registration,category,driver,capacity,active\n\
        KA 01,AUTO,asha,3,true\n\
        KA 02,AUTO,,three,true\n\
        KA 01,AUTO,,,false\n";
    const DOCUMENTS: &str = "owner,kind,number,expires\n\
        driver:asha,licence,KA-1,2027-03-31\n\
        vehicle:ka01,permit,P-1,soon\n\
        rider:asha,licence,KA-2,\n";
    on_both(|store| async move {
        let sources = [
            file("drivers.csv", DRIVERS),
            file("our-vehicles.CSV", VEHICLES),
            file("documents.csv", DOCUMENTS),
            file("people.csv", "id,name\n"),
        ];
        insta::assert_snapshot!("bad_rows_of_csv", wrong(&store, &sources).await);
        let wrong_header = [file("drivers.csv", "id,nme,phone,phone\na,b,c,d\n")];
        insta::assert_snapshot!("bad_header_of_csv", wrong(&store, &wrong_header).await);
        let good = [
            Source {
                name: "people.csv".into(),
                rows: Some("drivers".into()),
                text: "id,name,phone\nasha,Asha,+91-98000\n".into(),
            },
            file("vehicles.csv", "registration,category,driver,capacity\nKA 01,AUTO,asha,3\n"),
        ];
        let imported = take_in(&store, &good).await.expect("taken in");
        assert_eq!(imported.0.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_tariff_never_changes_and_its_versions_only_grow() {
    let tariff = |version: u32, base: i64| {
        let text = format!("[[tariff]]\ncode = 'auto'\nversion = {version}\nbase_paise = {base}\n");
        [file("t.toml", &text)]
    };
    on_both(|store| async move {
        take_in(&store, &tariff(2, 3_000)).await.expect("taken in");
        let error = wrong(&store, &tariff(2, 4_000)).await;
        assert!(error.contains("2 of auto is there with other terms"), "{error}");
        let error = wrong(&store, &tariff(1, 3_000)).await;
        assert!(error.contains("1 of auto is older than 2, which is there"), "{error}");
        take_in(&store, &tariff(3, 4_000)).await.expect("taken in");
        take_in(&store, &tariff(2, 3_000)).await.expect("there just so");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_file_of_ours_says_where() {
    on_both(|store| async move {
        for (text, words) in [
            ("[[driver]\nid = 1", "fleet.toml line 1: is no TOML"),
            ("\n[[drivers]]\nid = 'a'\n", "fleet.toml line 2: drivers is not known here"),
            ("[driver]\nid = 'a'\n", "fleet.toml line 1: driver must be rows"),
            ("version = 1\n", "fleet.toml line 1: version is not known here"),
        ] {
            let error = wrong(&store, &[file("fleet.toml", text)]).await;
            assert!(error.contains(words), "{text:?}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_a_table_of_text_leaves_out_stays_and_an_empty_cell_clears() {
    const VEHICLES: &str = "registration,color,make,active\nka-01-ab-1234,yellow,,\n";
    const DRIVERS: &str = "id,phone\nasha,+91-9800000001\n";
    const DOCUMENTS: &str = "owner,kind,number\ndriver:asha,licence,KA-1\n";
    let everything =
        |vehicles: &str| [file("vehicles.csv", vehicles), file("drivers.csv", DRIVERS)];
    on_both(|store| async move {
        take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        take_in(&store, &everything(VEHICLES)).await.expect("taken in");
        let papers = take_in(&store, &[file("documents.csv", DOCUMENTS)]).await.expect("taken in");
        assert_eq!(papers.0["documents"], Counts { same: 1, ..Counts::default() });
        let mut tx = store.read().await.expect("begins");
        let record = tx.vehicle_record(&"ka01ab1234".parse().expect("an id")).await.expect("read");
        let record = record.expect("there");
        assert_eq!(record.registration, "KA 01 AB 1234", "as it was spelt");
        assert_eq!((record.color.as_deref(), record.make), (Some("yellow"), None));
        assert_eq!((record.capacity, record.active), (Some(3), true));
        assert_eq!(record.driver.map(|id| id.to_string()).as_deref(), Some("asha"));
        let driver =
            tx.driver(&"asha".parse().expect("an id")).await.expect("read").expect("there");
        assert_eq!((&*driver.name, &*driver.phone), ("Asha", "+91-9800000001"));
        assert_eq!(driver.provider.map(|id| id.to_string()).as_deref(), Some("city"));
        drop(tx);

        let named = "registration,device\nKA01AB1234,ka01ab1234\n";
        take_in(&store, &everything(named)).await.expect("taken in");
        let mut tx = store.read().await.expect("begins");
        let record = tx.vehicle_record(&"ka01ab1234".parse().expect("an id")).await.expect("read");
        assert_eq!(record.expect("there").registration, "KA01AB1234", "who names the device may");
        drop(tx);
        let twice = "registration\nKA 01\nka-01\n";
        let error = wrong(&store, &[file("vehicles.csv", twice)]).await;
        assert!(error.contains("line 3: vehicle ka-01 is there twice"), "{error}");
        let nameless = wrong(&store, &[file("drivers.csv", "id,name\nasha,\n")]).await;
        assert!(nameless.contains("driver asha, name is missing"), "{nameless}");
    })
    .await;
}

#[tokio::test]
async fn lines_are_counted_however_they_end() {
    const DRIVERS: &str = "id,name,phone\nasha,,+91-9800000001\nravi,,+91-9800000002\n        \"mira\",,+91-9800000003\nshort\n";
    on_both(|store| async move {
        let with = |end: &str| [file("drivers.csv", &DRIVERS.replace('\n', end))];
        let told = wrong(&store, &with("\n")).await;
        for line in [2, 3, 4, 5] {
            assert!(told.contains(&format!("drivers.csv line {line}:")), "{told}");
        }
        assert_eq!(wrong(&store, &with("\r\n")).await, told);
        assert_eq!(wrong(&store, &with("\r")).await, told);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_hides_nothing_else() {
    const BAD: &str = "version = 1\n\n[provider]\nid = 'city'\n\n[[drivers]]\nid = 'a'\n\n        [[driver]]\nid = 'asha'\nphone = '+91-9800000001'\n";
    on_both(|store| async move {
        let told = wrong(&store, &[file("fleet.toml", BAD)]).await;
        for words in [
            "line 1: version is not known here",
            "line 3: provider must be rows",
            "line 6: drivers is not known here",
            "line 9: driver asha, name is missing",
        ] {
            assert!(told.contains(words), "{words:?} is not in: {told}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_riders_see_stays_unless_a_file_changes_it_or_has_it_empty() {
    let rows = |provider: &str, item: &str| {
        let text =
            format!("[[provider]]\nid = 'city'\n{provider}\n[[item]]\nid = 'auto'\n{item}\n");
        [file("f.toml", &text)]
    };
    on_both(|store| async move {
        take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        take_in(&store, &rows("", "short_desc = 'Three seats'")).await.expect("taken in");
        let mut tx = store.read().await.expect("begins");
        let city = tx.provider(&"city".parse().expect("an id")).await.expect("read");
        let logo = city.expect("there").logo_url;
        assert_eq!(logo.as_deref(), Some("https://city.example/logo.png"));
        let item = tx.item(&"auto".parse().expect("an id")).await.expect("read").expect("there");
        assert_eq!(item.short_desc.as_deref(), Some("Three seats"));
        assert_eq!(item.images, ["https://city.example/auto.png"]);
        drop(tx);
        let bad = rows("logo_url = 'logo.png'", "images = ['https://city.example/1.png', 'a b']");
        let told = wrong(&store, &bad).await;
        for words in
            ["provider city, logo_url \"logo.png\": must be", "item auto, images[1] \"a b\""]
        {
            assert!(told.contains(words), "{words:?} is not in: {told}");
        }
        take_in(&store, &rows("logo_url = ''", "images = []")).await.expect("taken in");
        let mut tx = store.read().await.expect("begins");
        let city = tx.provider(&"city".parse().expect("an id")).await.expect("read");
        assert_eq!(city.expect("there").logo_url, None);
        let item = tx.item(&"auto".parse().expect("an id")).await.expect("read");
        assert!(item.expect("there").images.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_promotion_takes_off_what_the_last_file_says_and_keeps_the_rest() {
    let row = |text: &str| [file("p.toml", &format!("[[promotion]]\nid = 'first'\n{text}\n"))];
    on_both(|store| async move {
        take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        let read = async || {
            let mut tx = store.read().await.expect("begins");
            let id = "first".parse().expect("an id");
            tx.promotion(&id).await.expect("read").expect("there")
        };
        let before = read().await;
        assert_eq!(before.off, Off::Part { percent_bp: 2_000, most: Some(Paise(5_000)) });
        let times = [before.from, before.until].map(|at| at.map(|at| at.unix_ms));
        assert_eq!(times, [Some(1_798_761_600_000), Some(1_806_537_600_000)], "whole days");
        take_in(&store, &row("amount_paise = 2500")).await.expect("taken in");
        assert_eq!(read().await, Promotion { off: Off::Amount(Paise(2_500)), ..before.clone() });
        take_in(&store, &row("percent_bp = 500")).await.expect("taken in");
        let part = Off::Part { percent_bp: 500, most: None };
        assert_eq!(read().await, Promotion { off: part, ..before.clone() });
        take_in(&store, &row("until = ''\nitems = []\nactive = false")).await.expect("taken in");
        let open = Promotion { off: part, until: None, items: Vec::new(), active: false, ..before };
        assert_eq!(read().await, open);
        for (text, words) in [
            ("percent_bp = 0", "promotion first, percent_bp is 0; it must be between 1 and 10000"),
            ("percent_bp = 1\namount_paise = 1", "amount_paise and percent_bp are both given"),
            ("until = 2026-12-31", "promotion first, until is not after from"),
            ("items = ['gone']", "promotion first, items gone: there is no such item"),
            ("from = 'soon'", "promotion first, from \"soon\": must be a date"),
        ] {
            let told = wrong(&store, &row(text)).await;
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(read().await, open);
    })
    .await;
}

#[tokio::test]
async fn an_items_kind_fits_its_tariff() {
    const PACKAGE: &str = "package = { included_s = 3600, included_m = 10000, \
        per_km_over_paise = 1500, per_minute_over_paise = 200 }\n";
    let tariff = |code: &str, version: u32, more: &str| {
        format!("[[tariff]]\ncode = '{code}'\nversion = {version}\nbase_paise = 3000\n{more}")
    };
    let item = |kind: &str, tariff: &str| {
        format!(
            "[[item]]\nid = 'i-{kind}'\nprovider = 'city'\nname = 'A ride'\n\
             vehicle_category = 'AUTO'\ntariff = '{tariff}'\nkind = '{kind}'\n"
        )
    };
    on_both(|store| async move {
        take_in(&store, &[file("fleet.toml", GOOD)]).await.expect("taken in");
        take_in(&store, &[file("t.toml", &tariff("hourly", 1, PACKAGE))]).await.expect("taken in");
        for (kind, code, words) in [
            ("rental", "auto", "tariff auto: has no package, which an item of kind rental needs"),
            ("outstation", "auto", "tariff auto: has no outstation"),
            ("spot", "hourly", "tariff hourly: has package, which is not for an item of kind spot"),
        ] {
            let told = wrong(&store, &[file("i.toml", &item(kind, code))]).await;
            assert!(told.contains(words), "{told}");
        }
        take_in(&store, &[file("i.toml", &item("rental", "hourly"))]).await.expect("taken in");
        let told = wrong(&store, &[file("t.toml", &tariff("hourly", 2, ""))]).await;
        assert!(told.contains("package is missing: item i-rental"), "{told}");
        let told = wrong(&store, &[file("t.toml", &tariff("auto", 2, PACKAGE))]).await;
        assert!(told.contains("package must be left out: item auto"), "{told}");
    })
    .await;
}
