"""A CIBA client in poll mode with authlib: asks, polls, verifies the ID token, then uses what it got until it revokes it.

    authlib_client.py ISSUER CLIENT_ID METHOD FILE LOGIN_HINT

METHOD is private_key_jwt (FILE: a private key for ES256, as PEM) or client_secret_jwt (FILE: the secret). Prints one line
of JSON and ends with 0, or a sentence and 1.
"""

import json
import sys
import time
from pathlib import Path

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

CIBA = "urn:openid:params:grant-type:ciba"


def session_for(issuer, client_id, method, file):
    # the assertion's audience is the issuer: by default authlib would take the address of each request, which is right at
    # the token endpoint alone (RFC 7523 3). No `claims` here: authlib would write its `jti` into them and send it again
    if method == "private_key_jwt":
        secret, signed = ECKey.import_key(Path(file).read_text()), PrivateKeyJWT(issuer, alg="ES256")
    else:
        secret, signed = Path(file).read_text(), ClientSecretJWT(issuer)
    session = OAuth2Session(client_id, secret, method, revocation_endpoint_auth_method=method, default_timeout=20)
    session.register_client_auth_method(signed)
    return session


def ask(session, metadata, login_hint):
    """The reply to an authentication request; authlib has no function for it, but it signs the call."""
    reply = session.post(
        metadata["backchannel_authentication_endpoint"],
        data={"scope": "openid profile email", "login_hint": login_hint, "binding_message": "KX-42"},
        auth=session.client_auth(session.token_endpoint_auth_method),
    )
    asked = reply.json()
    if "error" in asked:
        raise OAuthError(asked["error"], asked.get("error_description"))
    return asked


def poll(session, metadata, asked):
    """Polls until there are tokens, which the session keeps; how often it was told to wait."""
    interval, end = asked.get("interval", 5), time.monotonic() + asked["expires_in"]
    waited = 0
    while True:
        time.sleep(interval)
        try:
            session.fetch_token(metadata["token_endpoint"], grant_type=CIBA, auth_req_id=asked["auth_req_id"])
            return waited
        except OAuthError as refused:
            if refused.error not in ("authorization_pending", "slow_down") or time.monotonic() > end:
                raise
            interval += 5 if refused.error == "slow_down" else 0
            waited += 1


def verified(session, metadata):
    """The ID token's claims, after signature, issuer, audience, times and `at_hash` were checked."""
    keys = KeySet.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
    token = jwt.decode(session.token["id_token"], keys)
    expected = {"iss": {"essential": True, "value": metadata["issuer"]}, "aud": {"essential": True, "value": session.client_id}}
    known = {"client_id": session.client_id, "access_token": session.token["access_token"]}
    claims = CodeIDToken(token.claims, token.header, expected, known)
    claims.validate(leeway=60)
    return claims


def introspected(session, metadata, token):
    return session.introspect_token(metadata["introspection_endpoint"], token=token).json()


def run(issuer, client_id, method, file, login_hint):
    session = session_for(issuer, client_id, method, file)
    metadata = session.get(f"{issuer}/.well-known/openid-configuration", withhold_token=True).json()
    asked = ask(session, metadata, login_hint)
    seen = {"asked": asked, "waited": poll(session, metadata, asked), "id_token": verified(session, metadata)}
    seen["userinfo"] = session.get(metadata["userinfo_endpoint"]).json()

    first = dict(session.token)
    session.refresh_token(metadata["token_endpoint"])
    seen["refreshed"] = [kind for kind in ("access_token", "refresh_token") if session.token[kind] != first[kind]]

    access_token = session.token["access_token"]
    seen["introspected"] = introspected(session, metadata, access_token)
    revoked = session.revoke_token(metadata["revocation_endpoint"], token=session.token["refresh_token"])
    seen["revoked"] = revoked.status_code
    seen["introspected_after"] = introspected(session, metadata, access_token)
    return seen


if __name__ == "__main__":
    try:
        print(json.dumps(run(*sys.argv[1:])))
    except (AuthlibBaseError, JoseError, requests.RequestException, KeyError) as fault:
        sys.exit(f"{type(fault).__name__}: {fault}")
