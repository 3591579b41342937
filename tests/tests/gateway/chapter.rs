//! The chapter of `docs/operate.md`, typed from an empty folder as it stands there.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tripline_tests::world::Binaries;

use crate::office::{PDF, PDF_BASE64, SOON, gateway, sample_info};

/// Every shell block of the chapter, one after the other.
fn typed() -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate.md");
    let text = std::fs::read_to_string(path)?;
    let (_, chapter) =
        text.split_once("\n## Registering with a gateway\n").context("the chapter")?;
    let chapter = chapter.split("\n## ").next().context("its end")?;
    let (mut typed, mut is_shell) = (String::new(), false);
    for line in chapter.lines() {
        // A block within a list is indented with it.
        let bare = line.strip_prefix("   ").unwrap_or(line);
        match bare {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            _ if is_shell => typed += &format!("{bare}\n"),
            _ => {}
        }
    }
    ensure!(typed.matches("tripline-bpp ").count() >= 9, "too little is typed: {typed}");
    Ok(typed)
}

#[tokio::test]
async fn the_chapter_takes_a_new_operator_from_an_empty_folder_to_a_registered_provider()
-> Result<()> {
    let (city, binaries, dir) = (gateway().await?, Binaries::find()?, tempfile::tempdir()?);
    let typed = typed()?.replace("https://gateway.example", city.url());
    std::fs::write(dir.path().join("compliance.pdf"), PDF)?;
    std::fs::write(dir.path().join("permit.jpg"), [0xff, 0xd8, 0xff, 0xe0])?;
    let folder = binaries.path("tripline-bpp").parent().context("a folder")?.to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let typing = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &typed])
        .current_dir(dir.path())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env_remove("TRIPLINE_CONFIG")
        .stdin(Stdio::null())
        .output();
    let looking = async {
        // The signup, and the first question of `get --wait`.
        city.wait_for_asked(2, SOON).await?;
        city.verify_all();
        anyhow::Ok(())
    };
    let (ended, looked) = tokio::join!(typing, looking);
    let ended = ended?;
    let (out, said) = (String::from_utf8(ended.stdout)?, String::from_utf8(ended.stderr)?);
    ensure!(ended.status.success(), "{typed}\n{out}\n{said}");
    looked?;
    ensure!(out.contains("registration  reg-1: VERIFIED"), "{out}");
    ensure!(out.contains("document      Permit (reg-1-d2): PENDING-VERIFICATION"), "{out}");
    ensure!(out.contains("city knows us as reg-1") && out.contains("No fault found."), "{out}");

    let asked = city.asked();
    ensure!(asked.iter().all(|asked| asked.acked == Some(true)), "{asked:#?}");
    let signup = json!({
        "info": sample_info(),
        "documents": [{ "name": "Compliance Certificate", "data": PDF_BASE64 }],
        "api": { "endpoint_url": "https://bpp.example/beckn" },
    });
    ensure!(asked[0].path == "/Provider/signup" && asked[0].body == signup, "{:#?}", asked[0]);
    let mut paths: Vec<_> = asked.iter().map(|asked| asked.path.as_str()).collect();
    paths.dedup();
    let expected = [
        "/Provider/signup",
        "/Provider/get",
        "/Provider/documents/add",
        "/Provider/info/update",
        "/Provider/get",
    ];
    ensure!(paths == expected, "{paths:?}");
    Ok(())
}
