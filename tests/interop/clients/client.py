"""A customer's program in Python, after the habits of the vendor's samples: standard library, certificates unchecked,
the time of the clock on the wall with a Z behind it, answers of any status read whole, a receiver on HTTP/1.0.

    python client.py BASE_URL KEY=SECRET[,KEY=SECRET...] RECEIVER_PORT

Commands on standard input, a line each, fields parted by tabs; what happens is told on standard output likewise.

    ask KEY METHOD PATH name=value&name=value...   ->  answer STATUS BODY
    file KEY name=value&...                        ->  file STATUS SIZE MAGIC
                                                       event PATH SIGNED BODY     (when the platform pushes one)
"""

import base64
import hashlib
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

BASE, SECRETS, PORT = sys.argv[1], dict(pair.split("=") for pair in sys.argv[2].split(",")), int(sys.argv[3])
ssl._create_default_https_context = ssl._create_unverified_context
LOCK = threading.Lock()


def tell(*words):
    with LOCK:
        print("\t".join(str(word) for word in words), flush=True)


def digest(nonce, created, secret):
    return base64.b64encode(hashlib.sha256((nonce + created + secret).encode()).digest()).decode()


def wsse(key):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    nonce = str(uuid.uuid4()).replace("-", "")
    made = digest(nonce, created, SECRETS[key])
    return f'UsernameToken Username="{key}",PasswordDigest="{made}",Nonce="{nonce}",Created="{created}"'


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def send(key, method, path, fields):
    headers = {
        "Content-Type": "application/json;charset=UTF-8",
        "Authorization": 'WSSE realm="SDP",profile="UsernameToken",type="Appkey"',
        "X-WSSE": wsse(key),
    }
    url, data = BASE + path, None
    if method in ("POST", "PUT"):
        # floor() and the like leave 30.0 where 30 is meant.
        typed = {name: float(value) if value in ("30", "600") else value for name, value in fields.items()}
        data = json.dumps(typed).encode()
    elif fields:
        url += "?" + urllib.parse.urlencode(fields)
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    opener = urllib.request.build_opener(
        NoRedirect, urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    )
    try:
        with opener.open(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Events(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        token = dict(
            part.replace("UsernameToken ", "").strip().split("=", 1) for part in self.headers["X-WSSE"].split(",")
        )
        parts = {name: value.strip('"') for name, value in token.items()}
        secret = SECRETS.get(parts["Username"], "")
        signed = digest(parts["Nonce"], parts["Created"], secret) == parts["PasswordDigest"]
        tell("event", self.path, signed, json.dumps(json.loads(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"success")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Events)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell("ready")
for line in sys.stdin:
    verb, key, *rest = line.rstrip("\n").split("\t")
    fields = dict(pair.split("=", 1) for pair in rest[-1].split("&") if pair)
    if verb == "ask":
        status, _, body = send(key, rest[0], rest[1], fields)
        tell("answer", status, body.decode())
    else:
        status, headers, _ = send(key, "GET", "/rest/provision/voice/record/v1.0", fields)
        with urllib.request.urlopen(headers["Location"]) as answer:
            content = answer.read()
        tell("file", status, len(content), content[:4].decode())
