//! Languages that riders are told things in.

use super::fleet::coded;

coded! {
    /// A language, by its code of ISO 639-1.
    Language {
        /// English.
        English => "en",
        /// Hindi.
        Hindi => "hi",
        /// Kannada.
        Kannada => "kn",
    }
}

impl Language {
    /// The language of a tag like `hi` or `kn-IN`; `None` if it is one that we do not write.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?.to_ascii_lowercase();
        primary.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_read_from_its_tag_with_or_without_a_region() {
        for (tag, language) in [
            ("en", Some(Language::English)),
            (" HI-in ", Some(Language::Hindi)),
            ("kn_IN", Some(Language::Kannada)),
            ("ta", None),
            ("", None),
            ("english", None),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag:?}");
        }
    }
}
