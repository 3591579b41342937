//! The device CA: one authority, or two while they are rotated.
//!
//! Each is a pair of files in the `ca` folder, `1.crt.pem` and `1.key.pem`, the key of mode 0600. The
//! oldest serves: it signs the certificates that this backend shows, since every device trusts it. The
//! newest issues: it signs the certificates of devices. With one authority both are the same.
//!
//! Whoever changes the folder holds a lock on it. A key without a certificate is of no authority: a power
//! cut left it, and the next authority replaces it.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use tripline_protocol::id::DeviceId;
use tripline_protocol::unit::Timestamp;

use crate::chance;
use crate::error::BppError;
use crate::file;

/// How long a CA lives: thirty years. Devices in the field outlive plans; rotation ends one sooner.
const CA_LIFE_MS: i64 = 30 * 365 * 86_400_000;

/// Certificates begin so long before they are issued, in ms: clocks of vehicles are not exact.
const BACKDATED_MS: i64 = 3_600_000;

/// SHA-256 of a certificate's DER, or of a public key's.
pub type Fingerprint = [u8; 32];

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The certificate library.
    #[error("a certificate cannot be made: {0}")]
    Library(#[from] rcgen::Error),
    /// The system has no random numbers.
    #[error(transparent)]
    NoChance(#[from] chance::NoChance),
    /// A date beyond what certificates can say.
    #[error("a certificate cannot be dated {0} ms after 1970")]
    Date(i64),
}

/// A certificate and until when it counts.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The authority that issued it.
    pub ca: Fingerprint,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// One CA.
pub struct Authority {
    /// Its number: the first is 1.
    pub generation: u32,
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.generation)
    }
}

impl Authority {
    /// SHA-256 of its certificate.
    pub fn fingerprint(&self) -> Fingerprint {
        sha256(&self.certificate)
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> String {
        to_pem(&self.certificate)
    }

    fn create(dir: &Path, generation: u32, now: Timestamp) -> Result<(), BppError> {
        let _lock = lock(dir)?;
        let (certificate_path, key_path) =
            (certificate_file(dir, generation), key_file(dir, generation));
        if certificate_path.exists() {
            let message = format!("{} is there already", certificate_path.display());
            return Err(BppError::Refused { message });
        }
        let failed = |error: &dyn fmt::Display| BppError::File {
            path: dir.into(),
            reason: format!("a device CA cannot be made: {error}"),
        };
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let mut params = params(now, now.plus_ms(CA_LIFE_MS)).map_err(|error| failed(&error))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = named(&format!("Tripline device CA {generation}"));
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
        // The certificate last: with it the authority is there.
        file::write(&key_path, 0o600, &key.serialize_pem())?;
        file::write(&certificate_path, 0o644, &certificate.pem())
    }

    fn load(dir: &Path, generation: u32) -> Result<Self, BppError> {
        let (certificate_path, key_path) =
            (certificate_file(dir, generation), key_file(dir, generation));
        let text = read(&certificate_path)?;
        let bad = |path: &Path, reason: String| BppError::File { path: path.into(), reason };
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|error| bad(&certificate_path, format!("no certificate: {error}")))?;
        let mode = fs::metadata(&key_path)
            .map_err(|error| bad(&key_path, format!("the CA's key cannot be read: {error}")))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(bad(&key_path, "the CA's key can be read by others; chmod 600 it".into()));
        }
        let key = KeyPair::from_pem(&read(&key_path)?)
            .map_err(|error| bad(&key_path, format!("no private key: {error}")))?;
        check_pair(&certificate, &key).map_err(|error| {
            let other = key_path.display();
            bad(
                &certificate_path,
                format!("is not of the key in {other} ({error}); restore both from one copy"),
            )
        })?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| bad(&certificate_path, format!("no CA certificate: {error}")))?;
        Ok(Self { generation, certificate, issuer })
    }
}

/// The authorities that are active: one, or two while they are rotated.
#[derive(Debug)]
pub struct Authorities {
    oldest_first: Vec<Authority>,
}

