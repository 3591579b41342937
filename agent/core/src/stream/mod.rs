//! A receiver's byte stream, whatever it mixes: NMEA, UBX, and bytes that are neither.
//!
//! UBX frames are cut out first, so that no payload is mistaken for a sentence; the NMEA framer gets
//! the rest. Where both speak of one instant, one [`Observation`] comes out.

mod merge;

use tripline_protocol::unit::Timestamp;

use crate::epoch::{Assembler, Sky};
use crate::nmea::{self, Tally};
use crate::observation::Observation;
use crate::ubx::{self, Ack, Dop, Identity, Message, Piece};
use merge::Merge;

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A position.
    Observation(Observation),
    /// What the receiver is.
    Identity(Identity),
    /// Whether the receiver took a command.
    Ack(Ack),
}

/// What was understood since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sentences with a valid checksum.
    pub sentences: u64,
    /// UBX frames with a valid checksum.
    pub frames: u64,
    /// NAV-PVT among them.
    pub pvts: u64,
    /// Positions handed on.
    pub observations: u64,
}

impl Counts {
    /// Sentences and frames: proof that the line speaks at this rate.
    pub const fn valid(&self) -> u64 {
        self.sentences + self.frames
    }
}

/// What was wrong since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// With sentences. Bytes of damaged frames count as stray here.
    pub nmea: nmea::Faults,
    /// With UBX frames.
    pub ubx: ubx::Faults,
}

impl Faults {
    /// Sentences and frames lost, whatever the reason.
    pub const fn lost(&self) -> u64 {
        self.nmea.sentences() + self.ubx.frames()
    }
}

/// The decoder. Feed it bytes as they come; it calls back with what they say.
#[derive(Debug)]
pub struct Decoder {
    frames: ubx::Framer,
    reader: Reader,
}

/// All behind the first cut.
#[derive(Debug)]
struct Reader {
    floor: Timestamp,
    sentences: nmea::Reader,
    assembler: Assembler,
    dop: Option<Dop>,
    merge: Merge,
    counts: Counts,
    unreadable: u64,
}

impl Decoder {
    /// A decoder that takes dates before `floor` for what week rollover made of later ones.
    pub fn new(floor: Timestamp) -> Self {
        let reader = Reader {
            floor,
            sentences: nmea::Reader::default(),
            assembler: Assembler::new(floor),
            dop: None,
            merge: Merge::default(),
            counts: Counts::default(),
            unreadable: 0,
        };
        Self { frames: ubx::Framer::default(), reader }
    }

    /// What was understood so far.
    pub const fn counts(&self) -> Counts {
        Counts { sentences: self.reader.sentences.sentences(), ..self.reader.counts }
    }

    /// What became of the sentences whose checksum held.
    pub const fn tally(&self) -> &Tally {
        self.reader.sentences.tally()
    }

    /// What the receiver's sentences say of the sky.
    pub const fn sky(&self) -> &Sky {
        self.reader.assembler.sky()
    }

    /// What was wrong so far.
    pub const fn faults(&self) -> Faults {
        let mut ubx = *self.frames.faults();
        ubx.unreadable = self.reader.unreadable;
        Faults { nmea: *self.reader.sentences.faults(), ubx }
    }

    /// Takes in bytes and hands on what they complete.
    pub fn push(&mut self, bytes: &[u8], mut on_heard: impl FnMut(Heard)) {
        self.frames.push(bytes, |piece| self.reader.take(piece, &mut on_heard));
    }

    /// The line has fallen silent: what waits for its rest or its like waits no longer.
    pub fn idle(&mut self, mut on_heard: impl FnMut(Heard)) {
        self.frames.give_up(|piece| self.reader.take(piece, &mut on_heard));
        self.reader.idle(&mut on_heard);
    }

    /// The stream is at its end: hands on what was held back.
    pub fn finish(&mut self, mut on_heard: impl FnMut(Heard)) {
        self.idle(&mut on_heard);
    }
}

impl Reader {
    fn take(&mut self, piece: Piece<'_>, on_heard: &mut impl FnMut(Heard)) {
        match piece {
            Piece::Other(bytes) => self.take_text(bytes, on_heard),
            Piece::Frame { id, payload } => self.take_frame(id, payload, on_heard),
        }
    }

    fn take_text(&mut self, bytes: &[u8], on_heard: &mut impl FnMut(Heard)) {
        let Self { assembler, merge, counts, .. } = self;
        self.sentences.push(bytes, |sentence| {
            assembler.push(sentence, |observation| {
                merge.take_nmea(observation, |one| counts.tell(one, on_heard));
            });
        });
    }

    /// Ends the sentences of an instant, though others might have come: NAV-PVT comes before the first
    /// of them or after the last.
    fn settle_sentences(&mut self, on_heard: &mut impl FnMut(Heard)) {
        let Self { assembler, merge, counts, .. } = self;
        if let Some(observation) = assembler.idle() {
            merge.take_nmea(observation, |one| counts.tell(one, on_heard));
        }
    }

    fn idle(&mut self, on_heard: &mut impl FnMut(Heard)) {
        self.settle_sentences(on_heard);
        let counts = &mut self.counts;
        self.merge.flush(|one| counts.tell(one, on_heard));
    }

    fn take_frame(&mut self, id: (u8, u8), payload: &[u8], on_heard: &mut impl FnMut(Heard)) {
        self.counts.frames += 1;
        match Message::parse(id, payload, self.floor) {
            None => {}
            Some(Err(())) => self.unreadable += 1,
            Some(Ok(Message::Dop(dop))) => self.dop = Some(dop),
            Some(Ok(Message::Identity(identity))) => on_heard(Heard::Identity(identity)),
            Some(Ok(Message::Ack(ack))) => on_heard(Heard::Ack(ack)),
            Some(Ok(Message::Pvt(mut pvt))) => {
                self.counts.pvts += 1;
                let dop = self.dop.take().filter(|dop| dop.itow_ms == pvt.itow_ms);
                if let Some(observation) = &mut pvt.observation {
                    observation.hdop_c = dop.map(|dop| dop.hdop_c);
                }
                self.settle_sentences(on_heard);
                let counts = &mut self.counts;
                self.merge.take_pvt(&pvt, |one| counts.tell(one, on_heard));
            }
        }
    }
}

impl Counts {
    fn tell(&mut self, observation: Observation, on_heard: &mut impl FnMut(Heard)) {
        self.observations += 1;
        on_heard(Heard::Observation(observation));
    }
}
