//! The messages this agent reads, with the integers the receiver sent.

use alloc::string::String;
use alloc::vec::Vec;

use tripline_protocol::fix::FixType;
use tripline_protocol::unit::{Position, Timestamp};
use ublox::UbxProtocol as _;
use ublox::mon_ver::MonVerRef;
use ublox::nav_pvt::common::{NavPvtFlags, NavPvtValidFlags};
use ublox::nav_pvt::proto23::NavPvtRef;
use ublox::proto23::{PacketRef, Proto23};

use crate::calendar::{Date, TimeOfDay, not_before};
use crate::observation::Observation;

use super::id;

/// Extensions kept of a MON-VER; receivers send up to about ten.
const EXTENSIONS_MAX: usize = 16;

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// NAV-PVT.
    Pvt(Pvt),
    /// NAV-DOP.
    Dop(Dop),
    /// MON-VER.
    Identity(Identity),
    /// ACK-ACK or ACK-NAK.
    Ack(Ack),
}

/// NAV-PVT: one navigation solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pvt {
    /// GPS time of week in ms; the same in all messages of one solution.
    pub itow_ms: u32,
    /// UTC time of day; `None` while the receiver does not know it.
    pub time_of_day: Option<TimeOfDay>,
    /// The position; `None` while the receiver does not vouch for one.
    pub observation: Option<Observation>,
}

/// NAV-DOP, as far as it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dop {
    /// GPS time of week in ms.
    pub itow_ms: u32,
    /// HDOP times 100.
    pub hdop_c: u16,
}

/// MON-VER: what the receiver is. Each text has at most 30 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Software version, `EXT CORE 3.01 (107888)` for instance.
    pub software: String,
    /// Hardware version, `00080000` for instance.
    pub hardware: String,
    /// Further lines: `PROTVER=18.00`, `MOD=NEO-M8N-0`.
    pub extensions: Vec<String>,
}

impl Identity {
    /// The protocol version as major and minor number; `None` where the receiver does not say.
    pub fn protocol(&self) -> Option<(u8, u8)> {
        let version = self.extension("PROTVER")?;
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// The module, `NEO-M8N-0` for instance.
    pub fn model(&self) -> Option<&str> {
        self.extension("MOD")
    }

    /// What follows `key`, which some firmware parts from it by `=` and some by a space.
    fn extension(&self, key: &str) -> Option<&str> {
        self.extensions
            .iter()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(['=', ' ']).map(str::trim))
    }
}

/// The answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Class and id of the command.
    pub command: (u8, u8),
    /// Whether it was taken.
    pub ok: bool,
}

impl Message {
    /// Reads a payload. `None` for messages this agent has no use for; an error for one that is not
    /// what its id says.
    pub fn parse(message: (u8, u8), payload: &[u8], floor: Timestamp) -> Option<Result<Self, ()>> {
        let known = [id::NAV_PVT, id::NAV_DOP, id::MON_VER, id::ACK_ACK, id::ACK_NAK];
        if !known.contains(&message) {
            return None;
        }
        let packet = Proto23::match_packet(message.0, message.1, payload);
        Some(packet.map_err(|_| ()).and_then(|packet| Self::from_packet(&packet, floor).ok_or(())))
    }

    fn from_packet(packet: &PacketRef<'_>, floor: Timestamp) -> Option<Self> {
        if let PacketRef::NavPvt(pvt) = packet {
            Some(Self::Pvt(read_pvt(pvt, floor)))
        } else if let PacketRef::NavDop(dop) = packet {
            Some(Self::Dop(Dop { itow_ms: dop.itow(), hdop_c: dop.horizontal_dop_raw() }))
        } else if let PacketRef::MonVer(version) = packet {
            Some(Self::Identity(read_identity(version)))
        } else if let PacketRef::AckAck(ack) = packet {
            Some(Self::Ack(Ack { command: (ack.class(), ack.msg_id()), ok: true }))
        } else if let PacketRef::AckNak(nak) = packet {
            Some(Self::Ack(Ack { command: (nak.class(), nak.msg_id()), ok: false }))
        } else {
            None
        }
    }
}

