//! Enums with one stable word a value, in the store, in files and in JSON.

/// A text that is none of the words of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWord {
    /// The words there are.
    pub words: &'static [&'static str],
}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "must be one of {}", self.words.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

/// Defines an enum without fields whose every value has a stable word: `ALL`, `code()`, `Display`, `FromStr`
/// and serde by that word.
macro_rules! coded {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$value_doc:meta])* $value:ident => $code:literal, )+ }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize,
            serde::Deserialize,
        )]
        pub enum $name { $( $(#[$value_doc])* #[serde(rename = $code)] $value, )+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$( Self::$value, )+];

            /// Its stable word.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$value => $code, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.code())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::fleet::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                const WORDS: &[&str] = &[$( $code, )+];
                let mut all = Self::ALL.iter().copied();
                all.find(|value| value.code() == text)
                    .ok_or($crate::domain::fleet::UnknownWord { words: WORDS })
            }
        }
    };
}

pub(crate) use coded;
