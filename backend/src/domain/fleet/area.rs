//! Areas on the map: where rides are served, and where another tariff applies.

use geo::Rect;
use geo::{
    BoundingRect as _, Intersects as _, LineString, MultiPolygon, Point, Polygon, Validation as _,
};
use geojson::{GeoJson, GeometryValue};
use tripline_protocol::unit::Position;

use super::id::{AreaId, ItemId};

/// Most corners of an area, all rings together: the border of a large country has so many, and each search
/// near it looks at all of them.
pub const POINTS_MAX: usize = 10_000;

/// Longest GeoJSON of an area, in bytes.
pub const GEOJSON_LEN_MAX: usize = 1024 * 1024;

/// Highest priority of a zone.
pub const PRIORITY_MAX: u32 = 1_000_000;

coded! {
    /// What an area is for.
    AreaKind {
        /// Rides are served here. Where there is none, they are served everywhere.
        Service => "service",
        /// Rides from here have another tariff.
        Zone => "zone",
    }
}

/// Why a shape cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Too long to be read.
    #[error("is longer than {GEOJSON_LEN_MAX} bytes")]
    TooLong,
    /// Not GeoJSON.
    #[error("is no GeoJSON: {0}")]
    Json(String),
    /// GeoJSON of something that has no inside.
    #[error("must be a polygon or several, alone or in features; this is a {0}")]
    Kind(String),
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// More corners than are looked at.
    #[error("has more than {POINTS_MAX} points: simplify it")]
    TooManyPoints,
    /// A point with no longitude and latitude.
    #[error("has a point without longitude and latitude")]
    Point,
    /// Not on the globe; often latitude and longitude exchanged.
    #[error(
        "has the point {lon}, {lat}, which is not on the globe: a point is longitude, from -180 to 180, and \
         then latitude, from -90 to 90"
    )]
    OutOfRange {
        /// Its longitude, as text.
        lon: String,
        /// Its latitude, as text.
        lat: String,
    },
    /// Over the date line.
    #[error(
        "goes from longitude {from} to {to}, over the date line: cut it there into two polygons of a \
         MultiPolygon"
    )]
    DateLine {
        /// Before it.
        from: String,
        /// Behind it.
        to: String,
    },
    /// A ring that does not end where it begins.
    #[error("has a ring that does not end where it begins")]
    Open,
    /// A ring that crosses itself, a hole outside, polygons over each other.
    #[error("has no clear inside: {0}")]
    Invalid(String),
}

/// A shape on the globe, made of polygons that may have holes. Edges are straight lines in longitude and
/// latitude, as GeoJSON has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    polygons: MultiPolygon<f64>,
    bounds: Rect<f64>,
}

impl Shape {
    /// Reads GeoJSON: a polygon or several, alone, in a Feature, or several in a `FeatureCollection`.
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        if text.len() > GEOJSON_LEN_MAX {
            return Err(ShapeError::TooLong);
        }
        let parsed: GeoJson =
            text.parse().map_err(|error: geojson::Error| ShapeError::Json(error.to_string()))?;
        let mut polygons = Vec::new();
        match parsed {
            GeoJson::Geometry(geometry) => add_geometry(&geometry.value, &mut polygons)?,
            GeoJson::Feature(feature) => add_feature(&feature, &mut polygons)?,
            GeoJson::FeatureCollection(all) => {
                for feature in &all.features {
                    add_feature(feature, &mut polygons)?;
                }
            }
        }
        Self::of(MultiPolygon::new(polygons))
    }

    fn of(polygons: MultiPolygon<f64>) -> Result<Self, ShapeError> {
        if polygons.iter().any(|polygon| polygon.exterior().0.is_empty()) {
            return Err(ShapeError::Empty);
        }
        polygons.check_validation().map_err(|error| ShapeError::Invalid(error.to_string()))?;
        let bounds = polygons.bounding_rect().ok_or(ShapeError::Empty)?;
        Ok(Self { polygons, bounds })
    }

    /// Whether a place is inside, or on the border.
    pub fn contains(&self, place: Position) -> bool {
        let point = Point::new(place.lon_deg(), place.lat_deg());
        self.bounds.intersects(&point) && self.polygons.intersects(&point)
    }
}

