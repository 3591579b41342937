//! What the documents and the structure promise, checked: fences between rooms, and words that are true.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tripline_protocol::assignment::AssignmentState;
use tripline_protocol::machine::diagram;
use tripline_protocol::order::OrderState;
use tripline_protocol::trip::TripState;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// Every file below a folder with one of these endings, build output left out.
fn files(folder: &str, endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !["target", ".git"].contains(&name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    ensure!(!found.is_empty(), "nothing in {folder}");
    Ok(found)
}

/// Lines of code in these files that hold one of the words, comments and tests left out.
fn lines_with(paths: &[PathBuf], words: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(path)?;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    Ok(found)
}

#[test]
fn the_domain_does_no_io_and_reads_no_clock() -> Result<()> {
    let mut files = files("backend/src/domain", &[".rs"])?;
    // Tests may read their fixtures.
    files.retain(|path| !path.ends_with("tests.rs"));
    let words = [
        "tokio",
        "sqlx",
        "axum",
        "reqwest",
        "hyper",
        "rumqttc",
        "std::fs",
        "std::net",
        "SystemTime",
        "Instant::now",
        "getrandom",
        "crate::time",
        "crate::chance",
        "crate::store",
        "crate::http",
        "crate::device",
        "crate::beckn",
        "crate::service",
    ];
    let found = lines_with(&files, &words)?;
    ensure!(found.is_empty(), "the domain reaches out: {found:#?}");
    Ok(())
}

#[test]
fn no_beckn_field_name_leaves_its_dialect() -> Result<()> {
    let mut files = files("backend/src", &[".rs"])?;
    files.retain(|path| !path.components().any(|part| part.as_os_str() == "v0_9"));
    // The file of subscribers has the registry's form, which is not the dialect's.
    let words = [
        "beckn::v0_9",
        "\"context\"",
        "\"bap_uri\"",
        "\"fulfillment\"",
        "\"intent\"",
        "\"ack\"",
        "\"RIDE_",
        "\"DRIVER_",
        "\"on_",
        "/message/",
        "\"transaction_id\"",
    ];
    let found = lines_with(&files, &words)?;
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}

#[test]
fn the_pure_crates_are_no_std_and_depend_on_nothing_that_does_io() -> Result<()> {
    for (library, manifest) in [
        ("protocol/src/lib.rs", "protocol/Cargo.toml"),
        ("agent/core/src/lib.rs", "agent/core/Cargo.toml"),
    ] {
        ensure!(read(library)?.contains("#![no_std]"), "{library}");
        let manifest_text = read(manifest)?;
        let dependencies = manifest_text
            .split("[dependencies]")
            .nth(1)
            .and_then(|rest| rest.split("[dev-dependencies]").next())
            .context("dependencies")?;
        for word in ["tokio", "getrandom", "rand", "rumqttc", "features = [\"std\"]"] {
            ensure!(!dependencies.contains(word), "{manifest} depends on {word}");
        }
    }
    Ok(())
}

#[test]
fn agent_and_backend_do_not_know_each_other() -> Result<()> {
    ensure!(!read("agent/Cargo.toml")?.contains("tripline-backend"));
    ensure!(!read("agent/core/Cargo.toml")?.contains("tripline-backend"));
    ensure!(!read("agent/link/Cargo.toml")?.contains("tripline-backend"));
    ensure!(!read("firmware-sim/Cargo.toml")?.contains("tripline-backend"));
    ensure!(!read("backend/Cargo.toml")?.contains("tripline-agent"));
    Ok(())
}

/// `cargo demo -- --once` is what the README says: the alias must leave the `--` to whoever types it.
#[test]
fn the_demo_takes_its_flags_after_two_dashes() -> Result<()> {
    let config = read(".cargo/config.toml")?;
    let alias = config.lines().find_map(|line| line.strip_prefix("demo = "));
    ensure!(alias == Some("\"run --quiet --bin demo\""), "{alias:?}");
    ensure!(read("README.md")?.contains("cargo demo -- --once"));
    Ok(())
}

/// The diagrams in ARCHITECTURE.md are those of the tables. `TRIPLINE_UPDATE=1` writes them.
#[test]
fn the_diagrams_are_those_of_the_machines() -> Result<()> {
    let mut text = read("ARCHITECTURE.md")?;
    for (name, drawing) in [
        ("order", diagram::<OrderState>()),
        ("assignment", diagram::<AssignmentState>()),
        ("trip", diagram::<TripState>()),
    ] {
        let open = format!("<!-- machine: {name} -->\n");
        let start = text.find(&open).with_context(|| format!("{open} in ARCHITECTURE.md"))?;
        let start = start + open.len();
        let len = text[start..].find("<!-- /machine -->").context("the end of a machine")?;
        let block = format!("```mermaid\n{drawing}```\n");
        if std::env::var_os("TRIPLINE_UPDATE").is_some() {
            text.replace_range(start..start + len, &block);
        } else {
            ensure!(
                text[start..start + len] == block,
                "{name}: set TRIPLINE_UPDATE=1 and run again"
            );
        }
    }
    if std::env::var_os("TRIPLINE_UPDATE").is_some() {
        fs::write(root().join("ARCHITECTURE.md"), text)?;
    }
    Ok(())
}

/// Every file that a document names in backticks exists.
#[test]
fn the_documents_name_real_files() -> Result<()> {
    let endings = [".rs", ".toml", ".md", ".sql", ".sh", ".nmea", ".gga"];
    let mut missing = Vec::new();
    let mut named = 0;
    let mut documents = files("docs", &[".md"])?;
    for name in ["README.md", "ARCHITECTURE.md", "PROTOCOL.md", "CHANGELOG.md"] {
        documents.push(root().join(name));
    }
    for document in documents {
        let text = fs::read_to_string(&document).with_context(|| document.display().to_string())?;
        for word in text.split('`').skip(1).step_by(2) {
            let looks_like_a_path = word.contains('/')
                && !word.starts_with(['/', '{', '~', '$', '<'])
                && !word.contains([' ', '*', ':', '\n'])
                && endings.iter().any(|ending| word.ends_with(ending));
            if !looks_like_a_path {
                continue;
            }
            named += 1;
            let beside = document.parent().context("a folder")?.join(word);
            if !root().join(word).exists() && !beside.exists() {
                missing.push(format!("{}: {word}", document.display()));
            }
        }
    }
    ensure!(
        named > 10,
        "only {named} files are named; does this test still look at the right words?"
    );
    ensure!(missing.is_empty(), "named, but not there: {missing:#?}");
    Ok(())
}
