#!/usr/bin/python3
"""`mc alias set NAME URL ...` and `mc mb --ignore-existing NAME/BUCKET`: what compose.yaml asks of MinIO's client."""

import sys
import urllib.request
from pathlib import Path

KEPT = Path("/tmp/alias")
words = sys.argv[1:]
if words[:2] == ["alias", "set"]:
    urllib.request.urlopen(words[3], timeout=3)
    KEPT.write_text(words[3])
else:
    bucket = words[-1].partition("/")[2]
    urllib.request.urlopen(urllib.request.Request(f"{KEPT.read_text()}/{bucket}", method="PUT"))
