//! The fields of each sentence, in the order of NMEA 0183.

use tripline_protocol::fix::FixType;

use super::field::{Fields, Mode, mode};
use super::sentence::{
    Accuracy, Gga, Gll, Gns, Gsa, Gsv, Rmc, Sentence, Signal, Unread, Verdict, Vtg, Zda,
};

/// Satellites a GSA lists.
const GSA_SATELLITES: usize = 12;

pub(super) fn sentence(inside: &[u8]) -> Result<(Sentence, bool), Unread> {
    // Talkers that begin with P are a maker's own: Garmin's `PGRMC` is no RMC.
    let &[t0, t1, a, b, c, b',', ref fields @ ..] = inside else { return Err(Unread::Unknown) };
    if t0 == b'P' {
        return Err(Unread::Unknown);
    }
    let mut f = Fields::new(fields);
    let sentence = match &[a, b, c] {
        b"GSV" => Sentence::Gsv(gsv([t0, t1], &mut f).ok_or(Unread::Nonsense)?),
        b"GSA" => Sentence::Gsa(gsa(&mut f)),
        b"RMC" => Sentence::Rmc(rmc(&mut f)),
        b"GGA" => Sentence::Gga(gga(&mut f)),
        b"GLL" => Sentence::Gll(gll(&mut f)),
        b"VTG" => Sentence::Vtg(vtg(&mut f)),
        b"GNS" => Sentence::Gns(gns(&mut f)),
        b"ZDA" => Sentence::Zda(zda(&mut f)),
        b"GST" => Sentence::Gst(gst(&mut f)),
        b"GBS" => Sentence::Gbs(gbs(&mut f)),
        _ => return Err(Unread::Unknown),
    };
    if f.no_time() {
        return Err(Unread::Nonsense);
    }
    Ok((sentence, f.nonsense()))
}

fn rmc(f: &mut Fields<'_>) -> Rmc {
    let time = f.time();
    let status = f.text();
    let position = if status == b"A" { f.position() } else { skip_position(f) };
    let (speed_mmps, course_cdeg) = (f.knots(), f.course());
    let date = f.short_date();
    f.skip(2); // magnetic variation
    let verdict = status_verdict(status, f.mode());
    Rmc {
        time,
        date,
        verdict,
        position: position.filter(|_| matches!(verdict, Verdict::Fix(_))),
        speed_mmps,
        course_cdeg,
    }
}

fn gga(f: &mut Fields<'_>) -> Gga {
    let time = f.time();
    let position = f.position();
    let verdict = match f.text() {
        b"" => Verdict::Silent,
        b"1" | b"3" => Verdict::Fix(FixType::ThreeD),
        b"2" => Verdict::Fix(FixType::Differential),
        b"4" => Verdict::Fix(FixType::RtkFixed),
        b"5" => Verdict::Fix(FixType::RtkFloat),
        b"6" | b"7" | b"8" => Verdict::Fix(FixType::Estimated),
        b"0" => Verdict::NoFix,
        _ => {
            f.mark_nonsense();
            Verdict::NoFix
        }
    };
    Gga {
        time,
        verdict,
        position: position.filter(|_| matches!(verdict, Verdict::Fix(_))),
        satellites: f.small(),
        hdop_c: f.dilution(),
        altitude_mm: f.metres(),
    }
}

fn gns(f: &mut Fields<'_>) -> Gns {
    let time = f.time();
    let position = f.position();
    let verdict = match f.text().iter().map(|letter| mode(*letter)).max() {
        None => Verdict::Silent,
        Some(Mode::NoFix) => Verdict::NoFix,
        Some(Mode::Fix(fix_type)) => Verdict::Fix(fix_type),
    };
    Gns {
        time,
        verdict,
        position: position.filter(|_| matches!(verdict, Verdict::Fix(_))),
        satellites: f.small(),
        hdop_c: f.dilution(),
        altitude_mm: f.metres(),
    }
}

fn gll(f: &mut Fields<'_>) -> Gll {
    let position = f.position();
    let time = f.time();
    let status = f.text();
    let verdict = status_verdict(status, f.mode());
    Gll { time, verdict, position: position.filter(|_| matches!(verdict, Verdict::Fix(_))) }
}

