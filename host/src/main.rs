//! The one binary, `dsms`.

fn main() -> std::process::ExitCode {
    dsms::cli::run()
}
