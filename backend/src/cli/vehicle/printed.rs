//! A code as it is printed: with the command to type on the device.

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};
use tripline_protocol::id::DeviceId;

use super::super::opened::utc;
use crate::enrol::code::NewCode;
use crate::error::BppError;

/// A code for a vehicle's device.
pub(super) struct Printed<'a> {
    pub(super) device: &'a DeviceId,
    pub(super) registration: &'a str,
    pub(super) url: &'a str,
    pub(super) code: &'a NewCode,
}

impl Printed<'_> {
    pub(super) fn as_json(&self) -> Value {
        json!({
            "device": self.device.as_str(),
            "registration": self.registration,
            "code": self.code.code.to_string(),
            "url": self.url,
            "expires_at_unix_ms": self.code.expires_at.unix_ms,
        })
    }

    /// What is typed on the device.
    pub(super) fn command(&self) -> String {
        format!("tripline-agent enrol --backend {} --code {}", self.url, self.code.code)
    }

    /// Prints it for whoever stands before the device.
    pub(super) fn print(&self, qr: bool) -> Result<(), BppError> {
        println!("On the device, until {}:", utc(self.code.expires_at));
        println!();
        println!("  {}", self.command());
        println!();
        if qr {
            println!("{}", drawn(&self.command())?);
        }
        println!(
            "Without `--code ...` it asks for the code, which then is in no `ps` and no shell history."
        );
        println!("The code works once and is not shown again; `vehicle rekey` makes a new one.");
        Ok(())
    }
}

/// A text as a QR code in half blocks, light on dark as most terminals are.
fn drawn(text: &str) -> Result<String, BppError> {
    let code =
        QrCode::new(text).map_err(|error| BppError::Internal(format!("QR code: {error}")))?;
    let mut drawing = code.render::<Dense1x2>();
    Ok(drawing.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
