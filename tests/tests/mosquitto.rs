//! Mosquitto's own clients against the device door: what others wrote to the same standard gets the
//! answers that the standard has for it.

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use tripline_backend::keys;
use tripline_protocol::fix::FixType;
use tripline_protocol::id::{CommandNumber, JournalEpoch, Sequence};
use tripline_protocol::link::down::{Command as DeviceCommand, CommandBody};
use tripline_protocol::link::envelope::encode;
use tripline_protocol::link::seal;
use tripline_protocol::link::settings::DeviceSettings;
use tripline_protocol::link::trail::{TrailBatch, TrailEntry, TrailFix};
use tripline_protocol::unit::{Position, Timestamp};
use tripline_tests::door::{Door, Identity, now};

/// A client that has not ended by then is ended.
const CLIENT_MAX: Duration = Duration::from_secs(20);

/// Runs one of the clients as a device; `None` if it had to be ended.
async fn client(
    name: &str,
    door: &Door,
    identity: &Identity,
    arguments: &[&str],
) -> Result<Option<Output>> {
    let folder = tempfile::tempdir()?;
    let [ca, certificate, key] = identity.write_pem(folder.path())?;
    let port = door.address.port().to_string();
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &port, "-i", &identity.name, "-d"]);
    command.arg("--cafile").arg(ca).arg("--cert").arg(certificate).arg("--key").arg(key);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(CLIENT_MAX, command.output()).await {
        Ok(output) => {
            let output = output.context("Debian's package mosquitto-clients is needed")?;
            println!("{name} {arguments:?}: {}", said(&output));
            Ok(Some(output))
        }
        Err(_) => Ok(None),
    }
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

async fn ended(
    name: &str,
    door: &Door,
    identity: &Identity,
    arguments: &[&str],
) -> Result<(bool, String)> {
    let output = client(name, door, identity, arguments).await?.context("it does not end")?;
    Ok((output.status.success(), said(&output)))
}

#[tokio::test]
async fn it_publishes_to_its_own_lanes_with_qos_0_and_1_and_what_is_acknowledged_is_stored()
-> Result<()> {
    let door = &Door::open().await?;
    let device = &door.device("mosquitto").await?;
    let fix = TrailFix {
        at: Timestamp::from_unix_ms(1_700_000_000_000),
        position: Position::new(129_000_000, 776_000_000)?,
        speed_cmps: None,
        course_ddeg: None,
        altitude_mm: None,
        fix_type: FixType::ThreeD,
        refused: None,
    };
    let batch = TrailBatch {
        epoch: JournalEpoch(77),
        after: Sequence(0),
        entries: vec![TrailEntry::Fix(fix)],
    };
    let folder = tempfile::tempdir()?;
    let payload = folder.path().join("batch");
    std::fs::write(&payload, encode(&batch))?;
    let file = payload.to_str().context("a path")?;
    let trail = device.topic("trail");
    let (well, said) =
        ended("mosquitto_pub", door, device, &["-t", &trail, "-q", "1", "-f", file]).await?;
    ensure!(well && said.contains("received PUBACK"), "{said}");
    let id = device.name.parse()?;
    let stored = door.store.read().await?.trail_batches(&id, JournalEpoch(77)).await?;
    ensure!(stored.len() == 1, "acknowledged and not stored");
    let live = device.topic("live");
    let (well, said) =
        ended("mosquitto_pub", door, device, &["-t", &live, "-q", "0", "-m", "x"]).await?;
    ensure!(well, "{said}");
    Ok(())
}