impl Authorities {
    /// Makes the folder and the first authority in it.
    pub fn create(dir: &Path, now: Timestamp) -> Result<Self, BppError> {
        file::make_dir(dir, 0o700)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|error| {
            BppError::File { path: dir.into(), reason: format!("its mode cannot be set: {error}") }
        })?;
        Authority::create(dir, 1, now)?;
        Self::load(dir)
    }

    /// Whether the folder has an authority, usable or not.
    pub fn exist(dir: &Path) -> Result<bool, BppError> {
        match generations(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            found => found
                .map(|found| !found.is_empty())
                .map_err(|error| BppError::File { path: dir.into(), reason: error.to_string() }),
        }
    }

    /// Reads every authority of the folder.
    pub fn load(dir: &Path) -> Result<Self, BppError> {
        let failed = |reason: String| BppError::File { path: dir.into(), reason };
        let generations = generations(dir).map_err(|error| {
            failed(format!("the device CA cannot be read: {error}; `tripline-bpp init` makes one"))
        })?;
        if generations.is_empty() {
            return Err(failed("there is no device CA; `tripline-bpp init` makes one".into()));
        }
        let oldest_first =
            generations.into_iter().map(|g| Authority::load(dir, g)).collect::<Result<_, _>>()?;
        Ok(Self { oldest_first })
    }

    /// Adds an authority, which issues from the next [`Authorities::load`] on. Refused if there is one
    /// that these do not know, or while another process changes the folder.
    pub fn add(&self, dir: &Path, now: Timestamp) -> Result<(), BppError> {
        Authority::create(dir, self.issuing().generation + 1, now)
    }

    /// Every active authority, oldest first.
    pub fn all(&self) -> &[Authority] {
        &self.oldest_first
    }

    /// The one that signs what this backend shows, and that enrolment codes pin.
    ///
    /// # Panics
    /// Never: there is at least one.
    pub fn serving(&self) -> &Authority {
        self.oldest_first.first().expect("loaded with one at least")
    }

    /// The one that signs the certificates of devices.
    ///
    /// # Panics
    /// Never: there is at least one.
    pub fn issuing(&self) -> &Authority {
        self.oldest_first.last().expect("loaded with one at least")
    }

    /// A certificate for a device's key. Of a CSR only that key counts: who the device is, what the
    /// certificate may do and how long it lives is decided here.
    pub fn issue_device(
        &self,
        device: &DeviceId,
        key: &impl PublicKeyData,
        now: Timestamp,
        life_ms: i64,
    ) -> Result<Issued, IssueError> {
        // Certificates count whole seconds.
        let expires_at = Timestamp::from_unix_ms(now.plus_ms(life_ms).unix_ms / 1000 * 1000);
        let mut params = params(now.plus_ms(-BACKDATED_MS), expires_at)?;
        params.distinguished_name = named(device.as_str());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let authority = self.issuing();
        let certificate = params.signed_by(key, &authority.issuer)?;
        let der = certificate.der().clone();
        Ok(Issued { der, ca: authority.fingerprint(), issued_at: now, expires_at })
    }

    /// A key and a certificate for this backend under these names and addresses. The CA's certificate
    /// follows it in the chain, for devices that know only its fingerprint yet.
    pub fn issue_server(
        &self,
        hosts: &[String],
        now: Timestamp,
        life_ms: i64,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), IssueError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts.to_vec())?;
        date(&mut params, now.plus_ms(-BACKDATED_MS), now.plus_ms(life_ms))?;
        params.distinguished_name = named("tripline-bpp");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let authority = self.serving();
        let certificate = params.signed_by(&key, &authority.issuer)?;
        let chain = vec![certificate.der().clone(), authority.certificate.clone()];
        Ok((chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }
}

/// Removes an authority's files, the certificate first: without it the key is of no authority.
pub fn remove(dir: &Path, generation: u32) -> Result<(), BppError> {
    let _lock = lock(dir)?;
    for path in [certificate_file(dir, generation), key_file(dir, generation)] {
        fs::remove_file(&path).and_then(|()| file::sync_dir(dir)).map_err(|error| {
            BppError::File { path: path.clone(), reason: format!("cannot be removed: {error}") }
        })?;
    }
    Ok(())
}

