// A CIBA client in poll mode with Nimbus' oauth2-oidc-sdk that is known by its TLS certificate (RFC 8705), to which its
// access token is bound.
//
//     java -cp JARS ClientCertificate.java ISSUER CLIENT_ID METHOD CERTIFICATE KEY CA LOGIN_HINT
//
// METHOD is tls_client_auth or self_signed_tls_client_auth. CERTIFICATE and KEY (P-256, PKCS #8) are the client's, CA signed
// the server's certificate; all PEM. Prints one line of JSON and ends with 0, or a sentence and 1.

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jose.util.X509CertUtils;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.PKITLSClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.SelfSignedTLSClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.X509CertificateConfirmation;
import com.nimbusds.oauth2.sdk.ciba.CIBAGrant;
import com.nimbusds.oauth2.sdk.ciba.CIBARequest;
import com.nimbusds.oauth2.sdk.ciba.CIBARequestAcknowledgement;
import com.nimbusds.oauth2.sdk.ciba.CIBAResponse;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.util.tls.TLSUtils;
import com.nimbusds.oauth2.sdk.util.tls.TLSVersion;
import com.nimbusds.openid.connect.sdk.OIDCTokenResponseParser;
import com.nimbusds.openid.connect.sdk.UserInfoRequest;
import com.nimbusds.openid.connect.sdk.UserInfoResponse;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.token.OIDCTokens;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.SSLSocketFactory;
import net.minidev.json.JSONObject;

class ClientCertificate {
    final OIDCProviderMetadata provider;
    final ClientAuthentication authentication;
    final X509Certificate certificate;
    final SSLSocketFactory sockets;
    final JSONObject seen = new JSONObject();

    ClientCertificate(Issuer issuer, ClientID client, String method, X509Certificate certificate, SSLSocketFactory sockets)
            throws Exception {
        this.provider = OIDCProviderMetadata.resolve(issuer, request -> request.setSSLSocketFactory(sockets));
        this.authentication = method.equals("tls_client_auth")
            ? new PKITLSClientAuthentication(client, sockets)
            : new SelfSignedTLSClientAuthentication(client, sockets);
        this.certificate = certificate;
        this.sockets = sockets;
    }

    public static void main(String[] arguments) {
        try {
            var certificate = certificate(arguments[3]);
            var sockets = sockets(certificate, privateKey(arguments[4]), certificate(arguments[5]));
            var client = new ClientCertificate(
                new Issuer(arguments[0]), new ClientID(arguments[1]), arguments[2], certificate, sockets);
            var tokens = client.poll(client.ask(arguments[6]));
            client.verify(tokens);
            client.userInfo(tokens.getAccessToken());
            System.out.println(client.seen.toJSONString());
        } catch (Exception fault) {
            System.err.println(fault);
            System.exit(1);
        }
    }

    static X509Certificate certificate(String pem) throws Exception {
        return X509CertUtils.parseWithException(Files.readString(Path.of(pem)));
    }

    static PrivateKey privateKey(String pem) throws Exception {
        String base64 = Files.readString(Path.of(pem)).replaceAll("-----[^-]+-----|\\s", "");
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64)));
    }

    static SSLSocketFactory sockets(X509Certificate certificate, PrivateKey key, X509Certificate ca) throws Exception {
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry("client", key, new char[0], new Certificate[] {certificate});
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("ca", ca);
        return TLSUtils.createSSLSocketFactory(trusted, own, new char[0], TLSVersion.TLS_1_3);
    }

    CIBARequestAcknowledgement ask(String loginHint) throws Exception {
        var request = new CIBARequest.Builder(authentication, Scope.parse("openid profile"))
            .loginHint(loginHint)
            .bindingMessage("KX-42")
            .endpointURI(provider.getBackChannelAuthenticationEndpointURI())
            .build();
        var response = CIBAResponse.parse(request.toHTTPRequest().send());
        if (!response.indicatesSuccess()) {
            throw new Exception("not asked: " + response.toErrorResponse().getErrorObject());
        }
        seen.put("asked", response.toRequestAcknowledgement().toJSONObject());
        return response.toRequestAcknowledgement();
    }

    OIDCTokens poll(CIBARequestAcknowledgement asked) throws Exception {
        var grant = new CIBAGrant(asked.getAuthRequestID());
        var request = new TokenRequest.Builder(provider.getTokenEndpointURI(), authentication, grant).build();
        int interval = asked.getMinWaitInterval();
        for (int waited = 0; waited < asked.getExpiresIn(); waited += interval) {
            Thread.sleep(interval * 1000L);
            var response = OIDCTokenResponseParser.parse(request.toHTTPRequest().send());
            if (response.indicatesSuccess()) {
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

    void verify(OIDCTokens tokens) throws Exception {
        var algorithm = JWSAlgorithm.parse(tokens.getIDToken().getHeader().getAlgorithm().getName());
        var retriever = new DefaultResourceRetriever(5_000, 20_000, 0, true, sockets);
        var validator = new IDTokenValidator(provider.getIssuer(), authentication.getClientID(), algorithm,
            provider.getJWKSetURI().toURL(), retriever);
        seen.put("id_token", validator.validate(tokens.getIDToken(), null).toJSONObject());

        var claims = SignedJWT.parse(tokens.getAccessToken().getValue()).getJWTClaimsSet();
        seen.put("bound", X509CertificateConfirmation.of(certificate).equals(X509CertificateConfirmation.parse(claims)));
    }

    void userInfo(AccessToken token) throws Exception {
        var request = new UserInfoRequest(provider.getUserInfoEndpointURI(), token).toHTTPRequest();
        request.setSSLSocketFactory(sockets);
        var response = UserInfoResponse.parse(request.send());
        if (!response.indicatesSuccess()) {
            throw new Exception("no userinfo: " + response.toErrorResponse().getErrorObject());
        }
        seen.put("userinfo", response.toSuccessResponse().getUserInfo().toJSONObject());
    }
}
