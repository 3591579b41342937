//! A device whose backend is nowhere: for agents that are looked at by themselves.

use std::path::Path;

use anyhow::Result;
use rcgen::CertificateSigningRequestParams;
use tripline_agent_link::Identity;
use tripline_agent_link::key::Key;
use tripline_backend::identity::authority::{Authorities, to_pem};
use tripline_protocol::enrol::Enrolled;
use tripline_protocol::id::DeviceId;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::signing::SecretKey;
use tripline_protocol::unit::Timestamp;

/// Longer than anybody looks, in ms.
const LIFE_MS: i64 = 86_400_000;

/// Gives the device whose data is in this folder an identity like any other, of a CA that is gone by
/// then and with an endpoint where nobody listens.
pub fn enrol(data_dir: &Path) -> Result<()> {
    let ca_dir = tempfile::tempdir()?;
    let now = Timestamp::from_unix_ms(jiff::Timestamp::now().as_millisecond());
    let authorities = Authorities::create(&ca_dir.path().join("ca"), now)?;
    let (device, key): (DeviceId, _) = ("alone".parse()?, Key::generate()?);
    let public = CertificateSigningRequestParams::from_pem(&key.csr_pem()?)?.public_key;
    let issued = authorities.issue_device(&device, &public, now, LIFE_MS)?;
    let enrolled = Enrolled {
        device,
        certificate_pem: to_pem(&issued.der),
        ca_pems: vec![authorities.serving().pem()],
        host: "127.0.0.1".into(),
        port: 1,
        command_keys: vec![SecretKey::from_seed(&[1; 32]).public().to_string()],
        issued_at_unix_ms: now.unix_ms,
        renew_at_unix_ms: issued.expires_at.unix_ms,
        expires_at_unix_ms: issued.expires_at.unix_ms,
        settings: DeviceSettings::default(),
    };
    let identity = Identity::new(enrolled, key, "https://127.0.0.1:1".parse()?, [0; 32])?;
    Ok(identity.save(&data_dir.join("identity"))?)
}