fn add_feature(
    feature: &geojson::Feature,
    polygons: &mut Vec<Polygon<f64>>,
) -> Result<(), ShapeError> {
    let geometry = feature.geometry.as_ref().ok_or(ShapeError::Empty)?;
    add_geometry(&geometry.value, polygons)
}

fn add_geometry(value: &GeometryValue, polygons: &mut Vec<Polygon<f64>>) -> Result<(), ShapeError> {
    match value {
        GeometryValue::Polygon { coordinates } => polygons.push(polygon(coordinates)?),
        GeometryValue::MultiPolygon { coordinates } => {
            for rings in coordinates {
                polygons.push(polygon(rings)?);
            }
        }
        GeometryValue::GeometryCollection { geometries } => {
            for geometry in geometries {
                add_geometry(&geometry.value, polygons)?;
            }
        }
        GeometryValue::Point { .. }
        | GeometryValue::MultiPoint { .. }
        | GeometryValue::LineString { .. }
        | GeometryValue::MultiLineString { .. } => {
            return Err(ShapeError::Kind(value.type_name().into()));
        }
    }
    let points = |polygon: &Polygon<f64>| {
        polygon.exterior().0.len()
            + polygon.interiors().iter().map(|ring| ring.0.len()).sum::<usize>()
    };
    if polygons.iter().map(points).sum::<usize>() > POINTS_MAX {
        return Err(ShapeError::TooManyPoints);
    }
    Ok(())
}

fn polygon(rings: &[Vec<geojson::Position>]) -> Result<Polygon<f64>, ShapeError> {
    let mut rings = rings.iter().map(|points| ring(points));
    let exterior = rings.next().ok_or(ShapeError::Empty)??;
    Ok(Polygon::new(exterior, rings.collect::<Result<_, _>>()?))
}

fn ring(points: &[geojson::Position]) -> Result<LineString<f64>, ShapeError> {
    let mut ring: Vec<(f64, f64)> = Vec::with_capacity(points.len());
    for point in points {
        let &[lon, lat, ..] = point.as_slice() else { return Err(ShapeError::Point) };
        if !((-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat)) {
            return Err(ShapeError::OutOfRange { lon: lon.to_string(), lat: lat.to_string() });
        }
        if let Some((before, _)) = ring.last()
            && (lon - before).abs() > 180.0
        {
            return Err(ShapeError::DateLine { from: before.to_string(), to: lon.to_string() });
        }
        ring.push((lon, lat));
    }
    if ring.is_empty() {
        return Err(ShapeError::Empty);
    }
    // Written and read back, numbers are the same: they come out of one text.
    if ring.first() != ring.last() {
        return Err(ShapeError::Open);
    }
    Ok(LineString::from(ring))
}

