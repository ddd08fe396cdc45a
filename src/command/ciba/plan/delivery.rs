//! How the outcome is to come, and where the server's notifications are taken.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use super::files;
use crate::{
    command::ciba::{
        arguments::{DeliveryArgs, Mode},
        delivery::{Delivery, Listen},
    },
    config::ClientCertificates,
    server,
};

/// Fixed, so that a client can be registered with it.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8089);

pub(super) fn delivery(args: &DeliveryArgs, dpop: bool) -> Result<Delivery, String> {
    if let Some(contradiction) = contradiction(args, dpop) {
        return Err(contradiction);
    }
    let address = args.notification_listen.unwrap_or(USUAL);
    let tls = match (&args.notification_certificate, &args.notification_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(tls(certificate, key)?)),
        _ => None,
    };
    if tls.is_none() && !address.ip().is_loopback() {
        return Err(format!(
            "--notification-listen {address}: others could read what comes there; name a certificate by \
             --notification-certificate and --notification-key, or listen on a loopback address"
        ));
    }
    Ok(match args.mode {
        Mode::Poll => Delivery::Poll,
        Mode::Ping => Delivery::Ping(Listen { address, tls }),
        Mode::Push => Delivery::Push(Listen { address, tls }),
    })
}

/// Flags that make no sense together, in a sentence with the remedy.
fn contradiction(args: &DeliveryArgs, dpop: bool) -> Option<String> {
    let listening = [
        ("--notification-listen", args.notification_listen.is_some()),
        ("--notification-certificate", args.notification_certificate.is_some()),
        ("--notification-key", args.notification_key.is_some()),
    ];
    if let (Mode::Poll, Some((flag, _))) = (args.mode, listening.into_iter().find(|(_, is_there)| *is_there)) {
        return Some(format!("{flag} has no use with --mode poll: add --mode ping or --mode push"));
    }
    if args.mode == Mode::Push && dpop {
        return Some(
            "--dpop cannot go with --mode push: pushed tokens are bound to no key; choose ping or poll".into(),
        );
    }
    match (&args.notification_certificate, &args.notification_key) {
        (Some(_), None) => Some("--notification-certificate needs its private key: add --notification-key".into()),
        (None, Some(_)) => Some("--notification-key is the key of --notification-certificate, which is missing".into()),
        _ => None,
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<server::ServerConfig, String> {
    server::tls::server_config(&files::read(certificate)?, &files::read(key)?, ClientCertificates::None)
        .map_err(|fault| format!("--notification-certificate: {fault}"))
}
