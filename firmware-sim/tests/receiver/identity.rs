//! An identity for an agent whose backend is nowhere.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use tripline_agent_link::{Identity, Key};
use tripline_protocol::enrol::Enrolled;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::signing::SecretKey;

/// Longer than any test, in ms.
const LIFE_MS: i64 = 86_400_000;

/// Enrols the device whose data is in this folder with a CA that nobody will hear of again.
pub(crate) fn enrol(data_dir: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let now = i64::try_from(now).expect("before the end of time");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "a CA for a test");
    let ca_key = KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, ca_key).expect("a CA");

    let key = Key::generate().expect("a key");
    let request = key.csr_pem().expect("a request");
    let request = CertificateSigningRequestParams::from_pem(&request).expect("a request");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "ka01ab1234");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&request.public_key, &ca).expect("a certificate");
    let enrolled = Enrolled {
        device: "ka01ab1234".parse().expect("a device id"),
        certificate_pem: certificate.pem(),
        ca_pems: vec![ca.pem()],
        host: "127.0.0.1".into(),
        port: 9,
        command_keys: vec![SecretKey::from_seed(&[1; 32]).public().to_string()],
        issued_at_unix_ms: now,
        renew_at_unix_ms: now + LIFE_MS,
        expires_at_unix_ms: now + LIFE_MS,
        settings: DeviceSettings::default(),
    };
    let backend = "https://127.0.0.1:9".parse().expect("a URL");
    let identity = Identity::new(enrolled, key, backend, [0; 32]).expect("an identity");
    identity.save(&data_dir.join("identity")).expect("saved");
}
