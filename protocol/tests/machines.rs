//! Every state with every event of the three machines, held by snapshots.

use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::machine::{Machine, matrix};
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::TripState;

#[test]
fn the_order_answers_every_event_in_every_state_as_recorded() {
    insta::assert_snapshot!(matrix::<OrderState>());
}

#[test]
fn the_assignment_answers_every_event_in_every_state_as_recorded() {
    insta::assert_snapshot!(matrix::<AssignmentState>());
}

#[test]
fn the_trip_answers_every_event_in_every_state_as_recorded() {
    insta::assert_snapshot!(matrix::<TripState>());
}

fn is_sound<M: Machine>() {
    for (index, row) in M::TABLE.iter().enumerate() {
        assert!(
            !M::TABLE[..index]
                .iter()
                .any(|other| other.from == row.from && other.event == row.event),
            "{} has two rows for {} + {}",
            M::NAME,
            row.from,
            row.event
        );
    }
    let mut reached = vec![M::INITIAL];
    while let Some(row) =
        M::TABLE.iter().find(|row| reached.contains(&row.from) && !reached.contains(&row.to))
    {
        reached.push(row.to);
    }
    for state in M::STATES {
        assert!(reached.contains(state), "{} never reaches {state}", M::NAME);
    }
    assert!(M::STATES.iter().any(|state| state.is_terminal()), "{} never ends", M::NAME);
}

#[test]
fn every_table_has_one_row_a_step_and_reaches_every_state() {
    is_sound::<OrderState>();
    is_sound::<AssignmentState>();
    is_sound::<TripState>();
}

#[test]
fn a_refusal_says_what_was_asked_and_where_the_machine_stands() {
    use tripline_protocol::trip::TripEvent;
    let refused = TripState::EnRouteToPickup.next(TripEvent::Start).expect_err("not at pickup");
    assert_eq!(refused.to_string(), "start is not possible: the trip is en-route-to-pickup");
}
