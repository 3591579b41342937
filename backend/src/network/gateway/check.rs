//! The fields of a registration, each by the rule of the document's tables, before anything is sent.

use std::net::IpAddr;

use url::{Host, Url};

use super::company::Info;
use super::field::{FieldPath, Refusal};
use crate::network::guard::URL_LEN_MAX;

/// Longest name of a company or document, and longest company id, in bytes.
pub const TEXT_LEN_MAX: usize = 200;

/// Longest email address, in bytes (RFC 5321).
const EMAIL_LEN_MAX: usize = 254;

/// Longest part of one before the @, in bytes (RFC 5321).
const EMAIL_LOCAL_LEN_MAX: usize = 64;

/// Longest part of a name between two dots, in bytes (RFC 1035).
const LABEL_LEN_MAX: usize = 63;

/// Digits of a country code and a number together (ITU-T E.164).
const PHONE_DIGITS_MAX: usize = 15;

/// Least digits of a number within its country.
const NUMBER_DIGITS_MIN: usize = 4;

/// Digits of an extension.
const EXTENSION_DIGITS_MAX: usize = 8;

/// What is wrong with a field, as the end of a sentence that begins with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No text that people read.
    #[error("must have 1 to {TEXT_LEN_MAX} bytes of printable text")]
    Text,
    /// No phone.
    #[error(
        "must be a phone as +{{country code}}-{{number}} or +{{country code}}-{{number}}-{{extension}}, \
         in digits: +91-8023329991"
    )]
    Phone,
    /// No email address.
    #[error("must be an email address such as info@example.com")]
    Email,
    /// No address that requests can come to.
    #[error(
        "must be an https:// or http:// address with a host and, perhaps, a port and a path, and nothing \
         beyond"
    )]
    Url,
    /// The address of this machine, for a gateway that is elsewhere.
    #[error("is an address of this machine alone: a gateway elsewhere cannot come to it")]
    LocalUrl,
}

/// Whether people can read it: something, in one line, not too long.
pub fn check_text(text: &str) -> Result<(), Problem> {
    let bad =
        text.trim().is_empty() || text.len() > TEXT_LEN_MAX || text.contains(char::is_control);
    if bad { Err(Problem::Text) } else { Ok(()) }
}

/// Whether it is a phone as `+{country code}-{number}`, perhaps with `-{extension}`. The document's table asks
/// for an extension, and its own example has none.
pub fn check_phone(text: &str) -> Result<(), Problem> {
    let mut parts = text.strip_prefix('+').ok_or(Problem::Phone)?.split('-');
    let (country, number) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (extension, more) = (parts.next(), parts.next());
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let country_fits =
        (1..=3).contains(&country.len()) && digits(country) && !country.starts_with('0');
    let number_fits = number.len() >= NUMBER_DIGITS_MIN
        && country.len() + number.len() <= PHONE_DIGITS_MAX
        && digits(number);
    let extension_fits = extension
        .is_none_or(|part| (1..=EXTENSION_DIGITS_MAX).contains(&part.len()) && digits(part));
    let fits = country_fits && number_fits && extension_fits && more.is_none();
    if fits { Ok(()) } else { Err(Problem::Phone) }
}

