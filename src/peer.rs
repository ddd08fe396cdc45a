//! Who is at the other end of a connection: put into each request by `server/`, read by `web/`.

use std::{net::IpAddr, sync::Arc};

/// The peer of one connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address that the connection comes from, or the one that a listed proxy named. `None` in tests.
    pub address: Option<IpAddr>,
    /// The client's certificate (DER), whose private key the handshake has proved.
    pub certificate: Option<Arc<[u8]>>,
}
