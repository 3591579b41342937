//! The published specification, which is read from outside and never copied in here: its licences
//! forbid that.

use std::path::PathBuf;

/// Names the folder of the published specification.
pub const SPEC_VARIABLE: &str = "TRIPLINE_SPEC_DIR";

/// The folder; `None`, with a loud word, where it is not provided.
pub fn spec_dir() -> Option<PathBuf> {
    let dir = std::env::var_os(SPEC_VARIABLE).map(PathBuf::from);
    if dir.is_none() {
        eprintln!("\n*** SKIPPED: {SPEC_VARIABLE} does not name the published specification ***\n");
    }
    dir
}
