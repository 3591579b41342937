//! Identifiers. Each is its own type, so that one cannot be passed for another.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is none of an enum's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a code of {what}")]
pub struct UnknownCode {
    /// The enum that was expected.
    pub what: &'static str,
}

/// A text that cannot be an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a device identifier.
    #[error(
        "a device id has 1 to {} characters out of a-z, 0-9 and '-', and starts with a letter or digit",
        DeviceId::LEN_MAX
    )]
    Device,
    /// Not a driver identifier.
    #[error(
        "a driver id has 1 to {} characters out of a-z, 0-9 and '-', and starts with a letter or digit",
        DriverId::LEN_MAX
    )]
    Driver,
    /// Not a UUID.
    #[error("{what} must be a UUID such as 7751bd26-3fdc-47ca-9b64-e998dc5abe68")]
    Uuid {
        /// Which identifier was expected.
        what: &'static str,
    },
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The longest one, in characters: short enough for a topic and for an MQTT 3.1.1 client id.
            pub const LEN_MAX: usize = TEXT_ID_LEN_MAX;

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_text_id(text) { Ok(Self(text.into())) } else { Err(IdError::$error) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
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
                f.write_str(&self.0)
            }
        }
    };
}

const TEXT_ID_LEN_MAX: usize = 36;

fn is_text_id(text: &str) -> bool {
    let letter_or_digit = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|first| letter_or_digit(*first))
        && bytes.len() <= TEXT_ID_LEN_MAX
        && bytes.iter().all(|byte| letter_or_digit(*byte) || *byte == b'-')
}

text_id!(
    /// The enrolled unit a vehicle carries: also its MQTT client id and the middle of its topics.
    DeviceId,
    Device
);
text_id!(
    /// A driver, by the operator's id: what the driver types to sign in.
    DriverId,
    Driver
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier with these sixteen bytes; the caller brings the randomness.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The identifier's sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self).map_err(|_| IdError::Uuid { what: $what })
            }
        }
    };
}

uuid_id!(
    /// An order: what the rider's platform booked.
    OrderId,
    "an order id"
);
uuid_id!(
    /// One offer of an order to one driver.
    AssignmentId,
    "an assignment id"
);
uuid_id!(
    /// What a vehicle did for an order.
    TripId,
    "a trip id"
);

/// The random number drawn with a new journal. With a stream's sequence it names a record for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JournalEpoch(pub u64);

impl fmt::Display for JournalEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The number of a record in its stream: 1 for the first, without holes. 0 stands before the first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The sequence before any record.
    pub const ZERO: Self = Self(0);

    /// The next record's sequence.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The sequence `count` records further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many records follow `earlier` up to this one; 0 if this one comes first.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a command to one device. Grows strictly, need not be dense.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct CommandNumber(pub u64);

impl fmt::Display for CommandNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_device_id_cannot_reach_outside_its_topic_level() {
        for text in ["", "a/b", "+", "#", "a b", "UPPER", "-a", "ä", "a\0", &"x".repeat(37)] {
            assert_eq!(text.parse::<DeviceId>(), Err(IdError::Device), "{text:?}");
        }
        for text in ["a", "ka-01-ab-1234", "0", &"x".repeat(36)] {
            assert_eq!(text.parse::<DeviceId>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn ids_print_and_parse_back() {
        let id = OrderId::from_bytes([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("nonsense".parse::<TripId>(), Err(IdError::Uuid { what: "a trip id" }));
    }
}
