//! `realmgate lookup`: shows an operator step by step how a hint becomes a user. Asks the realm's lookups anew, without any
//! cache, and prints what they say; secrets and tokens are never among it.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use serde_json::{Value, json};

use crate::{
    clock::Clock,
    config::{self, Overrides},
    event::{Audit, Events},
    http::{Http, Outbound},
    realm::{
        Realm, User,
        user::{Identity, SamePerson},
    },
    upstream::{Found, Lookups, lookup::Trace},
};

const FOUND: u8 = 0;
const NOT_FOUND: u8 = 3;
const AMBIGUOUS: u8 = 4;
const UPSTREAM_FAULT: u8 = 6;
const CONFIGURATION_FAULT: u8 = 2;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
    /// The realm's name
    #[arg(long, value_name = "NAME")]
    pub realm: String,
    /// What a client would send as `login_hint`
    #[arg(long, value_name = "HINT")]
    pub login_hint: String,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: Args) -> ExitCode {
    match asked(&args).map(|trace| report(&trace, args.json, io::stdout().lock())) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(error)) => failed(&error.to_string(), 1),
        Err(fault) => failed(&fault, CONFIGURATION_FAULT),
    }
}

/// The trace, or what is wrong with the configuration. Faults of other realms do not matter here.
fn asked(args: &Args) -> Result<Trace, String> {
    let config = config::load(&args.config, &Overrides::default()).map_err(|faults| faults.to_string())?;
    match config::load_realms(&config).by_name.get(&args.realm) {
        Some(config::Found::Sound(realm)) => ask(realm, &config.outbound, &args.login_hint),
        Some(config::Found::Faulty(faults)) => Err(config::Faults(faults.clone()).to_string()),
        Some(config::Found::Disabled) => Err(format!("the realm `{}` is disabled", args.realm)),
        None => Err(format!("there is no realm `{}` in {}", args.realm, config.realms.display())),
    }
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn failed(fault: &str, code: u8) -> ExitCode {
    eprintln!("{fault}");
    ExitCode::from(code)
}

/// Asks the realm's lookups, on a runtime of its own.
///
/// # Errors
/// The outgoing connections or the runtime cannot be set up; the text says why.
pub fn ask(realm: &Realm, outbound: &Outbound, hint: &str) -> Result<Trace, String> {
    let http = Http::new(outbound).map_err(|fault| fault.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let clock = Clock::system();
    let lookups = Lookups::new(realm, http, Events::new(Audit::Off, clock.clone()), clock);
    Ok(runtime.block_on(lookups.trace(hint)))
}

/// Writes what happened; the exit code is the contract's: 0 found, 3 not found or disabled, 4 ambiguous, 6 upstream fault.
pub fn report(trace: &Trace, as_json: bool, mut out: impl Write) -> io::Result<u8> {
    if as_json {
        writeln!(out, "{}", in_json(trace))?;
    } else {
        for step in &trace.steps {
            let took = step.took.as_millis();
            writeln!(out, "{:<10} {} ({took} ms)", step.lookup, printable(&step.text))?;
        }
        match &trace.outcome {
            Ok(Found::User(user)) => {
                writeln!(out, "found in {} ms", trace.took.as_millis())?;
                for (name, value) in facts(user) {
                    writeln!(out, "  {name:<24} {}", printable(&value))?;
                }
            }
            Ok(Found::Nobody) => writeln!(out, "not found: a client is answered as the realm's unknown_user says")?,
            Ok(Found::Disabled) => writeln!(out, "disabled: a client is answered as if there were no such user")?,
            Ok(Found::Ambiguous) => writeln!(out, "ambiguous: the hint fits more than one user, and none is taken")?,
            Err(fault) => writeln!(out, "upstream fault: {}", printable(&fault.to_string()))?,
        }
    }
    Ok(match &trace.outcome {
        Ok(Found::User(_)) => FOUND,
        Ok(Found::Nobody | Found::Disabled) => NOT_FOUND,
        Ok(Found::Ambiguous) => AMBIGUOUS,
        Err(_) => UPSTREAM_FAULT,
    })
}

fn in_json(trace: &Trace) -> Value {
    let millis = |took: std::time::Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let steps: Vec<Value> = trace
        .steps
        .iter()
        .map(|step| json!({"lookup": step.lookup, "text": step.text, "took_ms": millis(step.took)}))
        .collect();
    let (outcome, more) = match &trace.outcome {
        Ok(Found::User(user)) => ("found", Some(("user", facts(user).into_iter().collect()))),
        Ok(Found::Nobody) => ("not_found", None),
        Ok(Found::Disabled) => ("disabled", None),
        Ok(Found::Ambiguous) => ("ambiguous", None),
        Err(fault) => ("upstream_fault", Some(("fault", fault.to_string().into()))),
    };
    let mut all = json!({"outcome": outcome, "took_ms": millis(trace.took), "steps": steps});
    if let Some((name, value)) = more {
        all[name] = value;
    }
    all
}

/// What is known of the user, and who must sign in; of the user code, only whether there is one.
fn facts(user: &User) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(sub) = &user.sub {
        fact("sub", sub.to_string());
    }
    if let Ok(Value::Object(claims)) = serde_json::to_value(&user.claims) {
        for (name, value) in claims {
            fact(&name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let (iss, claim, value) = match &user.same_person {
        SamePerson::Identity(Identity { iss, sub }) | SamePerson::Sub { iss, sub } => (iss, "sub", sub),
        SamePerson::PreferredUsername { iss, preferred_username } => (iss, "preferred_username", preferred_username),
        SamePerson::Email { iss, email } => (iss, "verified email", email),
    };
    fact("signs_in_at", iss.to_string());
    fact("signs_in_with", format!("{claim} {value}"));
    fact("user_code", if user.user_code.is_some() { "set" } else { "none" }.to_owned());
    facts
}

/// What came from elsewhere must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{realm::user::Claims, upstream::lookup::trace::Step};

    fn found() -> Found {
        let identity = Identity { iss: "https://op.example".into(), sub: "248".into() };
        let claims = Claims { name: Some("A\u{1b}[2J".into()), email_verified: Some(true), ..Claims::default() };
        Found::User(Arc::new(User {
            sub: Some("248".into()),
            same_person: SamePerson::Identity(identity),
            claims,
            user_code: Some("$argon2id$".into()),
        }))
    }

    fn reported(outcome: Result<Found, crate::upstream::Fault>, as_json: bool) -> (String, u8) {
        let step = Step { lookup: "static", text: "one user".into(), took: Duration::from_millis(2) };
        let trace = Trace { steps: vec![step], outcome, took: Duration::from_millis(3) };
        let mut out = Vec::new();
        let code = report(&trace, as_json, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn text() {
        let (text, code) = reported(Ok(found()), false);
        let expected = "\
static     one user (2 ms)
found in 3 ms
  sub                      248
  email_verified           true
  name                     A\u{fffd}[2J
  signs_in_at              https://op.example
  signs_in_with            sub 248
  user_code                set
";
        assert_eq!((text.as_str(), code), (expected, 0));
        assert_eq!(reported(Ok(Found::Nobody), false).1, 3);
        assert_eq!(reported(Ok(Found::Disabled), false).1, 3);
        assert_eq!(reported(Ok(Found::Ambiguous), false).1, 4);
    }

    #[test]
    fn json() {
        let (text, code) = reported(Ok(found()), true);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["outcome"], &value["user"]["sub"], code), (&json!("found"), &json!("248"), 0));
        assert_eq!(value["user"]["user_code"], "set");
        assert_eq!(value["steps"], json!([{"lookup": "static", "text": "one user", "took_ms": 2}]));
    }
}
