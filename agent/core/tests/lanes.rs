//! The lanes against a model of a lossy link and a backend that commits.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use tripline_agent_core::lanes::{Heard, Lanes, REWIND_AFTER_MS, Span};
use tripline_protocol::id::{JournalEpoch, Sequence};
use tripline_protocol::link::down::CommitAck;
use tripline_protocol::link::up::Stream;
use tripline_protocol::unit::Uptime;

const PAUSE_MS: u64 = 500;
const NOW: Uptime = Uptime::from_ms(0);

fn span(epoch: u64, written: u64, committed: u64) -> Span {
    Span { epoch: JournalEpoch(epoch), written: Sequence(written), committed: Sequence(committed) }
}

fn ack(epoch: u64, stream: Stream, through: u64) -> CommitAck {
    CommitAck { epoch: JournalEpoch(epoch), stream, through: Sequence(through) }
}

/// The last sequence a batch of fixes without gaps reaches to.
fn last(send: tripline_agent_core::lanes::Send) -> Sequence {
    send.after.plus(send.entries_max).min(send.through)
}

#[test]
fn events_go_before_the_trail_and_windows_are_kept() {
    let mut lanes = Lanes::new(vec![span(1, 100, 0)], vec![span(1, 300, 120)], PAUSE_MS);
    assert_eq!(lanes.poll_send(NOW), None, "not connected");
    lanes.handle_connected(NOW);
    let mut order = Vec::new();
    while let Some(send) = lanes.poll_send(NOW) {
        order.push((send.stream, send.after.0, last(send).0));
        lanes.handle_sent(send.stream, last(send), NOW);
    }
    let event = |after| (Stream::Event, after, after + 16);
    let trail = |after| (Stream::Trail, after, after + 60);
    assert_eq!(order, [event(0), event(16), event(32), event(48), trail(120), trail(180)]);
    assert_eq!(lanes.backlog(), (100, 180));
    let heard = lanes.handle_commit_ack(ack(1, Stream::Event, 16), NOW);
    assert_eq!(heard, Heard::Moved(Sequence(16)));
    assert_eq!(lanes.poll_send(NOW).map(|send| send.after), Some(Sequence(64)));
}

#[test]
fn without_progress_a_lane_rewinds_to_the_last_commit_ack() {
    let mut lanes = Lanes::new(vec![span(1, 5, 0)], vec![span(1, 0, 0)], PAUSE_MS);
    lanes.handle_connected(NOW);
    lanes.handle_sent(Stream::Event, Sequence(5), Uptime::from_ms(100));
    assert_eq!(lanes.poll_send(NOW), None);
    assert_eq!(lanes.poll_timeout(NOW), Some(Uptime::from_ms(10_100)));
    lanes.handle_timeout(Uptime::from_ms(100 + REWIND_AFTER_MS));
    assert_eq!(lanes.poll_send(NOW).map(|send| send.after), Some(Sequence(0)));
}

#[test]
fn an_older_epoch_is_committed_before_the_next_begins() {
    let spans = vec![span(7, 10, 10), span(8, 20, 4), span(9, 3, 0)];
    let mut lanes = Lanes::new(spans, vec![span(9, 0, 0)], PAUSE_MS);
    lanes.handle_connected(NOW);
    let send = lanes.poll_send(NOW).expect("the second has something left");
    assert_eq!(
        (send.epoch, send.after, send.through),
        (JournalEpoch(8), Sequence(4), Sequence(20))
    );
    lanes.handle_sent(Stream::Event, Sequence(20), NOW);
    assert_eq!(lanes.poll_send(NOW), None, "the third waits for the CommitAck of the second");
    lanes.handle_commit_ack(ack(8, Stream::Event, 19), NOW);
    assert_eq!(lanes.poll_send(NOW), None, "for all of it");
    lanes.handle_commit_ack(ack(8, Stream::Event, 20), NOW);
    let send = lanes.poll_send(NOW).expect("the third");
    assert_eq!((send.epoch, send.after), (JournalEpoch(9), Sequence(0)));
    assert_eq!(lanes.handle_commit_ack(ack(8, Stream::Event, 20), NOW), Heard::Known);
}

#[test]
fn a_commit_ack_beyond_an_old_epoch_completes_it_and_beyond_the_running_one_is_ignored() {
    let mut lanes = Lanes::new(vec![span(1, 5, 0), span(2, 5, 0)], vec![span(2, 0, 0)], PAUSE_MS);
    lanes.handle_connected(NOW);
    let heard = lanes.handle_commit_ack(ack(1, Stream::Event, 9), NOW);
    assert_eq!(heard, Heard::Moved(Sequence(5)), "its tail was lost with the disk's");
    assert_eq!(lanes.handle_commit_ack(ack(2, Stream::Event, 6), NOW), Heard::Beyond);
    assert_eq!(lanes.handle_commit_ack(ack(3, Stream::Event, 1), NOW), Heard::Known);
    assert_eq!(lanes.backlog().0, 5);
}

