//! The lanes against a model of a lossy link and a backend that commits.

use std::collections::VecDeque;

use proptest::prelude::*;
use tripline_agent_core::lanes::{Lanes, REWIND_AFTER_MS};
use tripline_protocol::id::Sequence;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Uptime;

#[test]
fn events_go_before_the_trail_and_windows_are_kept() {
    let mut lanes = Lanes::new((Sequence(100), Sequence(0)), (Sequence(300), Sequence(120)));
    assert_eq!(lanes.poll_send(), None, "not connected");
    lanes.handle_connected(Uptime::default());
    let mut order = Vec::new();
    while let Some(send) = lanes.poll_send() {
        order.push((send.stream, send.after.0, send.records_max));
        lanes.handle_sent(send.stream, send.after.plus(send.records_max), Uptime::default());
    }
    let event = |after| (Stream::Event, after, 16);
    let trail = |after| (Stream::Trail, after, 60);
    assert_eq!(order, [event(0), event(16), event(32), event(48), trail(120), trail(180)]);
    assert_eq!(lanes.backlog(), (100, 180));
    lanes.handle_commit_ack(Stream::Event, Sequence(16), Uptime::default());
    assert_eq!(lanes.poll_send().map(|send| send.after), Some(Sequence(64)));
}

#[test]
fn without_progress_a_lane_rewinds_to_the_last_commit_ack() {
    let mut lanes = Lanes::new((Sequence(5), Sequence(0)), (Sequence(0), Sequence(0)));
    lanes.handle_connected(Uptime::default());
    lanes.handle_sent(Stream::Event, Sequence(5), Uptime::from_ms(100));
    assert_eq!((lanes.poll_send(), lanes.poll_timeout()), (None, Some(Uptime::from_ms(10_100))));
    lanes.handle_timeout(Uptime::from_ms(100 + REWIND_AFTER_MS));
    assert_eq!(lanes.poll_send().map(|send| send.after), Some(Sequence(0)));
}

#[test]
fn a_backend_that_knows_more_than_the_journal_remembers_moves_the_lane_on() {
    let mut lanes = Lanes::new((Sequence(5), Sequence(0)), (Sequence(0), Sequence(0)));
    lanes.handle_connected(Uptime::default());
    lanes.handle_commit_ack(Stream::Event, Sequence(4), Uptime::default());
    assert_eq!(lanes.poll_send().map(|send| (send.after.0, send.records_max)), Some((4, 1)));
    lanes.handle_commit_ack(Stream::Event, Sequence(99), Uptime::default());
    assert_eq!(lanes.backlog().0, 1, "a cursor beyond the journal is not of this journal");
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Write(u64),
    Send,
    Arrive,
    Lose,
    Ack,
    LoseAck,
    Reconnect,
    Pass(u64),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        3 => (1_u64..40).prop_map(Happening::Write),
        6 => Just(Happening::Send),
        6 => Just(Happening::Arrive),
        1 => Just(Happening::Lose),
        5 => Just(Happening::Ack),
        1 => Just(Happening::LoseAck),
        1 => Just(Happening::Reconnect),
        2 => (1_u64..15_000).prop_map(Happening::Pass),
    ];
    proptest::collection::vec(one, 1..200)
}

proptest! {
    /// Whatever the link loses, the backend commits every record once, in order, and at the end all.
    #[test]
    fn everything_written_is_committed_once_and_in_order(happenings in happenings()) {
        let zero = (Sequence::ZERO, Sequence::ZERO);
        let mut lanes = Lanes::new(zero, zero);
        let (mut written, mut committed, mut now) = (0_u64, 0_u64, Uptime::default());
        let mut wire: VecDeque<(u64, u64)> = VecDeque::new();
        let mut acks: VecDeque<u64> = VecDeque::new();
        lanes.handle_connected(now);
        let settle = (0..400).flat_map(|_| {
            [Happening::Send, Happening::Arrive, Happening::Ack, Happening::Pass(REWIND_AFTER_MS)]
        });
        for happening in happenings.into_iter().chain(settle) {
            match happening {
                Happening::Write(count) => {
                    written += count;
                    lanes.handle_synced(Stream::Trail, Sequence(written));
                }
                Happening::Send => {
                    if let Some(send) = lanes.poll_send() {
                        let last = send.after.plus(send.records_max);
                        prop_assert!(last.0 <= written, "only what is synced leaves");
                        wire.push_back((send.after.0, last.0));
                        lanes.handle_sent(send.stream, last, now);
                    }
                }
                Happening::Arrive => {
                    if let Some((after, last)) = wire.pop_front() && after <= committed {
                        committed = committed.max(last);
                        acks.push_back(committed);
                    }
                }
                Happening::Lose => drop(wire.pop_front()),
                Happening::Ack => {
                    if let Some(through) = acks.pop_front() {
                        lanes.handle_commit_ack(Stream::Trail, Sequence(through), now);
                    }
                }
                Happening::LoseAck => drop(acks.pop_front()),
                Happening::Reconnect => {
                    wire.clear();
                    acks.clear();
                    lanes.handle_disconnected();
                    prop_assert_eq!(lanes.poll_send(), None);
                    lanes.handle_connected(now);
                }
                Happening::Pass(ms) => {
                    now = now.plus_ms(ms);
                    lanes.handle_timeout(now);
                }
            }
            prop_assert!(wire.len() <= 200);
        }
        prop_assert_eq!(committed, written, "everything arrives in the end");
        prop_assert_eq!(lanes.backlog(), (0, 0));
    }
}
