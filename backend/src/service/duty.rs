//! Sign-in and duty of drivers, and the cash they take in.

use tracing::info;
use tripline_protocol::duty::{Duty as OnWire, OnDuty, TypedPin};
use tripline_protocol::id::{DeviceId, DriverId, OrderId};
use tripline_protocol::link::down::CommandBody;
use tripline_protocol::unit::{Paise, Timestamp};

use super::device::Refusal;
use super::effects::{Wake, send_command};
use super::{Platform, ServiceError};
use crate::chance;
use crate::domain::fleet::pin::{SignInRefusal, judge};
use crate::domain::fleet::{Cash, CashKind, Duty, DutyState, Shift};
use crate::store::Tx;
use crate::store::driver::PinRow;

/// Why something a driver asked for has no effect: it was overtaken on its way.
const OVERTAKEN: &str = "this was asked for before the present duty began; ask again";

impl From<OnWire> for DutyState {
    fn from(duty: OnWire) -> Self {
        match duty {
            OnWire::Off => Self::Off,
            OnWire::On => Self::On,
            OnWire::Break => Self::Break,
        }
    }
}

impl From<DutyState> for OnWire {
    fn from(state: DutyState) -> Self {
        match state {
            DutyState::Off => Self::Off,
            DutyState::On => Self::On,
            DutyState::Break => Self::Break,
        }
    }
}

impl Platform {
    /// A driver signs in on a device. The device is told what came of it. What happened before the driver or
    /// the device came into the duty in which they are would undo what is newer.
    pub(super) async fn handle_sign_in(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        (driver, pin): (&DriverId, &TypedPin),
        (happened, at): (Timestamp, Timestamp),
    ) -> Result<(Refusal, Wake), ServiceError> {
        let present = [tx.duty_of_driver(driver).await?, tx.duty_of_device(device).await?];
        if present.iter().flatten().any(|duty| happened < duty.since) {
            return refuse(tx, device, OVERTAKEN.to_owned(), at).await;
        }
        let Err(refusal) = self.check_pin(tx, driver, pin).await? else {
            info!(%device, %driver, "driver signed in");
            let (driver, device) = (driver.clone(), device.clone());
            let duty = Duty { driver, device, state: DutyState::On, since: happened.min(at) };
            let told = set_duty(tx, &duty, at).await?;
            return Ok((None, Wake::devices(told)));
        };
        info!(%device, %driver, reason = %refusal, "sign-in refused");
        refuse(tx, device, refusal.to_string(), at).await
    }

    /// Whether that is the driver's PIN. The try is on record either way.
    async fn check_pin(
        &self,
        tx: &mut Tx,
        id: &DriverId,
        pin: &TypedPin,
    ) -> Result<Result<(), SignInRefusal>, ServiceError> {
        let known = tx.pin(id).await?;
        let driver = tx.driver(id).await?;
        let mac = known.mac.as_deref().zip(self.pin_key.as_ref());
        let is_right = mac.map(|(mac, key)| key.is_right(id, &pin.0, mac));
        let (outcome, tries) = judge(driver.as_ref(), known.tries, is_right);
        if tries != known.tries {
            tx.set_pin(id, PinRow { tries, ..known }).await?;
        }
        Ok(outcome)
    }

    /// Whoever is signed in on a device takes rides, has a break, or goes.
    pub(super) async fn handle_duty(
        tx: &mut Tx,
        device: &DeviceId,
        state: DutyState,
        (happened, at): (Timestamp, Timestamp),
    ) -> Result<(Refusal, Wake), ServiceError> {
        let Some(known) = tx.duty_of_device(device).await? else {
            tell_device(tx, device, None, at).await?;
            let refusal = (state != DutyState::Off).then(|| "nobody is signed in on it".to_owned());
            return Ok((refusal, Wake::devices(vec![device.clone()])));
        };
        if happened < known.since {
            return refuse(tx, device, OVERTAKEN.to_owned(), at).await;
        }
        info!(%device, driver = %known.driver, %state, "driver's duty");
        let told = set_duty(tx, &Duty { state, since: happened.min(at), ..known }, at).await?;
        Ok((None, Wake::devices(told)))
    }
}

