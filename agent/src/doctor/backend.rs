//! The backend: its name, its port, and whether it accepts this device.

use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, MqttOptions, Packet};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Finding;
use crate::config::Config;
use crate::control::message::Status;
use crate::uplink::explain;

const CHECK: &str = "backend";

/// Longest wait for the name, the connection and the answer each, in s.
const WAIT_S_MAX: u64 = 5;

pub(super) async fn check(config: &Config, status: Option<&Status>) -> Vec<Finding> {
    let place = format!("{}:{}", config.backend.host, config.backend.port);
    if status.is_some_and(|status| status.connected) {
        return vec![Finding::good(CHECK, format!("the running agent is connected to {place}"))];
    }
    if let Err(finding) = reach(config, &place).await {
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
    vec![greet(config, &place).await]
}

/// Whether anything listens there.
async fn reach(config: &Config, place: &str) -> Result<(), Finding> {
    let wait = Duration::from_secs(WAIT_S_MAX);
    let host = (config.backend.host.as_str(), config.backend.port);
    let named = timeout(wait, lookup_host(host)).await;
    if !matches!(&named, Ok(Ok(_))) {
        return Err(Finding::fault(
            CHECK,
            format!("unreachable: the name {} is not found", config.backend.host),
            "check [backend] host and the network's name server; is the network up?",
        ));
    }
    let reason = match timeout(wait, TcpStream::connect(host)).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {WAIT_S_MAX} s"),
    };
    Err(Finding::fault(
        CHECK,
        format!("unreachable: no connection to {place}: {reason}"),
        "check [backend] host and port, that tripline-bpp runs, and the network between",
    ))
}

/// Whether it accepts this device.
async fn greet(config: &Config, place: &str) -> Finding {
    let mut options =
        MqttOptions::new(config.device.as_str(), config.backend.host.clone(), config.backend.port);
    options
        .set_credentials(config.device.as_str(), config.backend.token.expose())
        .set_clean_session(true);
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
            "compare `device` and [backend] token with what `tripline-bpp vehicle add` printed",
        ),
        Ok(Err(ConnectionError::NetworkTimeout)) | Err(_) => Finding::fault(
            CHECK,
            format!("{place} takes the connection and does not answer as MQTT"),
            "check [backend] port: is it the device endpoint of tripline-bpp?",
        ),
        Ok(Err(error)) => Finding::fault(
            CHECK,
            format!("{place} can be reached, but: {}", explain(&error)),
            "check that tripline-bpp runs behind it, and [backend] port",
        ),
    }
}