#[tokio::test]
async fn it_reads_its_own_commands_sealed_and_nothing_of_others() -> Result<()> {
    let door = &Door::open().await?;
    let device = &door.device("mosquitto").await?;
    door.device("other").await?;
    let sent = DeviceCommand {
        number: CommandNumber(7),
        expires_at: None,
        body: CommandBody::Configure(DeviceSettings::default()),
    };
    let mut tx = door.store.write().await?;
    tx.add_down_message(&device.name.parse()?, sent.number, encode(&sent), now()).await?;
    tx.commit().await?;
    let topic = device.topic("command");
    let arguments = ["-t", &topic, "-q", "1", "-C", "1", "-F", "payload=%x"];
    let (well, said) = ended("mosquitto_sub", door, device, &arguments).await?;
    ensure!(well && said.contains("Subscribed (mid: 1): 1"), "{said}");
    let hex = said.lines().find_map(|line| line.strip_prefix("payload=")).context("a payload")?;
    let payload = (0..hex.len() / 2)
        .map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16))
        .collect::<Result<Vec<_>, _>>()?;
    let key = keys::file::load(&door.data_dir().join("command.key"))?;
    let opened: DeviceCommand = seal::open(&payload, &topic.parse()?, &[key.public()])?;
    ensure!(opened == sent, "{opened:?}");
    let own = device.topic("ack");
    let (_, said) = ended("mosquitto_sub", door, device, &["-t", &own, "-q", "1", "-E"]).await?;
    ensure!(said.contains("Subscribed (mid: 1): 1"), "{said}");
    for filter in ["v1/d/other/command", "v1/d/+/command", "#", "$SYS/#"] {
        let (_, said) = ended("mosquitto_sub", door, device, &["-t", filter, "-E"]).await?;
        ensure!(said.contains("Subscribed (mid: 1): 128"), "{filter}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn what_it_may_not_do_is_refused_as_the_standard_has_it() -> Result<()> {
    let door = &Door::open().await?;
    let device = &door.device("mosquitto").await?;
    let (live, other) = (device.topic("live"), "v1/d/other/live");
    // MQTT 5 in its own words, which the client can read out.
    let arguments = ["-V", "mqttv5", "-t", &live, "-m", "x"];
    let (well, said) = ended("mosquitto_pub", door, device, &arguments).await?;
    ensure!(!well && said.to_lowercase().contains("unsupported protocol version"), "{said}");
    // The client id is not the certificate's device.
    let arguments = ["-i", "other", "-t", other, "-m", "x"];
    let (well, said) = ended("mosquitto_pub", door, device, &arguments).await?;
    ensure!(!well && said.to_lowercase().contains("not authori"), "{said}");
    // Another's topic, QoS 2 and retained: the connection ends. With QoS 1 and 2 this client tries
    // again for ever, so it may have to be ended.
    for (arguments, reason) in [
        (["-t", other, "-q", "1", "-m", "x"].as_slice(), "topic-not-its-own"),
        (&["-t", &live, "-q", "2", "-m", "x"], "qos-2"),
        (&["-t", &live, "-q", "1", "-r", "-m", "x"], "retain"),
    ] {
        let output = client("mosquitto_pub", door, device, arguments).await?;
        let acknowledged = output.as_ref().map(self::said).is_some_and(|said| {
            ["PUBACK", "PUBREC", "PUBCOMP"].iter().any(|answer| said.contains(answer))
        });
        ensure!(!acknowledged, "{arguments:?} was acknowledged");
        let log = door.log()?;
        ensure!(log.contains(&format!("reason=\"{reason}\"")), "no {reason} in the log");
    }
    // A will for another.
    let arguments =
        ["-t", &live, "-m", "x", "--will-topic", "v1/d/other/presence", "--will-payload", "x"];
    let (well, said) = ended("mosquitto_pub", door, device, &arguments).await?;
    ensure!(!well && said.to_lowercase().contains("not authori"), "{said}");
    Ok(())
}

#[tokio::test]
async fn without_a_certificate_of_our_ca_it_does_not_get_past_the_handshake() -> Result<()> {
    let door = &Door::open().await?;
    let stranger = &door.stranger("mosquitto")?;
    let topic = stranger.topic("live");
    let output = client("mosquitto_pub", door, stranger, &["-t", &topic, "-m", "x"]).await?;
    let well = output.is_some_and(|output| output.status.success());
    ensure!(!well, "a stranger published");
    Ok(())
}
