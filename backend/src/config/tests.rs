use super::*;
use tripline_protocol::link::settings::DeviceSettings;

fn load(text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("bpp.toml");
    std::fs::write(&path, text).expect("written");
    Config::load(&path).map_err(|error| error.to_string())
}

#[test]
fn the_sample_is_a_configuration() {
    let config = load(SAMPLE).expect("the sample loads");
    assert_eq!(config.base_path(), "/beckn");
    assert_eq!(config.settings().track_url, "http://127.0.0.1:8080/track");
    assert!(config.store_url().ends_with("/data/tripline.db"));
}

#[test]
fn a_registrys_encryption_key_is_one_or_named_as_none() {
    let with = |key: &str| {
        let shown = "# encryption_public_key = \"...\"";
        assert!(SAMPLE.contains(shown));
        load(&SAMPLE.replace(shown, &format!("encryption_public_key = \"{key}\"")))
    };
    let key = crate::keys::encryption::EncryptionKey::from_bytes([1; 32]);
    for form in [key.public_base64(), key.public_der_base64()] {
        let config = with(&form).expect("it loads");
        assert_eq!(config.registry_key(), Ok(key.public_base64().parse().ok()));
    }
    let error = with("...").expect_err("refused");
    assert!(error.contains("registry.encryption_public_key: a public"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_by_name_with_its_file() {
    for (from, to) in [("radius_m =", "radius_km ="), ("sign_in_required", "sign_on_required")] {
        let error = load(&SAMPLE.replace(from, to)).expect_err("refused");
        let wrong = to.trim_end_matches([' ', '=']);
        assert!(error.contains(wrong) && error.contains("bpp.toml"), "{error}");
    }
}

#[test]
fn the_fleets_settings_are_those_of_an_agents_file_and_keep_to_its_ranges() {
    let with = |tables: &str| load(&SAMPLE.replace("\n[enrol]", &format!("\n{tables}\n[enrol]")));
    let fleet = with("[device.settings.live]\non_trip_ms = 2000").map(|c| c.settings());
    let expected = DeviceSettings { live_on_trip_ms: Some(2_000), ..DeviceSettings::default() };
    assert_eq!(fleet.expect("it loads").first_settings, expected);
    let error = with("[device.settings.fence]\nradius_m = 5").expect_err("refused");
    assert!(error.contains("fence.radius_m is 5; it must be between 10 and 100000"), "{error}");
    let error = with("[device.settings.fence]\nradius = 5").expect_err("refused");
    assert!(error.contains("there is no setting fence.radius;"), "{error}");
    assert!(error.contains("bpp.toml"), "{error}");
}

#[test]
fn the_settings_that_the_sample_shows_are_settings() {
    let begin = SAMPLE.find("# [device.settings.").expect("shown");
    let (before, rest) = SAMPLE.split_at(begin);
    let (shown, after) = rest.split_once("\n\n").expect("an end");
    let config = load(&format!("{before}{}\n\n{after}", shown.replace("# ", "")));
    let settings = config.expect("it loads").settings().first_settings;
    assert_eq!(settings.values().len(), 12, "every one");
}

#[test]
fn what_devices_could_not_reach_is_refused() {
    for (from, to, key) in [
        ("hosts = [\"127.0.0.1\", \"localhost\"]", "hosts = []", "device.hosts"),
        ("# port = 8883", "port = 0", "device.port"),
        ("# url = \"https://fleet.example:8884\"", "url = \"fleet.example\"", "enrol.url"),
    ] {
        assert!(SAMPLE.contains(from), "{from} is not in the sample");
        let error = load(&SAMPLE.replace(from, to)).expect_err("refused");
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_registry_or_a_file_says_who_is_on_the_network_and_never_both() {
    let with = |from: &str, to: &str| {
        assert!(SAMPLE.contains(from), "{from} is not in the sample");
        load(&SAMPLE.replace(from, to))
    };
    let (file, url) = ("subscribers_file =", "# url = \"https://registry.example\"");
    let error = with(file, "# subscribers_file =").expect_err("refused");
    assert!(error.contains("registry.url or, for a closed network"), "{error}");
    let error = with(url, &url[2..]).expect_err("refused");
    assert!(error.contains("are both set"), "{error}");
    let alone = SAMPLE.replace(file, "# subscribers_file =");
    assert!(load(&alone.replace(url, &url[2..])).is_ok());
    for bad in ["registry", "ftp://registry", "https://me:x@registry", "https://registry/?a=b"] {
        let error = load(&alone.replace(url, &format!("url = \"{bad}\""))).expect_err("refused");
        assert!(error.contains("registry.url"), "{bad}: {error}");
    }
}

#[test]
fn an_address_that_no_request_can_come_to_is_refused() {
    let with = |uri: &str| load(&SAMPLE.replace("http://127.0.0.1:8080/beckn", uri));
    for bad in [
        "bpp.example",
        "ftp://bpp.example",
        "https://me@bpp.example/beckn",
        "https://:x@bpp.example/beckn",
        "https://bpp.example/beckn?a=b",
        "https://bpp.example/beckn#a",
        "https://bpp.example/track",
        "https://bpp.example/track/beckn/",
        "https://bpp.example/receipt",
        "https://bpp.example/form/beckn",
        "https://bpp.example/:beckn",
        "https://bpp.example/a/*beckn",
        "https://bpp.example//beckn",
    ] {
        let error = with(bad).expect_err(bad);
        assert!(error.contains("beckn.uri"), "{bad}: {error}");
    }
    for good in ["https://bpp.example", "https://bpp.example/trackside/v1/", "http://[::1]:8080/a"]
    {
        with(good).expect(good);
    }
}

#[test]
fn a_subscriber_id_that_would_break_a_header_is_refused() {
    let with = |id: &str| load(&SAMPLE.replace("\"bpp.example\"", &format!("'''{id}'''")));
    let long = "x".repeat(256);
    for bad in
        ["", "https://", "a|b", "a\"b", "a b", " a", "a\tb", "a\\b", "bpp.ex\u{e4}mple", &long]
    {
        let error = with(bad).expect_err(bad);
        assert!(error.contains("beckn.subscriber_id"), "{bad}: {error}");
    }
    for good in ["https://bpp.example/", "bpp.example/v1", &long[..255]] {
        with(good).expect(good);
    }
}

#[test]
fn private_networks_are_not_let_through_on_the_word_of_a_registry_elsewhere() {
    let with = |url: &str, networks: &str| {
        let text = SAMPLE.replace("subscribers_file = \"subscribers.json\"\n", "");
        let url_at = "# url = \"https://registry.example\"";
        assert!(text.contains(url_at) && text.contains("private_networks = []"));
        let text = text.replace(url_at, &format!("url = \"{url}\""));
        load(&text.replace("private_networks = []", &format!("private_networks = {networks}")))
    };
    let local = r#"["127.0.0.0/8", "fd00::/8"]"#;
    for url in ["http://127.0.0.1:5000", "http://127.1/", "http://[fd00::5]/registry"] {
        with(url, local).expect(url);
    }
    for url in ["https://registry.example", "http://localhost:5000", "http://10.0.0.1"] {
        let error = with(url, local).expect_err(url);
        assert!(error.contains("callback.private_networks"), "{error}");
        with(url, "[]").expect(url);
    }
}

#[test]
fn values_out_of_range_are_refused_with_their_range() {
    let error = load(&SAMPLE.replace("offer_s = 30", "offer_s = 0")).expect_err("refused");
    assert!(error.contains("dispatch.offer_s is 0; it must be between 1 and 3600"), "{error}");
    let text = SAMPLE.replace("vehicle_documents = []", "vehicle_documents = [\"a permit\"]");
    let error = load(&text).expect_err("refused");
    assert!(error.contains("fleet.vehicle_documents has \"a permit\""), "{error}");
}

#[test]
fn what_is_offered_is_no_configuration_and_says_where_it_belongs() {
    for table in ["provider", "item", "tariff"] {
        let error = load(&format!("{SAMPLE}\n[{table}]\nid = \"a\"\n")).expect_err("refused");
        assert!(error.contains(&format!("the table [{table}] is no configuration")), "{error}");
        assert!(error.contains("tripline-bpp import"), "{error}");
    }
}

#[test]
fn where_riders_find_help_is_told_as_it_is_set_or_refused_by_its_key() {
    assert!(load(SAMPLE).expect("it loads").support().is_none());
    let (before, rest) = SAMPLE.split_once("# phone = ").expect("shown");
    let (shown, after) = rest.split_once("\n\n").expect("an end");
    let shown = format!("# phone = {shown}").replace("# ", "");
    let with = |from: &str, to: &str| {
        assert!(shown.contains(from), "{from} is not in the sample");
        load(&format!("{before}{}\n\n{after}", shown.replace(from, to)))
    };
    let support = with("", "").expect("it loads").settings().support;
    assert_eq!(support.email.as_deref(), Some("help@fleet.example"));
    assert_eq!(support.url.as_deref(), Some("https://fleet.example/help"));
    assert!(support.phone.is_some_and(|phone| phone.starts_with("+91")));
    let long = format!("help@{}", "a".repeat(250));
    for (from, to, said) in [
        ("+91 80 4000 0000", "call us", "support.phone: "),
        ("help@fleet.example", "@fleet.example", "support.email must be name@host"),
        ("help@fleet.example", "help at fleet@example", "support.email"),
        ("help@fleet.example", &long, "support.email"),
        ("https://fleet", "ftp://fleet", "support.url must be http"),
        ("https://fleet", "https://me:x@fleet", "support.url"),
        ("https://fleet", "fleet", "support.url is no URL"),
    ] {
        let error = with(from, to).expect_err(to);
        assert!(error.contains(said), "{to}: {error}");
    }
}

#[test]
fn gateways_have_names_and_addresses_to_which_a_token_may_go() {
    let with = |table: &str| load(&format!("{SAMPLE}\n{table}\n"));
    let config = with("[gateways.city]\nurl = \"https://gateway.example/bg\"").expect("it loads");
    assert_eq!(config.gateways["city"].timeout_ms, 30_000);
    assert!(with("[gateways.lab]\nurl = \"http://127.0.0.1:7000\"\nform = \"headers\"").is_ok());
    for (table, key) in [
        ("[gateways.\"a b\"]\nurl = \"https://g.example\"", "[gateways.a b]: the name must"),
        ("[gateways.\"../a\"]\nurl = \"https://g.example\"", "the name must"),
        ("[gateways.a]\nurl = \"g.example\"", "gateways.a.url is no URL"),
        ("[gateways.a]\nurl = \"https://g.example?a=b\"", "gateways.a.url must be"),
        ("[gateways.a]\nurl = \"http://g.example\"", "gateways.a.url must be https://"),
        ("[gateways.a]\nurl = \"https://g.example\"\ntimeout_ms = 5", "gateways.a.timeout_ms"),
        ("[gateways.a]\nurl = \"https://g.example\"\nform = \"xml\"", "form"),
        ("[gateways.a]\nurl = \"https://g.example\"\ntoken = \"t\"", "token"),
        ("[gateways.a]", "url"),
    ] {
        let error = with(table).expect_err(table);
        assert!(error.contains(key), "{table}: {error}");
    }
}

#[test]
fn a_quote_names_a_driver_for_as_long_as_is_set_if_it_names_one_at_all() {
    let (off, seconds) = ("name_drivers = false", "named_s = 60");
    assert!(SAMPLE.contains(off) && SAMPLE.contains(seconds));
    let named = |text: &str| load(text).map(|config| config.settings().named_ms);
    assert_eq!(named(SAMPLE), Ok(None));
    let on = SAMPLE.replace(off, "name_drivers = true");
    assert_eq!(named(&on), Ok(Some(60_000)));
    assert_eq!(named(&on.replace(seconds, "named_s = 10")), Ok(Some(10_000)));
    let error = named(&on.replace(seconds, "named_s = 9")).expect_err("refused");
    assert!(error.contains("dispatch.named_s is 9; it must be between 10 and 600"), "{error}");
}

#[test]
fn what_baps_are_told_is_a_matter_of_the_network() {
    let network = |text: &str| {
        let settings = load(text).expect("it loads").settings();
        (settings.identity.tell_pauses, settings.network.silent_when_not_served)
    };
    assert_eq!(network(SAMPLE), (true, false));
    let keys = ["tell_pauses = true\n", "silent_when_not_served = false\n"];
    let without = keys.iter().fold(SAMPLE.to_owned(), |text, key| text.replace(key, ""));
    assert_eq!(network(&without), (true, false));
    let turned = SAMPLE.replace(keys[0], "tell_pauses = false\n");
    let turned = turned.replace(keys[1], "silent_when_not_served = true\n");
    assert_eq!(network(&turned), (false, true));
}

#[test]
fn the_gateway_that_the_sample_shows_is_one() {
    let shown = "# [gateways.city]\n# url = \"https://gateway.example\"\n# form = \"message\"\n# timeout_ms = 30000\n";
    assert!(SAMPLE.contains(shown), "it is shown");
    let config = load(&SAMPLE.replace(shown, &shown.replace("# ", ""))).expect("it loads");
    assert_eq!(config.gateways["city"].url, "https://gateway.example");
}
