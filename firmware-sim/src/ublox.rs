//! The u-blox side of a simulated receiver: it takes UBX commands, answers them, and speaks NAV-PVT
//! and NAV-DOP once told to, with what its sentences say.
//!
//! Written against the interface descriptions of generations 8 to 10, and apart from the agent's own
//! code on purpose: what both got wrong alike would not show.

use serde::Serialize;

use crate::sentence::Sentence;
use crate::utc::{civil, short_date_unix_ms, time_of_day_ms};

const SYNC: [u8; 2] = [0xb5, 0x62];
const HEADER_BYTES: usize = 6;
const CHECKSUM_BYTES: usize = 2;

/// The receiver's own receive buffer; commands are far shorter.
const RECEIVED_BYTES_MAX: usize = 2_048;

/// 1980-01-06 and the leap seconds between GPS time and UTC since 2017.
const GPS_EPOCH_UNIX_MS: i64 = 315_964_800_000;
const LEAP_MS: i64 = 18_000;
const WEEK_MS: i64 = 604_800_000;

/// From this generation on (protocol version) there is CFG-VALSET.
const VALSET_SINCE: u8 = 27;
/// From this one on the older messages for rate and output are gone, and so is the USB port.
const KEYS_ONLY_SINCE: u8 = 34;

const KEY_RATE_MEAS: u32 = 0x3021_0001;
const KEY_PVT_UART1: u32 = 0x2091_0007;
const KEY_PVT_USB: u32 = 0x2091_0009;
const KEY_DOP_UART1: u32 = 0x2091_0039;
const KEY_DOP_USB: u32 = 0x2091_003b;

/// A receiver's settings, as commands leave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Whether NAV-PVT is sent with each epoch.
    pub pvt: bool,
    /// Whether NAV-DOP is.
    pub dop: bool,
    /// Between two epochs, as asked for, in ms. The trace is played at its own rate all the same.
    pub rate_ms: u16,
    /// Commands taken.
    pub acked: u64,
    /// Commands refused.
    pub refused: u64,
}

/// The receiver.
#[derive(Debug)]
pub struct Ublox {
    protocol: u8,
    settings: Settings,
    received: Vec<u8>,
}

impl Ublox {
    /// One of this protocol version (major number), as it comes from the factory: NMEA alone.
    pub fn new(protocol: u8) -> Self {
        let settings = Settings { pvt: false, dop: false, rate_ms: 1_000, acked: 0, refused: 0 };
        Self { protocol, settings, received: Vec::new() }
    }

    /// How it is set.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Its power was cut: settings live in memory only.
    pub fn forget(&mut self) {
        *self = Self::new(self.protocol);
    }

