//! A vehicle: an engine with its journal, as the shell keeps them.

use tripline_agent_core::desk::{DriverAction, DriverError};
use tripline_agent_core::engine::{Draft, Engine, Judged, Settings};
use tripline_agent_core::memory::Memory;
use tripline_agent_core::observation::Observation;
use tripline_agent_core::record::Record;
use tripline_agent_core::sampler::{Policies, Policy};
use tripline_protocol::assignment::{Assignment, Place};
use tripline_protocol::fix::{Fix, FixType, Refusal};
use tripline_protocol::id::{AssignmentId, CommandNumber, JournalEpoch, OrderId, TripId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::up::{CommandOutcome, EventBody};
use tripline_protocol::otp::OtpVerifier;
use tripline_protocol::tariff::{Band, Cancellation, Tariff};
use tripline_protocol::terms::{Estimate, Terms};
use tripline_protocol::trip::TripState;
use tripline_protocol::unit::{Paise, Position, Timestamp, Uptime};

pub(crate) const START: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);
pub(crate) const OTP: &str = "4711";

/// An engine with its journal, as the shell keeps them: the records of one epoch after another.
pub(crate) struct Vehicle {
    pub(crate) journal: Vec<Vec<Record>>,
    pub(crate) engine: Engine,
    pub(crate) now: Uptime,
    pub(crate) lived_ms: i64,
    base: Settings,
    first: DeviceSettings,
}

impl Vehicle {
    /// Every fix is kept, whatever the vehicle does.
    pub(crate) fn new() -> Self {
        let trail = Policies {
            parked: Policy::Full,
            moving: Policy::Full,
            to_pickup: Policy::Full,
            on_trip: Policy::Full,
            refused_one_in: 1,
        };
        Self::with(Settings { trail, ..Settings::default() }, DeviceSettings::default())
    }

    /// With its own settings, and the first from afar.
    pub(crate) fn with(base: Settings, first: DeviceSettings) -> Self {
        let engine = Engine::new(Memory::default(), base, &first, START, START, Uptime::default());
        let (now, lived_ms) = (Uptime::default(), 0);
        let mut vehicle = Self { journal: Vec::new(), engine, now, lived_ms, base, first };
        vehicle.restart();
        vehicle
    }

    /// Its own settings change; a restart makes it so.
    pub(crate) fn set_base(&mut self, base: Settings) {
        self.base = base;
    }

    /// A new process reads the journal.
    pub(crate) fn restart(&mut self) {
        let mut memory = self.read();
        memory.begin(epoch(self.journal.len()));
        self.journal.push(Vec::new());
        self.now = Uptime::default();
        let system = START.plus_ms(self.lived_ms);
        self.engine = Engine::new(memory, self.base, &self.first, system, START, self.now);
        let boot = self.engine.boot("test", self.now);
        self.write(boot);
    }

    pub(crate) fn read(&self) -> Memory {
        let mut memory = Memory::default();
        for (start, records) in self.journal.iter().enumerate() {
            memory.begin(epoch(start));
            for record in records {
                memory.apply(record);
            }
        }
        memory
    }

    pub(crate) fn last(&self) -> Option<&Record> {
        self.journal.last().and_then(|records| records.last())
    }

    pub(crate) fn write(&mut self, draft: Draft) {
        let record = self.engine.seal(draft);
        self.engine.apply(&record);
        self.journal.last_mut().expect("an epoch").push(record);
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.lived_ms += ms.cast_signed();
    }

    pub(crate) fn drive(&mut self, action: DriverAction) -> Result<(), DriverError> {
        let drafts = match self.engine.handle_driver(action, self.now)? {
            Judged::Done(drafts) => drafts,
            Judged::Count(tried, otp) => {
                self.write(*tried);
                self.engine.compare_otp(otp, self.now)?
            }
        };
        for draft in drafts {
            self.write(draft);
        }
        Ok(())
    }

    pub(crate) fn command(&mut self, number: u64, body: CommandBody) -> Option<CommandOutcome> {
        self.command_until(number, None, body)
    }

