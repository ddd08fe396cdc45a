//! What the flags mean, and which of them make no sense.

use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// What the arguments mean, or the exit code and the sentence.
fn parse(arguments: &[&str], variable: Option<&str>) -> Result<Plan, (u8, String)> {
    let cli = Cli::try_parse_from(["ciba", "request"].iter().chain(arguments))
        .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
    let Command::Request(args) = cli.args.command;
    plan(*args, variable.map(Secret::new)).map_err(|fault| (USAGE, fault))
}

/// A folder with files of each kind: `secret`, keys by their algorithm, and `client.pem` with `client.key`.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("secret", "s3cret\n");
    write("empty", "\n");
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        write(&format!("{algorithm}.key"), SigningKey::generate(algorithm).unwrap().1.reveal());
    }
    let certified = rcgen::generate_simple_self_signed(["till.example".into()]).unwrap();
    write("client.pem", &certified.cert.pem());
    write("client.key", &certified.signing_key.serialize_pem());
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    write("p384.key", &p384.serialize_pem());
    folder
}

/// The words of a line; `DIR` is the folder.
fn words(folder: &Path, line: &str) -> Vec<String> {
    line.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace("DIR", folder.to_str().unwrap())).collect()
}

fn parse_line(folder: &Path, line: &str, variable: Option<&str>) -> Result<Plan, (u8, String)> {
    let words = words(folder, line);
    parse(&words.iter().map(String::as_str).collect::<Vec<_>>(), variable)
}

#[test]
fn exit_2_table_of_argument_mistakes() {
    let other = "--issuer=https://id.example.com/shop";
    let table: &[(&[&str], &str)] = &[
        (&["--issuer=shop"], "relative URL"),
        (&["--issuer=https://h/x?y"], "no query"),
        (&["--requested-expiry=0"], "0 is not in"),
        (&["--requested-expiry=soon"], "invalid digit"),
        (&["--auth-method=none"], "client_secret_basic, client_secret_post"),
        (&["--signing-alg=HS256"], "it is one of RS256, PS256, ES256, EdDSA"),
        (&["--scope=a\tb"], "malformed"),
        (&["--scope="], "the scope is empty"),
        (&["--userinfo", "--scope=profile"], "--userinfo needs the scope openid: add it to --scope"),
        (&["--user-code=1", "--user-code-file=f"], "cannot be used with"),
        (&["--client-secret=x"], "unexpected argument"),
        (&["--client-secret-file=/nowhere/secret"], "/nowhere/secret"),
        (&["--user-code-file=/nowhere/code"], "/nowhere/code"),
        (&["--ca-certificate=/nowhere/ca.pem"], "/nowhere/ca.pem"),
        (&["--login-hint="], "--login-hint is empty"),
        (&["--login-hint=a", "--id-token-hint=b"], "cannot be used with"),
        (&["--login-hint=a", "--login-hint-token=b"], "cannot be used with"),
        (&["--login-hint-token=a", "--id-token-hint=b"], "cannot be used with"),
        (&["--login-hint-token=@/nowhere/token"], "/nowhere/token"),
        (&["--id-token-hint="], "--id-token-hint is empty"),
        (&["--authorization-details=[{]"], "--authorization-details is not JSON: "),
        (&["--authorization-details={\"type\":\"payment\"}"], "must be an array of objects, each with a type"),
        (&["--authorization-details=[]"], "must be an array"),
        (&["--authorization-details=[{\"type\":1}]"], "must be an array"),
        (&["--authorization-details=@/nowhere/details"], "/nowhere/details"),
        (&["--client-id=till"], "no client secret"),
        (&[other], "--client-id is missing"),
        (&[other, "--client-id=till"], "no client secret"),
        (&[other, "--client-id=demo", "--login-hint=alice"], "no client secret"),
    ];
    for (arguments, expected) in table {
        let (code, fault) = parse(arguments, None).map(drop).unwrap_err();
        assert_eq!(code, 2, "{arguments:?}");
        assert!(fault.contains(expected), "{arguments:?}: {fault}");
    }
    let (_, fault) = parse(&[other, "--client-id=till"], Some("a secret")).map(drop).unwrap_err();
    assert!(fault.contains("--login-hint is missing"), "{fault}");
}

