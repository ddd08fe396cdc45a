//! How a client gets to know of a decision (CIBA Core 4): `backchannel_token_delivery_mode` and the notification endpoint.

use url::Url;

use super::{Problem, Table, text};
use crate::realm::client::Delivery;

pub(super) fn read(table: &Table<'_>) -> Option<Delivery> {
    type Make = fn(Url) -> Delivery;
    let (mode, endpoint) = ("backchannel_token_delivery_mode", "backchannel_client_notification_endpoint");
    let known: [(&str, Option<Make>); 3] =
        [("poll", None), ("ping", Some(Delivery::Ping)), ("push", Some(Delivery::Push))];
    let make = if table.has(mode) { table.choice(mode, &known, &[])? } else { None };
    let Some(make) = make else {
        if table.has(endpoint) {
            let remedy = format!("remove it, or write {mode} = \"ping\"");
            table.fault(endpoint, Problem::new("the client polls, so it is never called", remedy));
        }
        return Some(Delivery::Poll);
    };
    table.require(&[endpoint]);
    table.parsed(endpoint, text::registered_url).map(make)
}
