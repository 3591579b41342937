//! Random interleavings of riders' platforms, operators and devices, whose events wait in a queue, come late
//! and are cut off, against a model: what is told never goes back, what is driven is what the device did.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tripline_backend::domain::change::Wish;
use tripline_backend::domain::dispatch::DispatchRules;
use tripline_backend::domain::effect::Effect;
use tripline_backend::domain::explain::{Explanation, Gone, Recorded, put_in_order};
use tripline_backend::domain::order::{Conversation, Order, Rider};
use tripline_backend::domain::ride::{Candidate, Handled, Look, Report, RideRules};
use tripline_backend::domain::trip::{Asked, By, Step};
use tripline_protocol::assignment::Assignment;
use tripline_protocol::fare::{FareReason, Usage};
use tripline_protocol::id::{
    AssignmentId, CommandNumber, DeviceId, JournalEpoch, Sequence, TripId,
};
use tripline_protocol::link::down::{CommandBody, DriveVerb};
use tripline_protocol::link::up::{Answer, CommandOutcome, Event, EventBody};
use tripline_protocol::machine::Machine;
use tripline_protocol::meter::Reading;
use tripline_protocol::order::OrderState;
use tripline_protocol::otp::TypedOtp;
use tripline_protocol::trip::{TripState, TripStep};
use tripline_protocol::unit::{Odometer, Paise, Steady, Timestamp};

use crate::change::{ROAD, gate};
use crate::quoted;
use crate::unit::device;
use crate::world::{OTP, vehicle};

const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const ORDERS: u8 = 2;
const DEVICES: u8 = 3;
const RULES: DispatchRules =
    DispatchRules { offer_ms: 30_000, search_ms: 600_000, ..DispatchRules::DEFAULT };
const RIDE: RideRules = RideRules {
    search_ms: 600_000,
    reassign_max: 3,
    silent_ms: 120_000,
    close_silent_ms: 3_600_000,
};

/// Where a trip stands in a vehicle, written anew: not the table of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Offered,
    ToPickup,
    EnRoute,
    Waiting,
    Riding,
    Pausing,
    Over(TripState),
}

/// A trip as its vehicle knows it.
#[derive(Debug, Clone)]
struct Drive {
    offer: Assignment,
    stage: Stage,
    metres: u64,
}

/// A unit in a vehicle: its journal waits until it is sent.
#[derive(Debug, Clone, Default)]
struct Device {
    current: Option<Drive>,
    clock_s: u64,
    odometer_m: u64,
    journal: VecDeque<Event>,
    inbox: VecDeque<(CommandNumber, CommandBody)>,
}

#[derive(Debug, Clone, Copy)]
enum Tap {
    Accept,
    Reject,
    Depart,
    Arrive,
    Start(bool),
    Pause,
    Resume,
    Stop,
    Cancel,
    NoShow,
    Collect,
}

impl Device {
    fn write(&mut self, body: EventBody) {
        self.clock_s += 1;
        let reading = Reading {
            steady: Steady { ms: self.clock_s * 1_000 },
            odometer: Odometer { mm: self.odometer_m * 1_000 },
            ..Reading::default()
        };
        let at = NOW.plus_ms(i64::try_from(self.clock_s).expect("short") * 1_000);
        self.journal.push_back(Event { at, gnss_time: true, reading, fix: None, body });
    }

    fn drive(&mut self, metres: u64) {
        self.odometer_m += metres;
        if let Some(drive) = self.current.as_mut().filter(|it| it.stage == Stage::Riding) {
            drive.metres += metres;
        }
    }