#[test]
fn exit_2_table_of_credentials_that_make_no_sense() {
    let table = [
        ("--auth-method=private_key_jwt", "--auth-method private_key_jwt needs --private-key"),
        ("--signed", "--signed needs --private-key"),
        (
            "--signed --auth-method=tls_client_auth --certificate=DIR/client.pem --certificate-key=DIR/client.key",
            "--signed needs --private-key",
        ),
        (
            "--auth-method=private_key_jwt --private-key=DIR/ES256.key --client-secret-file=DIR/secret",
            "--client-secret-file has no use with --auth-method private_key_jwt: leave one of the two out",
        ),
        (
            "--auth-method=tls_client_auth --client-secret-file=DIR/secret",
            "--client-secret-file has no use with --auth-method tls_client_auth",
        ),
        ("--auth-method=tls_client_auth", "--auth-method tls_client_auth needs --certificate"),
        (
            "--auth-method=self_signed_tls_client_auth --private-key=DIR/client.key",
            "--auth-method self_signed_tls_client_auth needs --certificate",
        ),
        ("--certificate=DIR/client.pem", "--certificate needs its private key: name it by --private-key"),
        ("--certificate-key=DIR/client.key", "--certificate-key is the key of --certificate, which is missing"),
        (
            "--private-key=DIR/ES256.key",
            "--private-key has no use with --auth-method client_secret_post: add --signed or --certificate, or choose",
        ),
        (
            "--private-key=DIR/ES256.key --certificate=DIR/client.pem --certificate-key=DIR/client.key",
            "--private-key has no use with",
        ),
        ("--signing-alg=ES256", "--signing-alg has no use here: nothing is signed"),
        ("--key-id=one --auth-method=client_secret_jwt", "--key-id has no use here: nothing is signed"),
        (
            "--auth-method=private_key_jwt --private-key=DIR/RS256.key --signing-alg=ES256",
            "--signing-alg ES256: DIR/RS256.key holds another kind of key",
        ),
        ("--auth-method=private_key_jwt --private-key=DIR/p384.key", "DIR/p384.key: nothing can be signed with a key"),
        ("--auth-method=private_key_jwt --private-key=DIR/secret", "DIR/secret: it is not a PEM file"),
        ("--auth-method=private_key_jwt --private-key=/nowhere/key", "/nowhere/key: No such file"),
        ("--certificate=DIR/client.key --private-key=DIR/client.key", "DIR/client.key: it holds no certificate"),
        ("--certificate=/nowhere/pem --private-key=DIR/client.key", "/nowhere/pem: No such file"),
        (
            "--certificate=DIR/client.pem --private-key=DIR/ES256.key",
            "--certificate: the outgoing connections cannot be set up: the private key is not the certificate's",
        ),
        ("--client-secret-file=DIR/empty", "DIR/empty: the file is empty"),
    ];
    let folder = files();
    for (line, expected) in table {
        let (code, fault) = parse_line(folder.path(), line, None).map(drop).unwrap_err();
        let fault = fault.replace(folder.path().to_str().unwrap(), "DIR");
        assert_eq!(code, 2, "{line}");
        assert!(fault.starts_with(expected), "{line}: {fault}");
    }
}

#[test]
fn exit_2_table_of_delivery_that_makes_no_sense() {
    let table = [
        ("--mode=later", "invalid value 'later'"),
        (
            "--mode=push --dpop",
            "--dpop cannot go with --mode push: pushed tokens are bound to no key; choose ping or poll",
        ),
        ("--notification-listen=127.0.0.1:1", "--notification-listen has no use with --mode poll: add --mode ping"),
        ("--notification-certificate=DIR/client.pem", "--notification-certificate has no use with --mode poll"),
        ("--mode=poll --notification-key=DIR/client.key", "--notification-key has no use with --mode poll"),
        ("--mode=ping --notification-listen=here", "invalid socket address"),
        (
            "--mode=ping --notification-certificate=DIR/client.pem",
            "--notification-certificate needs its private key: add --notification-key",
        ),
        (
            "--mode=ping --notification-key=DIR/client.key",
            "--notification-key is the key of --notification-certificate",
        ),
        ("--mode=push --notification-listen=0.0.0.0:8089", "--notification-listen 0.0.0.0:8089: others could read"),
        (
            "--mode=push --notification-certificate=DIR/client.pem --notification-key=DIR/ES256.key",
            "--notification-certificate: the private key is not the certificate's",
        ),
    ];
    let folder = files();
    for (line, expected) in table {
        let (code, fault) = parse_line(folder.path(), line, None).map(drop).unwrap_err();
        assert_eq!(code, 2, "{line}");
        assert!(fault.contains(expected), "{line}: {fault}");
    }
}

