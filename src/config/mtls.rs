//! `[mtls]`: who vouches for the certificates of `tls_client_auth` clients (RFC 8705 2.1). The system's roots never do.

use std::fs;

use super::{fault::Problem, table::Table};
use crate::certificate::TrustRoots;

/// Every file's authorities together. Nothing without the section, or where a file is faulty.
pub(super) fn client_roots(root: &Table<'_>) -> Option<TrustRoots> {
    let table = root.table("mtls")?;
    let key = "ca_certificates";
    table.require(&[key]);
    let files = table.strings(key);
    if files.as_ref().is_some_and(Vec::is_empty) {
        table.fault(key, Problem::new("it is empty", "list PEM files of authorities, or remove [mtls]"));
    }
    let mut all: Option<TrustRoots> = None;
    for file in files.unwrap_or_default() {
        match read(&table, file) {
            Ok(roots) => all = Some(all.map_or_else(|| roots.clone(), |before| before.and(&roots))),
            Err(problem) => table.fault(key, problem),
        }
    }
    table.finish();
    all
}

fn read(table: &Table<'_>, file: &str) -> Result<TrustRoots, Problem> {
    let path = table.source.folder().join(file);
    let pem = fs::read(&path).map_err(|error| {
        let remedy = "paths are relative to the folder of this file; check it and its mode";
        Problem::new(format!("{} cannot be read: {error}", path.display()), remedy)
    })?;
    TrustRoots::from_pem(&pem).map_err(|fault| {
        let remedy = "name PEM files of the authorities that issue your clients' certificates, and no client's own";
        Problem::new(format!("{}: {fault}", path.display()), remedy)
    })
}
