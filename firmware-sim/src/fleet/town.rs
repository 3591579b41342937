//! A drive through a town of square blocks: seeded, endless, and plausible to the agent's gate.
//!
//! A vehicle follows the streets, speeds up and brakes as a car does, turns at corners and waits at some
//! of them. The same seed gives the same drive. Integers throughout, so that it is the same everywhere.

use tripline_protocol::unit::Position;

use crate::chance::Chance;

/// The corner that drives are counted from: 12.9716 N, 77.5946 E.
const ORIGIN_LAT_E7: i64 = 129_716_000;
const ORIGIN_LON_E7: i64 = 775_946_000;

/// One degree of latitude, and one of longitude at the origin, in mm.
const MM_PER_DEGREE_LAT: i64 = 111_319_491;
const MM_PER_DEGREE_LON: i64 = 108_478_400;

/// From corner to corner, in mm.
const BLOCK_MM: i64 = 150_000;

/// Corners from the middle of the town to its edge: about 12 km.
const CORNERS: i64 = 80;

/// A car's acceleration and braking, in mm/s².
const ACCELERATION_MMPS2: i64 = 1_800;
const BRAKING_MMPS2: i64 = 2_500;

/// Slowest and fastest cruise along a block, in mm/s: 25 to 54 km/h.
const CRUISE_MMPS_MIN: i64 = 7_000;
const CRUISE_MMPS_MAX: i64 = 15_000;

/// Speed around a corner, in mm/s.
const TURNING_MMPS: i64 = 3_500;

/// One corner in so many has a red light.
const LIGHTS_ONE_IN: usize = 4;

/// Longest red light, in s.
const RED_S_MAX: usize = 25;

/// Farthest that the receiver is off in each direction, in mm; it wanders within.
const WANDER_MM_MAX: i64 = 2_000;

/// Where a vehicle is and how it moves, one second after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Where the receiver says it is.
    pub position: Position,
    /// Speed over ground in mm/s.
    pub speed_mmps: u32,
    /// Course over ground in 1/100 degree, 0 to 35999.
    pub course_cdeg: u16,
    /// Altitude above mean sea level in mm.
    pub altitude_mm: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heading {
    North,
    East,
    South,
    West,
}

impl Heading {
    /// Metres east and north of one metre ahead.
    const fn vector(self) -> (i64, i64) {
        match self {
            Self::North => (0, 1),
            Self::East => (1, 0),
            Self::South => (0, -1),
            Self::West => (-1, 0),
        }
    }

    const fn course_cdeg(self) -> u16 {
        match self {
            Self::North => 0,
            Self::East => 9_000,
            Self::South => 18_000,
            Self::West => 27_000,
        }
    }

    const fn right(self) -> Self {
        match self {
            Self::North => Self::East,
            Self::East => Self::South,
            Self::South => Self::West,
            Self::West => Self::North,
        }
    }
}

/// One vehicle's drive.
#[derive(Debug, Clone)]
pub struct Drive {
    chance: Chance,
    /// The corner behind, in blocks east and north of the origin.
    corner: (i64, i64),
    heading: Heading,
    /// Driven since that corner.
    along_mm: i64,
    speed_mmps: i64,
    cruise_mmps: i64,
    /// Where it goes at the next corner, and how long the light there is red.
    then: Heading,
    red_s: usize,
    /// Seconds left at a red light.
    waits_s: usize,
    wander_mm: (i64, i64),
}

impl Drive {
    /// A drive that begins at a corner somewhere in town.
    pub fn seeded(seed: u64) -> Self {
        let mut chance = Chance::seeded(seed);
        let corner = (within(&mut chance, CORNERS), within(&mut chance, CORNERS));
        let mut drive = Self {
            chance,
            corner,
            heading: Heading::North,
            along_mm: 0,
            speed_mmps: 0,
            cruise_mmps: CRUISE_MMPS_MIN,
            then: Heading::North,
            red_s: 0,
            waits_s: 0,
            wander_mm: (0, 0),
        };
        drive.then = drive.choose();
        drive.turn();
        drive
    }

    /// One second on.
    pub fn step(&mut self) -> Moment {
        if self.waits_s > 0 {
            self.waits_s -= 1;
        } else {
            self.roll();
        }
        self.wander();
        self.moment()
    }

    /// Drives for one second: as fast as the street, the engine and the next corner allow.
    fn roll(&mut self) {
        let left_mm = BLOCK_MM - self.along_mm;
        let corner_mmps = self.corner_mmps();
        let braking = corner_mmps * corner_mmps + 2 * BRAKING_MMPS2 * left_mm;
        let wanted_mmps = self.cruise_mmps.min(braking.isqrt());
        let most_mmps = self.speed_mmps + ACCELERATION_MMPS2;
        let least_mmps = (self.speed_mmps - 2 * BRAKING_MMPS2).max(0);
        self.speed_mmps = wanted_mmps.clamp(least_mmps, most_mmps);
        // Half a metre a second brings even a crawling vehicle to its line.
        self.along_mm += self.speed_mmps.max(500);
        if self.along_mm >= BLOCK_MM {
            self.pass_corner();
        }
    }

