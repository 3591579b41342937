//! `tripline-bpp gateway list`

use clap::Args;

use super::GatewayArgs;
use super::printed::print;
use crate::error::BppError;
use crate::operate::gateway;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    common: GatewayArgs,
}

pub(super) fn run(args: &ListArgs) -> Result<(), BppError> {
    let config = args.common.config()?;
    let now = time::now();
    let listed = gateway::list(&config, now)?;
    if listed.is_empty() && !args.common.json {
        println!("There is no [gateways.NAME] in the configuration.");
    }
    listed.iter().try_for_each(|view| print(view, args.common.json, now))
}
