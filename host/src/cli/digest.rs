//! `dsms digest`: are the replicas' states equal?

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::protocol::client_message::{ClientMessage, ServerBody, shared_digest};
use crate::protocol::id::ReplicaId;
use crate::protocol::message::Response;

use super::connect::{ConnectArgs, block_on, unexpected};
use super::output::say;

/// Have every replica digest its state at one place of the order, and compare.
///
/// Exit code 0 when all digests are equal, 1 when they differ or a replica gave none.
#[derive(Debug, Args)]
pub struct DigestArgs {
    /// Print JSON: one object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the command.
pub fn run(args: DigestArgs) -> anyhow::Result<ExitCode> {
    let (sequence, responses) = block_on(async {
        let body = args.connect.client().await?.call(|number| ClientMessage::Digest { number }).await?;
        match body {
            ServerBody::Digests { sequence, responses } => Ok((sequence, responses)),
            ServerBody::Answer(answer) => anyhow::bail!("{answer}"),
            other => Err(unexpected(&other)),
        }
    })?;
    let shared = shared_digest(&responses);
    let digest = |response: &Option<Response>| match response {
        Some(Response::StateDigest(digest)) => Ok(digest.to_string()),
        Some(Response::Fault(fault)) => Err(fault.to_string()),
        Some(_) => Err("gave no digest".to_owned()),
        None => Err("no reply in time".to_owned()),
    };
    if args.json {
        let replicas: Vec<Value> = responses
            .iter()
            .map(|(replica, response)| match digest(response) {
                Ok(digest) => json!({"replica": replica.to_string(), "digest": digest}),
                Err(error) => json!({"replica": replica.to_string(), "error": error}),
            })
            .collect();
        say!("{}", json!({"sequence": sequence, "equal": shared.is_some(), "replicas": replicas}));
    } else {
        for (replica, response) in &responses {
            say!("#{sequence} {replica}  {}", digest(response).unwrap_or_else(|error| error));
        }
        say!("{}", verdict(&responses, shared.is_some()));
    }
    Ok(ExitCode::from(u8::from(shared.is_none())))
}

/// What the digests amount to, in words: states that differ are another matter than states that are not known.
fn verdict(responses: &[(ReplicaId, Option<Response>)], all_equal: bool) -> String {
    let given: Vec<_> = responses.iter().filter(|(_, one)| matches!(one, Some(Response::StateDigest(_)))).collect();
    let equal = given.iter().all(|(_, one)| *one == given[0].1);
    match (all_equal, equal, given.len()) {
        (true, ..) => "all states are equal".to_owned(),
        (false, false, _) => "the states are NOT equal".to_owned(),
        (false, true, 0) => "no state is known".to_owned(),
        (false, true, len) => format!("the {len} of {} states that are known are equal", responses.len()),
    }
}