fn gsa(f: &mut Fields<'_>) -> Gsa {
    f.skip(1);
    let dimensions = f.small();
    if dimensions.is_some_and(|dimensions| !(1..=3).contains(&dimensions)) {
        f.mark_nonsense();
    }
    f.skip(GSA_SATELLITES + 1); // and PDOP
    Gsa { dimensions: dimensions.filter(|d| (1..=3).contains(d)), hdop_c: f.dilution() }
}

fn gsv(talker: [u8; 2], f: &mut Fields<'_>) -> Option<Gsv> {
    f.skip(1);
    let (number, in_view) = (f.small()?, f.small()?);
    let mut signal = Signal { talker, id: 0 };
    let mut cn0_max = None;
    // Satellite, elevation, azimuth, C/N0; a field alone at the end is the signal.
    while let Some(first) = f.next() {
        if f.next().is_none() {
            signal.id = first.first().copied().unwrap_or(0);
            break;
        }
        f.skip(1);
        cn0_max = cn0_max.max(f.small());
    }
    Some(Gsv { signal, number, in_view, cn0_max })
}

fn vtg(f: &mut Fields<'_>) -> Vtg {
    let course_cdeg = f.course();
    f.skip(3); // T, magnetic course, M
    let knots = f.knots();
    f.skip(1);
    let speed_mmps = knots.or_else(|| f.kmh());
    if knots.is_some() {
        f.skip(1);
    }
    f.skip(1);
    if f.mode() == Some(Mode::NoFix) {
        return Vtg { speed_mmps: None, course_cdeg: None };
    }
    Vtg { speed_mmps, course_cdeg }
}

fn zda(f: &mut Fields<'_>) -> Zda {
    Zda { time: f.time(), date: f.long_date() }
}

fn gst(f: &mut Fields<'_>) -> Accuracy {
    let time = f.time();
    f.skip(4); // residuals, error ellipse
    Accuracy { time, horizontal_mm: horizontal(f) }
}

fn gbs(f: &mut Fields<'_>) -> Accuracy {
    Accuracy { time: f.time(), horizontal_mm: horizontal(f) }
}

/// The errors of latitude and longitude as one.
fn horizontal(f: &mut Fields<'_>) -> Option<u32> {
    let (lat, lon) = (f.error(), f.error());
    let (lat, lon) = (u64::from(lat?), u64::from(lon?));
    let mm = lat.pow(2).checked_add(lon.pow(2)).map_or(u64::MAX, u64::isqrt);
    Some(u32::try_from(mm).unwrap_or(u32::MAX))
}

/// Status A or V, and the mode indicator, which receivers before NMEA 2.3 leave out.
fn status_verdict(status: &[u8], mode: Option<Mode>) -> Verdict {
    match (status, mode) {
        (b"A", None) => Verdict::Fix(FixType::ThreeD),
        (b"A", Some(Mode::Fix(fix_type))) => Verdict::Fix(fix_type),
        (b"", None) => Verdict::Silent,
        _ => Verdict::NoFix,
    }
}

