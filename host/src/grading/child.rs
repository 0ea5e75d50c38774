//! The process in which one module is examined, seen from outside.
//!
//! It tells of each part of the examination as a line of JSON on its standard output. However it ends, by itself, by a signal, or because
//! its time is over, what it has told until then counts, and nothing else is touched.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Ended, Examined, FORMAT, Part, Settings};

/// Most bytes that a child may tell. It is this program, and its reports are bounded; a module may have made it misbehave.
const TOLD_BYTES_MAX: u64 = 64 << 20;

/// Bytes of the end of a child's standard error that are kept.
const LAST_WORDS_LEN: usize = 2000;

/// Runs the child until it ends, or is ended when the time is over.
pub async fn run(mut command: Command, digest: &str, settings: Settings) -> Examined {
    let mut examined = Examined {
        format: FORMAT.to_owned(),
        digest: digest.to_owned(),
        settings,
        ended: Ended::Whole,
        milliseconds: 0,
        check: None,
        answers: None,
        clusters: None,
    };
    let began = tokio::time::Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    examined.ended = match command.spawn() {
        Ok(mut child) => {
            let limit = Duration::from_secs(settings.time_s);
            let ended = tokio::time::timeout(limit, listen(&mut child, &mut examined)).await;
            ended.unwrap_or(Ended::OutOfTime)
            // Dropping the child ends it.
        }
        Err(error) => Ended::Failed(format!("its process cannot be started: {error}")),
    };
    examined.milliseconds = began.elapsed().as_millis() as u64;
    examined
}

async fn listen(child: &mut Child, examined: &mut Examined) -> Ended {
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let parts = async {
        let mut lines = BufReader::new(stdout.take(TOLD_BYTES_MAX)).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            match serde_json::from_str(&line) {
                Ok(Part::Check(report)) => examined.check = Some(report),
                Ok(Part::Answers(answers)) => examined.answers = Some(answers),
                Ok(Part::Clusters(clusters)) => examined.clusters = Some(clusters),
                Err(error) => return Some(format!("its process tells what is no part of an examination: {error}")),
            }
        }
        None
    };
    let (unreadable, last_words) = tokio::join!(parts, last_words(stderr));
    if let Some(words) = unreadable {
        return Ended::Failed(words);
    }
    match child.wait().await {
        Ok(status) if status.success() => Ended::Whole,
        Ok(status) => Ended::Failed(format!("its process ended with {status}: {last_words}")),
        Err(error) => Ended::Failed(format!("its process is lost: {error}")),
    }
}

/// The end of what is written there, in one line.
async fn last_words(mut from: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..len]);
        let surplus = kept.len().saturating_sub(LAST_WORDS_LEN);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(script: &str, time_s: u64) -> Examined {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        runtime.block_on(run(command, "d", Settings { seed: 1, time_s, requests: 10 }))
    }

    const CLUSTERS: &str = r#"echo '{"clusters":{"runs":3,"held":2,"struck":1,"broken":[]}}';"#;

    #[test]
    fn a_child_that_hangs_is_ended_when_its_time_is_over_and_keeps_what_it_has_told() {
        let examined = run_shell(&format!("{CLUSTERS} exec sleep 1000"), 1);
        assert_eq!(examined.ended, Ended::OutOfTime);
        assert_eq!(examined.clusters.unwrap().held, 2);
        assert!((1_000..60_000).contains(&examined.milliseconds), "{}", examined.milliseconds);
    }

    #[test]
    fn a_child_that_dies_says_how() {
        let examined = run_shell(&format!("{CLUSTERS} echo 'not my  day' >&2; kill -9 $$"), 60);
        assert!(examined.clusters.is_some());
        let Ended::Failed(words) = examined.ended else { panic!("{:?}", examined.ended) };
        assert!(words.contains("signal: 9") && words.ends_with("not my day"), "{words}");
    }

    #[test]
    fn what_is_no_part_of_an_examination_is_refused() {
        let Ended::Failed(words) = run_shell("echo hello", 60).ended else { panic!("it was understood") };
        assert!(words.contains("no part of an examination"), "{words}");
    }

    #[test]
    fn a_child_that_floods_its_standard_error_does_not_stop_at_it() {
        let examined = run_shell(&format!("head -c 1000000 /dev/zero | tr '\\0' x >&2; {CLUSTERS}"), 60);
        assert_eq!((examined.ended, examined.clusters.is_some()), (Ended::Whole, true));
    }
}
