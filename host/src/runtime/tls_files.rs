//! A small authority for the client port, as files, made by `dsms tls init`.
//!
//! | File | What it is |
//! |---|---|
//! | `ca.pem` | the authority's certificate, for clients |
//! | `ca.key` | its key, for whoever signs certificates; no front end needs it |
//! | `cert.pem`, `cert.key` | a front end's certificate and its key |

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::protocol::time::Instant;

use super::private_file::{FileError, make_directory, read_private, remove, write_private, write_public};

/// How many years an authority lasts; a new one has to be brought to every client.
const CA_YEARS: i32 = 10;

/// How many years a front end's certificate lasts.
const CERT_YEARS: i32 = 2;

/// The directory with the files of TLS.
#[derive(Clone, Debug)]
pub struct TlsDirectory {
    path: PathBuf,
}

impl TlsDirectory {
    /// The directory at this path; it need not exist yet.
    pub fn at(path: &Path) -> TlsDirectory {
        TlsDirectory { path: path.to_owned() }
    }

    /// One of its files.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a certificate for these names and addresses, signed by the authority of this directory, which is made first if there is none.
    /// A certificate that is there already is replaced only if that is asked for. Returns whether the authority is a new one.
    pub fn make(&self, names: &[String], replaced: bool, now: Instant) -> Result<bool, FileError> {
        let (cert_file, key_file) = (self.file("cert.pem"), self.file("cert.key"));
        if cert_file.exists() && !replaced {
            let advice = "replace it, signed by the same authority, with: dsms tls init --renew".to_owned();
            return Err(FileError::Exists { path: cert_file.display().to_string(), advice });
        }
        let problem = |error: rcgen::Error| FileError::content(&cert_file, error);
        let mut params = CertificateParams::new(names.to_vec()).map_err(problem)?;
        params.distinguished_name = name("dsms front end");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        last(&mut params, CERT_YEARS, now);

        make_directory(&self.path)?;
        let (authority, is_new) = self.authority(now)?;
        let key = KeyPair::generate().map_err(problem)?;
        let cert = params.signed_by(&key, &authority).map_err(problem)?;
        remove(&key_file)?;
        remove(&cert_file)?;
        write_private(&key_file, &key.serialize_pem())?;
        write_public(&cert_file, &cert.pem())?;
        Ok(is_new)
    }

    /// The authority, and whether it was made just now.
    fn authority(&self, now: Instant) -> Result<(Issuer<'static, KeyPair>, bool), FileError> {
        let (cert_file, key_file) = (self.file("ca.pem"), self.file("ca.key"));
        let problem = |error: rcgen::Error| FileError::content(&key_file, error);
        let is_new = !key_file.exists();
        if is_new && cert_file.exists() {
            let words = "the authority's key is not here; bring it back, or move ca.pem away to have a new authority";
            return Err(FileError::content(&key_file, words));
        }
        let key = match is_new {
            true => KeyPair::generate().map_err(problem)?,
            false => KeyPair::from_pem(&read_private(&key_file)?).map_err(problem)?,
        };
        // What a certificate says of its issuer follows from this name and the key alone, so the authority's certificate is never read.
        let mut params = CertificateParams::default();
        params.distinguished_name = name("dsms client authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        last(&mut params, CA_YEARS, now);
        if is_new || !cert_file.exists() {
            let cert = params.self_signed(&key).map_err(problem)?;
            if is_new {
                write_private(&key_file, &key.serialize_pem())?;
            }
            write_public(&cert_file, &cert.pem())?;
        }
        Ok((Issuer::new(params, key), is_new))
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Has a certificate be good from the day before `now`, as clocks differ, for so many years.
fn last(params: &mut CertificateParams, years: i32, now: Instant) {
    let day = i64::try_from(now.as_millis() / 86_400_000).unwrap_or(i64::MAX);
    let (year, month, day) = civil(day - 1);
    params.not_before = date_time_ymd(year, month, day);
    // There is no 29th of February in most years.
    params.not_after = date_time_ymd(year + years, month, day.min(28));
}

/// Year, month and day of a day since the Unix epoch, of the proleptic Gregorian calendar (Hinnant, `civil_from_days`).
pub(crate) fn civil(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let narrow = |number: i64| u8::try_from(number).expect("months and days fit a byte");
    (i32::try_from(year).expect("the clock shows no such year"), narrow(month), narrow(day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tls::{ClientTls, ServerTls};

    /// 2026-09-13.
    const NOW: Instant = Instant(1_789_257_600_000_000);

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, expected) in
            [(0, (1970, 1, 1)), (11_016, (2000, 2, 29)), (19_782, (2024, 2, 29)), (20_709, (2026, 9, 13))]
        {
            assert_eq!(civil(days), expected);
        }
    }

    #[test]
    fn a_certificate_can_be_used_and_is_renewed_by_the_same_authority() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = TlsDirectory::at(&scratch.path().join("tls"));
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        assert!(directory.make(&names, false, NOW).unwrap());
        ServerTls::load(&directory.file("cert.pem"), &directory.file("cert.key")).unwrap();
        ClientTls::load(&directory.file("ca.pem")).unwrap();
        let ca = std::fs::read(directory.file("ca.pem")).unwrap();
        assert!(directory.make(&names, false, NOW).unwrap_err().to_string().contains("--renew"));
        assert!(!directory.make(&names, true, NOW).unwrap());
        assert_eq!(std::fs::read(directory.file("ca.pem")).unwrap(), ca);

        let mixed = ServerTls::load(&directory.file("cert.pem"), &directory.file("ca.key")).unwrap_err().to_string();
        assert!(mixed.contains("cannot be used with the key"), "{mixed}");
        let none = ClientTls::load(&directory.file("ca.key")).unwrap_err().to_string();
        assert!(none.contains("no certificate"), "{none}");
        assert!(directory.make(&["ü".to_owned()], true, NOW).is_err());
    }
}
