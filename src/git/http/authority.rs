//! Pure: whom a server's certificate must be signed by.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::api::conditions::Reason;
use crate::git::Trouble;

/// Who may have signed the server's certificate.
pub fn roots(authority: Option<&str>) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    let Some(text) = authority else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let invalid = || {
        let message = "key ca.crt of the ConfigMap of spec.source.git.caConfigMapRef has no certificate in PEM: put it there";
        Trouble::new(Reason::GitSourceInvalid, message)
    };
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = certificate.map_err(|_| invalid())?;
        roots.add(certificate).map_err(|_| invalid())?;
    }
    if roots.is_empty() {
        Err(invalid())
    } else {
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_must_be_a_certificate() {
        assert!(!roots(None).unwrap().is_empty());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "no PEM", broken] {
            assert_eq!(
                roots(Some(text)).unwrap_err().reason,
                Reason::GitSourceInvalid,
                "{text}"
            );
        }
    }
}
