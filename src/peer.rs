//! Who is at the other end of a connection: put into each request by `server/`, read by `web/`.

use std::{net::IpAddr, sync::Arc};

/// The peer of one connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address that the connection comes from, or the one that a listed proxy named. `None` in tests.
    pub address: Option<IpAddr>,
    /// The client's certificate, whose private key the handshake has proved: ours, or that of a listed proxy.
    pub certificate: Option<Presented>,
}

/// A certificate as a client presented it: DER with the chain that came along, neither parsed nor judged, but bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    leaf: Arc<[u8]>,
    chain: Arc<[Vec<u8>]>,
}

impl Presented {
    /// Certificates, the leaf among them.
    const MOST: usize = 8;
    /// Of one certificate, in bytes.
    const LONGEST: usize = 16 * 1024;

    /// Nothing where there are more than 8 certificates, or one is empty or longer than 16 KiB.
    pub fn new(leaf: &[u8], chain: Vec<Vec<u8>>) -> Option<Self> {
        let lengths = std::iter::once(leaf.len()).chain(chain.iter().map(Vec::len));
        Self::is_bounded(lengths).then(|| Self { leaf: leaf.into(), chain: chain.into() })
    }

    /// Whether certificates of these lengths, in bytes, may be taken.
    pub fn is_bounded(lengths: impl Iterator<Item = usize> + Clone) -> bool {
        lengths.clone().count() <= Self::MOST && lengths.into_iter().all(|length| (1..=Self::LONGEST).contains(&length))
    }

    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// In the order in which they came.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_presented_is_bounded() {
        let chain = |count: usize, length: usize| vec![vec![0; length]; count];
        let table = [
            (1, chain(0, 0), true),
            (16 * 1024, chain(7, 16 * 1024), true),
            (16 * 1024 + 1, chain(0, 0), false),
            (1, chain(1, 16 * 1024 + 1), false),
            (1, chain(8, 1), false),
            (0, chain(0, 0), false),
            (1, chain(1, 0), false),
        ];
        for (leaf, chain, expected) in table {
            let count = chain.len();
            assert_eq!(Presented::new(&vec![0; leaf], chain).is_some(), expected, "{leaf} and {count}");
        }
    }
}