    fn tap(&mut self, tap: Tap) {
        let Some(drive) = self.current.as_mut() else { return };
        let (assignment, trip) = (drive.offer.id, drive.offer.trip);
        let usage = Usage { distance_m: drive.metres, ..Usage::default() };
        let fare = quoted::terms(NOW).metered(usage);
        let over = Stage::Over;
        let (stage, step) = match (tap, drive.stage) {
            (Tap::Accept, Stage::Offered) => {
                drive.stage = Stage::ToPickup;
                return self.write(EventBody::Answered { assignment, answer: Answer::Accept });
            }
            (Tap::Reject, Stage::Offered) => {
                self.current = None;
                let answer = Answer::Reject { reason: String::new() };
                return self.write(EventBody::Answered { assignment, answer });
            }
            (Tap::Depart, Stage::ToPickup) => (Stage::EnRoute, TripStep::Depart),
            (Tap::Arrive, Stage::ToPickup | Stage::EnRoute) => (Stage::Waiting, TripStep::Arrive),
            (Tap::Start(right), Stage::Waiting) => {
                let otp = Some(TypedOtp(if right { OTP.into() } else { "0000".into() }));
                (Stage::Riding, TripStep::Start { otp })
            }
            (Tap::Pause, Stage::Riding) => (Stage::Pausing, TripStep::Pause),
            (Tap::Resume, Stage::Pausing) => (Stage::Riding, TripStep::Resume),
            (Tap::Stop, Stage::Riding | Stage::Pausing) => {
                (over(TripState::Ended), TripStep::Stop { fare })
            }
            (Tap::Cancel, Stage::ToPickup | Stage::EnRoute | Stage::Waiting) => {
                (over(TripState::Cancelled), TripStep::Cancel { reason: "flat".into() })
            }
            (Tap::NoShow, Stage::Waiting) => (over(TripState::NoShow), TripStep::NoShow),
            (Tap::Collect, Stage::Over(TripState::Ended)) => {
                return self.write(EventBody::Trip {
                    trip,
                    step: TripStep::Collected { amount: Paise(1) },
                });
            }
            _ => return,
        };
        drive.stage = stage;
        self.write(EventBody::Trip { trip, step });
    }

    /// Takes the next command in, and reports what became of it.
    fn obey(&mut self) {
        let Some((number, body)) = self.inbox.pop_front() else { return };
        let busy = self.current.as_ref().is_some_and(|it| !matches!(it.stage, Stage::Over(_)));
        let stage = |trip: TripId| {
            self.current.as_ref().filter(|it| it.offer.trip == trip).map(|it| it.stage)
        };
        let before_start = |stage| {
            matches!(stage, Stage::Offered | Stage::ToPickup | Stage::EnRoute | Stage::Waiting)
        };
        let next = match &body {
            CommandBody::Offer(offer) if !busy => {
                let (offer, stage) = (offer.clone(), Stage::Offered);
                self.current = Some(Drive { offer, stage, metres: 0 });
                None
            }
            CommandBody::Offer(_) => return self.report(number, CommandOutcome::Refused),
            CommandBody::Withdraw { assignment, .. } => {
                let drive = self.current.as_ref().filter(|it| it.offer.id == *assignment);
                drive.filter(|it| before_start(it.stage)).map(|_| Stage::Over(TripState::Cancelled))
            }
            CommandBody::CancelTrip { trip, .. } => {
                let may = stage(*trip).is_some_and(|it| it != Stage::Offered && before_start(it));
                if !may {
                    return self.report(number, CommandOutcome::Refused);
                }
                Some(Stage::Over(TripState::Cancelled))
            }
            CommandBody::Drive { trip, verb, .. } => {
                let next = match (verb, stage(*trip)) {
                    (DriveVerb::Start, Some(Stage::Waiting))
                    | (DriveVerb::Resume, Some(Stage::Pausing)) => Stage::Riding,
                    (DriveVerb::Pause, Some(Stage::Riding)) => Stage::Pausing,
                    (DriveVerb::Stop, Some(Stage::Riding | Stage::Pausing)) => {
                        Stage::Over(TripState::Ended)
                    }
                    _ => return self.report(number, CommandOutcome::Refused),
                };
                Some(next)
            }
            CommandBody::Change(change) => match stage(change.trip) {
                None | Some(Stage::Offered | Stage::Over(_)) => {
                    return self.report(number, CommandOutcome::Refused);
                }
                Some(_) => None,
            },
            CommandBody::Rider(_)
            | CommandBody::Configure(_)
            | CommandBody::UnlockOtp { .. }
            | CommandBody::OnDuty(_) => None,
        };
        if let (Some(drive), Some(next)) = (self.current.as_mut(), next) {
            drive.stage = next;
        }
        self.report(number, CommandOutcome::Applied);
    }

