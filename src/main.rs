//! The entry point: installs the TLS provider, parses the arguments, dispatches.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Before any client exists: rustls panics at the first TLS use when it has to guess a provider.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        eprintln!("a TLS provider was installed twice");
        return ExitCode::FAILURE;
    }
    zato_operator::cli::Cli::parse().run()
}
