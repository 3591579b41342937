//! Enums that have one stable text code a value, used in stores, logs, diagrams and `--json`.

/// Defines a field-less enum whose every value has a stable text code.
///
/// Gives `ALL` (in declaration order), `code()`, `Display` and `FromStr`. The order of the values is
/// also their order on the wire: new ones are added at the end only.
macro_rules! coded_enum {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$value_doc:meta])* $value:ident => $code:literal, )+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[derive(serde::Serialize, serde::Deserialize)]
        pub enum $name { $( $(#[$value_doc])* #[serde(rename = $code)] $value, )+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$( Self::$value, )+];

            /// The stable text code of this value.
            pub const fn code(self) -> &'static str {
                match self { $( Self::$value => $code, )+ }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.code())
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::id::UnknownCode;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.code() == text)
                    .ok_or($crate::id::UnknownCode { what: stringify!($name) })
            }
        }
    };
}

pub(crate) use coded_enum;