#[test]
fn on_a_trip_the_trail_is_paced_and_events_are_not() {
    let mut lanes = Lanes::new(vec![span(1, 1, 0)], vec![span(1, 600, 0)], PAUSE_MS);
    lanes.set_busy(true);
    lanes.handle_connected(NOW);
    let streams = |lanes: &mut Lanes, now| {
        let mut streams = Vec::new();
        while let Some(send) = lanes.poll_send(now) {
            streams.push(send.stream);
            lanes.handle_sent(send.stream, last(send), now);
        }
        streams
    };
    assert_eq!(streams(&mut lanes, NOW), [Stream::Event, Stream::Trail]);
    assert_eq!(lanes.poll_timeout(NOW), Some(Uptime::from_ms(PAUSE_MS)));
    lanes.handle_written(Stream::Event, Sequence(2));
    assert_eq!(streams(&mut lanes, Uptime::from_ms(PAUSE_MS - 1)), [Stream::Event]);
    assert_eq!(streams(&mut lanes, Uptime::from_ms(PAUSE_MS)), [Stream::Trail]);
    lanes.set_busy(false);
    lanes.handle_commit_ack(ack(1, Stream::Trail, 120), Uptime::from_ms(PAUSE_MS));
    assert_eq!(streams(&mut lanes, Uptime::from_ms(PAUSE_MS)), [Stream::Trail, Stream::Trail]);
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
    Restart,
    Busy(bool),
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
        1 => Just(Happening::Restart),
        1 => any::<bool>().prop_map(Happening::Busy),
        2 => (1_u64..15_000).prop_map(Happening::Pass),
    ];
    proptest::collection::vec(one, 1..200)
}

/// The backend: a cursor for each epoch, and the order in which epochs were heard of.
#[derive(Default)]
struct Backend {
    cursors: BTreeMap<u64, u64>,
    heard: Vec<u64>,
}

impl Backend {
    fn take(&mut self, epoch: u64, after: u64, last: u64) -> Option<u64> {
        let cursor = self.cursors.entry(epoch).or_default();
        if after > *cursor {
            return None;
        }
        *cursor = last.max(*cursor);
        if self.heard.last() != Some(&epoch) {
            self.heard.push(epoch);
        }
        Some(*cursor)
    }
}

proptest! {
    /// Whatever the link loses and however often the agent starts, the backend commits every record
    /// once, each epoch before the next, and at the end all.
    #[test]
    fn everything_written_is_committed_once_and_in_order(happenings in happenings()) {
        // What the journal has of each epoch: written, and committed as far as the agent knows.
        let mut journal: Vec<(u64, u64)> = vec![(0, 0)];
        let spans = |journal: &[(u64, u64)]| {
            let spans = journal.iter().zip(0..);
            spans.map(|((written, committed), epoch)| span(epoch, *written, *committed)).collect()
        };
        let running = |journal: &[(u64, u64)]| journal.len() as u64 - 1;
        let lanes_of = |journal: &[(u64, u64)]| {
            Lanes::new(vec![span(running(journal), 0, 0)], spans(journal), PAUSE_MS)
        };
        let mut lanes = lanes_of(&journal);
        let (mut backend, mut now) = (Backend::default(), Uptime::default());
        let mut wire: VecDeque<(u64, u64, u64)> = VecDeque::new();
        let mut acks: VecDeque<(u64, u64)> = VecDeque::new();
        lanes.handle_connected(now);
        let settle = (0..600).flat_map(|_| {
            [Happening::Send, Happening::Arrive, Happening::Ack, Happening::Pass(REWIND_AFTER_MS)]
        });
        for happening in happenings.into_iter().chain(settle) {
            match happening {
                Happening::Write(count) => {
                    let last = journal.last_mut().expect("an epoch");
                    last.0 += count;
                    lanes.handle_written(Stream::Trail, Sequence(last.0));
                }
                Happening::Send => {
                    if let Some(send) = lanes.poll_send(now) {
                        let last = last(send);
                        let epoch = usize::try_from(send.epoch.0).expect("small");
                        prop_assert!(last.0 <= journal[epoch].0, "only what may be sent leaves");
                        prop_assert!(journal[..epoch].iter().all(|(w, c)| w == c), "oldest first");
                        wire.push_back((send.epoch.0, send.after.0, last.0));
                        lanes.handle_sent(send.stream, last, now);
                    }
                }
                Happening::Arrive => {
                    if let Some((epoch, after, last)) = wire.pop_front() {
                        acks.extend(backend.take(epoch, after, last).map(|cursor| (epoch, cursor)));
                    }
                }
                Happening::Lose => drop(wire.pop_front()),
                Happening::Ack => {
                    if let Some((epoch, through)) = acks.pop_front() {
                        let heard = lanes.handle_commit_ack(ack(epoch, Stream::Trail, through), now);
                        prop_assert_ne!(heard, Heard::Beyond);
                        if let Heard::Moved(through) = heard {
                            journal[usize::try_from(epoch).expect("small")].1 = through.0;
                        }
                    }
                }
                Happening::LoseAck => drop(acks.pop_front()),
                Happening::Reconnect => {
                    wire.clear();
                    acks.clear();
                    lanes.handle_disconnected();
                    prop_assert_eq!(lanes.poll_send(now), None);
                    lanes.handle_connected(now);
                }
                Happening::Restart => {
                    wire.clear();
                    acks.clear();
                    journal.push((0, 0));
                    now = Uptime::default();
                    lanes = lanes_of(&journal);
                    lanes.handle_connected(now);
                }
                Happening::Busy(busy) => lanes.set_busy(busy),
                Happening::Pass(ms) => {
                    now = now.plus_ms(ms);
                    lanes.handle_timeout(now);
                }
            }
        }
        for ((written, committed), epoch) in journal.iter().zip(0_u64..) {
            let cursor = backend.cursors.get(&epoch).copied().unwrap_or_default();
            prop_assert_eq!((cursor, *committed), (*written, *written), "epoch {}", epoch);
        }
        prop_assert!(backend.heard.is_sorted(), "epochs came mixed: {:?}", backend.heard);
        prop_assert_eq!(lanes.backlog(), (0, 0));
    }
}
