//! Identifiers of the fleet that operators choose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest id or code, in characters.
pub const CODE_LEN_MAX: usize = 64;

/// A text that is no id or code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have 1 to {CODE_LEN_MAX} characters out of letters, digits, '-', '_' and '.', and start with a \
     letter or digit"
)]
pub struct CodeError;

/// Whether a text may be an id or code: it stands in catalogs, files and addresses as it is.
pub fn check_code(text: &str) -> Result<(), CodeError> {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if first && text.len() <= CODE_LEN_MAX && text.bytes().all(fits) {
        Ok(())
    } else {
        Err(CodeError)
    }
}

macro_rules! code_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = CodeError;

            fn from_str(text: &str) -> Result<Self, CodeError> {
                check_code(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = CodeError;

            fn try_from(text: String) -> Result<Self, CodeError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

code_id!(
    /// A provider: an agency or a fleet owner that offers rides.
    ProviderId
);
code_id!(
    /// Something that can be booked.
    ItemId
);
code_id!(
    /// A service area or a tariff zone.
    AreaId
);
code_id!(
    /// A form that riders fill in.
    FormId
);
code_id!(
    /// Something that riders can take up to pay less.
    PromotionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_plain_word() {
        for text in ["", "-a", ".a", "a b", "a/b", "\u{e4}", "a\n", &"x".repeat(65)] {
            assert_eq!(text.parse::<ProviderId>(), Err(CodeError), "{text:?}");
        }
        for text in ["a", "0", "City_Cabs.2-b", &"x".repeat(64)] {
            assert_eq!(text.parse::<ItemId>().expect("an id").as_str(), text);
        }
    }
}
