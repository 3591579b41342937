//! Devices' settings as people and the store write them: the agent's tables, in TOML or JSON.
//!
//! Names and ranges are those of [`DeviceSettings`]. What is out of its range, or no setting, does not
//! come in.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_protocol::link::settings::{DeviceSettings, SettingError, Value};

/// Settings of a device, in tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Tables", into = "Tables")]
pub struct SettingTables(pub DeviceSettings);

/// By table, then by key.
type Tables = BTreeMap<String, BTreeMap<String, Scalar>>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "a setting is a whole number or a text")]
enum Scalar {
    Number(i64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl TryFrom<Tables> for SettingTables {
    type Error = SettingError;

    fn try_from(tables: Tables) -> Result<Self, SettingError> {
        let mut settings = DeviceSettings::default();
        for (table, keys) in tables {
            for (key, value) in keys {
                settings.set(&format!("{table}.{key}"), &value.to_string())?;
            }
        }
        Ok(Self(settings))
    }
}

impl From<SettingTables> for Tables {
    fn from(SettingTables(settings): SettingTables) -> Self {
        let mut tables = Self::new();
        for (name, value) in settings.values() {
            // Every name has its table in front.
            let (table, key) = name.split_once('.').unwrap_or(("", name));
            let value = match value {
                Value::Number(number) => Scalar::Number(number.into()),
                Value::Keep(keep) => Scalar::Text(keep.to_string()),
            };
            tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value);
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tripline_protocol::link::settings::Keep;

    #[test]
    fn settings_read_back_from_their_json_and_unset_ones_are_not_in_it() {
        let settings = DeviceSettings {
            live_idle_ms: Some(9_000),
            trail_parked: Some(Keep::EveryS(600)),
            trail_moving: Some(Keep::Full),
            motion_overspeed_kmh: Some(0),
            ..DeviceSettings::default()
        };
        let json = serde_json::to_string(&SettingTables(settings)).expect("written");
        assert_eq!(
            json,
            r#"{"live":{"idle_ms":9000},"motion":{"overspeed_kmh":0},"trail":{"moving":"full","parked":"every 600 s"}}"#
        );
        let SettingTables(read) = serde_json::from_str(&json).expect("read");
        assert_eq!(read, settings);
        assert_eq!(serde_json::to_string(&SettingTables::default()).expect("written"), "{}");
    }

    #[test]
    fn what_is_no_setting_or_out_of_range_is_refused_by_name() {
        for (json, said) in [
            (r#"{"live":{"idle":1}}"#, "there is no setting live.idle;"),
            (
                r#"{"fence":{"radius_m":5}}"#,
                "fence.radius_m is 5; it must be between 10 and 100000",
            ),
            (r#"{"fence":{"radius_m":-5}}"#, "fence.radius_m is \"-5\"; it must be a whole number"),
            (r#"{"trail":{"moving":"all"}}"#, "trail.moving: \"all\" is no policy"),
            (r#"{"trail":{"moving":true}}"#, "a setting is a whole number or a text"),
        ] {
            let error = serde_json::from_str::<SettingTables>(json).expect_err("refused");
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
