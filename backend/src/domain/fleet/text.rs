//! Texts that people read, and links that they follow: names, phones, plates, pictures.

/// Longest name, phone, plate or category, in bytes.
pub const TEXT_LEN_MAX: usize = 100;

/// A text that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {TEXT_LEN_MAX} printable characters")]
pub struct TextError;

/// Least digits of a phone: fewer reach nobody.
const PHONE_DIGITS_MIN: usize = 5;

/// A text that is no phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a phone: at least {PHONE_DIGITS_MIN} digits, and {TEXT_LEN_MAX} characters at most"
)]
pub struct PhoneError;

/// Whether it can be dialled, however it is written.
pub fn check_phone(text: &str) -> Result<(), PhoneError> {
    check_text(text).map_err(|_| PhoneError)?;
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < PHONE_DIGITS_MIN { Err(PhoneError) } else { Ok(()) }
}

/// Longest description, in bytes: a few lines on a phone.
pub const DESCRIPTION_LEN_MAX: usize = 500;

/// A description that cannot be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {DESCRIPTION_LEN_MAX} printable characters, in one line")]
pub struct DescriptionError;

/// Whether people can read it: more than a name, and one line all the same.
pub fn check_description(text: &str) -> Result<(), DescriptionError> {
    let bad = text.trim().is_empty()
        || text.len() > DESCRIPTION_LEN_MAX
        || text.contains(char::is_control);
    if bad { Err(DescriptionError) } else { Ok(()) }
}

/// Longest link, in bytes.
pub const LINK_LEN_MAX: usize = 500;

/// A text that is no link that riders' apps could follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an https:// URL with a host and without a user, of at most {LINK_LEN_MAX} characters of ASCII"
)]
pub struct LinkError;

/// Whether it is a link to something that riders' apps load.
pub fn check_link(text: &str) -> Result<(), LinkError> {
    // What the parser would mend, a blank at the end for instance, other parsers may not.
    if text.len() > LINK_LEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(LinkError);
    }
    let url = url::Url::parse(text).map_err(|_| LinkError)?;
    let plain = url.username().is_empty() && url.password().is_none();
    let good = url.scheme() == "https" && url.host().is_some() && plain;
    if good { Ok(()) } else { Err(LinkError) }
}

/// Whether people can read it: something, in one line, not too long.
pub fn check_text(text: &str) -> Result<(), TextError> {
    let bad =
        text.trim().is_empty() || text.len() > TEXT_LEN_MAX || text.contains(char::is_control);
    if bad { Err(TextError) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_https_to_somewhere_and_nothing_has_to_be_mended_about_it() {
        let long = format!("https://fleet.example/{}", "a".repeat(LINK_LEN_MAX));
        for bad in [
            "",
            "logo.png",
            "http://fleet.example/logo.png",
            "https://",
            "https://me@fleet.example/logo.png",
            "https://fleet.example/a b.png",
            " https://fleet.example/logo.png",
            "https://fleet.example/\u{e4}.png",
            "javascript:alert(1)",
            &long,
        ] {
            assert_eq!(check_link(bad), Err(LinkError), "{bad}");
        }
        for good in ["https://fleet.example/logo.png?v=2", "https://[::1]/a", &long[..LINK_LEN_MAX]]
        {
            assert_eq!(check_link(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_description_is_longer_than_a_name_and_one_line() {
        let long = "x".repeat(DESCRIPTION_LEN_MAX + 1);
        for bad in ["", "  ", "two\nlines", &long] {
            assert_eq!(check_description(bad), Err(DescriptionError), "{bad}");
        }
        let most = &long[..DESCRIPTION_LEN_MAX];
        assert_eq!((check_description(most), check_text(most)), (Ok(()), Err(TextError)));
    }
}