    /// Takes in what was written to it; the answers, frame by frame.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.received.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while let Some((message, payload)) = self.next_frame() {
            answers.extend(self.obey(message, &payload));
        }
        if self.received.len() > RECEIVED_BYTES_MAX {
            self.received.clear();
        }
        answers
    }

    /// The next whole frame; what is none before it is thrown away.
    fn next_frame(&mut self) -> Option<([u8; 2], Vec<u8>)> {
        loop {
            let begin = self.received.windows(2).position(|pair| pair == SYNC)?;
            self.received.drain(..begin);
            let header = self.received.get(..HEADER_BYTES)?;
            let message = [header[2], header[3]];
            let payload_bytes = usize::from(u16::from_le_bytes([header[4], header[5]]));
            let end = HEADER_BYTES + payload_bytes;
            let found = self.received.get(end..end + CHECKSUM_BYTES)?;
            if found == fletcher(&self.received[2..end]) {
                let payload = self.received[HEADER_BYTES..end].to_vec();
                self.received.drain(..end + CHECKSUM_BYTES);
                return Some((message, payload));
            }
            self.received.drain(..SYNC.len());
        }
    }

    fn obey(&mut self, message: [u8; 2], payload: &[u8]) -> Vec<u8> {
        let old_messages = self.protocol < KEYS_ONLY_SINCE;
        let taken = match (message, payload) {
            ([0x0a, 0x04], []) => return self.version(),
            ([0x06, 0x08], [low, high, ..]) if old_messages => {
                self.set(KEY_RATE_MEAS, &[*low, *high])
            }
            ([0x06, 0x01], [0x01, 0x07, rate]) if old_messages => self.set(KEY_PVT_UART1, &[*rate]),
            ([0x06, 0x01], [0x01, 0x04, rate]) if old_messages => self.set(KEY_DOP_UART1, &[*rate]),
            ([0x06, 0x8a], [0, _layers, 0, 0, items @ ..]) if self.protocol >= VALSET_SINCE => {
                self.set_all(items)
            }
            ([0x06, _], _) => false,
            _ => return Vec::new(),
        };
        self.settings.acked += u64::from(taken);
        self.settings.refused += u64::from(!taken);
        frame([0x05, u8::from(taken)], &message)
    }

    /// All or nothing: one unknown key refuses the command.
    fn set_all(&mut self, items: &[u8]) -> bool {
        let before = self.settings;
        let mut rest = items;
        while let [a, b, c, d, behind @ ..] = rest {
            let key = u32::from_le_bytes([*a, *b, *c, *d]);
            // Bits 28 to 30 tell the size of the value.
            let value_bytes = match key >> 28 & 7 {
                1 | 2 => 1,
                3 => 2,
                4 => 4,
                _ => 8,
            };
            let Some((value, behind)) = behind.split_at_checked(value_bytes) else { break };
            if !self.set(key, value) {
                break;
            }
            rest = behind;
        }
        if !rest.is_empty() {
            self.settings = before;
        }
        rest.is_empty()
    }

    fn set(&mut self, key: u32, value: &[u8]) -> bool {
        let has_usb = self.protocol < KEYS_ONLY_SINCE;
        match (key, value) {
            (KEY_RATE_MEAS, [low, high]) => {
                self.settings.rate_ms = u16::from_le_bytes([*low, *high]);
                self.settings.rate_ms >= 25
            }
            (KEY_PVT_UART1, [rate]) => {
                self.settings.pvt = *rate > 0;
                true
            }
            (KEY_DOP_UART1, [rate]) => {
                self.settings.dop = *rate > 0;
                true
            }
            // The simulated receiver hangs at UART 1.
            (KEY_PVT_USB | KEY_DOP_USB, [_]) => has_usb,
            _ => false,
        }
    }

    fn version(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        let extensions =
            ["FWVER=SIM 1.00", &format!("PROTVER={}.00", self.protocol), "MOD=SIMULATED-0"];
        for (text, width) in [("EXT CORE 1.00 (simulated)", 30), ("00080000", 10)]
            .into_iter()
            .chain(extensions.map(|extension| (extension, 30)))
        {
            let mut field = text.as_bytes().to_vec();
            field.resize(width, 0);
            payload.extend(field);
        }
        frame([0x0a, 0x04], &payload)
    }

    /// What it sends with an epoch besides its sentences.
    pub fn frames(&self, lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let Some(solution) = Solution::of(lines) else { return Vec::new() };
        let dop = self.settings.dop.then(|| solution.nav_dop());
        let pvt = self.settings.pvt.then(|| solution.nav_pvt());
        dop.into_iter().chain(pvt).collect()
    }
}

/// One epoch as its RMC and GGA tell it.
struct Solution {
    unix_ms: i64,
    /// Latitude and longitude in 1e-7 degree, altitude in mm; `None` without a fix.
    place: Option<(i32, i32, i32)>,
    speed_mmps: i32,
    course_e5: i32,
    satellites: u8,
    hdop_c: u16,
}