fn read_identity(version: &MonVerRef<'_>) -> Identity {
    Identity {
        software: version.software_version().into(),
        hardware: version.hardware_version().into(),
        extensions: version.extension().take(EXTENSIONS_MAX).map(String::from).collect(),
    }
}

fn read_pvt(pvt: &NavPvtRef<'_>, floor: Timestamp) -> Pvt {
    let time_of_day = time_of_day(pvt);
    let observation = position(pvt).zip(fix_type(pvt)).map(|(position, fix_type)| Observation {
        at: time_of_day.and_then(|time| timestamp(pvt, time, floor)),
        time_of_day,
        position,
        speed_mmps: u32::try_from(pvt.ground_speed_2d_raw()).ok(),
        course_cdeg: course_cdeg(pvt.heading_motion_raw()),
        altitude_mm: Some(pvt.height_msl_raw()),
        satellites: Some(pvt.num_satellites()),
        hdop_c: None,
        accuracy_mm: Some(pvt.horizontal_accuracy_raw()),
        fix_type,
    });
    Pvt { itow_ms: pvt.itow(), time_of_day, observation }
}

fn fix_type(pvt: &NavPvtRef<'_>) -> Option<FixType> {
    let flags = pvt.flags();
    if !flags.contains(NavPvtFlags::GPS_FIX_OK) {
        return None;
    }
    match pvt.fix_type_raw() {
        1 => Some(FixType::Estimated),
        2 => Some(FixType::TwoD),
        3 | 4 if flags.contains(NavPvtFlags::CARR_SOLN_FIXED) => Some(FixType::RtkFixed),
        3 | 4 if flags.contains(NavPvtFlags::CARR_SOLN_FLOAT) => Some(FixType::RtkFloat),
        3 | 4 if flags.contains(NavPvtFlags::DIFF_SOLN) => Some(FixType::Differential),
        3 | 4 => Some(FixType::ThreeD),
        _ => None, // 0: no fix; 5: time only
    }
}

fn position(pvt: &NavPvtRef<'_>) -> Option<Position> {
    if pvt.flags3().invalid_llh() {
        return None;
    }
    Position::new(pvt.latitude_raw(), pvt.longitude_raw()).ok()
}

/// To the nearest millisecond. The nanoseconds are negative where the solution was made just before the
/// second it is counted to.
fn time_of_day(pvt: &NavPvtRef<'_>) -> Option<TimeOfDay> {
    let (hour, minute, second) = (pvt.hour(), pvt.min(), pvt.sec());
    let known = pvt.valid().contains(NavPvtValidFlags::VALID_TIME);
    if !known || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = (i32::from(hour) * 60 + i32::from(minute)) * 60 + i32::from(second);
    let ms = seconds * 1000 + pvt.nanosec().saturating_add(500_000).div_euclid(1_000_000);
    u32::try_from(ms.max(0)).ok().map(|ms| TimeOfDay { ms })
}

fn timestamp(pvt: &NavPvtRef<'_>, time: TimeOfDay, floor: Timestamp) -> Option<Timestamp> {
    if !pvt.valid().contains(NavPvtValidFlags::VALID_DATE) {
        return None;
    }
    let (year, month, day) = (pvt.year(), pvt.month(), pvt.day());
    let date = Date::new(u32::from(year), u32::from(month), u32::from(day))?;
    Some(not_before(date.at(time), floor))
}

/// From 1e-5 degree, to the nearest.
fn course_cdeg(heading_e5: i32) -> Option<u16> {
    let cdeg = (i64::from(heading_e5) + 500).div_euclid(1000).rem_euclid(36_000);
    u16::try_from(cdeg).ok()
}
