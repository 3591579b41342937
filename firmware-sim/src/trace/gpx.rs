//! A GPX track (versions 1.0 and 1.1): points with times, made into what a receiver would have said.
//!
//! Only the track counts; way points and routes carry no drive. A new segment means that the recorder
//! lost reception in between, so nothing is made up for that time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use roxmltree::{Document, Node};

use crate::utc::utc_unix_ms;

use super::track::{TrackPoint, at_one_hertz};
use super::{Epoch, Trace, voice};

/// Why a file is no playable GPX track. Points are counted from 1 over the whole file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpxProblem {
    /// Not UTF-8.
    #[error("the GPX is not UTF-8 text")]
    NotText,
    /// Not well-formed XML.
    #[error("the GPX is not well-formed XML: {0}")]
    NotXml(String),
    /// No `trkpt` in it.
    #[error("the GPX has no track points (trkpt)")]
    NoPoints,
    /// `lat` or `lon` is missing, no number, or off the globe.
    #[error("track point {number} of the GPX has no valid {attribute}")]
    BadPosition {
        /// Which point.
        number: usize,
        /// `lat` or `lon`.
        attribute: &'static str,
    },
    /// A planned route rather than a drive.
    #[error(
        "track point {number} of the GPX has no time, so its pace is unknown; record the track with times"
    )]
    NoPointTime {
        /// Which point.
        number: usize,
    },
    /// Not an ISO 8601 date and time.
    #[error("track point {number} of the GPX has a time that cannot be read: {text:?}")]
    BadTime {
        /// Which point.
        number: usize,
        /// What stands there.
        text: String,
    },
    /// Earlier than the point before it.
    #[error("at track point {number} of the GPX time goes back; cut or sort the track")]
    TimeGoesBack {
        /// Which point.
        number: usize,
    },
}

/// Reads a track and gives it the voice of a receiver at 1 Hz.
pub(super) fn parse(bytes: &[u8]) -> Result<Trace, GpxProblem> {
    let text = std::str::from_utf8(bytes).map_err(|_| GpxProblem::NotText)?;
    let document = Document::parse(text).map_err(|error| GpxProblem::NotXml(error.to_string()))?;
    let mut epochs: Vec<Epoch> = Vec::new();
    for segment in segments(&document)? {
        for moment in at_one_hertz(&segment) {
            // Two segments may touch in the same second.
            if epochs.last().is_none_or(|last| last.unix_ms < moment.unix_ms) {
                epochs.push(Epoch { unix_ms: moment.unix_ms, lines: voice::say(&moment) });
            }
        }
    }
    Trace::from_epochs(epochs).ok_or(GpxProblem::NoPoints)
}

fn segments(document: &Document) -> Result<Vec<Vec<TrackPoint>>, GpxProblem> {
    let mut number = 0;
    let mut last_unix_ms = i64::MIN;
    let mut segments = Vec::new();
    for segment in elements(document.root_element(), "trkseg") {
        let mut points = Vec::new();
        for node in elements(segment, "trkpt") {
            number += 1;
            let point = point(node, number)?;
            if point.unix_ms < last_unix_ms {
                return Err(GpxProblem::TimeGoesBack { number });
            }
            last_unix_ms = point.unix_ms;
            points.push(point);
        }
        segments.push(points);
    }
    Ok(segments)
}

/// By local name, since GPX 1.0 and 1.1 differ in their name spaces and some writers name none.
fn elements<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.descendants().filter(move |node| node.is_element() && node.tag_name().name() == name)
}

fn point(node: Node, number: usize) -> Result<TrackPoint, GpxProblem> {
    let child = |name| {
        let found = node.children().find(|child| child.tag_name().name() == name);
        found.and_then(|child| child.text()).map(str::trim)
    };
    let time = child("time").ok_or(GpxProblem::NoPointTime { number })?;
    Ok(TrackPoint {
        unix_ms: unix_ms(time)
            .ok_or_else(|| GpxProblem::BadTime { number, text: time.to_owned() })?,
        lat_deg: degrees(node, number, "lat", 90.0)?,
        lon_deg: degrees(node, number, "lon", 180.0)?,
        ele_m: child("ele")
            .and_then(|text| text.parse().ok())
            .filter(|ele_m: &f64| ele_m.is_finite()),
    })
}

