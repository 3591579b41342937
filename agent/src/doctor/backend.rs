//! The backend: its name, its port, and whether it accepts this device.

use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, Packet};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tripline_agent_link::tls;

use super::Finding;
use crate::config::Config;
use crate::control::message::Status;
use crate::credentials::Credentials;
use crate::uplink::{explain, options};

const CHECK: &str = "backend";

/// Longest wait for the name, the connection and the answer each, in s.
const WAIT_S_MAX: u64 = 5;

pub(super) async fn check(
    config: &Config,
    credentials: &Credentials,
    status: Option<&Status>,
) -> Vec<Finding> {
    let (host, port) = config.backend.endpoint(&credentials.identity);
    let place = format!("{host}:{port}");
    if status.is_some_and(|status| status.connected) {
        return vec![Finding::good(CHECK, format!("the running agent is connected to {place}"))];
    }
    if let Err(finding) = reach(&host, port, &place).await {
        return vec![finding];
    }
    if status.is_some() {
        // A second connection of one device would throw out the first.
        return vec![Finding::fault(
            CHECK,
            format!("{place} can be reached, but the running agent is not connected to it"),
            "its log says why; wait for its next attempt, or restart it",
        )];
    }
    vec![greet(config, credentials, &place).await]
}

/// Whether anything listens there.
async fn reach(host: &str, port: u16, place: &str) -> Result<(), Finding> {
    let wait = Duration::from_secs(WAIT_S_MAX);
    let named = timeout(wait, lookup_host((host, port))).await;
    if !matches!(&named, Ok(Ok(_))) {
        return Err(Finding::fault(
            CHECK,
            format!("unreachable: the name {host} is not found"),
            "is the network up? check its name server, and [backend] host if that is set",
        ));
    }
    let reason = match timeout(wait, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {WAIT_S_MAX} s"),
    };
    Err(Finding::fault(
        CHECK,
        format!("unreachable: no connection to {place}: {reason}"),
        "check that tripline-bpp runs, the network between, and [backend] host and port if they are set",
    ))
}

/// Whether it accepts this device.
async fn greet(config: &Config, credentials: &Credentials, place: &str) -> Finding {
    let options = options(&config.backend, credentials);
    // The client is kept until the answer has come: without it the event loop ends.
    let (client, mut eventloop) = AsyncClient::new(options, 1);
    let greeted = timeout(Duration::from_secs(WAIT_S_MAX), async {
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    })
    .await;
    drop(client);
    match greeted {
        Ok(Ok(())) => Finding::good(CHECK, format!("{place} accepts this device")),
        Ok(Err(error @ ConnectionError::ConnectionRefused(_))) => Finding::fault(
            CHECK,
            format!("{place} can be reached, but: {}", explain(&error)),
            "`tripline-bpp vehicle show` says why; `tripline-bpp vehicle rekey` prints a new code",
        ),
        Ok(Err(error)) if tls::cause(&error).is_some() => Finding::fault(
            CHECK,
            format!("{place} can be reached, but there is no TLS with it: {}", explain(&error)),
            "the line above says what to do",
        ),
        Ok(Err(ConnectionError::NetworkTimeout)) | Err(_) => Finding::fault(
            CHECK,
            format!("{place} takes the connection and does not answer as MQTT"),
            "is that port the device endpoint of tripline-bpp?",
        ),
        Ok(Err(error)) => Finding::fault(
            CHECK,
            format!("{place} can be reached, but: {}", explain(&error)),
            "check that tripline-bpp runs behind it, and [backend] port if that is set",
        ),
    }
}
