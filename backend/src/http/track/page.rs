//! The page: for people, with or without script. Nothing on it comes from elsewhere.

use std::sync::LazyLock;

use data_encoding::BASE64;
use ring::digest::{SHA256, digest};

use super::sketch::sketch;
use super::view::{PlaceView, RideView};
use crate::domain::live::LIVE_AGE_MS_MAX;
use crate::service::track::Shown;

/// How often a page loads itself anew where no script follows the ride, in s.
const RELOAD_S: u64 = 15;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("follow.js");

/// What the page may load and run: its own style and script, by their digests, and its own events.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let source = |text: &str| {
        format!("'sha256-{}'", BASE64.encode(digest(&SHA256, text.as_bytes()).as_ref()))
    };
    let (script, style) = (source(SCRIPT), source(STYLE));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A text in which `{{name}}` stands for a value, which is put in as it is. One pass: what a value says is not
/// looked at again.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut pieces = template.split("{{");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        let value = values.iter().find(|(named, _)| *named == name);
        debug_assert!(value.is_some(), "{name} has no value");
        filled.push_str(value.map_or("", |(_, value)| value));
        filled.push_str(rest);
    }
    filled
}

/// A text as it stands in HTML, in an attribute too.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// How old a position is, in words.
fn age(age_ms: i64) -> String {
    match age_ms / 1_000 {
        s @ ..60 => format!("Seen {s} s ago"),
        s @ 60..3_600 => format!("Position is {} min old", s / 60),
        s => format!("Position is {} h old", s / 3_600),
    }
}

/// Names with their values, of those that have one.
fn list(entries: &[(&str, Option<&str>)]) -> String {
    let shown =
        entries.iter().filter_map(|(name, value)| Some((name, value.filter(|it| !it.is_empty())?)));
    let rows: Vec<String> =
        shown.map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(value))).collect();
    rows.join("\n")
}

/// The address of a place, or where it is.
fn place(place: &PlaceView) -> &str {
    if place.address.is_empty() { &place.gps } else { &place.address }
}

/// The page of a ride.
pub(super) fn ride(shown: &Shown, view: &RideView) -> String {
    let next = view.next.as_ref().map_or("", |next| next.says.as_str());
    let told = if next.is_empty() {
        "It is not known where the vehicle is.".to_owned()
    } else {
        format!("The vehicle is {next}.")
    };
    let age_ms = view.location.as_ref().map(|location| location.age_ms);
    let age_kind = match age_ms {
        None => "unknown",
        Some(ms) if ms < LIVE_AGE_MS_MAX => "fresh",
        Some(_) => "old",
    };
    let vehicle = &view.vehicle;
    let kind = [&vehicle.make, &vehicle.model].into_iter().flatten().cloned().collect::<Vec<_>>();
    let vehicle_list = list(&[
        ("Vehicle", Some(&kind.join(" "))),
        ("Colour", vehicle.color.as_deref()),
        ("Category", Some(&vehicle.category)),
        ("Driver", view.driver.as_deref()),
    ]);
    let way =
        list(&[("Pickup", Some(place(&view.pickup))), ("Drop", view.drop.as_ref().map(place))]);
    fill(
        include_str!("page.html"),
        &[
            ("says", &escaped(view.says)),
            ("next", &escaped(next)),
            ("age-kind", age_kind),
            ("age-ms", &age_ms.map_or(String::new(), |ms| ms.to_string())),
            ("age", &age_ms.map_or("It is not known where the vehicle is".to_owned(), age)),
            ("sketch", &sketch(shown, &escaped(&told))),
            ("registration", &escaped(&vehicle.registration)),
            ("vehicle", &vehicle_list),
            ("way", &way),
            ("reload-s", &RELOAD_S.to_string()),
            ("style", STYLE),
            ("script", SCRIPT),
        ],
    )
}

/// A page that says something, and asks again by itself after so many seconds, if at all.
pub(super) fn said(title: &str, told: &str, again_s: Option<u64>) -> String {
    let reload = again_s
        .map_or(String::new(), |s| format!("<meta http-equiv=\"refresh\" content=\"{s}\">\n"));
    let values = [
        ("title", &*escaped(title)),
        ("told", &*escaped(told)),
        ("reload", &*reload),
        ("style", STYLE),
    ];
    fill(include_str!("said.html"), &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_put_in_once_and_is_text() {
        assert_eq!(fill("<b>{{a}}</b>{{b}}", &[("a", "{{b}}"), ("b", "c")]), "<b>{{b}}</b>c");
        assert_eq!(escaped("<a b='c' d=\"e\">&"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
        assert!(
            said("<script>", "&", Some(3))
                .contains("<h1 id=\"says\" role=\"status\">&lt;script&gt;</h1>")
        );
    }

    #[test]
    fn an_age_is_told_in_words() {
        for (ms, words) in [
            (0, "Seen 0 s ago"),
            (4_999, "Seen 4 s ago"),
            (59_999, "Seen 59 s ago"),
            (60_000, "Position is 1 min old"),
            (3 * 60_000, "Position is 3 min old"),
            (3_600_000, "Position is 1 h old"),
            (30 * 3_600_000, "Position is 30 h old"),
        ] {
            assert_eq!(age(ms), words);
        }
    }

    /// The script says the same in its own language.
    #[test]
    fn script_and_page_agree_on_when_a_position_is_old_and_on_the_globe() {
        for said in [
            format!("OLD_MS = {LIVE_AGE_MS_MAX},"),
            "SIDE = 320;".into(),
            "M_PER_DEG = 111194.93;".into(),
            "`Seen ${s} s ago`".into(),
            "`Position is ${Math.floor(s / 60)} min old`".into(),
            "`Position is ${Math.floor(s / 3600)} h old`".into(),
        ] {
            assert!(SCRIPT.contains(&said), "{said}");
        }
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
    }
}
