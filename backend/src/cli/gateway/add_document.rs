//! `tripline-bpp gateway add-document`

use std::path::PathBuf;

use clap::Args;

use super::GatewayArgs;
use super::printed::print;
use super::progress::Upload;
use crate::error::BppError;
use crate::network::gateway::company::Paper;
use crate::operate::gateway;
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct AddDocumentArgs {
    #[command(flatten)]
    common: GatewayArgs,
    /// The gateway, as `[gateways.NAME]` has it
    name: String,
    /// The papers' files: pdf, jpeg or jpg
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the paper is called at the gateway, once for each file and in their order; the file's name if not
    /// given
    #[arg(long, value_name = "TEXT")]
    title: Vec<String>,
}

pub(super) async fn run(args: &AddDocumentArgs) -> Result<(), BppError> {
    let common = &args.common;
    let desk = common.desk(&common.config()?, &args.name)?;
    if !args.title.is_empty() && args.title.len() != args.files.len() {
        let message = "give --title once for each file, or not at all".into();
        return Err(BppError::Refused { message });
    }
    let mut titles = args.title.iter().cloned();
    let papers: Vec<_> =
        args.files.iter().map(|file| Paper { file: file.clone(), name: titles.next() }).collect();
    let upload = Upload::new();
    let told =
        gateway::add_documents(&desk, &papers, time::now(), &|progress| upload.hear(progress))
            .await;
    upload.end();
    print(&told.map_err(|error| common.failed(error))?, common.json, time::now())
}
