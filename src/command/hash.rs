//! `realmgate hash`: a user code in, its Argon2id PHC string out, for `user_code` in a realm file.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use crate::{
    random::Random,
    secret::{Secret, hash_user_code},
};

#[derive(Debug, clap::Args)]
pub struct Args {}

/// The user code is typed twice on a terminal; elsewhere it is the first line of standard input.
pub fn run(_args: Args) -> ExitCode {
    let hash = read().and_then(|code| hash_user_code(&code, &Random::system()).map_err(io::Error::other));
    let printed = hash.and_then(|hash| writeln!(io::stdout().lock(), "{hash}"));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr().lock(), "realmgate hash: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read() -> io::Result<Secret> {
    let code = if io::stdin().is_terminal() {
        let code = Secret::new(rpassword::prompt_password("User code: ")?);
        let again = Secret::new(rpassword::prompt_password("Once more: ")?);
        if !code.matches(again.reveal()) {
            return Err(io::Error::other("the two are not the same"));
        }
        code
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        let code = Secret::new(line.trim_end_matches(['\r', '\n']));
        zeroize::Zeroize::zeroize(&mut line);
        code
    };
    if code.reveal().is_empty() {
        return Err(io::Error::other("the user code is empty"));
    }
    Ok(code)
}