#[test]
fn table_of_delivery() {
    let folder = files();
    let certificate = "--notification-certificate=DIR/client.pem --notification-key=DIR/client.key";
    for (line, expected) in [
        ("", "poll"),
        ("--mode=poll --dpop", "poll"),
        ("--mode=ping --dpop", "ping, 127.0.0.1:8089, http"),
        ("--mode=ping --notification-listen=[::1]:9", "ping, [::1]:9, http"),
        ("--mode=push --notification-listen=127.0.0.1:9", "push, 127.0.0.1:9, http"),
        (&format!("--mode=push --notification-listen=0.0.0.0:9 {certificate}"), "push, 0.0.0.0:9, https"),
    ] {
        let described = match parse_line(folder.path(), line, None).unwrap().delivery {
            Delivery::Poll => "poll".to_owned(),
            Delivery::Ping(listen) => format!("ping, {}", address(&listen)),
            Delivery::Push(listen) => format!("push, {}", address(&listen)),
        };
        assert_eq!(described, expected, "{line}");
    }
}

fn address(listen: &super::super::delivery::Listen) -> String {
    format!("{}, {}", listen.address, if listen.tls.is_some() { "https" } else { "http" })
}

#[test]
fn table_of_credentials() {
    let table = [
        ("--auth-method=client_secret_basic", "Basic(\"demo-secret\")", None),
        ("--auth-method=client_secret_jwt", "SecretJwt(\"demo-secret\")", None),
        ("--auth-method=client_secret_post --client-secret-file=DIR/secret", "Post(\"s3cret\")", None),
        ("--auth-method=private_key_jwt --private-key=DIR/RS256.key", "PrivateKeyJwt(PS256, None)", None),
        (
            "--auth-method=private_key_jwt --private-key=DIR/RS256.key --signing-alg=RS256 --key-id=one",
            "PrivateKeyJwt(RS256, Some(\"one\"))",
            None,
        ),
        ("--auth-method=private_key_jwt --private-key=DIR/ES256.key", "PrivateKeyJwt(ES256, None)", None),
        ("--auth-method=private_key_jwt --private-key=DIR/EdDSA.key", "PrivateKeyJwt(EdDSA, None)", None),
        (
            "--auth-method=tls_client_auth --certificate=DIR/client.pem --private-key=DIR/client.key",
            "Certificate",
            Some("client.pem"),
        ),
        (
            "--auth-method=self_signed_tls_client_auth --certificate=DIR/client.pem --private-key=DIR/client.key",
            "Certificate",
            Some("client.pem"),
        ),
        (
            "--auth-method=private_key_jwt --private-key=DIR/EdDSA.key --certificate=DIR/client.pem \
             --certificate-key=DIR/client.key",
            "PrivateKeyJwt(EdDSA, None)",
            Some("client.pem"),
        ),
        ("--certificate=DIR/client.pem --private-key=DIR/client.key", "Post(\"demo-secret\")", Some("client.pem")),
    ];
    let folder = files();
    for (line, expected, certificate) in table {
        let Plan { client, .. } =
            parse_line(folder.path(), line, None).unwrap_or_else(|fault| panic!("{line}: {fault:?}"));
        assert_eq!(described(&client.credentials), expected, "{line}");
        let digest = certificate.map(|name| digest(&folder.path().join(name)));
        assert_eq!(client.certificate, digest, "{line}");
    }
    let variable = Some("not for a key");
    let line = "--auth-method=private_key_jwt --private-key=DIR/ES256.key";
    let Plan { client, .. } = parse_line(folder.path(), line, variable).unwrap();
    assert_eq!(described(&client.credentials), "PrivateKeyJwt(ES256, None)", "the variable may be set for other runs");
}

