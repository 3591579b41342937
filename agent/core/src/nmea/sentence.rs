//! What the sentences say.

use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Position;

use super::parse;
use crate::calendar::{Date, TimeOfDay};

/// A sentence this agent understands. The talker matters for satellites in view only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sentence {
    /// `--RMC`, recommended minimum data.
    Rmc(Rmc),
    /// `--GGA`, fix data.
    Gga(Gga),
    /// `--GNS`, fix data of several constellations.
    Gns(Gns),
    /// `--GLL`, position.
    Gll(Gll),
    /// `--GSA`, dilution and active satellites.
    Gsa(Gsa),
    /// `--GSV`, satellites in view.
    Gsv(Gsv),
    /// `--VTG`, course and speed.
    Vtg(Vtg),
    /// `--ZDA`, time and date.
    Zda(Zda),
    /// `--GST`, error statistics.
    Gst(Accuracy),
    /// `--GBS`, satellite fault detection, whose expected errors stand in for a missing GST.
    Gbs(Accuracy),
}

/// Whether a sentence vouches for a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The field is empty: it neither vouches nor denies.
    Silent,
    /// The receiver says it has no position.
    NoFix,
    /// The receiver has one, arrived at so.
    Fix(FixType),
}

/// `--RMC`. What is empty or unreadable is `None`, here and below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rmc {
    /// Time of the fix.
    pub time: Option<TimeOfDay>,
    /// Date of the fix.
    pub date: Option<Date>,
    /// Status and mode indicator (NMEA 2.3); without an indicator the fix is `ThreeD`.
    pub verdict: Verdict,
    /// Position, where the verdict is a fix.
    pub position: Option<Position>,
    /// Speed over ground in mm/s.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree.
    pub course_cdeg: Option<u16>,
}

/// `--GGA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gga {
    /// Time of the fix.
    pub time: Option<TimeOfDay>,
    /// Quality indicator.
    pub verdict: Verdict,
    /// Position, where the verdict is a fix.
    pub position: Option<Position>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// HDOP times 100.
    pub hdop_c: Option<u16>,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: Option<i32>,
}

/// `--GNS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gns {
    /// Time of the fix.
    pub time: Option<TimeOfDay>,
    /// The best of the constellations' mode indicators.
    pub verdict: Verdict,
    /// Position, where the verdict is a fix.
    pub position: Option<Position>,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// HDOP times 100.
    pub hdop_c: Option<u16>,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: Option<i32>,
}

/// `--GLL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gll {
    /// Time of the fix.
    pub time: Option<TimeOfDay>,
    /// Status and mode indicator.
    pub verdict: Verdict,
    /// Position, where the verdict is a fix.
    pub position: Option<Position>,
}

/// `--GSA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gsa {
    /// Dimensions of the fix, 2 or 3; 1 is none.
    pub dimensions: Option<u8>,
    /// HDOP times 100.
    pub hdop_c: Option<u16>,
}

/// Whose satellites a GSV tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signal {
    /// Talker.
    pub talker: [u8; 2],
    /// Signal (NMEA 4.1), as the receiver's letter; 0 where it is absent.
    pub id: u8,
}

/// `--GSV`, one of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gsv {
    /// Whose satellites.
    pub signal: Signal,
    /// Number in the group, from 1.
    pub number: u8,
    /// Satellites in view, of the whole group.
    pub in_view: u8,
    /// Best carrier to noise density in dB-Hz among this sentence's satellites.
    pub cn0_max: Option<u8>,
}

/// `--VTG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vtg {
    /// Speed over ground in mm/s; `None` where the mode indicator says there is none.
    pub speed_mmps: Option<u32>,
    /// Course over ground in 1/100 degree.
    pub course_cdeg: Option<u16>,
}

/// `--ZDA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zda {
    /// Time.
    pub time: Option<TimeOfDay>,
    /// Date.
    pub date: Option<Date>,
}

/// `--GST` and `--GBS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accuracy {
    /// Time of the fix.
    pub time: Option<TimeOfDay>,
    /// Horizontal standard deviation in mm, of latitude and longitude together.
    pub horizontal_mm: Option<u32>,
}

/// Why bytes with a valid checksum are no [`Sentence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Proprietary, or of a formatter this agent has no use for.
    Unknown,
    /// A field without which the rest means nothing cannot be read.
    Nonsense,
}

impl Sentence {
    /// Reads the inside of a sentence, the bytes between `$` and `*`.
    pub fn parse(inside: &[u8]) -> Option<Self> {
        Self::read(inside).ok().map(|(sentence, _)| sentence)
    }

    /// Reads the inside of a sentence, and whether any of its fields was nonsense and is taken for
    /// empty.
    pub fn read(inside: &[u8]) -> Result<(Self, bool), Unread> {
        parse::sentence(inside)
    }

    /// The instant it tells of; `None` also for GSA, GSV and VTG, which have no time.
    pub const fn time(&self) -> Option<TimeOfDay> {
        match self {
            Self::Rmc(rmc) => rmc.time,
            Self::Gga(gga) => gga.time,
            Self::Gns(gns) => gns.time,
            Self::Gll(gll) => gll.time,
            Self::Zda(zda) => zda.time,
            Self::Gst(accuracy) | Self::Gbs(accuracy) => accuracy.time,
            Self::Gsa(_) | Self::Gsv(_) | Self::Vtg(_) => None,
        }
    }

    /// What it says of the position.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Rmc(rmc) => rmc.verdict,
            Self::Gga(gga) => gga.verdict,
            Self::Gns(gns) => gns.verdict,
            Self::Gll(gll) => gll.verdict,
            Self::Gsa(_)
            | Self::Gsv(_)
            | Self::Vtg(_)
            | Self::Zda(_)
            | Self::Gst(_)
            | Self::Gbs(_) => Verdict::Silent,
        }
    }
}
