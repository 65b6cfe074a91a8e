// A customer's program in Java, after the habits of the vendor's samples: HttpURLConnection with every certificate and
// host name trusted, `dsl` where `type` is meant, the local time with a Z, JSON put together by hand with every value a
// string, bodies written by writeBytes (which mangles what is not Latin-1), errors read from the error stream.
// Use: see client.py.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.text.SimpleDateFormat;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

public class Client {
    static final Map<String, String> SECRETS = new HashMap<>();
    static String base;

    static synchronized void tell(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() == 0 ? "" : "\t").append(word);
        }
        System.out.println(line);
        System.out.flush();
    }

    static String digest(String nonce, String created, String secret) throws Exception {
        byte[] made = MessageDigest.getInstance("SHA-256").digest((nonce + created + secret).getBytes());
        return Base64.getEncoder().encodeToString(made);
    }

    static String wsse(String key) throws Exception {
        String created = new SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'").format(new Date());
        String nonce = UUID.randomUUID().toString().replace("-", "");
        return "UsernameToken Username=\"" + key + "\",PasswordDigest=\"" + digest(nonce, created, SECRETS.get(key))
                + "\",Nonce=\"" + nonce + "\",Created=\"" + created + "\"";
    }

    static void trustEverything() throws Exception {
        TrustManager[] all = {new X509TrustManager() {
            public void checkClientTrusted(X509Certificate[] chain, String kind) {}

            public void checkServerTrusted(X509Certificate[] chain, String kind) {}

            public X509Certificate[] getAcceptedIssuers() {
                return null;
            }
        }};
        SSLContext context = SSLContext.getInstance("SSL");
        context.init(null, all, new java.security.SecureRandom());
        HttpsURLConnection.setDefaultSSLSocketFactory(context.getSocketFactory());
        HttpsURLConnection.setDefaultHostnameVerifier((host, session) -> true);
    }

    static byte[] read(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (in != null) {
            in.transferTo(out);
        }
        return out.toByteArray();
    }

    static HttpURLConnection send(String key, String method, String path, Map<String, String> fields) throws Exception {
        boolean inBody = method.equals("POST") || method.equals("PUT");
        StringBuilder query = new StringBuilder();
        StringBuilder body = new StringBuilder();
        for (Map.Entry<String, String> one : fields.entrySet()) {
            query.append(query.length() == 0 ? "?" : "&").append(one.getKey()).append("=")
                    .append(URLEncoder.encode(one.getValue(), "UTF-8"));
            body.append(body.length() == 0 ? "{" : ",").append("\"").append(one.getKey()).append("\":\"")
                    .append(one.getValue()).append("\"");
        }
        URL url = new URL(base + path + (inBody ? "" : query));
        HttpURLConnection connection = (HttpURLConnection) url.openConnection();
        connection.setInstanceFollowRedirects(false);
        connection.setRequestMethod(method);
        connection.setRequestProperty("Content-Type", "application/json;charset=UTF-8");
        connection.setRequestProperty("Authorization", "WSSE realm=\"SDP\", profile=\"UsernameToken\", dsl=\"Appkey\"");
        connection.setRequestProperty("X-WSSE", wsse(key));
        connection.setDoInput(true);
        if (inBody) {
            connection.setDoOutput(true);
            DataOutputStream out = new DataOutputStream(connection.getOutputStream());
            out.writeBytes(body.append("}").toString());
            out.flush();
            out.close();
        }
        connection.connect();
        return connection;
    }

    static void receive(HttpExchange exchange) throws IOException {
        String body = new String(read(exchange.getRequestBody()), StandardCharsets.UTF_8);
        Map<String, String> parts = new HashMap<>();
        for (String part : exchange.getRequestHeaders().getFirst("X-WSSE").replace("UsernameToken ", "").split(",")) {
            int at = part.indexOf('=');
            parts.put(part.substring(0, at).trim(), part.substring(at + 1).replace("\"", ""));
        }
        boolean signed = false;
        try {
            String secret = SECRETS.getOrDefault(parts.get("Username"), "");
            signed = digest(parts.get("Nonce"), parts.get("Created"), secret).equals(parts.get("PasswordDigest"));
        } catch (Exception error) {
            tell("answer", 0, error);
        }
        tell("event", exchange.getRequestURI(), signed, body);
        exchange.sendResponseHeaders(200, -1);
        exchange.close();
    }

    public static void main(String[] words) throws Exception {
        base = words[0];
        for (String pair : words[1].split(",")) {
            SECRETS.put(pair.split("=")[0], pair.split("=")[1]);
        }
        trustEverything();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(words[2])), 0);
        server.createContext("/", Client::receive);
        server.start();
        tell("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split("\t", -1);
            Map<String, String> fields = new LinkedHashMap<>();
            for (String pair : parts[parts.length - 1].split("&")) {
                int at = pair.indexOf('=');
                if (at > 0) {
                    fields.put(pair.substring(0, at), pair.substring(at + 1));
                }
            }
            if (parts[0].equals("ask")) {
                HttpURLConnection asked = send(parts[1], parts[2], parts[3], fields);
                int status = asked.getResponseCode();
                byte[] body = read(status >= 400 ? asked.getErrorStream() : asked.getInputStream());
                tell("answer", status, new String(body, StandardCharsets.UTF_8));
            } else {
                HttpURLConnection asked = send(parts[1], "GET", "/rest/provision/voice/record/v1.0", fields);
                URL place = new URL(asked.getHeaderField("Location"));
                byte[] content = read(place.openConnection().getInputStream());
                tell("file", asked.getResponseCode(), content.length, new String(content, 0, 4));
            }
        }
        System.exit(0);
    }
}
