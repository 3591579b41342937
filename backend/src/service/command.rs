//! What devices report of the commands they were sent.

use tripline_protocol::id::{CommandNumber, DeviceId};
use tripline_protocol::link::down::{Command, CommandBody};
use tripline_protocol::link::envelope::decode;
use tripline_protocol::link::up::{Answer, CommandOutcome, Event};
use tripline_protocol::unit::Timestamp;

use super::device::Refusal;
use super::effects::Wake;
use super::{Platform, ServiceError};
use crate::domain::ride::{Handled, Report};
use crate::store::Tx;

/// An order's part in what became of a command.
type Done = Result<(Refusal, Wake), ServiceError>;

impl Platform {
    /// A device took a command in. What it carried says what that means; the first report counts.
    pub(super) async fn handle_command_done(
        &self,
        tx: &mut Tx,
        device: &DeviceId,
        (number, outcome): (CommandNumber, CommandOutcome),
        event: &Event,
        at: Timestamp,
    ) -> Done {
        let nothing = Ok((None, Wake::default()));
        let Some(payload) = tx.finish_down_message(device, number, outcome).await? else {
            return nothing;
        };
        let Ok(Command { body, .. }) = decode(&payload) else { return nothing };
        let trip = match &body {
            CommandBody::Offer(assignment) => assignment.trip,
            CommandBody::Change(change) => change.trip,
            CommandBody::CancelTrip { trip, .. }
            | CommandBody::Drive { trip, .. }
            | CommandBody::UnlockOtp { trip } => *trip,
            CommandBody::Withdraw { .. }
            | CommandBody::Rider(_)
            | CommandBody::Configure(_)
            | CommandBody::OnDuty(_) => return nothing,
        };
        let Some(mut stored) = self.own_trip(tx, device, trip).await? else { return nothing };
        let (order, rules) = (&mut stored.order, self.settings.ride);
        let report = Report { offline: false, ..self.report(tx, device, event, at).await? };
        let applied = outcome == CommandOutcome::Applied;
        let handled = match body {
            CommandBody::Offer(assignment) if !applied => {
                order.handle_undelivered(assignment.id, at).into()
            }
            CommandBody::Offer(assignment) if assignment.auto_accept => {
                order.handle_answer(assignment.id, &Answer::Accept, &rules, report.happened(), at)
            }
            CommandBody::CancelTrip { .. } => {
                order.handle_cancel_done(trip, outcome, &report, &rules)
            }
            CommandBody::Drive { verb, .. } => {
                order.handle_drive_done(trip, (number, verb), outcome, &report, &rules)
            }
            CommandBody::UnlockOtp { .. } if applied => {
                order.handle_unlocked(trip, &report);
                Handled::default()
            }
            CommandBody::Change(change) => {
                order.handle_change_done(&change, outcome, &report);
                Handled::default()
            }
            CommandBody::UnlockOtp { .. }
            | CommandBody::Offer(_)
            | CommandBody::Withdraw { .. }
            | CommandBody::Rider(_)
            | CommandBody::Configure(_)
            | CommandBody::OnDuty(_) => return nothing,
        };
        self.store_handled(tx, stored, handled, at).await
    }
}
