//! The certificate that a TLS connection shows.

use std::net::IpAddr;

use arc_swap::ArcSwap;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};

use super::*;
use crate::{peer::Peer, server};

/// A certificate of its own, with its key, as PEM.
fn certified(name: &str) -> (String, String) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (certified.cert.pem(), certified.signing_key.serialize_pem())
}

/// A server that lets in whoever shows `client`, and notes the certificates that it saw.
async fn world_for(client: &str, own: &(String, String)) -> (World, Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(client.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(own.1.as_bytes()).unwrap(),
        )
        .unwrap();

    let listener = tokio::net::TcpListener::bind((IpAddr::from([127, 0, 0, 1]), 0)).await.unwrap();
    let world = World::at(&format!("https://localhost:{}/shop", listener.local_addr().unwrap().port()));
    let shown = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&shown);
    let note = warp::ext::get::<Peer>()
        .map(move |peer: Peer| all.lock().unwrap().push(peer.certificate.unwrap().leaf().to_vec()))
        .untuple_one();
    let service = warp::service(note.and(routes(&world)));
    let tls = Some(Arc::new(ArcSwap::from_pointee(config)));
    let settings = server::Settings { tls, ..server::Settings::default() };
    tokio::spawn(server::serve(listener, service, settings, std::future::pending()));
    (world, shown)
}

#[tokio::test]
async fn it_is_shown_with_every_request() {
    let (own, client) = (certified("localhost"), certified("till.example"));
    let (world, shown) = world_for(&client.0, &own).await;
    let ca_certificates = vec![("own.pem".into(), own.0.into_bytes())];
    let outbound = Outbound { ca_certificates, ..Outbound::default() };
    let mut plan = world.plan();

    plan.client.http = Http::with_identity(&outbound, format!("{}{}", client.0, client.1).as_bytes()).unwrap();
    plan.client.credentials = Credentials::Certificate;
    let ended = world.run_plan(&plan, true).await;
    assert_eq!(ended.code, 0, "{}", ended.out);
    let der = CertificateDer::from_pem_slice(client.0.as_bytes()).unwrap();
    let seen = std::mem::take(&mut *shown.lock().unwrap());
    assert_eq!(seen.len(), 5, "metadata, request, two polls, keys");
    assert!(seen.iter().all(|certificate| certificate[..] == der[..]));

    plan.client.http = Http::new(&outbound).unwrap();
    assert_eq!(world.run_plan(&plan, true).await.code, 6, "nobody is let in without one");
}