impl Solution {
    fn of(lines: &[Vec<u8>]) -> Option<Self> {
        let sentence = |kind| {
            lines.iter().filter_map(|line| Sentence::parse(line)).find(|one| one.kind() == kind)
        };
        let (rmc, gga) = (sentence("RMC")?, sentence("GGA")?);
        let unix_ms = short_date_unix_ms(rmc.field(9))? + time_of_day_ms(rmc.field(1))?;
        let lat = angle_e7(rmc.field(3), 2, rmc.field(4) == "S");
        let lon = angle_e7(rmc.field(5), 3, rmc.field(6) == "W");
        let altitude = scaled(gga.field(9), 3).and_then(|mm| i32::try_from(mm).ok());
        let place = lat.zip(lon).zip(altitude).filter(|_| rmc.field(2) == "A");
        let integer = |text, decimals| {
            scaled(text, decimals).and_then(|value| i32::try_from(value).ok()).unwrap_or(0)
        };
        Some(Self {
            unix_ms,
            place: place.map(|((lat, lon), altitude)| (lat, lon, altitude)),
            // One knot is 1852 m an hour.
            speed_mmps: i32::try_from(i64::from(integer(rmc.field(7), 3)) * 1852 / 3600).ok()?,
            course_e5: integer(rmc.field(8), 5),
            satellites: gga.field(7).parse().unwrap_or(0),
            hdop_c: u16::try_from(integer(gga.field(8), 2)).unwrap_or(9_999),
        })
    }

    fn itow(&self) -> [u8; 4] {
        let gps_ms = self.unix_ms - GPS_EPOCH_UNIX_MS + LEAP_MS;
        u32::try_from(gps_ms.rem_euclid(WEEK_MS)).unwrap_or(0).to_le_bytes()
    }

    fn nav_dop(&self) -> Vec<u8> {
        let mut payload = self.itow().to_vec();
        payload.extend([0; 14]);
        payload[12..14].copy_from_slice(&self.hdop_c.to_le_bytes());
        frame([0x01, 0x04], &payload)
    }

    fn nav_pvt(&self) -> Vec<u8> {
        let at = civil(self.unix_ms);
        let byte = |value: i8| value.to_le_bytes()[0];
        let mut payload = [0; 92];
        let mut put = |at: usize, bytes: &[u8]| {
            payload[at..at + bytes.len()].copy_from_slice(bytes);
        };
        put(0, &self.itow());
        put(4, &at.year().to_le_bytes());
        put(6, &[at.month(), at.day(), at.hour(), at.minute(), at.second()].map(byte));
        put(11, &[0b111]); // date, time, and its seconds are known
        put(16, &at.subsec_nanosecond().to_le_bytes());
        put(23, &[self.satellites]);
        if let Some((lat_e7, lon_e7, altitude_mm)) = self.place {
            put(20, &[3, 0b1]); // a 3D fix that it vouches for
            put(24, &lon_e7.to_le_bytes());
            put(28, &lat_e7.to_le_bytes());
            put(36, &altitude_mm.to_le_bytes());
            put(40, &ACCURACY_MM.to_le_bytes());
            put(60, &self.speed_mmps.to_le_bytes());
            put(64, &self.course_e5.to_le_bytes());
        }
        frame([0x01, 0x07], &payload)
    }
}

/// What a receiver of this kind claims under an open sky.
const ACCURACY_MM: u32 = 1_500;

/// `ddmm.mmmm` in 1e-7 degree.
fn angle_e7(text: &str, degree_digits: usize, negative: bool) -> Option<i32> {
    let (degrees, minutes) = text.split_at_checked(degree_digits)?;
    let minutes_e7 = scaled(minutes, 7)?;
    let e7 = degrees.parse::<i64>().ok()? * 10_000_000 + (minutes_e7 + 30) / 60;
    i32::try_from(if negative { -e7 } else { e7 }).ok()
}

/// A decimal number times ten to the power of `decimals`, cut off there.
fn scaled(text: &str, decimals: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits = fraction.to_owned();
    digits.truncate(decimals);
    format!("{whole}{digits:0<decimals$}").parse().ok()
}

/// A NAV-PVT with everything but its time taken away, as without a fix; `None` for other lines.
pub fn without_fix(line: &[u8]) -> Option<Vec<u8>> {
    let payload = line.strip_prefix(&[0xb5, 0x62, 0x01, 0x07, 92, 0])?;
    let mut payload = payload.get(..92)?.to_vec();
    payload[20..76].fill(0);
    Some(frame([0x01, 0x07], &payload))
}