    fn report(&mut self, number: CommandNumber, outcome: CommandOutcome) {
        self.write(EventBody::CommandDone { number, outcome });
    }
}

/// What the device had done when it wrote an event that has arrived.
#[derive(Debug, Clone, Copy)]
struct Truth {
    state: TripState,
    metres: u64,
    /// The odometer at its last step.
    since_m: u64,
}

/// The platform: the orders, who is held for whom, and what was sent.
struct Platform {
    orders: Vec<Order>,
    held: BTreeMap<DeviceId, usize>,
    devices: BTreeMap<DeviceId, Device>,
    sent: BTreeMap<CommandNumber, CommandBody>,
    /// By trip, of what has arrived.
    truths: BTreeMap<TripId, Truth>,
    settled: BTreeMap<usize, Paise>,
    /// What has arrived of each trip, as the store would keep it.
    records: BTreeMap<TripId, Vec<Recorded>>,
    now: Timestamp,
    fresh: u8,
}

#[derive(Debug, Clone)]
enum Act {
    Dispatch(u8),
    Tap(u8, Tap),
    Drive(u8, u64),
    Obey(u8),
    Deliver(u8, u8),
    Cancel(u8, bool),
    Change(u8, bool, u8),
    Close(u8),
    Ask(u8, DriveVerb),
    Pass(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let tap = prop_oneof![
        4 => Just(Tap::Accept), 1 => Just(Tap::Reject), 1 => Just(Tap::Depart),
        4 => Just(Tap::Arrive), 4 => any::<bool>().prop_map(Tap::Start),
        2 => Just(Tap::Pause), 2 => Just(Tap::Resume), 3 => Just(Tap::Stop),
        1 => Just(Tap::Cancel), 1 => Just(Tap::NoShow), 1 => Just(Tap::Collect),
    ];
    let verb = prop_oneof![
        Just(DriveVerb::Start),
        Just(DriveVerb::Pause),
        Just(DriveVerb::Resume),
        Just(DriveVerb::Stop),
    ];
    let device = || 1..=DEVICES;
    let order = || 0..ORDERS;
    let one = prop_oneof![
        3 => order().prop_map(Act::Dispatch),
        16 => (device(), tap).prop_map(|(n, tap)| Act::Tap(n, tap)),
        4 => (device(), 1..2_000_u64).prop_map(|(n, metres)| Act::Drive(n, metres)),
        8 => device().prop_map(Act::Obey),
        8 => (device(), 1..5_u8).prop_map(|(n, count)| Act::Deliver(n, count)),
        1 => (order(), any::<bool>()).prop_map(|(n, rider)| Act::Cancel(n, rider)),
        1 => (order(), any::<bool>(), 0..4_u8)
            .prop_map(|(n, pickup, to)| Act::Change(n, pickup, to)),
        1 => order().prop_map(Act::Close),
        3 => (order(), verb).prop_map(|(n, verb)| Act::Ask(n, verb)),
        1 => (1_000..4_000_000_i64).prop_map(Act::Pass),
    ];
    proptest::collection::vec(one, 1..120)
}

fn move_truth(truths: &mut BTreeMap<TripId, Truth>, id: TripId, state: TripState, event: &Event) {
    let odometer_m = event.reading.odometer.mm / 1_000;
    let begun = Truth { state: TripState::Assigned, metres: 0, since_m: 0 };
    let truth = truths.entry(id).or_insert(begun);
    if truth.state == TripState::Started {
        truth.metres += odometer_m - truth.since_m;
    }
    truth.since_m = odometer_m;
    truth.state = state;
}

/// Whether a machine can get from one state to another, over any number of rows.
fn reaches<M: Machine>(from: M, to: M) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while let Some(state) = seen.get(next).copied() {
        for row in M::TABLE.iter().filter(|row| row.from == state) {
            if !seen.contains(&row.to) {
                seen.push(row.to);
            }
        }
        next += 1;
    }
    seen.contains(&to)
}

