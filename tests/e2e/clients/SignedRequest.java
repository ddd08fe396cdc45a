// A CIBA client in poll mode with Nimbus' oauth2-oidc-sdk, as a bank's is: private_key_jwt and signed requests with PS256,
// tokens bound to a key of its own (DPoP, RFC 9449).
//
//     java -cp JARS SignedRequest.java ISSUER CLIENT_ID KEY LOGIN_HINT
//
// KEY is an RSA private key (PKCS #8, PEM), published with the key id `CLIENT_ID`. Prints one line of JSON and ends with 0,
// or a sentence and 1.

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.PrivateKeyJWT;
import com.nimbusds.oauth2.sdk.ciba.CIBAGrant;
import com.nimbusds.oauth2.sdk.ciba.CIBARequest;
import com.nimbusds.oauth2.sdk.ciba.CIBARequestAcknowledgement;
import com.nimbusds.oauth2.sdk.ciba.CIBAResponse;
import com.nimbusds.oauth2.sdk.ciba.CIBASignedRequestClaimsSet;
import com.nimbusds.oauth2.sdk.dpop.DPoPProofFactory;
import com.nimbusds.oauth2.sdk.dpop.DefaultDPoPProofFactory;
import com.nimbusds.oauth2.sdk.id.Audience;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.id.JWTID;
import com.nimbusds.oauth2.sdk.token.DPoPAccessToken;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.AccessTokenValidator;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Date;
import net.minidev.json.JSONObject;

class SignedRequest {
    final OIDCProviderMetadata provider;
    final ClientID client;
    final PrivateKey key;
    final DPoPProofFactory proofs;
    final JSONObject seen = new JSONObject();

    SignedRequest(Issuer issuer, ClientID client, PrivateKey key) throws Exception {
        this.provider = OIDCProviderMetadata.resolve(issuer, 5_000, 20_000);
        this.client = client;
        this.key = key;
        this.proofs = new DefaultDPoPProofFactory(new ECKeyGenerator(Curve.P_256).generate(), JWSAlgorithm.ES256);
    }

    public static void main(String[] arguments) {
        try {
            var client = new SignedRequest(
                new Issuer(arguments[0]), new ClientID(arguments[1]), privateKey(Path.of(arguments[2])));
            var asked = client.ask(arguments[3]);
            var tokens = client.poll(asked);
            client.verify(tokens);
            client.userInfo(tokens.getDPoPAccessToken());
            System.out.println(client.seen.toJSONString());
        } catch (Exception fault) {
            System.err.println(fault);
            System.exit(1);
        }
    }

    static PrivateKey privateKey(Path pem) throws Exception {
        String base64 = Files.readString(pem).replaceAll("-----[^-]+-----|\\s", "");
        return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
    }

    /** A new assertion for each call, since its `jti` is for one use. */
    ClientAuthentication authentication(URI endpoint) throws Exception {
        return new PrivateKeyJWT(client, endpoint, JWSAlgorithm.PS256, key, client.getValue(), null);
    }

    CIBARequestAcknowledgement ask(String loginHint) throws Exception {
        var endpoint = provider.getBackChannelAuthenticationEndpointURI();
        var plain = new CIBARequest.Builder(authentication(endpoint), Scope.parse("openid profile email"))
            .loginHint(loginHint)
            .bindingMessage("KX-42")
            .requestedExpiry(60)
            .build();
        var now = new Date();
        var claims = new CIBASignedRequestClaimsSet(plain, new Issuer(client), new Audience(provider.getIssuer()),
            now, now, new Date(now.getTime() + 300_000), new JWTID());
        var header = new JWSHeader.Builder(JWSAlgorithm.PS256)
            .type(new JOSEObjectType("oauth-authz-req+jwt"))
            .keyID(client.getValue())
            .build();
        var signed = new SignedJWT(header, claims.toJWTClaimsSet());
        signed.sign(new RSASSASigner(key));

        var request = new CIBARequest.Builder(authentication(endpoint), signed).endpointURI(endpoint).build();
        var response = CIBAResponse.parse(request.toHTTPRequest().send());
        if (!response.indicatesSuccess()) {
            throw new Exception("not asked: " + response.toErrorResponse().getErrorObject());
        }
        seen.put("asked", response.toRequestAcknowledgement().toJSONObject());
        return response.toRequestAcknowledgement();
    }

    OIDCTokens poll(CIBARequestAcknowledgement asked) throws Exception {
        int interval = asked.getMinWaitInterval();
        for (int waited = 0; waited < asked.getExpiresIn(); waited += interval) {
            Thread.sleep(interval * 1000L);
            var response = redeem(new CIBAGrant(asked.getAuthRequestID()));
            if (response.indicatesSuccess()) {
                seen.put("token_type", response.toSuccessResponse().getTokens().getAccessToken().getType().getValue());
                return response.toSuccessResponse().getTokens().toOIDCTokens();
            }
            switch (response.toErrorResponse().getErrorObject().getCode()) {
                case "authorization_pending" -> { }
                case "slow_down" -> interval += 5;
                default -> throw new Exception("no tokens: " + response.toErrorResponse().getErrorObject());
            }
        }
        throw new Exception("nobody decided in time");
    }

    TokenResponse redeem(CIBAGrant grant) throws Exception {
        var endpoint = provider.getTokenEndpointURI();
        var request = new TokenRequest.Builder(endpoint, authentication(endpoint), grant).build().toHTTPRequest();
        request.setDPoP(proofs.createDPoPJWT("POST", endpoint));
        return OIDCTokenResponseParser.parse(request.send());
    }

    void verify(OIDCTokens tokens) throws Exception {
        var algorithm = JWSAlgorithm.parse(tokens.getIDToken().getHeader().getAlgorithm().getName());
        if (!provider.getIDTokenJWSAlgs().contains(algorithm)) {
            throw new Exception("an ID token with " + algorithm);
        }
        var validator = new IDTokenValidator(provider.getIssuer(), client, algorithm, provider.getJWKSetURI().toURL());
        var claims = validator.validate(tokens.getIDToken(), null);
        if (claims.getAccessTokenHash() != null) {
            AccessTokenValidator.validate(tokens.getAccessToken(), algorithm, claims.getAccessTokenHash());
        }
        seen.put("id_token", claims.toJSONObject());
    }

    void userInfo(DPoPAccessToken token) throws Exception {
        var endpoint = provider.getUserInfoEndpointURI();
        var request = new UserInfoRequest(endpoint, token).toHTTPRequest();
        request.setDPoP(proofs.createDPoPJWT("GET", endpoint, token));
        var response = UserInfoResponse.parse(request.send());
        if (!response.indicatesSuccess()) {
            throw new Exception("no userinfo: " + response.toErrorResponse().getErrorObject());
        }
        seen.put("userinfo", response.toSuccessResponse().getUserInfo().toJSONObject());
    }
}
