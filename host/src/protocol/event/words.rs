//! Events in words, one line each: what `dsms log` and the nodes' logs print.

use std::fmt;
use std::time::Duration;

use super::{Cause, Event, Rung};
use crate::protocol::id::{ReplicaId, SequenceNumber};
use crate::protocol::message::Charge;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Ready => write!(f, "ready"),
            Event::Diverged { charge, run_len } => {
                write!(f, "outcome differs from the released one {charge} in_a_row={run_len}")
            }
            Event::NoAgreement { sequence, standing } => write!(f, "no agreement seq={sequence} standing={standing:?}"),
            Event::Voided { sequence } => write!(f, "request is void, too many modules fail at it seq={sequence}"),
            Event::Suspected { charge, deadline } => {
                write!(f, "suspected, no reply within {} ms {charge}", deadline.as_millis())
            }
            Event::Voted { charge, agree, evidence } => {
                write!(f, "votes {} {charge} evidence={evidence:?}", if *agree { "crashed" } else { "alive" })
            }
            Event::CrashAgreed { charge, voters, process, .. } => {
                write!(f, "crash agreed {charge} process={process} by={}", names(voters))
            }
            Event::ModuleFailed { replica, incarnation, sequence, fault } => {
                let fault = fault.to_string();
                write!(f, "module failed replica={replica} incarnation={incarnation} seq={sequence} fault={fault:?}")
            }
            Event::RecoveryStarted { replica, incarnation, cause, rung, module } => {
                let module = module.short();
                let what = if matches!(cause, Cause::NewProcess(_)) { "begins".to_owned() } else { rung.to_string() };
                write!(f, "{what} replica={replica} incarnation={incarnation} module={module} cause=\"{cause}\"")
            }
            Event::RecoveryFailed { replica, incarnation, reason } => {
                write!(f, "could not start replica={replica} incarnation={incarnation} reason={reason:?}")
            }
            Event::Recovered { replica, incarnation, checkpoint, replayed_len, instantiated_after, took } => {
                let (started, took) = (millis(*instantiated_after), millis(*took));
                write!(
                    f,
                    "votes again replica={replica} incarnation={incarnation} checkpoint={checkpoint} \
                     replayed={replayed_len} instantiated_ms={started} took_ms={took}"
                )
            }
            Event::Verified { replica, incarnation, sequence, digest } => {
                let digest = digest.short();
                write!(
                    f,
                    "state equals the certified one replica={replica} incarnation={incarnation} seq={sequence} \
                     digest={digest}"
                )
            }
            Event::Blocked { replica, sequence } => {
                write!(f, "module fails at this request every time, waiting replica={replica} seq={sequence}")
            }
            Event::Quarantined { replica, incarnation, cause } => {
                write!(f, "quarantined replica={replica} incarnation={incarnation} cause=\"{cause}\"")
            }
            Event::Certified { sequence, digest, voters } => {
                write!(f, "checkpoint certified seq={sequence} digest={} by={}", digest.short(), names(voters))
            }
            Event::Corrupt { replica, incarnation, sequence, own, certified } => {
                let (own, certified) = (own.short(), certified.short());
                write!(
                    f,
                    "state differs from the certified one replica={replica} incarnation={incarnation} seq={sequence} \
                     digest={own} certified={certified}"
                )
            }
            Event::FirstDifference { replica, sequence, own, certified } => {
                let words = |record: &Option<String>| record.clone().unwrap_or_else(|| "nothing".to_owned());
                let (own, certified) = (words(own), words(certified));
                write!(f, "first difference replica={replica} seq={sequence} has={own:?} certified={certified:?}")
            }
            Event::StateFetched { replica, from, sequence, len_bytes } => {
                write!(f, "state fetched replica={replica} from={from} seq={sequence} bytes={len_bytes}")
            }
            Event::StateRefused { replica, from, sequence, reason } => {
                write!(f, "state refused replica={replica} from={from} seq={sequence} reason={reason:?}")
            }
            Event::StatesDiffer { sequence, digests } => {
                write!(f, "states differ seq={sequence}")?;
                digests.iter().try_for_each(|(replica, digest)| write!(f, " {replica}={}", digest.short()))
            }
            Event::FaultAdded { id, node, fault } => write!(f, "fault asked for id={id} node={node} fault=\"{fault}\""),
            Event::FaultFired { id, node } => write!(f, "fault has struck id={id} node={node}"),
            Event::FaultOver { id, node, fired, refused: None } => {
                write!(f, "fault is over id={id} node={node} fired={fired}")
            }
            Event::FaultOver { id, node, refused: Some(words), .. } => {
                write!(f, "fault refused id={id} node={node} reason={words:?}")
            }
            Event::ShadowStarted { replica, module, checkpoint } => {
                write!(
                    f,
                    "shadow follows the order replica={replica} module={} checkpoint={checkpoint}",
                    module.short()
                )
            }
            Event::Swapped { replica, incarnation, sequence, module, previous } => {
                let (module, previous) = (module.short(), previous.short());
                write!(
                    f,
                    "swapped its module replica={replica} incarnation={incarnation} seq={sequence} module={module} \
                     previous={previous}"
                )
            }
            Event::SwapFailed { replica, reason } => write!(f, "swap failed replica={replica} reason={reason:?}"),
            Event::KeptDamaged { replica, what } => write!(f, "kept data is damaged replica={replica} what={what:?}"),
            Event::KeepingFailed { replica, reason } => {
                write!(f, "ALARM nothing can be kept, so it does not vote replica={replica} reason={reason:?}")
            }
            Event::TimedOut { sequence: Some(sequence) } => write!(f, "timed out seq={sequence}"),
            Event::TimedOut { sequence: None } => write!(f, "timed out before it was ordered"),
            Event::Ignored { from, message, reason } => write!(f, "ignored {message} from={from} reason={reason:?}"),
            Event::StrangeDatagrams { forged, truncated, reflected, other_cluster, unknown_key, unknown_version } => {
                write!(
                    f,
                    "dropped strange datagrams forged={forged} truncated={truncated} reflected={reflected} \
                     other_cluster={other_cluster} unknown_key={unknown_key} unknown_version={unknown_version}"
                )
            }
            Event::KeysRead { newest } => write!(f, "keys read again newest={newest}"),
            Event::KeysRefused { reason } => write!(f, "keys not changed reason={reason:?}"),
            Event::Ledger(news) => news.fmt(f),
        }
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Charge { replica, incarnation, sequence } = self;
        write!(f, "replica={replica} incarnation={incarnation} seq={sequence}")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Wrong(sequence) => write!(f, "wrong three times in a row, last at {sequence}"),
            Cause::Hung(sequence) => write!(f, "a call has not come back while it was brought back, at {sequence}"),
            Cause::Crashed(sequence) => write!(f, "agreed to have crashed, silent at {sequence}"),
            Cause::ModuleFailed(sequence, fault) => write!(f, "module failed at {sequence}: {fault}"),
            Cause::Corrupt(sequence) => write!(f, "state is corrupt at {sequence}"),
            Cause::ImportFailed(words) => write!(f, "import failed: {words}"),
            Cause::Voided(sequence) => write!(f, "executed a request that is void, at {sequence}"),
            Cause::NewProcess(SequenceNumber(0)) => write!(f, "its process is new, and has kept nothing"),
            Cause::NewProcess(sequence) => write!(f, "its process is new, and goes on after {sequence}"),
            Cause::Behind(sequence) => write!(f, "the orders after {sequence} were missed"),
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rung::Reinstantiate => "reinstantiates",
            Rung::Spare => "replaces its module by a spare",
        })
    }
}

fn names(replicas: &[ReplicaId]) -> String {
    replicas.iter().map(ReplicaId::to_string).collect::<Vec<_>>().join(",")
}

fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}