impl Platform {
    fn new() -> Self {
        let order = |n| {
            let mut order = quoted::order(n, NOW);
            let rider = Rider { name: "Asha".into(), phone: "+91-98".into() };
            let said = || Conversation(String::new());
            order.initialize(Some(rider), said(), NOW).expect("quoted");
            order.confirm(None, Some(OTP.into()), said(), &RULES, NOW).expect("initialized");
            order
        };
        Self {
            orders: (1..=ORDERS).map(order).collect(),
            held: BTreeMap::new(),
            devices: (1..=DEVICES).map(|n| (device(n), Device::default())).collect(),
            sent: BTreeMap::new(),
            truths: BTreeMap::new(),
            records: BTreeMap::new(),
            settled: BTreeMap::new(),
            now: NOW,
            fresh: 0,
        }
    }

    fn device(&mut self, n: u8) -> &mut Device {
        self.devices.get_mut(&device(n)).expect("one of them")
    }

    fn send(&mut self, to: &DeviceId, body: CommandBody) -> CommandNumber {
        let number = CommandNumber(self.sent.len() as u64 + 1);
        self.sent.insert(number, body.clone());
        self.devices.get_mut(to).expect("one of them").inbox.push_back((number, body));
        number
    }

    fn carry_out(&mut self, of: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Release(device) => {
                    if self.held.get(&device) == Some(&of) {
                        self.held.remove(&device);
                    }
                }
                Effect::Command { device, body, .. } => {
                    self.send(&device, *body);
                }
                Effect::Tell(_) | Effect::TellOf(..) | Effect::Cash { .. } => {}
            }
        }
    }

    /// Offers an order to two free vehicles that were not asked before.
    fn dispatch(&mut self, of: usize) {
        if self.orders[of].state != OrderState::Confirmed || self.orders[of].has_open_offer() {
            return;
        }
        for n in 1..=DEVICES {
            let vehicle = vehicle(n);
            let asked = self.orders[of].asked().any(|device| *device == vehicle.device);
            if asked || self.held.contains_key(&vehicle.device) || self.fresh == u8::MAX {
                continue;
            }
            self.held.insert(vehicle.device.clone(), of);
            self.fresh += 1;
            let bytes = [self.fresh; 16];
            let candidate = Candidate {
                vehicle,
                assignment: AssignmentId::from_bytes(bytes),
                trip: TripId::from_bytes(bytes),
                otp_key: bytes,
            };
            let effects = self.orders[of].offer(candidate, &RULES, self.now);
            self.carry_out(of, effects);
            if self.orders[of].open_offers().count() == 2 {
                return;
            }
        }
    }

    /// The next event of a device's journal arrives.
    fn deliver(&mut self, from: &DeviceId) {
        let Some(event) = self.devices.get_mut(from).and_then(|it| it.journal.pop_front()) else {
            return;
        };
        let (at, by) = (self.now, By::Device);
        let report = Report { by, event: &event, at, offline: false };
        let trip = self.trip_of(&event);
        let Some((of, id)) = trip else { return };
        self.keep(id, &event);
        let order = &mut self.orders[of];
        let handled = if let EventBody::Answered { assignment, answer } = &event.body {
            order.handle_answer(*assignment, answer, &RIDE, event.at, at)
        } else if let EventBody::Trip { step, .. } = &event.body {
            let handled = order.handle_step(id, step, &report, &RIDE);
            self.note_truth(id, step, &event);
            handled
        } else if let EventBody::CommandDone { number, outcome } = event.body {
            self.handle_done(of, id, (number, outcome), &report)
        } else {
            Handled::default()
        };
        self.carry_out(of, handled.effects);
    }

    /// Keeps an event for whoever wants the fare explained.
    fn keep(&mut self, id: TripId, event: &Event) {
        let mut commanded = None;
        if let EventBody::CommandDone { number, outcome: CommandOutcome::Applied } = event.body {
            commanded = self.sent.get(&number).and_then(Recorded::step_asked_for);
        }
        let records = self.records.entry(id).or_default();
        records.push(Recorded {
            epoch: JournalEpoch(1),
            sequence: Sequence(records.len() as u64),
            at: event.fact_at(self.now),
            received_at: self.now,
            refused: None,
            event: event.clone(),
            step: Recorded::step_of(event),
            commanded,
        });
        put_in_order(records);
    }

    fn handle_done(
        &mut self,
        of: usize,
        id: TripId,
        (number, outcome): (CommandNumber, CommandOutcome),
        report: &Report<'_>,
    ) -> Handled {
        let (body, order) = (self.sent[&number].clone(), &mut self.orders[of]);
        let applied = outcome == CommandOutcome::Applied;
        if applied {
            Self::note_command(&mut self.truths, id, &body, report.event);
        }
        if let CommandBody::Offer(offer) = &body {
            return if applied {
                Handled::default()
            } else {
                order.handle_undelivered(offer.id, report.at).into()
            };
        }
        if let CommandBody::Drive { verb, .. } = body {
            return order.handle_drive_done(id, (number, verb), outcome, report, &RIDE);
        }
        if let CommandBody::Change(change) = &body {
            order.handle_change_done(change, outcome, report);
            return Handled::default();
        }
        order.handle_cancel_done(id, outcome, report, &RIDE)
    }

    fn trip_of(&self, event: &Event) -> Option<(usize, TripId)> {
        let id = if let EventBody::Answered { assignment, .. } = &event.body {
            TripId::from_bytes(*assignment.as_bytes())
        } else if let EventBody::Trip { trip, .. } = event.body {
            trip
        } else if let EventBody::CommandDone { number, .. } = event.body {
            match self.sent.get(&number)? {
                CommandBody::Offer(offer) => offer.trip,
                CommandBody::Change(change) => change.trip,
                CommandBody::CancelTrip { trip, .. } | CommandBody::Drive { trip, .. } => *trip,
                CommandBody::Withdraw { .. }
                | CommandBody::Rider(_)
                | CommandBody::Configure(_)
                | CommandBody::UnlockOtp { .. }
                | CommandBody::OnDuty(_) => return None,
            }
        } else {
            return None;
        };
        let has = |order: &Order| order.offers.iter().any(|offer| offer.trip == id);
        Some((self.orders.iter().position(has)?, id))
    }

    /// The reference: where the trip stands in the vehicle and how far it drove, by its own events.
    fn note_truth(&mut self, id: TripId, step: &TripStep, event: &Event) {
        let state = match step {
            TripStep::Depart => TripState::EnRouteToPickup,
            TripStep::Arrive | TripStep::ArriveOutside { .. } => TripState::AtPickup,
            TripStep::Start { .. } | TripStep::Resume => TripState::Started,
            TripStep::Pause => TripState::Paused,
            TripStep::Stop { .. } => TripState::Ended,
            TripStep::Cancel { .. } => TripState::Cancelled,
            TripStep::NoShow => TripState::NoShow,
            TripStep::Collected { .. } | TripStep::Extra(_) => return,
        };
        move_truth(&mut self.truths, id, state, event);
    }

    fn note_command(
        truths: &mut BTreeMap<TripId, Truth>,
        id: TripId,
        body: &CommandBody,
        event: &Event,
    ) {
        let state = if let CommandBody::Drive { verb, .. } = body {
            match verb {
                DriveVerb::Start | DriveVerb::Resume => TripState::Started,
                DriveVerb::Pause => TripState::Paused,
                DriveVerb::Stop => TripState::Ended,
            }
        } else if matches!(body, CommandBody::CancelTrip { .. }) {
            TripState::Cancelled
        } else {
            return;
        };
        move_truth(truths, id, state, event);
    }

    fn act(&mut self, act: &Act) {
        // No two things at once: what was received by a closing is told by its time.
        self.now = self.now.plus_ms(1);
        match act {
            Act::Dispatch(of) => self.dispatch(usize::from(*of)),
            Act::Tap(n, tap) => self.device(*n).tap(*tap),
            Act::Drive(n, metres) => self.device(*n).drive(*metres),
            Act::Obey(n) => self.device(*n).obey(),
            Act::Deliver(n, count) => (0..*count).for_each(|_| self.deliver(&device(*n))),
            Act::Cancel(of, rider) => {
                let by = if *rider { By::Rider } else { By::operator("asha") };
                let of = usize::from(*of);
                let effects = self.orders[of].cancel(&by, "called off", self.now);
                self.carry_out(of, effects.unwrap_or_default());
            }
            Act::Change(of, pickup, to) => self.change(usize::from(*of), *pickup, *to),
            Act::Close(of) => {
                let of = usize::from(*of);
                let effects = self.orders[of].close(&By::operator("asha"), "broken", &[], self.now);
                self.carry_out(of, effects.unwrap_or_default());
            }
            Act::Ask(of, verb) => self.ask(usize::from(*of), *verb),
            Act::Pass(ms) => self.pass(*ms),
        }
    }

    /// The rider has a place changed, at the price that is told.
    fn change(&mut self, of: usize, pickup: bool, to: u8) {
        let (now, order) = (self.now, &mut self.orders[of]);
        let place = Some(gate(to));
        let wish = if pickup {
            Wish { pickup: place, ..Wish::default() }
        } else {
            Wish { drop: place, ..Wish::default() }
        };
        let terms = order.proposed_terms(&wish, &ROAD, now);
        if order.propose(wish, terms, now.plus_ms(1), now).is_err() {
            return;
        }
        let total = order.proposal.as_ref().expect("proposed").quote.total();
        let effects = order.accept_proposal(total, now).expect("in time, at that price");
        self.carry_out(of, effects);
    }

    fn ask(&mut self, of: usize, verb: DriveVerb) {
        let now = self.now;
        if verb == DriveVerb::Start && self.orders[of].waits_for_voucher() {
            let effects = self.orders[of].vouch("asha", "it is her", &RIDE, now);
            return self.carry_out(of, effects.expect("it waits for that"));
        }
        let Ok(trip) = self.orders[of].check_drive(verb) else { return };
        let (trip, device) = (trip.id, trip.vehicle.device.clone());
        let body = CommandBody::Drive { trip, verb, reason: "asked".into() };
        let number = self.send(&device, body);
        let (name, reason) = ("asha".into(), "asked".into());
        self.orders[of].note_asked(Asked { number, verb, name, reason }, now);
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        for of in 0..self.orders.len() {
            let (now, order) = (self.now, &mut self.orders[of]);
            if order.due_at().is_none_or(|due| due > now) {
                continue;
            }
            let mut effects = order.handle_timeout(now);
            let due: Vec<_> = order.due_looks(now).iter().map(|trip| trip.id).collect();
            let look = Look { heard: None, not_before: now, trail: &[], at: now };
            effects.extend(due.into_iter().flat_map(|id| order.handle_look(id, look, &RIDE)));
            self.carry_out(of, effects);
        }
    }

    /// Everything that is on its way arrives, and every vehicle ends what it drives.
    fn drain(&mut self) {
        for _ in 0..40 {
            for n in 1..=DEVICES {
                while !self.device(n).inbox.is_empty() {
                    self.device(n).obey();
                }
                for tap in [Tap::Reject, Tap::Cancel, Tap::Stop] {
                    self.device(n).tap(tap);
                }
                while !self.device(n).journal.is_empty() {
                    self.deliver(&device(n));
                }
            }
        }
    }

    fn check(&mut self, before: &[Order]) -> Result<(), TestCaseError> {
        for (of, (was, is)) in before.iter().zip(&self.orders).enumerate() {
            prop_assert!(reaches(was.state, is.state), "{} -> {}", was.state, is.state);
            for trip in was.trips() {
                let now = is.trip_of(trip.id);
                prop_assert!(now.is_some(), "a trip is forgotten");
                let told = now.map_or(trip.state, |now| now.state);
                prop_assert!(reaches(trip.state, told), "told {} -> {told}", trip.state);
            }
            for trip in is.trips() {
                let truth = self.truths.get(&trip.id).map_or(TripState::Assigned, |it| it.state);
                prop_assert_eq!(trip.driven, truth, "driven, by the vehicle");
                let by_device = trip.facts.iter().filter_map(|fact| fact.measured);
                let steady: Vec<_> = by_device.map(|it| it.reading.steady.ms).collect();
                prop_assert!(steady.is_sorted(), "in the order in which it happened");
                let holds = self.held.get(&trip.vehicle.device) == Some(&of);
                prop_assert!(!trip.held || holds, "a trip holds a vehicle that is not its order's");
            }
            if let Some(settlement) = &is.settlement {
                let total = settlement.charged.total();
                prop_assert_eq!(*self.settled.entry(of).or_insert(total), total, "settled once");
                let trip = is.trip.as_ref().expect("a settled order has its trip");
                let records = self.records.get(&trip.id).map_or(&[][..], Vec::as_slice);
                let explanation =
                    Explanation::of(is, records, &[], Gone::default()).expect("a final fare");
                prop_assert!(explanation.equal, "{explanation}");
                if settlement.charged.reason != FareReason::Silent && trip.closed.is_none() {
                    let metres = self.truths[&trip.id].metres;
                    prop_assert_eq!(settlement.charged.usage.distance_m, metres);
                    let ours = is.terms.metered(trip.usage());
                    prop_assert_eq!(total, ours.total(), "the fare is the record's");
                }
            }
            prop_assert_eq!(is.settlement.is_some(), is.state == OrderState::Completed);
            prop_assert_eq!(is.cancelled.is_some(), is.state == OrderState::Cancelled);
        }
        for n in 1..=DEVICES {
            let device = device(n);
            let trips = self.orders.iter().flat_map(Order::trips);
            let holding = trips.filter(|trip| trip.held && trip.vehicle.device == device).count();
            prop_assert!(holding <= 1, "{device} is held by {holding} trips");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_crosses_what_was_told_stands_and_what_was_driven_is_known(acts in acts()) {
        let mut platform = Platform::new();
        for act in &acts {
            let before = platform.orders.clone();
            platform.act(act);
            platform.check(&before)?;
        }
        let before = platform.orders.clone();
        platform.drain();
        platform.check(&before)?;
        for order in &platform.orders {
            let mut trips = order.trips();
            prop_assert!(trips.all(|trip| !trip.held), "a vehicle is held for ever: {:?}", order);
        }
    }
}

/// What a run came across.
fn seen(platform: &Platform) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for order in &platform.orders {
        seen.insert(order.state.code());
        seen.extend(order.cases.iter().map(|case| case.kind.code()));
        seen.extend(
            order.past_trips.iter().map(|trip| if trip.ours { "unassigned" } else { "late" }),
        );
        for fact in order.trips().flat_map(|trip| &trip.facts) {
            seen.extend((fact.step == Step::Vouched).then_some("vouched"));
            seen.extend((fact.step == Step::ChangeTaken).then_some("change taken"));
            let by_operator = matches!(fact.by, By::Operator { .. }) && fact.measured.is_some();
            seen.extend(by_operator.then_some("driven by a dispatcher"));
        }
    }
    seen
}

#[test]
fn random_crossings_come_across_everything_that_can_cross() {
    let mut runner = TestRunner::deterministic();
    let mut all = BTreeSet::new();
    for _ in 0..6_000 {
        let mut platform = Platform::new();
        let acts = acts().new_tree(&mut runner).expect("acts").current();
        for act in &acts {
            platform.act(act);
        }
        platform.drain();
        all.extend(seen(&platform));
    }
    let ends = ["completed", "cancelled", "unserved"];
    let cases = ["driven", "closed", "otp", "paid", "change"];
    let ways = ["unassigned", "late", "vouched", "driven by a dispatcher", "change taken"];
    for expected in ends.into_iter().chain(cases).chain(ways) {
        assert!(all.contains(expected), "{expected} never came about: {all:?}");
    }
}