fn frame(message: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let payload_bytes = u16::try_from(payload.len()).unwrap_or(0).to_le_bytes();
    let mut frame = [&SYNC[..], &message, &payload_bytes, payload].concat();
    let sum = fletcher(&frame[2..]);
    frame.extend(sum);
    frame
}

fn fletcher(bytes: &[u8]) -> [u8; 2] {
    let (mut a, mut b) = (0_u8, 0_u8);
    for byte in bytes {
        a = a.wrapping_add(*byte);
        b = b.wrapping_add(a);
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ublox: &mut Ublox, message: [u8; 2], payload: &[u8]) -> Vec<u8> {
        ublox.receive(&frame(message, payload))
    }

    const ACK: u8 = 1;
    const NAK: u8 = 0;

    #[test]
    fn each_generation_takes_its_own_commands() {
        let pvt_on = [&[0, 1, 0, 0][..], &KEY_PVT_UART1.to_le_bytes(), &[1]].concat();
        let usb_on = [&pvt_on[..], &KEY_PVT_USB.to_le_bytes(), &[1]].concat();
        for (protocol, message, keys, usb) in
            [(18, ACK, NAK, NAK), (27, ACK, ACK, ACK), (34, NAK, ACK, NAK)]
        {
            let mut ublox = Ublox::new(protocol);
            assert_eq!(answer(&mut ublox, [6, 1], &[1, 7, 1])[3], message, "{protocol}");
            assert_eq!(answer(&mut ublox, [6, 0x8a], &pvt_on)[3], keys, "{protocol}");
            assert_eq!(answer(&mut ublox, [6, 0x8a], &usb_on)[3], usb, "{protocol}");
            assert!(ublox.settings().pvt);
        }
    }

    #[test]
    fn a_refused_command_changes_nothing() {
        let mut ublox = Ublox::new(27);
        let items = [&KEY_DOP_UART1.to_le_bytes()[..], &[1], &0x1000_9999_u32.to_le_bytes(), &[1]];
        assert_eq!(
            answer(&mut ublox, [6, 0x8a], &[&[0, 1, 0, 0], &items.concat()[..]].concat())[3],
            NAK
        );
        assert!(!ublox.settings().dop);
    }

    #[test]
    fn commands_are_understood_in_pieces_and_behind_noise() {
        let mut ublox = Ublox::new(18);
        let written = [b"noise\xb5".as_slice(), &frame([0x0a, 0x04], &[])].concat();
        let mut answers = Vec::new();
        for byte in written {
            answers.extend(ublox.receive(&[byte]));
        }
        assert!(answers.starts_with(&[0xb5, 0x62, 0x0a, 0x04]));
        assert!(answers.windows(13).any(|part| part == b"PROTVER=18.00"));
    }

    #[test]
    fn nav_pvt_says_what_the_sentences_say() {
        let line = |fields: &str| Sentence::new(fields.split(',')).to_line();
        let lines = [
            line("GNRMC,021417.20,A,3725.58362,N,12205.61915,W,10.000,65.13,070220,,,A"),
            line("GNGGA,021417.20,3725.58362,N,12205.61915,W,1,12,0.76,4.4,M,-30.0,M,,"),
        ];
        let mut ublox = Ublox::new(18);
        assert!(ublox.frames(&lines).is_empty());
        answer(&mut ublox, [6, 1], &[1, 7, 1]);
        let pvt = &ublox.frames(&lines)[0][6..];
        let number = |at: usize| i32::from_le_bytes(pvt[at..at + 4].try_into().expect("four"));
        assert_eq!(pvt[4..11], [0xe4, 0x07, 2, 7, 2, 14, 17]);
        assert_eq!((number(24), number(28)), (-1_220_936_525, 374_263_937));
        assert_eq!(
            (number(16), number(36), number(60), number(64)),
            (200_000_000, 4_400, 5_144, 6_513_000)
        );
        let without = without_fix(&ublox.frames(&lines)[0]).expect("a NAV-PVT");
        assert_eq!((without[6 + 20], without[6 + 21], without[6 + 24]), (0, 0, 0));
    }
}
