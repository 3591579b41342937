//! `tripline-bpp openapi`: the admin API's document.

use crate::error::BppError;
use crate::http::admin;

pub(super) fn run() -> Result<(), BppError> {
    let document = serde_json::to_string_pretty(&admin::openapi());
    println!("{}", document.map_err(|error| BppError::Internal(error.to_string()))?);
    Ok(())
}