/// Whether it is an email address that everybody takes: no quotes, no comments, a name with a dot.
pub fn check_email(text: &str) -> Result<(), Problem> {
    let (local, domain) = text.rsplit_once('@').ok_or(Problem::Email)?;
    let is_atom = |part: &str| {
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    let local_fits = local.len() <= EMAIL_LOCAL_LEN_MAX && local.split('.').all(is_atom);
    let fits = text.len() <= EMAIL_LEN_MAX && local_fits && is_domain(domain);
    if fits { Ok(()) } else { Err(Problem::Email) }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_LEN_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_name = text.rsplit('.').next().is_some_and(|last| last.len() >= 2);
    text.contains('.') && text.split('.').all(is_label) && last_is_name
}

/// Whether requests can come to it. A gateway that is on this machine may be given one that is, too.
pub fn check_endpoint(text: &str, gateway_is_local: bool) -> Result<(), Problem> {
    let url = Url::parse(text).map_err(|_| Problem::Url)?;
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    let is_http = matches!(url.scheme(), "http" | "https");
    if !bare || !is_http || url.host().is_none() || text.len() > URL_LEN_MAX {
        return Err(Problem::Url);
    }
    if is_local(&url) && !gateway_is_local { Err(Problem::LocalUrl) } else { Ok(()) }
}

/// Whether a URL means this machine, to whoever reads it.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => {
            IpAddr::from(address).is_loopback() || address.is_unspecified()
        }
        Some(Host::Ipv6(address)) => {
            IpAddr::from(address).is_loopback() || address.is_unspecified()
        }
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Everything that is wrong with what is said of a company, by field.
pub fn check_info(info: &Info, refusal: &mut Refusal) {
    let checks = [
        ("name", check_text(&info.name)),
        ("phone", check_phone(&info.phone)),
        ("email", check_email(&info.email)),
        ("company_id", check_text(&info.company_id)),
    ];
    for (key, checked) in checks {
        if let Err(problem) = checked {
            refusal.add(FieldPath::member("info", key), &problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_of_utf_8() {
        for good in [
            "Delhi Metro Rail Corporation",
            "\u{92e}\u{947}\u{91f}\u{94d}\u{930}\u{94b}",
            "U72900KA201",
        ] {
            assert_eq!(check_text(good), Ok(()), "{good}");
        }
        for bad in ["", " \t", "two\nlines", "a\u{7}", &"x".repeat(TEXT_LEN_MAX + 1)] {
            assert_eq!(check_text(bad), Err(Problem::Text), "{bad}");
        }
    }

    #[test]
    fn a_phone_has_a_country_code_a_number_and_perhaps_an_extension() {
        for good in ["+91-8023329991", "+91-8023329991-12", "+1-2125550100-12345678", "+358-1234"] {
            assert_eq!(check_phone(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "+",
            "91-8023329991",
            "+918023329991",
            "+91-",
            "+91-123",
            "+091-8023329991",
            "+9111-8023329991",
            "+91-80 23329991",
            "+91-8023329991-",
            "+91-8023329991-1-2",
            "+91-8023329991-123456789",
            "+91-12345678901234",
            "+91-802332999x",
            "+9\u{664}-8023329991",
        ] {
            assert_eq!(check_phone(bad), Err(Problem::Phone), "{bad}");
        }
    }

    #[test]
    fn an_email_address_has_a_name_before_the_at_and_a_domain_after_it() {
        for good in ["info@example.com", "a.b+c@mail.x-y.co.in", "o'neill@example.com"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(65));
        let long_domain = format!("a@{}.com", "x.".repeat(130));
        for bad in [
            "",
            "info",
            "@example.com",
            "info@",
            "info@example",
            "in fo@example.com",
            ".info@example.com",
            "in..fo@example.com",
            "info@-example.com",
            "info@example-.com",
            "info@example..com",
            "info@example.c",
            "a@b@example.com",
            "\"a b\"@example.com",
            "info@ex\u{e4}mple.com",
            &long,
            &long_domain,
        ] {
            assert_eq!(check_email(bad), Err(Problem::Email), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_that_the_gateway_can_come_to() {
        for good in ["https://bpp.example", "https://bpp.example:8443/beckn", "http://10.0.0.5/b"] {
            assert_eq!(check_endpoint(good, false), Ok(()), "{good}");
        }
        let long = format!("https://bpp.example/{}", "x".repeat(URL_LEN_MAX));
        for bad in [
            "",
            "bpp.example",
            "ftp://bpp.example",
            "https://",
            "https://me@bpp.example",
            "https://:x@bpp.example",
            "https://bpp.example?a=b",
            "https://bpp.example/#a",
            &long,
        ] {
            assert_eq!(check_endpoint(bad, true), Err(Problem::Url), "{bad}");
        }
        for local in [
            "http://127.0.0.1:8080/beckn",
            "https://localhost",
            "http://[::1]",
            "http://127.1",
            "http://0.0.0.0",
        ] {
            assert_eq!(check_endpoint(local, false), Err(Problem::LocalUrl), "{local}");
            assert_eq!(check_endpoint(local, true), Ok(()), "{local}");
        }
    }

    #[test]
    fn every_field_of_a_company_is_judged_at_once() {
        let bad = || "\n".to_owned();
        let info = Info { name: bad(), phone: bad(), email: bad(), company_id: bad() };
        let mut refusal = Refusal::default();
        check_info(&info, &mut refusal);
        let paths: Vec<_> = refusal.fields.iter().map(|field| field.path.to_string()).collect();
        assert_eq!(paths, ["info.name", "info.phone", "info.email", "info.company_id"]);
    }
}
