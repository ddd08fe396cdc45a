//! Endpoints about tokens that were issued: userinfo, introspection, revocation, logout.

use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{
    call::Call,
    endpoints::{Browser, answered, of_client, refusal, token_refused},
    reply::{self, Reply, private_json},
};
use crate::{
    client_auth::AuthenticatedClient,
    oauth::{Error, Params},
    realm::Endpoint,
    token::{Presented, UserInfo, presented::malformed},
};

const INTERACTION: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// `GET` and `POST /{realm}/userinfo`: a resource as FAPI has it (FAPI 1.0 Part 1 6.2.1), in every profile.
pub(super) async fn userinfo(call: Call) -> Reply {
    let mut reply = match claims(&call).await {
        Ok((client, claims)) => Reply::ok(private_json(StatusCode::OK, &claims)).of_client(client),
        Err(error) => refusal(&call, &error),
    };
    if let Some(id) = interaction(&call) {
        reply.response.headers_mut().insert(INTERACTION, id);
    }
    reply
}

async fn claims(call: &Call) -> Result<(String, UserInfo), Error> {
    if call.has_in_query("access_token") {
        return Err(malformed("The access token must not be in the query string"));
    }
    let form = (call.method == Method::POST && call.is_form()).then(|| call.form()).transpose()?;
    let takes_form = call.live.realm.profile.restrictions().access_token_in_form;
    if !takes_form && form.as_ref().is_some_and(|form| form.get("access_token").is_some()) {
        return Err(malformed("The access token must be in the Authorization header"));
    }
    let presented = Presented::of(call.authorization()?, form.as_ref())?;
    call.live.tokens.userinfo(&presented, &call.sender(Endpoint::Userinfo), call.now).await
}

/// The caller's id for this exchange, if it is a UUID (RFC 9562 4), or one of ours.
fn interaction(call: &Call) -> Option<HeaderValue> {
    let theirs = call.headers.get(INTERACTION).filter(|id| is_uuid(id.as_bytes())).cloned();
    theirs.or_else(|| HeaderValue::try_from(call.gateway.parts().random.uuid().ok()?).ok())
}

fn is_uuid(text: &[u8]) -> bool {
    let is_good = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.iter().enumerate().all(is_good)
}

/// `POST /{realm}/introspect`
pub(super) async fn introspect(call: Call) -> Reply {
    let (client, params) = match of_known_client(&call).await {
        Ok(known) => known,
        Err(error) => return token_refused(&call, &error),
    };
    let result = call.live.tokens.introspect(&client, &params, call.now).await;
    of_client(&call, &client, result)
}

/// `POST /{realm}/revoke`
pub(super) async fn revoke(call: Call) -> Reply {
    let (client, params) = match of_known_client(&call).await {
        Ok(known) => known,
        Err(error) => return token_refused(&call, &error),
    };
    let result = call.live.tokens.revoke(&client, &params, call.now).await;
    done(&call, &client, StatusCode::OK, result)
}

/// `POST /{realm}/logout`: of a client with its `refresh_token`; of a browser with an `id_token_hint` (RP-Initiated Logout 1.0, 2).
pub(super) async fn logout(call: Call) -> Reply {
    let is_browser = |params: &Params| params.get("id_token_hint").is_some() && params.get("refresh_token").is_none();
    if call.form().is_ok_and(|params| is_browser(&params)) {
        return logout_page(call).await;
    }
    let (client, params) = match of_known_client(&call).await {
        Ok(known) => known,
        Err(error) => return token_refused(&call, &error),
    };
    let result = call.live.tokens.log_out(&client, &params).await;
    done(&call, &client, StatusCode::NO_CONTENT, result)
}

/// `GET /{realm}/logout`
pub(super) async fn logout_page(call: Call) -> Reply {
    let has_form = call.method == Method::POST;
    let browser = Browser::of(&call, has_form);
    let (approval, tokens, visit) = (&call.live.approval, &call.live.tokens, browser.visit(&call));
    if let Some(status) = browser.unreadable {
        return answered(approval.bad_request(&visit, status));
    }
    let id_token = match tokens.id_token_hint(if has_form { &browser.form } else { &browser.query }) {
        Ok(id_token) => id_token,
        Err(fault) => return answered(approval.not_logged_out(call.now, &fault)),
    };
    // HEAD only looks (RFC 9110 9.3.2)
    if call.method != Method::HEAD
        && let Err(fault) = tokens.log_out_person(&id_token).await
    {
        return answered(approval.unavailable(call.now, &fault));
    }
    answered(approval.logged_out(&id_token.client_id))
}

async fn of_known_client(call: &Call) -> Result<(AuthenticatedClient, Params), Error> {
    let params = call.form()?;
    let client = call.client(&params).await?;
    Ok((client, params))
}

fn done(call: &Call, client: &AuthenticatedClient, status: StatusCode, result: Result<(), Error>) -> Reply {
    match result {
        Ok(()) => Reply::ok(reply::done(status)),
        Err(error) => refusal(call, &error),
    }
    .of_client(&*client.client_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_uuid() {
        for (text, expected) in [
            ("c770aef3-6784-41f7-8e0e-ff5f97bddb3a", true),
            ("C770AEF3-6784-41F7-8E0E-FF5F97BDDB3A", true),
            ("c770aef3-6784-41f7-8e0e-ff5f97bddb3", false),
            ("c770aef3-6784-41f7-8e0e-ff5f97bddb3a0", false),
            ("c770aef3x6784-41f7-8e0e-ff5f97bddb3a", false),
            ("g770aef3-6784-41f7-8e0e-ff5f97bddb3a", false),
            ("{c770aef3-6784-41f7-8e0e-ff5f97bddb}", false),
            ("", false),
        ] {
            assert_eq!(is_uuid(text.as_bytes()), expected, "{text}");
        }
    }
}