#[test]
fn table_of_questions() {
    let folder = files();
    std::fs::write(folder.path().join("token"), "a.b.c\n").unwrap();
    std::fs::write(folder.path().join("details"), "[\n  {\"type\": \"payment\"}\n]\n").unwrap();
    let question = |line: &str| parse_line(folder.path(), line, None).unwrap().question;
    for (line, hint) in [
        ("--login-hint=bob", Hint::Login("bob".into())),
        ("--login-hint-token=a.b", Hint::LoginToken("a.b".into())),
        ("--login-hint-token=@DIR/token", Hint::LoginToken("a.b.c".into())),
        ("--id-token-hint=a.b", Hint::IdToken("a.b".into())),
        ("--id-token-hint=@DIR/token", Hint::IdToken("a.b.c".into())),
    ] {
        assert_eq!(question(line).hint, hint, "{line}");
    }
    let asked = question("--acr-values=high --authorization-details=@DIR/details");
    assert_eq!(asked.acr_values.as_deref(), Some("high"));
    assert_eq!(asked.authorization_details, Some(json!([{"type": "payment"}])));
    let asked = question("--authorization-details=[{\"type\":\"payment\",\"amount\":7}]");
    assert_eq!(asked.authorization_details, Some(json!([{"type": "payment", "amount": 7}])));
}

#[test]
fn one_key_signs_assertions_and_requests() {
    let folder = files();
    let signer = |line: &str| parse_line(folder.path(), line, None).unwrap().client.request_signer;
    let key = "--private-key=DIR/RS256.key";
    assert!(signer(&format!("{key} --auth-method=private_key_jwt")).is_none());
    let signed = signer(&format!("{key} --signed --key-id=one")).unwrap();
    assert_eq!((signed.key.algorithm(), signed.key_id.as_deref()), (Algorithm::PS256, Some("one")));
    assert!(signer(&format!("{key} --signed --auth-method=private_key_jwt")).is_some());
}

fn described(credentials: &Credentials) -> String {
    match credentials {
        Credentials::Basic(secret) => format!("Basic({:?})", secret.reveal()),
        Credentials::Post(secret) => format!("Post({:?})", secret.reveal()),
        Credentials::SecretJwt(secret) => format!("SecretJwt({:?})", secret.reveal()),
        Credentials::PrivateKeyJwt(signer) => {
            format!("PrivateKeyJwt({}, {:?})", signer.key.algorithm(), signer.key_id)
        }
        Credentials::Certificate => "Certificate".to_owned(),
    }
}

/// The certificate's SHA-256 as `x5t#S256` has it.
fn digest(path: &Path) -> String {
    use rustls_pki_types::{CertificateDer, pem::PemObject};
    let der = CertificateDer::from_pem_file(path).unwrap();
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &der))
}

#[test]
fn without_arguments_it_is_the_demo() {
    let Plan { client, question, .. } = parse(&[], None).unwrap();
    assert_eq!(client.issuer.text, "http://127.0.0.1:8080/master");
    assert_eq!((client.client_id.as_str(), described(&client.credentials).as_str()), ("demo", "Post(\"demo-secret\")"));
    assert_eq!((&question.hint, question.scope.as_str()), (&Hint::Login("alice".into()), "openid profile"));
    assert_eq!(question.binding_message.unwrap().len(), 5);

    let Plan { client, question, .. } =
        parse(&["--issuer=http://localhost:9090/master", "--binding-message="], None).unwrap();
    assert_eq!(described(&client.credentials), "Post(\"demo-secret\")", "the demo on another port");
    assert_eq!(question.binding_message, None);
}

#[test]
fn a_secret_that_is_named_wins_over_the_demos() {
    let Plan { client, .. } = parse(&[], Some("from the environment")).unwrap();
    assert_eq!(described(&client.credentials), "Post(\"from the environment\")", "the demo's client is registered so");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    for (written, expected) in [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" a b ", " a b "), ("a\n\n", "a\n")]
    {
        std::fs::write(&file, written).unwrap();
        let Plan { client, .. } =
            parse(&["--client-secret-file", file.to_str().unwrap()], Some("not this one")).unwrap();
        assert_eq!(described(&client.credentials), format!("Post({expected:?})"));
    }
}