/// Held while the folder is changed. It is the folder that is locked: a lock file that root made would
/// keep the platform's user out.
fn lock(dir: &Path) -> Result<File, BppError> {
    let failed = |error: io::Error| BppError::File {
        path: dir.into(),
        reason: format!("cannot be locked: {error}"),
    };
    let folder = File::open(dir).map_err(failed)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => {
            let message = "another command is changing the device CA; try again when it has ended";
            Err(BppError::Refused { message: message.into() })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The authorities of a folder, oldest first.
fn generations(dir: &Path) -> io::Result<Vec<u32>> {
    let mut generations = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let generation = name.to_str().and_then(|name| name.strip_suffix(".crt.pem"));
        generations.extend(generation.and_then(|text| text.parse::<u32>().ok()));
    }
    generations.sort_unstable();
    Ok(generations)
}

/// Refuses a certificate of another key.
fn check_pair(certificate: &CertificateDer<'static>, key: &KeyPair) -> Result<(), rustls::Error> {
    let provider = rustls::crypto::ring::default_provider();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    CertifiedKey::from_der(vec![certificate.clone()], key, &provider).map(|_| ())
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

/// The serial number of a certificate, in hexadecimal as `openssl x509 -serial` prints it.
pub fn serial(certificate: &[u8]) -> Option<String> {
    // RFC 5280, section 4.1: SEQUENCE { SEQUENCE { [0] version, INTEGER serial number, ...
    let (_, content) = der_value(certificate, 0x30)?;
    let (_, content) = der_value(content, 0x30)?;
    let (rest, _) = der_value(content, 0xA0)?;
    let (_, number) = der_value(rest, 0x02)?;
    Some(hex(number).to_ascii_uppercase())
}

/// What follows a value in DER, and what is in it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7F).min(4))?;
        (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
    };
    let (value, rest) = rest.split_at_checked(len)?;
    (found == tag).then_some((rest, value))
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A certificate in PEM.
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", certificate.to_vec()))
}

fn certificate_file(dir: &Path, generation: u32) -> PathBuf {
    dir.join(format!("{generation}.crt.pem"))
}

fn key_file(dir: &Path, generation: u32) -> PathBuf {
    dir.join(format!("{generation}.key.pem"))
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn params(not_before: Timestamp, not_after: Timestamp) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    date(&mut params, not_before, not_after)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn date(
    params: &mut CertificateParams,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<(), IssueError> {
    let date = |at: Timestamp| {
        OffsetDateTime::from_unix_timestamp(at.unix_ms / 1000)
            .map_err(|_| IssueError::Date(at.unix_ms))
    };
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    // Positive, as RFC 5280, section 4.1.2.2, has it.
    let mut serial: [u8; 16] = chance::bytes()?;
    serial[0] = serial[0] & 0x7F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.use_authority_key_identifier_extension = true;
    Ok(())
}

fn read(path: &Path) -> Result<String, BppError> {
    fs::read_to_string(path).map_err(|error| BppError::File {
        path: path.into(),
        reason: format!("cannot be read: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_unix_ms(1_800_000_000_000)
    }

    #[test]
    fn what_a_power_cut_left_of_an_authority_is_ignored_and_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let (ca, put) = (dir.path(), |name: &str| fs::write(dir.path().join(name), "-----BEG"));
        for name in ["1.key.pem", "1.key.pem.new", "1.crt.pem.new"] {
            put(name).expect("written");
        }
        assert!(!Authorities::exist(ca).expect("readable"));
        let first = Authorities::create(ca, now()).expect("made");
        for name in ["2.key.pem", "2.key.pem.new", "2.crt.pem.new"] {
            put(name).expect("written");
        }
        assert_eq!(Authorities::load(ca).expect("read").all().len(), 1);
        first.add(ca, now()).expect("added");
        assert_eq!(Authorities::load(ca).expect("read").issuing().generation, 2);
    }

    #[test]
    fn an_authority_that_is_there_is_not_made_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let stale = Authorities::create(dir.path(), now()).expect("made");
        stale.add(dir.path(), now()).expect("added");
        let before = Authorities::load(dir.path()).expect("read").issuing().fingerprint();
        let error = stale.add(dir.path(), now()).expect_err("the second is refused");
        assert!(matches!(error, BppError::Refused { .. }), "{error}");
        assert!(Authorities::create(dir.path(), now()).is_err());
        let after = Authorities::load(dir.path()).expect("key and certificate are of each other");
        assert_eq!(after.issuing().fingerprint(), before);
    }

    #[test]
    fn of_many_that_add_at_once_one_does_and_its_pair_is_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let stale = Authorities::create(dir.path(), now()).expect("made");
        let added = std::thread::scope(|scope| {
            let adding: Vec<_> =
                (0..8).map(|_| scope.spawn(|| stale.add(dir.path(), now()))).collect();
            adding.into_iter().filter_map(|one| one.join().expect("ends").ok()).count()
        });
        assert_eq!(added, 1);
        assert_eq!(Authorities::load(dir.path()).expect("whole").all().len(), 2);
    }

    #[test]
    fn while_another_changes_the_folder_nothing_is_added_or_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let authorities = Authorities::create(dir.path(), now()).expect("made");
        let held = lock(dir.path()).expect("free");
        for refused in [authorities.add(dir.path(), now()), remove(dir.path(), 1)] {
            let error = refused.expect_err("refused").to_string();
            assert!(error.contains("another command"), "{error}");
        }
        drop(held);
        authorities.add(dir.path(), now()).expect("added");
    }

    #[test]
    fn a_certificate_beside_the_key_of_another_is_refused_with_both_names() {
        let dir = tempfile::tempdir().expect("a folder");
        let other = tempfile::tempdir().expect("a folder");
        Authorities::create(dir.path(), now()).expect("made");
        Authorities::create(other.path(), now()).expect("made");
        fs::copy(other.path().join("1.key.pem"), dir.path().join("1.key.pem")).expect("copied");
        let error = Authorities::load(dir.path()).expect_err("refused").to_string();
        assert!(error.contains("1.crt.pem") && error.contains("1.key.pem"), "{error}");
    }
}
