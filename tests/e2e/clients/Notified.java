// A CIBA client in ping or push mode with Nimbus' oauth2-oidc-sdk, with a secret and a notification endpoint of its own.
//
//     java -cp JARS Notified.java ISSUER CLIENT_ID SECRET MODE PORT CERTIFICATE KEY LOGIN_HINT
//
// SECRET is a file, MODE is ping or push. The endpoint is https://localhost:PORT/notify with CERTIFICATE and KEY (P-256,
// PKCS #8), PEM. Prints one line of JSON, with the error where the person denied, and ends with 0; or a sentence and 1.

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.util.X509CertUtils;
import com.nimbusds.oauth2.sdk.ErrorObject;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.ciba.CIBAGrant;
import com.nimbusds.oauth2.sdk.ciba.CIBAPingCallback;
import com.nimbusds.oauth2.sdk.ciba.CIBAPushCallback;
import com.nimbusds.oauth2.sdk.ciba.CIBARequest;
import com.nimbusds.oauth2.sdk.ciba.CIBARequestAcknowledgement;
import com.nimbusds.oauth2.sdk.ciba.CIBAResponse;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.claims.HashClaim;
import com.nimbusds.openid.connect.sdk.claims.IDTokenClaimsSet;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.AccessTokenValidator;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import net.minidev.json.JSONObject;

class Notified {
    final OIDCProviderMetadata provider;
    final ClientAuthentication authentication;
    /** Whoever calls back must know it; made for one request. */
    final BearerAccessToken notificationToken = new BearerAccessToken();
    final BlockingQueue<HTTPRequest> arrived = new LinkedBlockingQueue<>();
    final JSONObject seen = new JSONObject();

    Notified(Issuer issuer, ClientID client, Secret secret) throws Exception {
        this.provider = OIDCProviderMetadata.resolve(issuer, 5_000, 20_000);
        this.authentication = new ClientSecretBasic(client, secret);
    }

    public static void main(String[] arguments) {
        int exit = 0;
        try {
            var client = new Notified(new Issuer(arguments[0]), new ClientID(arguments[1]),
                new Secret(Files.readString(Path.of(arguments[2]))));
            client.listen(Integer.parseInt(arguments[4]), tls(Path.of(arguments[5]), Path.of(arguments[6])));
            var asked = client.ask(arguments[7]);
            var callback = client.arrived.poll(asked.getExpiresIn(), TimeUnit.SECONDS);
            if (callback == null) {
                throw new Exception("nothing came within " + asked.getExpiresIn() + " s");
            }
            if (arguments[3].equals("ping")) {
                client.pinged(CIBAPingCallback.parse(callback), asked);
            } else {
                client.pushed(CIBAPushCallback.parse(callback), asked);
            }
            System.out.println(client.seen.toJSONString());
        } catch (Exception fault) {
            System.err.println(fault);
            exit = 1;
        }
        System.exit(exit); // the server's thread would go on
    }

    static SSLContext tls(Path certificate, Path key) throws Exception {
        String base64 = Files.readString(key).replaceAll("-----[^-]+-----|\\s", "");
        var privateKey =
            KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        var chain = new Certificate[] {X509CertUtils.parseWithException(Files.readString(certificate))};
        own.setKeyEntry("server", privateKey, new char[0], chain);
        var managers = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        managers.init(own, new char[0]);
        var context = SSLContext.getInstance("TLS");
        context.init(managers.getKeyManagers(), null, null);
        return context;
    }

    void listen(int port, SSLContext tls) throws IOException {
        var server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(tls));
        server.createContext("/notify", exchange -> {
            var request = read(exchange);
            // CIBA Core 10.2 and 10.3: who does not know the token is not the provider
            boolean known = notificationToken.toAuthorizationHeader().equals(request.getAuthorization());
            exchange.sendResponseHeaders(known ? 204 : 401, -1);
            exchange.close();
            if (known) {
                arrived.add(request);
            }
        });
        server.start();
    }

    static HTTPRequest read(HttpExchange exchange) throws IOException {
        var method = HTTPRequest.Method.valueOf(exchange.getRequestMethod());
        var request = new HTTPRequest(method, URI.create("https://localhost").resolve(exchange.getRequestURI()));
        exchange.getRequestHeaders().forEach((name, values) -> request.setHeader(name, values.toArray(String[]::new)));
        request.setBody(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        return request;
    }

    CIBARequestAcknowledgement ask(String loginHint) throws Exception {
        var request = new CIBARequest.Builder(authentication, Scope.parse("openid profile"))
            .loginHint(loginHint)
            .bindingMessage("KX-42")
            .clientNotificationToken(notificationToken)
            .endpointURI(provider.getBackChannelAuthenticationEndpointURI())
            .build();
        var reply = request.toHTTPRequest().send();
        var response = CIBAResponse.parse(reply);
        if (!response.indicatesSuccess()) {
            throw new Exception("not asked: " + response.toErrorResponse().getErrorObject());
        }
        seen.put("asked", reply.getBodyAsJSONObject());
        return response.toRequestAcknowledgement();
    }

    /** The ping says that there is an answer, and the token endpoint what it is. */
    void pinged(CIBAPingCallback ping, CIBARequestAcknowledgement asked) throws Exception {
        seen.put("same_request", ping.getAuthRequestID().equals(asked.getAuthRequestID()));
        var grant = new CIBAGrant(ping.getAuthRequestID());
        var request = new TokenRequest.Builder(provider.getTokenEndpointURI(), authentication, grant).build();
        var response = OIDCTokenResponseParser.parse(request.toHTTPRequest().send());
        if (response.indicatesSuccess()) {
            approved(response.toSuccessResponse().getTokens().toOIDCTokens());
        } else {
            denied(response.toErrorResponse().getErrorObject());
        }
    }

    /** The push holds tokens, which its ID token vouches for, or an error. */
    void pushed(CIBAPushCallback push, CIBARequestAcknowledgement asked) throws Exception {
        seen.put("same_request", push.getAuthRequestID().equals(asked.getAuthRequestID()));
        if (!push.indicatesSuccess()) {
            denied(push.toErrorDelivery().getErrorObject());
            return;
        }
        var tokens = push.toTokenDelivery().getOIDCTokens();
        var claims = approved(tokens);
        var algorithm = algorithm(tokens);
        AccessTokenValidator.validate(tokens.getAccessToken(), algorithm, claims.getAccessTokenHash());
        if (!asked.getAuthRequestID().getValue().equals(claims.getStringClaim("urn:openid:params:jwt:claim:auth_req_id"))) {
            throw new Exception("an ID token for another request");
        }
        var refreshToken = tokens.getRefreshToken();
        var refreshTokenHash = claims.getStringClaim("urn:openid:params:jwt:claim:rt_hash");
        if (refreshToken != null && !HashClaim.computeValue(refreshToken, algorithm, null).equals(refreshTokenHash)) {
            throw new Exception("an ID token for another refresh token");
        }
        seen.put("refresh_token", refreshToken != null);
    }

    IDTokenClaimsSet approved(OIDCTokens tokens) throws Exception {
        var validator = new IDTokenValidator(
            provider.getIssuer(), authentication.getClientID(), algorithm(tokens), provider.getJWKSetURI().toURL());
        var claims = validator.validate(tokens.getIDToken(), null);
        seen.put("id_token", claims.toJSONObject());
        return claims;
    }

    static JWSAlgorithm algorithm(OIDCTokens tokens) {
        return JWSAlgorithm.parse(tokens.getIDToken().getHeader().getAlgorithm().getName());
    }

    void denied(ErrorObject error) {
        seen.put("error", error.getCode());
    }
}
