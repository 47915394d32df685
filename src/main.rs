//! The program. Parses, calls, and maps the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    escalator::cli::main()
}
