//! The envelope: one version byte, then the message, then nothing. Live positions and trail batches have
//! bytes of their own; all else is postcard.

use alloc::vec::Vec;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version this code writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Largest payload on the link, in bytes. A full trail batch needs about a tenth of it.
pub const PAYLOAD_LEN_MAX: usize = 64 * 1024;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the payload is empty")]
    Empty,
    /// More than [`PAYLOAD_LEN_MAX`].
    #[error("the payload has {len} bytes; at most {PAYLOAD_LEN_MAX} are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A version this code does not read.
    #[error("the payload has version {found}; this side speaks version {VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Not the message that was expected, or a value out of range in it.
    #[error("the payload is not a well-formed message")]
    Malformed,
    /// The message ended before the bytes did.
    #[error("{len} bytes follow the end of the message")]
    Trailing {
        /// How many bytes were left over.
        len: usize,
    },
}

/// A message of the device link. What it is follows from its topic's lane.
pub trait Message: Sized {
    /// Appends the message to `bytes`.
    fn append(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// The message that takes up all of `body`; total over any input.
    fn read(body: &[u8]) -> Result<Self, DecodeError>;
}

/// A message whose bytes are postcard's.
pub trait Postcard: Serialize + DeserializeOwned {}

impl<M: Postcard> Message for M {
    fn append(&self, bytes: Vec<u8>) -> Vec<u8> {
        append_postcard(self, bytes)
    }

    fn read(body: &[u8]) -> Result<Self, DecodeError> {
        read_postcard(body)
    }
}

pub(super) fn append_postcard<M: Serialize>(message: &M, bytes: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(message, bytes).expect("made of types postcard can write")
}

pub(super) fn read_postcard<M: DeserializeOwned>(body: &[u8]) -> Result<M, DecodeError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(DecodeError::Trailing { len: rest.len() }),
        Err(_) => Err(DecodeError::Malformed),
    }
}

/// The bytes of a message.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.append(Vec::from([VERSION]))
}

/// The message of these bytes; total over any input.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, DecodeError> {
    M::read(body(bytes)?)
}

/// What follows the version.
pub(super) fn body(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    if bytes.len() > PAYLOAD_LEN_MAX {
        return Err(DecodeError::TooLong { len: bytes.len() });
    }
    let (version, body) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if *version != VERSION {
        return Err(DecodeError::Version { found: *version });
    }
    Ok(body)
}
