//! `dsms new`: a module project to begin from.

use std::process::ExitCode;

use clap::Args;

use self::project::{Project, ProjectName};
use self::templates::Language;
use super::output::say;

mod project;
mod templates;

/// Make a project for a module: a complete market, with the contract beside it.
///
/// The project is a directory of this name. `./build` in it writes out/replica.wasm, which `dsms check` finds good as it is; `./test` runs
/// its unit tests. Each operation of the market has a file of its own. Nothing that exists is overwritten.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// The project's name and directory: lower-case letters, digits and hyphens, a letter first.
    name: ProjectName,
    /// The language it is written in.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Language,
}

/// Runs the command.
pub fn run(args: NewArgs) -> anyhow::Result<ExitCode> {
    let NewArgs { name, lang } = args;
    let project = Project::new(name, lang)?;
    project.write(".".as_ref())?;
    let name = project.name();
    say!("{name}: {} files; building needs {}", project.files_len(), lang.needs());
    say!("now type:");
    say!("  cd {name}");
    say!("  ./build                                 writes out/replica.wasm");
    say!("  dsms check out/replica.wasm             does it meet the contract, does it know the rules?");
    say!("  dsms up                                 a cluster to try it in; it goes on in this terminal,");
    say!("                                          so type the rest in another one, in the same directory");
    say!("  dsms swap replica-2 out/replica.wasm --shadow 0");
    say!("  dsms watch .                            builds, checks and swaps after each save");
    Ok(ExitCode::SUCCESS)
}