/// Writes a driver's duty: whoever else is on the device is signed off there, and they themselves wherever
/// they are beside. A shift begins with sign-in and ends with sign-off. Gives the devices that are told.
pub(crate) async fn set_duty(
    tx: &mut Tx,
    duty: &Duty,
    now: Timestamp,
) -> Result<Vec<DeviceId>, ServiceError> {
    let mut told = vec![duty.device.clone()];
    let before = tx.duty_of_driver(&duty.driver).await?;
    let elsewhere = before.as_ref().filter(|before| before.device != duty.device);
    if let Some(elsewhere) = elsewhere {
        sign_off(tx, elsewhere, now).await?;
        told.push(elsewhere.device.clone());
    }
    let other = tx.duty_of_device(&duty.device).await?;
    if duty.state != DutyState::Off
        && let Some(other) = other.filter(|other| other.driver != duty.driver)
    {
        sign_off(tx, &other, now).await?;
    }
    if duty.state == DutyState::Off {
        sign_off(tx, duty, now).await?;
    } else {
        if tx.open_shift(&duty.driver).await?.is_none() {
            begin_shift(tx, &duty.driver, &duty.device, now).await?;
        }
        tx.put_duty(duty).await?;
    }
    for device in &told {
        tell_device(tx, device, None, now).await?;
    }
    Ok(told)
}

async fn sign_off(tx: &mut Tx, duty: &Duty, now: Timestamp) -> Result<(), ServiceError> {
    tx.end_shift(&duty.driver, now).await?;
    Ok(tx.put_duty(&Duty { state: DutyState::Off, ..duty.clone() }).await?)
}

async fn begin_shift(
    tx: &mut Tx,
    driver: &DriverId,
    device: &DeviceId,
    at: Timestamp,
) -> Result<Shift, ServiceError> {
    let shift = Shift {
        id: chance::uuid()?,
        driver: driver.clone(),
        device: device.clone(),
        started_at: at,
        ended_at: None,
        balance: Paise::ZERO,
    };
    tx.add_shift(&shift).await?;
    Ok(shift)
}

/// What a driver asked for has no effect: the device is told why, and how things stand.
async fn refuse(
    tx: &mut Tx,
    device: &DeviceId,
    reason: String,
    at: Timestamp,
) -> Result<(Refusal, Wake), ServiceError> {
    tell_device(tx, device, Some(reason.clone()), at).await?;
    Ok((Some(reason), Wake::devices(vec![device.clone()])))
}

/// Tells a device who is signed in on it, and why somebody is not.
async fn tell_device(
    tx: &mut Tx,
    device: &DeviceId,
    refused: Option<String>,
    now: Timestamp,
) -> Result<(), ServiceError> {
    let duty = tx.duty_of_device(device).await?;
    let state = duty.as_ref().map_or(DutyState::Off, |duty| duty.state);
    let driver = match duty {
        Some(duty) => tx.driver(&duty.driver).await?.map(|driver| (driver.id, driver.name)),
        None => None,
    };
    let body = CommandBody::OnDuty(OnDuty { driver, duty: state.into(), refused });
    send_command(tx, device, body, None, now).await?;
    Ok(())
}

/// Notes that a driver took in an order's fare in cash at `at`, once an order: in the shift in which they were
/// then or, if they were in none, in one that begins with it. `false` if it was noted before.
pub async fn note_cash(
    tx: &mut Tx,
    (driver, device): (&DriverId, &DeviceId),
    (order, amount): (OrderId, Paise),
    at: Timestamp,
) -> Result<bool, ServiceError> {
    let shift = match tx.shift_at(driver, at).await? {
        Some(shift) => shift,
        None => match tx.open_shift(driver).await? {
            Some(shift) => shift,
            None => begin_shift(tx, driver, device, at).await?,
        },
    };
    let cash = Cash {
        id: chance::uuid()?,
        shift: shift.id,
        kind: CashKind::Collected,
        order: Some(order),
        amount,
        at,
        note: String::new(),
    };
    Ok(tx.add_cash(&cash).await?)
}
