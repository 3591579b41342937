//! `tripline-bpp gateway update-info`

use std::path::PathBuf;

use clap::Args;

use super::printed::print;
use super::{GatewayArgs, company};
use crate::error::BppError;
use crate::operate::gateway;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct UpdateInfoArgs {
    #[command(flatten)]
    common: GatewayArgs,
    /// The gateway, as `[gateways.NAME]` has it
    name: String,
    /// The company, in the file of `signup`: name, phone, email and company id are sent, and nothing else
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

pub(super) async fn run(args: &UpdateInfoArgs) -> Result<(), BppError> {
    let common = &args.common;
    let desk = common.desk(&common.config()?, &args.name)?;
    let info = company(&args.from)?.info;
    let told = gateway::update_info(&desk, &info, time::now(), &|_| {}).await;
    print(&told.map_err(|error| common.failed(error))?, common.json, time::now())
}
