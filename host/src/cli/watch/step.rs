//! One command of a round, and what may end it before its time: a signal to us, or a change of the sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal as SignalNumber, kill_process_group};
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::LOOK_EVERY;
use super::sources::Sources;
use crate::cli::output::shell_word;

/// How long a command may take to end by itself when it is interrupted. `dsms swap` takes leave of the front end in this time.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(5);

/// The signals that end us, so that no command is left behind: Ctrl-C, `kill`, and the terminal that is closed.
pub(super) struct Stop([Signal; 3]);

impl Stop {
    pub(super) fn listen() -> std::io::Result<Stop> {
        Ok(Stop([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hang_up] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    }

    /// Waits, and says whether a signal came.
    pub(super) async fn asked_within(&mut self, patience: Duration) -> bool {
        timeout(patience, self.asked()).await.is_ok()
    }
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Good,
    Bad,
    /// The sources have changed under it, so it was interrupted.
    Changed,
    /// We were asked to stop.
    Stopped,
}

/// One command, with its output where ours is.
#[derive(Debug)]
pub(super) struct Step {
    program: PathBuf,
    arguments: Vec<String>,
    /// As a person would type it.
    words: String,
}

impl Step {
    pub(super) fn new(program: PathBuf, arguments: &[&str]) -> Step {
        let words = words(&program, arguments);
        Step { program, arguments: arguments.iter().map(|word| (*word).to_owned()).collect(), words }
    }

    /// A command of this very program.
    pub(super) fn dsms(arguments: &[&str]) -> anyhow::Result<Step> {
        let program = std::env::current_exe().context("cannot tell which program this is")?;
        let words = words(Path::new("dsms"), arguments);
        Ok(Step { words, ..Step::new(program, arguments) })
    }

    /// Runs it to its end, or until the sources, if they are given, have changed.
    pub(super) async fn run(&self, sources: Option<(&Path, &Sources)>, stop: &mut Stop) -> anyhow::Result<Ended> {
        eprintln!("dsms: {}", self.words);
        let mut command = Command::new::<&OsStr>(self.program.as_ref());
        // A group of its own: what it has started ends with it.
        command.args(&self.arguments).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        loop {
            tokio::select! {
                status = child.wait() => {
                    let status = status?;
                    if status.success() {
                        return Ok(Ended::Good);
                    }
                    eprintln!("dsms: {} has failed: {status}", self.words);
                    return Ok(Ended::Bad);
                }
                () = stop.asked() => {
                    interrupt(&mut child, group).await;
                    return Ok(Ended::Stopped);
                }
                () = until_next_look() => {
                    let Some((project, sources)) = sources else { continue };
                    if Sources::look(project)? != *sources {
                        eprintln!("dsms: a file has changed, so this ends and begins anew");
                        interrupt(&mut child, group).await;
                        return Ok(Ended::Changed);
                    }
                }
            }
        }
    }
}

/// Ends a command and all that it has started.
async fn interrupt(child: &mut Child, group: Option<Pid>) {
    let Some(group) = group else { return };
    // Whatever is gone already needs no signal.
    let _is_gone = kill_process_group(group, SignalNumber::INT);
    let _ended = timeout(INTERRUPT_PATIENCE, child.wait()).await;
    let _is_gone = kill_process_group(group, SignalNumber::KILL);
    let _ended = child.wait().await;
}

/// Waiting for nothing, with a deadline.
async fn until_next_look() {
    let _elapsed = timeout(LOOK_EVERY, std::future::pending::<()>()).await;
}

fn words(program: &Path, arguments: &[&str]) -> String {
    let words = std::iter::once(shell_word(program)).chain(arguments.iter().map(|word| shell_word(word.as_ref())));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{PidfdFlags, pidfd_open};

    use super::*;

    fn shell(line: &str) -> Step {
        Step::new("/bin/sh".into(), &["-c", line])
    }

    fn run(step: &Step, project: Option<&Path>) -> Ended {
        let runtime = crate::cli::runtime().unwrap();
        runtime.block_on(async {
            let mut stop = Stop::listen().unwrap();
            let sources = project.map(|project| Sources::look(project).unwrap());
            step.run(project.zip(sources.as_ref()), &mut stop).await.unwrap()
        })
    }

    #[test]
    fn a_command_ends_good_or_bad_as_its_exit_code_says() {
        assert_eq!(run(&shell("exit 0"), None), Ended::Good);
        assert_eq!(run(&shell("exit 3"), None), Ended::Bad);
    }

    #[test]
    fn a_change_of_the_sources_ends_a_command_and_what_it_has_started() {
        let project = tempfile::tempdir().unwrap();
        let marks = tempfile::tempdir().unwrap();
        let pid_file = marks.path().join("pid");
        // A process in the background, which does not hear of interrupts, and a change of the sources. Neither would end in time.
        let line = format!(
            "sleep 1000 & echo $! >{}; echo changed >{}/lib.rs; wait",
            pid_file.display(),
            project.path().display()
        );
        assert_eq!(run(&shell(&line), Some(project.path())), Ended::Changed);
        let pid: i32 = std::fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
        // A process that cannot be opened is gone already. This one has been killed, so it ends without any further doing.
        if let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            let timeout = Timespec { tv_sec: 10, tv_nsec: 0 };
            let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&timeout)).unwrap();
            assert_eq!(ended, 1, "process {pid} goes on");
        }
    }

    #[test]
    fn a_command_is_told_as_a_person_would_type_it() {
        let step = Step::dsms(&["check", "my market/out/replica.wasm"]).unwrap();
        assert_eq!(step.words, "dsms check 'my market/out/replica.wasm'");
    }
}