fn degrees(
    node: Node,
    number: usize,
    attribute: &'static str,
    limit_deg: f64,
) -> Result<f64, GpxProblem> {
    let degrees: Option<f64> = node.attribute(attribute).and_then(|text| text.trim().parse().ok());
    degrees
        .filter(|degrees| degrees.abs() <= limit_deg)
        .ok_or(GpxProblem::BadPosition { number, attribute })
}

/// GPX times are UTC by its schema; a writer that leaves out the `Z` means it all the same.
fn unix_ms(text: &str) -> Option<i64> {
    let zoned = text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    zoned.or_else(|| utc_unix_ms(text.parse::<DateTime>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpx(points: &str) -> Result<Trace, GpxProblem> {
        parse(
            format!("<gpx xmlns=\"http://www.topografix.com/GPX/1/1\"><trk><trkseg>{points}</trkseg></trk></gpx>")
                .as_bytes(),
        )
    }

    fn point_at(time: &str) -> String {
        format!("<trkpt lat=\"45.5\" lon=\"-13.25\"><ele>211.16</ele><time>{time}</time></trkpt>")
    }

    #[test]
    fn points_become_a_position_and_a_velocity_sentence_each_second() {
        let points = [point_at("2020-12-18T06:15:50Z"), point_at("2020-12-18T07:16:00+01:00")];
        let trace = gpx(&points.concat()).expect("a track");
        assert_eq!(trace.epoch_count(), 11);
        let lines = trace.epoch(0).expect("first").lines.concat();
        assert_eq!(
            String::from_utf8(lines).expect("ascii"),
            "$GPGGA,061550.00,4530.0000000,N,01315.0000000,W,1,10,0.9,211.2,M,0.0,M,,*45\r\n\
             $GPRMC,061550.00,A,4530.0000000,N,01315.0000000,W,0.000,0.00,181220,,,A*77\r\n"
        );
    }

    #[test]
    fn a_new_segment_leaves_a_gap() {
        let trace = gpx(&format!(
            "{}</trkseg><trkseg>{}{}",
            point_at("2020-12-18T06:15:50Z"),
            point_at("2020-12-18T06:16:50Z"),
            point_at("2020-12-18T06:16:51Z")
        ))
        .expect("a track");
        assert_eq!(trace.epoch_count(), 3);
        assert_eq!(trace.last_unix_ms() - trace.first_unix_ms(), 61_000);
    }

    #[test]
    fn a_track_that_cannot_be_played_says_which_point_is_wrong() {
        let good = point_at("2020-12-18T06:15:50Z");
        for (points, message) in [
            (String::new(), "the GPX has no track points (trkpt)"),
            (
                format!("{good}<trkpt lat=\"1\" lon=\"2\"/>"),
                "track point 2 of the GPX has no time, so its pace is unknown; record the track with times",
            ),
            (
                point_at("yesterday"),
                "track point 1 of the GPX has a time that cannot be read: \"yesterday\"",
            ),
            (good.replace("45.5", "95.5"), "track point 1 of the GPX has no valid lat"),
            (good.replace("lon", "long"), "track point 1 of the GPX has no valid lon"),
            (
                format!("{good}{}", point_at("2020-12-18T06:15:49Z")),
                "at track point 2 of the GPX time goes back; cut or sort the track",
            ),
        ] {
            assert_eq!(gpx(&points).expect_err(message).to_string(), message);
        }
        assert!(matches!(parse(b"<gpx><trk>"), Err(GpxProblem::NotXml(_))));
    }
}