/// An area.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its stable id.
    pub id: AreaId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: AreaKind,
    /// Of which item; of all if of none in particular.
    pub item: Option<ItemId>,
    /// The tariff of a zone, by its code.
    pub tariff_code: Option<String>,
    /// Where zones lie over each other, the one with the highest priority counts.
    pub priority: u32,
    /// Where it is.
    pub shape: Shape,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(rings: &str) -> Result<Shape, ShapeError> {
        Shape::parse(&format!(r#"{{"type":"Polygon","coordinates":{rings}}}"#))
    }

    fn place(lat_deg: f64, lon_deg: f64) -> Position {
        let e7 = |deg: f64| format!("{:.0}", deg * 1e7).parse().expect("a number");
        Position::new(e7(lat_deg), e7(lon_deg)).expect("on the globe")
    }

    const CITY: &str = "[[[77.5,12.9],[77.7,12.9],[77.7,13.1],[77.5,13.1],[77.5,12.9]],\
         [[77.58,12.98],[77.62,12.98],[77.62,13.02],[77.58,13.02],[77.58,12.98]]]";

    #[test]
    fn a_place_is_inside_on_the_border_in_a_hole_or_outside() {
        let city = polygon(CITY).expect("a shape");
        assert!(city.contains(place(12.95, 77.55)));
        assert!(city.contains(place(12.9, 77.5)), "a corner belongs to it");
        assert!(city.contains(place(12.98, 77.6)), "and so does the border of a hole");
        assert!(!city.contains(place(13.0, 77.6)), "in the hole");
        assert!(!city.contains(place(12.8, 77.6)));
    }

    #[test]
    fn features_and_their_collections_are_read_and_several_parts_are_one_shape() {
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","properties":{"name":"a"},"geometry":
              {"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}},
            {"type":"Feature","properties":null,"geometry":
              {"type":"MultiPolygon","coordinates":[[[[2,0],[3,0],[3,1],[2,0]]],[[[4,0],[5,0],[5,1],[4,0]]]]}}]}"#;
        let shape = Shape::parse(text).expect("a shape");
        let inside: Vec<_> =
            [0.9, 1.5, 2.9, 3.5, 4.9].map(|lon| shape.contains(place(0.1, lon))).into();
        assert_eq!(inside, [true, false, true, false, true]);
    }

    #[test]
    fn what_has_no_clear_inside_is_refused_with_the_reason() {
        for (rings, words) in [
            ("[]", "is empty"),
            ("[[]]", "is empty"),
            ("[[[0,0],[1,1],[1,0],[0,1],[0,0]]]", "self-intersection"),
            ("[[[0,0],[1,0],[0,0]]]", "at least 3 distinct points"),
            ("[[[0,0],[1,0],[1,1]]]", "does not end where it begins"),
            (
                "[[[12.9,97.5],[1,0],[1,1],[12.9,97.5]]]",
                "longitude, from -180 to 180, and then latitude",
            ),
            ("[[[179,0],[-179,0],[-179,1],[179,1],[179,0]]]", "over the date line"),
            ("[[[0],[1,0],[1,1],[0]]]", "without longitude and latitude"),
            ("[[[0,0],[1,0],[1,1],[0,0]],[[5,5],[6,5],[6,6],[5,5]]]", "not contained"),
        ] {
            let error = polygon(rings).expect_err(rings).to_string();
            assert!(error.contains(words), "{rings}: {error}");
        }
        let error = Shape::parse(r#"{"type":"Point","coordinates":[0,0]}"#).expect_err("a point");
        assert!(error.to_string().contains("this is a Point"), "{error}");
        let over = r#"{"type":"MultiPolygon","coordinates":
            [[[[0,0],[2,0],[2,2],[0,0]]],[[[0,0],[2,0],[2,2],[0,0]]]]}"#;
        assert!(matches!(Shape::parse(over), Err(ShapeError::Invalid(_))));
        for text in ["", "{}", "[1]", "{\"type\":\"Polygon\"}"] {
            assert!(matches!(Shape::parse(text), Err(ShapeError::Json(_))), "{text}");
        }
        assert_eq!(Shape::parse(&" ".repeat(GEOJSON_LEN_MAX + 1)), Err(ShapeError::TooLong));
    }

    #[test]
    fn a_shape_on_either_side_of_the_date_line_is_two_polygons() {
        let text = r#"{"type":"MultiPolygon","coordinates":
            [[[[178,-18],[180,-18],[180,-16],[178,-16],[178,-18]]],
             [[[-180,-18],[-179,-18],[-179,-16],[-180,-16],[-180,-18]]]]}"#;
        let fiji = Shape::parse(text).expect("a shape");
        assert!(fiji.contains(place(-17.0, 179.9)) && fiji.contains(place(-17.0, -179.9)));
        assert!(!fiji.contains(place(-17.0, 0.0)));
    }
}
