//! Topics: `v1/d/{device}/{lane}`, as a type with an inverse.

use core::fmt;
use core::str::FromStr;

use crate::coded::coded_enum;
use crate::id::DeviceId;

const PREFIX: &str = "v1/d/";

coded_enum! {
    /// The last level of a topic.
    Lane {
        /// Up: the newest position, QoS 0.
        Live => "live",
        /// Up: journalled events, QoS 1.
        Event => "event",
        /// Up: journalled fixes, QoS 1.
        Trail => "trail",
        /// Up: here or gone; also the will.
        Presence => "presence",
        /// Down: CommitAcks.
        Ack => "ack",
        /// Down: commands, sealed.
        Command => "command",
    }
}

impl Lane {
    /// Whether a device publishes on this lane; otherwise it subscribes to it.
    pub const fn is_up(self) -> bool {
        match self {
            Self::Live | Self::Event | Self::Trail | Self::Presence => true,
            Self::Ack | Self::Command => false,
        }
    }
}

/// A topic of the device link.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Whose topic it is.
    pub device: DeviceId,
    /// What it carries.
    pub lane: Lane,
}

/// A text that is no topic of the device link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a topic of the form v1/d/{{device}}/{{lane}}")]
pub struct TopicError;

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}", self.device, self.lane)
    }
}

impl FromStr for Topic {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (device, lane) = text
            .strip_prefix(PREFIX)
            .and_then(|levels| levels.split_once('/'))
            .ok_or(TopicError)?;
        Ok(Self {
            device: device.parse().map_err(|_| TopicError)?,
            lane: lane.parse().map_err(|_| TopicError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_topic_prints_and_parses_back() {
        for lane in Lane::ALL {
            let topic = Topic { device: "ka-01-1".parse().expect("valid"), lane: *lane };
            assert_eq!(topic.to_string().parse(), Ok(topic));
        }
    }

    #[test]
    fn wildcards_and_strangers_are_no_topics() {
        for text in ["", "v1/d/+/live", "v1/d/a/#", "v1/d/a/live/", "v1/d//live", "v2/d/a/live"] {
            assert_eq!(text.parse::<Topic>(), Err(TopicError), "{text:?}");
        }
    }
}