    /// The outcome, if the command was taken in; it is in the journal then.
    pub(crate) fn command_until(
        &mut self,
        number: u64,
        expires_at: Option<Timestamp>,
        body: CommandBody,
    ) -> Option<CommandOutcome> {
        let command = Command { number: CommandNumber(number), expires_at, body };
        let draft = self.engine.handle_command(command, self.now)?;
        self.write(draft.clone());
        let Draft::Event { event, .. } = draft else { panic!("{draft:?}") };
        let EventBody::CommandDone { outcome, .. } = event.body else { panic!("{event:?}") };
        Some(outcome)
    }

    /// A fix, repeated until its time is trusted.
    pub(crate) fn fix(&mut self, east_m: i32) {
        while self.raw_fix(east_m) == Some(Refusal::TimeJump) {
            self.pass(100);
        }
    }

    pub(crate) fn observation(&self, east_m: i32) -> Observation {
        Observation {
            at: Some(START.plus_ms(self.lived_ms)),
            time_of_day: None,
            position: Position::new(0, east_m * 90).expect("on the globe"),
            speed_mmps: Some(10_000),
            course_cdeg: None,
            altitude_mm: None,
            satellites: None,
            hdop_c: None,
            accuracy_mm: None,
            fix_type: FixType::ThreeD,
        }
    }

    /// A fix, and why it was refused, where all are kept.
    pub(crate) fn raw_fix(&mut self, east_m: i32) -> Option<Refusal> {
        self.hear(east_m).last().expect("every fix is kept").refused
    }

    /// Hears of a position; gives the fixes that are kept by now.
    pub(crate) fn hear(&mut self, east_m: i32) -> Vec<Fix> {
        let observation = self.observation(east_m);
        let outcome = self.engine.handle_observation(&observation, self.now);
        let mut kept = Vec::new();
        for draft in outcome.drafts {
            if let Draft::Fix { fix, .. } = draft {
                kept.push(fix);
            }
            self.write(draft);
        }
        kept
    }

    /// What is in force, if the backend was not told yet; it is told then.
    pub(crate) fn report(&mut self) -> Option<DeviceSettings> {
        let draft = self.engine.report(self.now)?;
        self.write(draft.clone());
        let Draft::Event { event, .. } = draft else { panic!("{draft:?}") };
        let EventBody::Running { settings } = event.body else { panic!("{event:?}") };
        Some(settings)
    }

    pub(crate) fn state(&self) -> Option<TripState> {
        self.engine.view(self.now).trip.map(|trip| trip.state)
    }
}

fn epoch(start: usize) -> JournalEpoch {
    JournalEpoch(start as u64 + 7)
}

pub(crate) fn assignment(n: u8) -> Assignment {
    let order = OrderId::from_bytes([n; 16]);
    let place = Place {
        position: Position::new(0, 0).expect("on the globe"),
        address: String::from("somewhere"),
    };
    Assignment {
        id: AssignmentId::from_bytes([n; 16]),
        order,
        trip: TripId::from_bytes([n; 16]),
        pickup: place.clone(),
        drop: place,
        terms: terms(),
        pickup_at: None,
        expires_at: START.plus_ms(1_000_000_000),
        otp: Some(OtpVerifier::new(order, OTP, [3; 16])),
        collect_cash: true,
        auto_accept: false,
    }
}

pub(crate) fn terms() -> Terms {
    let place = Position::new(0, 0).expect("on the globe");
    Terms {
        tariff: Tariff {
            code: "auto".into(),
            version: 1,
            base_paise: Paise(3_000),
            base_distance_m: 0,
            bands: vec![Band { from_m: 0, per_km_paise: Paise(1_500) }],
            per_minute_paise: Paise(100),
            pickup_paise: Paise::ZERO,
            minimum_paise: Paise::ZERO,
            waiting_per_minute_paise: Paise(200),
            waiting_free_s: 0,
            night: None,
            package: None,
            outstation: None,
            taxes: Vec::new(),
            cancellation: Cancellation::default(),
            range_percent: 0,
            rounding_paise: Paise(1),
        },
        nights: Vec::new(),
        discounts: Vec::new(),
        estimate: Estimate {
            distance_m: 3_000,
            duration_s: 600,
            start_at: START,
            pickup: place,
            drop: place,
        },
    }
}
