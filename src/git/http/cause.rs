//! Pure: why a request failed, out of what libraries say.

use std::error::Error;
use std::io;

/// What may go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No word in time.
    #[error("late")]
    Late,
    /// No answer.
    #[error(transparent)]
    Client(#[from] hyper_util::client::legacy::Error),
    /// An answer that broke off.
    #[error(transparent)]
    Body(#[from] hyper::Error),
    /// No request.
    #[error(transparent)]
    Request(#[from] http::Error),
}

/// A cause that a person can do something about.
#[derive(Debug, PartialEq, Eq)]
pub enum Cause {
    /// The server's certificate, and why.
    Certificate(String),
    /// Nobody listens.
    Refused,
    /// Nobody has that name.
    Name,
    /// No word in time.
    Late,
}

/// The first cause that a person can do something about.
pub fn cause(error: &(dyn Error + 'static)) -> Option<Cause> {
    // What an error of the system wraps is not its source: that one's source is.
    let inner = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause_of(error)
        .or_else(|| cause(inner()?))
        .or_else(|| cause(error.source()?))
}

fn cause_of(error: &(dyn Error + 'static)) -> Option<Cause> {
    if let Some(rustls::Error::InvalidCertificate(what)) = error.downcast_ref() {
        return Some(Cause::Certificate(certificate(what)));
    }
    if matches!(error.downcast_ref(), Some(Failure::Late)) {
        return Some(Cause::Late);
    }
    let error: &io::Error = error.downcast_ref()?;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
        io::ErrorKind::TimedOut => Some(Cause::Late),
        _ if error.to_string().starts_with("failed to lookup address") => Some(Cause::Name),
        _ => None,
    }
}

fn certificate(error: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match error {
        E::Expired | E::ExpiredContext { .. } => "it has expired".into(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is one of another name".into(),
        // Also somebody else of the same name.
        E::UnknownIssuer | E::BadSignature => "nobody who is trusted signed it".into(),
        // What the library says of others has nothing of the server's own words.
        E::Other(other) => format!("it is not valid: {other}"),
        other => format!("it is not valid: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_below_others() {
        let wrapped = |inner: io::Error| io::Error::other(io::Error::other(inner));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(cause_of(&refused), Some(Cause::Refused));
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let told = cause(&wrapped(io::Error::other(tls)));
        assert_eq!(
            told,
            Some(Cause::Certificate("nobody who is trusted signed it".into()))
        );
        let name = io::Error::other("failed to lookup address information: Name does not resolve");
        assert_eq!(cause_of(&name), Some(Cause::Name));
        assert_eq!(cause_of(&io::Error::other("something else")), None);
    }
}