    /// How fast it may be at the next corner.
    fn corner_mmps(&self) -> i64 {
        if self.red_s > 0 {
            0
        } else if self.then == self.heading {
            self.cruise_mmps
        } else {
            TURNING_MMPS
        }
    }

    fn pass_corner(&mut self) {
        let (east, north) = self.heading.vector();
        self.corner = (self.corner.0 + east, self.corner.1 + north);
        self.along_mm -= BLOCK_MM;
        if self.red_s > 0 {
            self.along_mm = 0;
            self.speed_mmps = 0;
            self.waits_s = self.red_s;
        }
        self.turn();
    }

    /// Enters the street it chose, and chooses what comes at its end.
    fn turn(&mut self) {
        self.heading = self.then;
        let (east, north) = self.heading.vector();
        let ahead = (self.corner.0 + east, self.corner.1 + north);
        let spread = usize::try_from(CRUISE_MMPS_MAX - CRUISE_MMPS_MIN).unwrap_or(0);
        self.cruise_mmps = CRUISE_MMPS_MIN + signed(self.chance.below(spread));
        let is_red = self.chance.below(LIGHTS_ONE_IN) == 0;
        self.red_s = if is_red { 1 + self.chance.below(RED_S_MAX) } else { 0 };
        self.then = self.choose_at(ahead);
    }

    fn choose(&mut self) -> Heading {
        self.choose_at(self.corner)
    }

    /// Straight on, right or left, but not out of town.
    fn choose_at(&mut self, corner: (i64, i64)) -> Heading {
        let right = self.heading.right();
        let left = right.right().right();
        let mut heading = match self.chance.below(4) {
            0 => right,
            1 => left,
            _ => self.heading,
        };
        while leaves_town(corner, heading) {
            heading = heading.right();
        }
        heading
    }

    fn wander(&mut self) {
        let mut drift = |off_mm: i64| {
            let step = signed(self.chance.below(401)) - 200;
            (off_mm - off_mm / 16 + step).clamp(-WANDER_MM_MAX, WANDER_MM_MAX)
        };
        self.wander_mm = (drift(self.wander_mm.0), drift(self.wander_mm.1));
    }

    fn moment(&self) -> Moment {
        let (east, north) = self.heading.vector();
        let east_mm = self.corner.0 * BLOCK_MM + east * self.along_mm + self.wander_mm.0;
        let north_mm = self.corner.1 * BLOCK_MM + north * self.along_mm + self.wander_mm.1;
        Moment {
            position: place(east_mm, north_mm),
            speed_mmps: u32::try_from(self.speed_mmps).unwrap_or(0),
            course_cdeg: self.heading.course_cdeg(),
            altitude_mm: 920_000 + i32::try_from(self.wander_mm.0 + self.wander_mm.1).unwrap_or(0),
        }
    }
}

fn leaves_town(corner: (i64, i64), heading: Heading) -> bool {
    let (east, north) = heading.vector();
    (corner.0 + east).abs() > CORNERS || (corner.1 + north).abs() > CORNERS
}

/// The place so far east and north of the origin.
///
/// # Panics
/// Never: the town is far from the poles and the antimeridian.
fn place(east_mm: i64, north_mm: i64) -> Position {
    let lat_e7 = ORIGIN_LAT_E7 + north_mm * 10_000_000 / MM_PER_DEGREE_LAT;
    let lon_e7 = ORIGIN_LON_E7 + east_mm * 10_000_000 / MM_PER_DEGREE_LON;
    let angle = |e7: i64| i32::try_from(e7).expect("within the town");
    Position::new(angle(lat_e7), angle(lon_e7)).expect("within the town")
}

/// -`most` to `most`.
fn within(chance: &mut Chance, most: i64) -> i64 {
    let count = usize::try_from(2 * most + 1).unwrap_or(1);
    signed(chance.below(count)) - most
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(seed: u64, seconds: usize) -> Vec<Moment> {
        let mut drive = Drive::seeded(seed);
        std::iter::repeat_with(|| drive.step()).take(seconds).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_drive_and_another_seed_another() {
        assert_eq!(moments(7, 5_000), moments(7, 5_000));
        assert_ne!(moments(7, 50), moments(8, 50));
    }

    #[test]
    fn a_drive_keeps_to_what_a_car_can_do_and_stays_in_town() {
        for seed in 0..20 {
            let drive = moments(seed, 5_000);
            let mut standing = 0;
            for (before, after) in drive.iter().zip(drive.iter().skip(1)) {
                let change_mmps = after.speed_mmps.abs_diff(before.speed_mmps);
                assert!(change_mmps <= 15_000, "seed {seed}: {before:?}, then {after:?}");
                let moved_e7 = after.position.lat_e7().abs_diff(before.position.lat_e7())
                    + after.position.lon_e7().abs_diff(before.position.lon_e7());
                assert!(moved_e7 < 2_000, "seed {seed}: {before:?}, then {after:?}");
                standing += u32::from(after.speed_mmps == 0);
            }
            let far_e7 = drive.iter().map(|m| m.position.lat_e7().abs_diff(129_716_000)).max();
            assert!(far_e7.is_some_and(|far| far < 1_200_000), "seed {seed}: {far_e7:?}");
            assert!((1..3_000).contains(&standing), "seed {seed} stood for {standing} s");
        }
    }
}