/// Receivers that warn put anything there, `36000.0000,N,72000.0000,E` for one.
fn skip_position<T>(f: &mut Fields<'_>) -> Option<T> {
    f.skip(4);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Date, TimeOfDay};
    use alloc::format;
    use alloc::vec;
    use proptest::prelude::*;
    use tripline_protocol::unit::Position;

    const RMC: &str = "GNRMC,021417.00,A,3725.58362,N,12205.61915,W,0.028,65.13,070220,13.06,E,F,V";
    const GGA: &str = "GNGGA,021417.00,3725.58362,N,12205.61915,W,5,12,0.76,4.4,M,-30.0,M,0.0,2000";
    const TIME: TimeOfDay = TimeOfDay { ms: (2 * 3600 + 14 * 60 + 17) * 1000 };

    fn read(text: &str) -> Result<(Sentence, bool), Unread> {
        sentence(text.as_bytes())
    }

    fn plain(text: &str) -> Sentence {
        let (sentence, nonsense) = read(text).expect("a sentence");
        assert!(!nonsense, "{text}");
        sentence
    }

    fn position() -> Position {
        Position::new(374_263_937, -1_220_936_525).expect("on the globe")
    }

    #[test]
    fn rmc_and_gga_become_integers() {
        assert_eq!(
            plain(RMC),
            Sentence::Rmc(Rmc {
                time: Some(TIME),
                date: Some(Date { days: 18_299 }),
                verdict: Verdict::Fix(FixType::RtkFloat),
                position: Some(position()),
                speed_mmps: Some(14),
                course_cdeg: Some(6_513),
            })
        );
        assert_eq!(
            plain(GGA),
            Sentence::Gga(Gga {
                time: Some(TIME),
                verdict: Verdict::Fix(FixType::RtkFloat),
                position: Some(position()),
                satellites: Some(12),
                hdop_c: Some(76),
                altitude_mm: Some(4_400),
            })
        );
    }

    #[test]
    fn gns_takes_the_best_of_its_constellations() {
        let text = "GNGNS,021417.00,3725.58362,N,12205.61915,W,NDAN,17,0.76,4.4,-30.0,,,V";
        assert_eq!(
            plain(text),
            Sentence::Gns(Gns {
                time: Some(TIME),
                verdict: Verdict::Fix(FixType::Differential),
                position: Some(position()),
                satellites: Some(17),
                hdop_c: Some(76),
                altitude_mm: Some(4_400),
            })
        );
        let none = plain("GNGNS,021417.00,,,,,NNN,,,,,,");
        assert_eq!((none.verdict(), none.time()), (Verdict::NoFix, Some(TIME)));
    }

    #[test]
    fn gll_has_a_status_and_maybe_a_mode() {
        for (text, verdict) in [
            ("GPGLL,3725.58362,N,12205.61915,W,021417.00,A,D", Verdict::Fix(FixType::Differential)),
            ("GPGLL,3725.58362,N,12205.61915,W,021417.00,A", Verdict::Fix(FixType::ThreeD)),
            ("GPGLL,3725.58362,N,12205.61915,W,021417.00,V,N", Verdict::NoFix),
        ] {
            let Sentence::Gll(gll) = plain(text) else { panic!("a GLL") };
            assert_eq!((gll.time, gll.verdict), (Some(TIME), verdict), "{text}");
            let expected = (verdict != Verdict::NoFix).then(position);
            assert_eq!(gll.position, expected, "{text}");
        }
    }

    #[test]
    fn gsa_and_gsv_tell_of_the_sky() {
        assert_eq!(
            plain("GNGSA,A,3,21,30,46,13,17,51,14,44,15,19,07,01,0.98,0.49,0.84,1"),
            Sentence::Gsa(Gsa { dimensions: Some(3), hdop_c: Some(49) })
        );
        let gsv = |id, number, cn0_max| {
            let signal = Signal { talker: *b"GP", id };
            Sentence::Gsv(Gsv { signal, number, in_view: 10, cn0_max })
        };
        let with_signal = "GPGSV,3,1,10,02,25,181,,06,45,146,45,12,19,292,39,13,17,209,,6";
        assert_eq!(plain(with_signal), gsv(b'6', 1, Some(45)));
        assert_eq!(plain("GPGSV,3,2,10,02,25,181,,06,45,146,45"), gsv(0, 2, Some(45)));
        assert_eq!(plain("GPGSV,3,3,10,89,,,42,1"), gsv(b'1', 3, Some(42)));
        assert_eq!(plain("GPGSV,3,3,10,89,,,,1"), gsv(b'1', 3, None));
    }

    #[test]
    fn vtg_gives_speed_in_either_unit_and_none_without_a_fix() {
        let vtg = |speed_mmps, course_cdeg| Sentence::Vtg(Vtg { speed_mmps, course_cdeg });
        assert_eq!(plain("GPVTG,65.13,T,52.07,M,10.0,N,18.5,K,A"), vtg(Some(5_144), Some(6_513)));
        assert_eq!(plain("GPVTG,,T,,M,,N,18.0,K"), vtg(Some(5_000), None));
        assert_eq!(plain("GPVTG,360.0,T,,M,0.0,N,0.0,K,A"), vtg(Some(0), Some(0)));
        assert_eq!(plain("GPVTG,65.13,T,,M,10.0,N,18.5,K,N"), vtg(None, None));
    }

    #[test]
    fn zda_dates_and_gst_and_gbs_tell_the_error() {
        let date = Date::new(2020, 2, 7);
        assert_eq!(
            plain("GPZDA,021417.00,07,02,2020,00,00"),
            Sentence::Zda(Zda { time: Some(TIME), date })
        );
        let error = Accuracy { time: Some(TIME), horizontal_mm: Some(5_000) };
        assert_eq!(plain("GNGST,021417.00,6.1,4.0,4.0,61.0,3.0,4.0,4.8"), Sentence::Gst(error));
        assert_eq!(plain("GNGBS,021417.00,3.0,4.0,4.8,,,,,,"), Sentence::Gbs(error));
        let huge = "GNGST,021417.00,6.1,4.0,4.0,61.0,9000000.0,9000000.0,4.8";
        let huge_error = Accuracy { time: Some(TIME), horizontal_mm: Some(u32::MAX) };
        assert_eq!(plain(huge), Sentence::Gst(huge_error));
    }

    #[test]
    fn a_warning_or_empty_fields_give_no_position() {
        for warned in [
            RMC.replace(",A,", ",V,"),
            "GPRMC,021417,V,36000.0000,N,72000.0000,E,,,070220,,,N".into(),
            "GPRMC,,V,,,,,,,,,,N".into(),
            "GPRMC,021417.00,A,3725.58362,N,12205.61915,W,0.028,65.13,070220,,,N".into(),
        ] {
            let Sentence::Rmc(rmc) = plain(&warned) else { panic!("an RMC") };
            assert_eq!((rmc.position, rmc.verdict), (None, Verdict::NoFix), "{warned}");
        }
        let Sentence::Gga(gga) = plain("GPGGA,,,,,,0,00,99.99,,,,,,") else { panic!("a GGA") };
        assert_eq!((gga.position, gga.verdict, gga.time), (None, Verdict::NoFix, None));
        let silent = GGA.replace(",W,5,", ",W,,");
        let Sentence::Gga(gga) = plain(&silent) else { panic!("a GGA") };
        assert_eq!((gga.position, gga.verdict), (None, Verdict::Silent));
    }

    #[test]
    fn nonsense_in_the_time_is_no_sentence_and_elsewhere_an_empty_field() {
        for text in ["GPRMC,2514,A", "GPRMC,-21417,A", "GPGSV,3,x,10", "GNGBS,x,1,1"] {
            assert_eq!(read(text), Err(Unread::Nonsense), "{text}");
        }
        for text in ["GNGLL,,,,,21417.00,A", &RMC.replace("021417.00", "0214.00")] {
            assert_eq!(read(text), Err(Unread::Nonsense), "{text}");
        }
        for text in ["", "GPRMC", "XRMC,021417,A", "PGRMC,A,1", "SNRSTAT,1", "GNTXT,01"] {
            assert_eq!(read(text), Err(Unread::Unknown), "{text}");
        }
        let dated_badly = RMC.replace("070220", "2208-1");
        let Ok((Sentence::Rmc(rmc), true)) = read(&dated_badly) else { panic!("an RMC") };
        assert_eq!((rmc.date, rmc.position), (None, Some(position())));
    }

    proptest! {
        #[test]
        fn any_fields_are_read_or_refused(
            formatter in prop::sample::select(
                vec!["RMC", "GGA", "GNS", "GLL", "GSA", "GSV", "VTG", "ZDA", "GST", "GBS"],
            ),
            fields in prop::collection::vec("[AVNSEW]?|-?[0-9]{0,12}(\\.[0-9]{0,12})?|[ -~]{0,8}", 0..24),
        ) {
            let text = format!("GN{formatter},{}", fields.join(","));
            if let Ok((sentence, _)) = read(&text) {
                prop_assert!(sentence.time().is_none_or(|time| time.ms < 86_401_000), "{text}");
            }
        }
    }
}
