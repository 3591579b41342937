//! What a client would rather have: `Accept`, by RFC 9110, section 12.5.1.
//!
//! The most specific range that fits a form says how much it is wanted. Parameters beside `q` are passed over:
//! the forms have none but their character set. A range that cannot be read is passed over too.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// Most ranges that are looked at. Browsers send eight.
const RANGES_MAX: usize = 32;

/// The forms of a ride, best first where a client likes them the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`, for programs.
    Json,
    /// `text/html`, for people.
    Page,
    /// `text/event-stream`, for whoever stays.
    Events,
}

impl Form {
    const ALL: [Self; 3] = [Self::Json, Self::Page, Self::Events];

    const fn media(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Page => ("text", "html"),
            Self::Events => ("text", "event-stream"),
        }
    }
}

/// A media range, and how much it is wanted, in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    kind: String,
    subtype: String,
    wanted: u16,
}

impl Range {
    /// How well it fits a form: not at all, by everything, by type, by name.
    fn fit(&self, form: Form) -> Option<u8> {
        let (kind, subtype) = form.media();
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (is, "*") if is == kind => Some(1),
            (is, name) if is == kind && name == subtype => Some(2),
            _ => None,
        }
    }
}

/// The form that a client wants most; `None` if it wants none of them. Who does not say gets JSON.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Form> {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges: Vec<Range> =
        lines.flat_map(|line| split(line, ',')).filter_map(range).take(RANGES_MAX).collect();
    if ranges.is_empty() {
        return Some(Form::Json);
    }
    let wants = |form: Form| {
        let fitting = ranges.iter().filter_map(|range| Some((range.fit(form)?, range.wanted)));
        fitting.max().map_or(0, |(_, wanted)| wanted)
    };
    let mut best = None;
    for form in Form::ALL {
        let wanted = wants(form);
        if wanted > best.map_or(0, |(wanted, _)| wanted) {
            best = Some((wanted, form));
        }
    }
    best.map(|(_, form)| form)
}

/// One range with its parameters.
fn range(text: &str) -> Option<Range> {
    let mut parts = split(text, ';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    let (kind, subtype) = (kind.to_ascii_lowercase(), subtype.to_ascii_lowercase());
    if !is_token(&kind) || !is_token(&subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let wanted = weight.map_or(Some(1_000), thousandths)?;
    Some(Range { kind, subtype, wanted })
}

fn is_token(text: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_token)
}

/// A weight: 0 to 1 with three decimals at most.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

/// Splits where a separator stands outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter: char| {
        let was_escaped = escaped;
        escaped = quoted && letter == '\\' && !was_escaped;
        if letter == '"' && !was_escaped {
            quoted = !quoted;
        }
        letter == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, line.parse().expect("a value"));
        }
        wanted(&headers)
    }

    #[test]
    fn a_client_gets_what_it_wants_most_and_json_where_it_does_not_say() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (accept, expected) in [
            (&[][..], Some(Form::Json)),
            (&[""], Some(Form::Json)),
            (&["*/*"], Some(Form::Json)),
            (&["application/json"], Some(Form::Json)),
            (&["application/json; charset=utf-8"], Some(Form::Json)),
            (&["application/*"], Some(Form::Json)),
            (&[browser], Some(Form::Page)),
            (&["TEXT/HTML"], Some(Form::Page)),
            (&["text/*"], Some(Form::Page)),
            (&["text/event-stream"], Some(Form::Events)),
            (&["text/html;q=0.5, text/event-stream;q=0.51"], Some(Form::Events)),
            (&["text/html;q=0.5", "application/json;q=0.25"], Some(Form::Page)),
            (&["text/html; Q=0.5 , application/json ; q=0.501"], Some(Form::Json)),
            // The more specific range counts, wherever it stands and however much the other is wanted.
            (&["*/*, application/json;q=0.1"], Some(Form::Page)),
            (&["text/*;q=0.2, text/event-stream;q=0.1, */*;q=0"], Some(Form::Page)),
            (&["application/json;q=0, */*"], Some(Form::Page)),
            (&["image/png"], None),
            (&["*/*;q=0"], None),
            (&["application/json;q=0.000"], None),
            // What cannot be read is passed over.
            (&["text/html;q=2, application/json;q=0.1"], Some(Form::Json)),
            (&["text/html;q=0.1234, nonsense, */html, te xt/html"], Some(Form::Json)),
            (&["text/html;q=, text/event-stream;q=.5, image/png;q=1.001"], Some(Form::Json)),
            (&[r#"image/png;a="x, application/json", text/html;q=0.1"#], Some(Form::Page)),
            (&[r#"image/png;a="\", application/json;q=1", text/html;q=0.1"#], Some(Form::Page)),
        ] {
            assert_eq!(of(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn of_ever_so_many_ranges_the_first_count() {
        let many = format!("{}text/html", "image/png,".repeat(RANGES_MAX));
        assert_eq!(of(&[&many]), None);
    }
}
