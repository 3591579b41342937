//! What has come for one instant, and the observation it makes.

use tripline_protocol::fix::FixType;
use tripline_protocol::unit::Position;

use super::cycle::Heard;
use crate::calendar::{Date, TimeOfDay};
use crate::nmea::{Accuracy, Gga, Gll, Gns, Gsa, Rmc, Sentence, Verdict, Vtg, Zda};
use crate::observation::Observation;

/// The sentences of one instant, one of each kind. The order they came in does not matter.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    pub(super) time: TimeOfDay,
    /// Whether its observation has left.
    pub(super) emitted: bool,
    pub(super) heard: Heard,
    rmc: Option<Rmc>,
    gga: Option<Gga>,
    gns: Option<Gns>,
    gll: Option<Gll>,
    gsa: Option<Gsa>,
    vtg: Option<Vtg>,
    zda: Option<Zda>,
    gst: Option<Accuracy>,
    gbs: Option<Accuracy>,
}

impl Gather {
    pub(super) fn new(time: TimeOfDay) -> Self {
        Self {
            time,
            emitted: false,
            heard: Heard::default(),
            rmc: None,
            gga: None,
            gns: None,
            gll: None,
            gsa: None,
            vtg: None,
            zda: None,
            gst: None,
            gbs: None,
        }
    }

    /// Takes in a sentence. Of several of one kind the first counts, unless a later one has a fix
    /// that it has not: receivers that report each constellation by itself may have one in few.
    pub(super) fn take(&mut self, sentence: &Sentence) {
        match sentence {
            Sentence::Rmc(rmc) => keep(&mut self.rmc, rmc, |rmc| has_fix(rmc.verdict)),
            Sentence::Gga(gga) => keep(&mut self.gga, gga, |gga| has_fix(gga.verdict)),
            Sentence::Gns(gns) => keep(&mut self.gns, gns, |gns| has_fix(gns.verdict)),
            Sentence::Gll(gll) => keep(&mut self.gll, gll, |gll| has_fix(gll.verdict)),
            Sentence::Gsa(gsa) => keep(&mut self.gsa, gsa, |gsa| gsa.dimensions > Some(1)),
            Sentence::Vtg(vtg) => keep(&mut self.vtg, vtg, |vtg| vtg.speed_mmps.is_some()),
            Sentence::Zda(zda) => keep(&mut self.zda, zda, |zda| zda.date.is_some()),
            Sentence::Gst(gst) => keep(&mut self.gst, gst, |gst| gst.horizontal_mm.is_some()),
            Sentence::Gbs(gbs) => keep(&mut self.gbs, gbs, |gbs| gbs.horizontal_mm.is_some()),
            Sentence::Gsv(_) => {}
        }
    }

    /// The date its sentences give, which holds only where they give a position too.
    pub(super) fn date(&self) -> Option<Date> {
        self.rmc.and_then(|rmc| rmc.date).or_else(|| self.zda?.date)
    }

    /// The observation, without its date; `None` where there is no position or any sentence denies
    /// it: a receiver that lost its fix says so in one of them first.
    pub(super) fn observation(&self) -> Option<Observation> {
        let (rmc, gga, gns) = (self.rmc.as_ref(), self.gga.as_ref(), self.gns.as_ref());
        let position = self.position()?;
        Some(Observation {
            at: None,
            time_of_day: Some(self.time),
            position,
            speed_mmps: rmc.and_then(|rmc| rmc.speed_mmps).or_else(|| self.vtg?.speed_mmps),
            course_cdeg: rmc.and_then(|rmc| rmc.course_cdeg).or_else(|| self.vtg?.course_cdeg),
            altitude_mm: gga.and_then(|gga| gga.altitude_mm).or_else(|| gns?.altitude_mm),
            satellites: gga.and_then(|gga| gga.satellites).or_else(|| gns?.satellites),
            hdop_c: gga
                .and_then(|gga| gga.hdop_c)
                .or_else(|| gns?.hdop_c)
                .or_else(|| self.gsa?.hdop_c),
            accuracy_mm: self
                .gst
                .and_then(|gst| gst.horizontal_mm)
                .or_else(|| self.gbs?.horizontal_mm),
            fix_type: self.fix_type(),
        })
    }

    fn position(&self) -> Option<Position> {
        let denied = self.verdicts().contains(&Some(Verdict::NoFix));
        if denied || self.dimensions() == Some(1) {
            return None;
        }
        let of_rmc = self.rmc.and_then(|rmc| rmc.position);
        of_rmc
            .or_else(|| self.gga?.position)
            .or_else(|| self.gns?.position)
            .or_else(|| self.gll?.position)
    }

    /// Dead reckoning wherever one sentence says so; else by the sentence that tells it best.
    fn fix_type(&self) -> FixType {
        let fixes = self.verdicts().map(|verdict| match verdict {
            Some(Verdict::Fix(fix_type)) => Some(fix_type),
            Some(Verdict::Silent | Verdict::NoFix) | None => None,
        });
        if fixes.contains(&Some(FixType::Estimated)) {
            return FixType::Estimated;
        }
        match fixes.into_iter().flatten().next() {
            Some(FixType::ThreeD) | None if self.dimensions() == Some(2) => FixType::TwoD,
            fix_type => fix_type.unwrap_or(FixType::ThreeD),
        }
    }

    /// The one that tells the fix type best first.
    fn verdicts(&self) -> [Option<Verdict>; 4] {
        [
            self.gga.map(|gga| gga.verdict),
            self.gns.map(|gns| gns.verdict),
            self.rmc.map(|rmc| rmc.verdict),
            self.gll.map(|gll| gll.verdict),
        ]
    }

    fn dimensions(&self) -> Option<u8> {
        self.gsa?.dimensions
    }
}

fn has_fix(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fix(_))
}

fn keep<T: Copy>(kept: &mut Option<T>, new: &T, is_better: impl Fn(&T) -> bool) {
    if kept.as_ref().is_none_or(|kept| !is_better(kept) && is_better(new)) {
        *kept = Some(*new);
    }
}
