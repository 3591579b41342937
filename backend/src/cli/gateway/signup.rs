//! `tripline-bpp gateway signup`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::printed::print;
use super::progress::Upload;
use super::{GatewayArgs, company, token};
use crate::cli::opened::counted;
use crate::error::BppError;
use crate::network::gateway::desk::Signup;
use crate::operate::gateway::{self, NewSignup};
use crate::time;

#[derive(Debug, Args)]
pub(in crate::cli) struct SignupArgs {
    #[command(flatten)]
    common: GatewayArgs,
    /// The gateway, as `[gateways.NAME]` has it
    name: String,
    /// The company and its papers, in TOML; `tripline-bpp gateway sample` prints one
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Look at every field and every paper, and send nothing
    #[arg(long)]
    check: bool,
    /// Sign up though we are registered there, or may be: the gateway makes another registration
    #[arg(long)]
    again: bool,
    /// A file with a token that the gateway gave beforehand; most want none for this
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

pub(super) async fn run(args: &SignupArgs) -> Result<(), BppError> {
    let common = &args.common;
    let config = common.config()?;
    let desk = common.desk(&config, &args.name)?;
    let company = company(&args.from)?;
    let signup = Signup {
        info: company.info,
        documents: Vec::new(),
        endpoint_url: company.endpoint_url.unwrap_or_else(|| config.beckn.uri.clone()),
        token: token(args.token_file.as_ref())?,
        again: args.again,
    };
    let new = NewSignup { signup, papers: company.documents };
    let signup = gateway::check_signup(&desk, new).map_err(|error| common.failed(error))?;
    if args.check {
        tell_checked(args, &signup);
        return Ok(());
    }
    let upload = Upload::new();
    let told = gateway::sign_up(&desk, &signup, time::now(), &|it| upload.hear(it)).await;
    upload.end();
    print(&told.map_err(|error| common.failed(error))?, common.json, time::now())
}

fn tell_checked(args: &SignupArgs, signup: &Signup) {
    let documents = &signup.documents;
    if args.common.json {
        let documents: Vec<_> = documents
            .iter()
            .map(|document| json!({ "name": document.name, "bytes": document.len }))
            .collect();
        let told = json!({ "gateway": args.name, "info": signup.info,
            "endpoint_url": signup.endpoint_url, "documents": documents });
        println!("{told}");
        return;
    }
    let count = counted(documents.len() as u64, "document");
    println!("Every field can be used, with {count}. Nothing was sent to {}.", args.name);
}
