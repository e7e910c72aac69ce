#!/usr/bin/python3
"""Starts the service as its image says and asks it what it should know. Exit status 0: all is well."""

import http.client
import os
import subprocess
import sys
import time


def get(path):
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    sys.exit("self-test: the service does not listen")


def check(what, found, expected):
    print(f"{'ok' if found == expected else 'FAILED'}: {what}")
    if found != expected:
        sys.exit(f"self-test: {what}: expected {expected!r}, found {found!r}")


service = subprocess.Popen(["/usr/bin/greeter"])
try:
    check("greets by name", get("/world"), (200, b"hello, world\n"))
    check("has a page", b"<title>greeter</title>" in get("/")[1], True)
    check("is not root", os.stat(f"/proc/{service.pid}").st_uid == os.stat("/var/lib/greeter").st_uid != 0, True)
    check("cannot change its settings", os.access("/etc/greeter.json", os.W_OK), False)
finally:
    service.kill()
    service.wait()
