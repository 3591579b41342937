//! Why a connection failed, in plain words, with a way out.

use std::io;
use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};

use rumqttc::{ConnectReturnCode, ConnectionError};
use tripline_agent_link::tls;

/// The error of a connection to the device endpoint.
pub(crate) fn explain(error: &ConnectionError) -> String {
    if let Some(error) = tls::cause(error) {
        return tls::explain(error);
    }
    if let ConnectionError::ConnectionRefused(code) = error {
        return explain_refusal(*code);
    }
    if let ConnectionError::NotConnAck(_) = error {
        return "what listens there does not answer as MQTT; check the port of the device endpoint"
            .into();
    }
    if is_cut(error) {
        return "the connection was cut".into();
    }
    error.to_string()
}

/// Whether the stream ended in the middle: the network, or a backend that went without a goodbye.
fn is_cut(error: &(dyn std::error::Error + 'static)) -> bool {
    let cut = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe));
    cut || error.source().is_some_and(is_cut)
}

fn explain_refusal(code: ConnectReturnCode) -> String {
    match code {
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => {
            "the backend does not accept this device: its certificate was revoked, replaced, or has \
             expired; enrol with a new code from `tripline-bpp vehicle rekey`"
                .into()
        }
        ConnectReturnCode::ServiceUnavailable => "the backend is overloaded".into(),
        ConnectReturnCode::Success
        | ConnectReturnCode::RefusedProtocolVersion
        | ConnectReturnCode::BadClientId => format!("the backend refused: {code:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustls::{AlertDescription, CertificateError, Error};

    use super::*;

    #[test]
    fn what_tls_says_is_found_inside_the_clients_error_and_explained() {
        for (tls, words) in [
            (Error::AlertReceived(AlertDescription::CertificateExpired), "has expired"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "enrol with a new code"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "another CA"),
            (Error::InvalidCertificate(CertificateError::NotValidForName), "not for this name"),
        ] {
            for error in [
                ConnectionError::Io(io::Error::new(io::ErrorKind::InvalidData, tls.clone())),
                ConnectionError::Tls(rumqttc::TlsError::Io(io::Error::other(tls.clone()))),
                ConnectionError::Tls(rumqttc::TlsError::TLS(tls.clone())),
            ] {
                let said = explain(&error);
                assert!(said.contains(words), "{said}");
            }
        }
    }

    #[test]
    fn a_revoked_device_is_told_what_to_do() {
        let error = ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized);
        assert!(explain(&error).contains("enrol with a new code"));
    }
}
